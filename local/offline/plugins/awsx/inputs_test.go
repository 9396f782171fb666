package awsx

import (
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestWrongInputsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		inputs map[string]any
		want   string
	}{
		{map[string]any{}, "subnetStrategy: missing; allowed by this stand-in: Auto, Exact"},
		{map[string]any{"subnetStrategy": "Legacy"}, "subnetStrategy: got Legacy; allowed: Auto, Exact"},
		{
			map[string]any{"subnetStrategy": "Auto", "ipv4IpamPoolId": "x"},
			"ipv4IpamPoolId: not supported by this stand-in; allowed: availabilityZoneNames, cidrBlock, " +
				"enableDnsHostnames, enableDnsSupport, natGateways, numberOfAvailabilityZones, subnetSpecs, subnetStrategy, tags",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "natGateways": map[string]any{"elasticIpAllocationIds": []any{}}},
			"natGateways.elasticIpAllocationIds: not supported by this stand-in; allowed: strategy",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "natGateways": map[string]any{"strategy": "Two"}},
			"natGateways.strategy: got Two; allowed: None, Single, OnePerAz",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "subnetSpecs": []any{map[string]any{"type": "Public", "size": 16.0}}},
			"subnetSpecs[0].size: not supported by this stand-in; allowed: cidrBlocks, cidrMask, name, tags, type",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "subnetSpecs": []any{map[string]any{"cidrMask": "20"}}},
			"subnetSpecs[0].cidrMask: got a string; allowed: a number\n" +
				"subnetSpecs[0].type: missing; allowed: Public, Private, Isolated, Unused",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "cidrBlock": "10.0.0.1/16"},
			`cidrBlock: got "10.0.0.1/16"; allowed: an IPv4 block such as 10.0.0.0/16`,
		},
		{
			map[string]any{"subnetStrategy": "Auto", "cidrBlock": "fd00::/64"},
			`cidrBlock: got "fd00::/64"; allowed: an IPv4 block such as 10.0.0.0/16`,
		},
		{
			map[string]any{
				"subnetStrategy": "Auto", "availabilityZoneNames": []any{"a"}, "numberOfAvailabilityZones": 1.0,
			},
			"availabilityZoneNames: given with numberOfAvailabilityZones; allowed: one of them",
		},
		{
			map[string]any{"subnetStrategy": "Auto", "tags": map[string]any{"a": true}},
			"tags.a: got a bool; allowed: a string",
		},
	} {
		_, err := parse(resource.NewPropertyMapFromMap(c.inputs))
		if err == nil || err.Error() != c.want {
			t.Errorf("%v:\n got %v\nwant %s", c.inputs, err, c.want)
		}
	}
}

func TestAnInputThatIsNotKnownYetIsRefused(t *testing.T) {
	_, err := parse(resource.PropertyMap{
		"subnetStrategy": resource.NewStringProperty("Auto"),
		"cidrBlock":      resource.MakeComputed(resource.NewStringProperty("")),
	})
	if want := "cidrBlock: not known yet; allowed: a value that no resource has to give"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestInputsAreReadAsTheSDKSendsThem(t *testing.T) {
	got, err := parse(resource.PropertyMap{
		"cidrBlock": resource.NewStringProperty("10.1.0.0/16"),
		"availabilityZoneNames": resource.NewArrayProperty([]resource.PropertyValue{
			resource.NewStringProperty("z1"), resource.NewStringProperty("z2"),
		}),
		"subnetStrategy": resource.NewStringProperty("Auto"),
		"enableDnsSupport": resource.NewOutputProperty(resource.Output{
			Element: resource.NewBoolProperty(true), Known: true,
		}),
		"natGateways": resource.NewObjectProperty(resource.PropertyMap{"strategy": resource.NewStringProperty("single")}),
		"subnetSpecs": resource.NewArrayProperty([]resource.PropertyValue{
			resource.NewObjectProperty(resource.NewPropertyMapFromMap(map[string]any{
				"type": "Public", "cidrBlocks": []any{"10.1.0.0/24", "10.1.1.0/24"}, "tags": map[string]any{"k": "v"},
			})),
		}),
		"tags": resource.MakeSecret(resource.NewObjectProperty(resource.NewPropertyMapFromMap(map[string]any{"a": "b"}))),
	})
	on := true
	want := network{
		block: block("10.1.0.0/16"), zones: []string{"z1", "z2"}, zoneCount: 2, nat: natSingle, strategy: strategyAuto, dnsSupport: &on,
		tags: map[string]string{"a": "b"},
		specs: []subnetSpec{{
			kind: typePublic, blocks: blocksOf("10.1.0.0/24", "10.1.1.0/24"), tags: map[string]string{"k": "v"},
		}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestWhatIsNotGivenHasTheOfficialPluginsDefault(t *testing.T) {
	got, err := parse(resource.PropertyMap{"subnetStrategy": resource.NewStringProperty("Auto")})
	want := network{
		block: block("10.0.0.0/16"), zoneCount: 3, nat: natPerZone, strategy: strategyAuto, tags: map[string]string{},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}
