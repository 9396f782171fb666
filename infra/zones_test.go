package infra_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const getZones = "aws:index/getAvailabilityZones:getAvailabilityZones"

// inZones runs the program in a region whose zones are given by name and id.
func inZones(t *testing.T, region string, names, ids []string, settings map[string]string) (*infratest.Graph, error) {
	t.Helper()

	there := options(defaults(t, settings))
	there.Settings["aws:region"] = region
	there.Answer = func(token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
		return infratest.Zones(names, ids), token == getZones
	}

	return infratest.Run(infra.Program, there)
}

// The recorder's account has opted into a Local Zone, whose name would come first.
func TestSubnetsAreInZonesThatNobodyOptedInto(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		if of(t, settings, "network.kind") == "existing" {
			for _, call := range graph.Calls {
				if call.Token == getZones {
					t.Error("asked for zones, although the subnets exist")
				}
			}
			return
		}
		want := []any{"eu-central-1a", "eu-central-1b"}
		if got := at(t, one(t, graph, vpc), "availabilityZoneNames"); !reflect.DeepEqual(got, want) {
			t.Errorf("zones: %v; want %v", got, want)
		}
	})
}

func TestSubnetsAreInZonesThatHaveFargate(t *testing.T) {
	for name, test := range map[string]struct {
		region, names, ids, stated, want string
	}{
		"not every zone of Tokyo": {
			"ap-northeast-1", "ap-northeast-1a ap-northeast-1b ap-northeast-1c", "apne1-az3 apne1-az4 apne1-az1", "",
			"ap-northeast-1b ap-northeast-1c",
		},
		"not every zone of Northern California": {
			"us-west-1", "us-west-1a us-west-1b us-west-1c", "usw1-az3 usw1-az2 usw1-az1", "", "us-west-1a us-west-1c",
		},
		"not every zone of Beijing": {
			"cn-north-1", "cn-north-1a cn-north-1b cn-north-1c", "cnn1-az4 cnn1-az2 cnn1-az1", "", "cn-north-1b cn-north-1c",
		},
		"by name, whatever the order": {
			"us-east-2", "us-east-2c us-east-2b us-east-2a", "use2-az1 use2-az2 use2-az3", "", "us-east-2a us-east-2b",
		},
		"the European Sovereign Cloud": {
			"eusc-de-east-1", "eusc-de-east-1b eusc-de-east-1a", "euscde-az2 euscde-az1", "eusc-de-east-1a eusc-de-east-1b", "eusc-de-east-1a eusc-de-east-1b",
		},
		"stated": {
			"us-east-2", "us-east-2a us-east-2b us-east-2c", "use2-az1 use2-az2 use2-az3", "us-east-2c us-east-2b", "us-east-2c us-east-2b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]string{}
			if test.stated != "" {
				settings["network.zones"] = `["` + strings.ReplaceAll(test.stated, " ", `","`) + `"]`
			}
			graph, err := inZones(t, test.region, strings.Fields(test.names), strings.Fields(test.ids), settings)
			if err != nil {
				t.Fatal(err)
			}
			got := at(t, one(t, graph, vpc), "availabilityZoneNames").([]any)
			if len(got) != 2 || got[0].(string)+" "+got[1].(string) != test.want {
				t.Errorf("zones: %v; want %s", got, test.want)
			}
		})
	}
}

func TestZonesWithoutFargateAreRefusedBeforeAVPCIsMade(t *testing.T) {
	names, ids := []string{"us-west-1a", "us-west-1c"}, []string{"usw1-az1", "usw1-az2"}
	for want, settings := range map[string]map[string]string{
		"network web: 1 availability zones with Fargate in us-west-1 (us-west-1a), but a network needs 2; allowed: " +
			"another region, or network existing, with the tasks in a zone that has Fargate": nil,
		"network web: network.zones: us-west-1c; allowed: zones of this account that have Fargate: us-west-1a": {
			"network.zones": `["us-west-1a","us-west-1c"]`,
		},
	} {
		graph, err := inZones(t, "us-west-1", names, ids, settings)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
		if len(graph.OfType(vpc)) != 0 {
			t.Error("a VPC is declared")
		}
	}
}

// An API reaches the tasks through a VPC link, which fewer zones have than Fargate.
func TestAnAPIsSubnetsAreInZonesThatHaveVPCLinks(t *testing.T) {
	names, ids := []string{"us-east-1a", "us-east-1b", "us-east-1c"}, []string{"use1-az3", "use1-az1", "use1-az2"}
	for way, want := range map[string]any{"alb": []any{"us-east-1a", "us-east-1b"}, "api-gateway": []any{"us-east-1b", "us-east-1c"}} {
		graph, err := inZones(t, "us-east-1", names, ids, map[string]string{"ingress.kind": way})
		if err != nil {
			t.Fatal(err)
		}
		if got := at(t, one(t, graph, vpc), "availabilityZoneNames"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: zones %v; want %v", way, got, want)
		}
	}
	settings := map[string]string{"ingress.kind": "api-gateway", "network.zones": `["us-east-1a","us-east-1b"]`}
	want := "network.zones: us-east-1a; allowed: zones of this account that have Fargate and VPC links: us-east-1b, us-east-1c"
	if _, err := inZones(t, "us-east-1", names, ids, settings); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
}

// People copy the output into the stack file.
func TestTheChosenZonesAreAnOutput(t *testing.T) {
	if got := outputs(t, defaults(t, nil))["availabilityZones"]; got != "[eu-central-1a eu-central-1b]" {
		t.Errorf("availabilityZones: %s", got)
	}
	if got, ok := outputs(t, defaults(t, existing))["availabilityZones"]; ok {
		t.Errorf("availabilityZones is %s where nothing was chosen", got)
	}
}
