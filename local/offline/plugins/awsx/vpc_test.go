package awsx

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recorder invents an id for every resource and keeps what was asked for, by "type name".
type recorder struct {
	sync.Mutex
	inputs  map[string]resource.PropertyMap
	parents map[string]string // "type name" of the parent
}

func key(kind, name string) string {
	return strings.TrimSuffix(kind[strings.LastIndex(kind, ":")+1:]+" "+name, " ")
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.Lock()
	defer r.Unlock()
	k := key(args.TypeToken, args.Name)
	r.inputs[k] = args.Inputs
	parent := resource.URN(args.RegisterRPC.GetParent())
	if parent != "" {
		r.parents[k] = key(string(parent.Type()), parent.Name())
	}
	outputs := args.Inputs.Copy()
	outputs["allocationId"] = resource.NewStringProperty("allocation of " + args.Name)
	return "id of " + k, outputs, nil
}

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token != "aws:index/getAvailabilityZones:getAvailabilityZones" {
		return nil, fmt.Errorf("call %s: unexpected", args.Token)
	}
	return resource.NewPropertyMapFromMap(map[string]any{"names": []any{"z1", "z2", "z3"}}), nil
}

// declared runs the component under mocks.
func declared(t *testing.T, n network) (*recorder, error) {
	t.Helper()
	r := &recorder{inputs: map[string]resource.PropertyMap{}, parents: map[string]string{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := newVpc(ctx, "net", n)
		return err
	}, pulumi.WithMocks("project", "stack", r))
	return r, err
}

func standard(nat string) network {
	return network{
		block: block("10.0.0.0/16"), zoneCount: 2, nat: nat, strategy: strategyAuto, tags: map[string]string{"team": "web"},
		specs: []subnetSpec{private(20), public(20), isolated(24)},
	}
}

func TestEachZoneHasItsSubnetsTablesAndRoutes(t *testing.T) {
	r, err := declared(t, standard(natPerZone))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Vpc net": "Vpc net", "InternetGateway net": "Vpc net"}
	for zone := 1; zone <= 2; zone++ {
		for _, kind := range []string{"public", "private", "isolated"} {
			name := fmt.Sprintf("net-%s-%d", kind, zone)
			want["Subnet "+name] = "Vpc net"
			want["RouteTable "+name] = "Subnet " + name
			want["RouteTableAssociation "+name] = "RouteTable " + name
			if kind != "isolated" {
				want["Route "+name] = "RouteTable " + name
			}
		}
		want[fmt.Sprintf("Eip net-%d", zone)] = fmt.Sprintf("Subnet net-public-%d", zone)
		want[fmt.Sprintf("NatGateway net-%d", zone)] = fmt.Sprintf("Subnet net-public-%d", zone)
	}
	delete(r.parents, "Vpc net") // the component and the VPC have one key
	delete(want, "Vpc net")
	if !reflect.DeepEqual(r.parents, want) {
		t.Errorf("got  %v\nwant %v", r.parents, want)
	}
}

func TestTheNATStrategyDecidesOnGatewaysAndRoutes(t *testing.T) {
	for nat, want := range map[string]map[string]string{
		natNone: {},
		natSingle: {
			"NatGateway net-1":    "allocation of net-1",
			"Route net-private-1": "id of NatGateway net-1", "Route net-private-2": "id of NatGateway net-1",
		},
		natPerZone: {
			"NatGateway net-1": "allocation of net-1", "NatGateway net-2": "allocation of net-2",
			"Route net-private-1": "id of NatGateway net-1", "Route net-private-2": "id of NatGateway net-2",
		},
	} {
		r, err := declared(t, standard(nat))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for k, inputs := range r.inputs {
			for _, property := range []resource.PropertyKey{"natGatewayId", "allocationId"} {
				if v, ok := inputs[property]; ok {
					got[k] = v.StringValue()
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v; expected %v", nat, got, want)
		}
		for _, route := range []string{"Route net-public-1", "Route net-public-2"} {
			if got := r.inputs[route]["gatewayId"]; got.StringValue() != "id of InternetGateway net" {
				t.Errorf("%s, %s: got %v", nat, route, got)
			}
		}
	}
}

func TestResourcesHaveTheirProperties(t *testing.T) {
	n, off := standard(natSingle), false
	n.dnsSupport = &off
	n.specs[1].tags = map[string]string{"tier": "edge", "Name": "never"}
	r, err := declared(t, n)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]map[string]any{
		"Vpc net": {
			"cidrBlock": "10.0.0.0/16", "enableDnsSupport": false,
			"tags": map[string]any{"Name": "net", "team": "web"},
		},
		"Subnet net-public-2": {
			"vpcId": "id of Vpc net", "availabilityZone": "z2", "cidrBlock": "10.0.144.0/20", "mapPublicIpOnLaunch": true,
			"tags": map[string]any{"Name": "net-public-2", "SubnetType": "Public", "team": "web", "tier": "edge"},
		},
		"Subnet net-private-1": {
			"vpcId": "id of Vpc net", "availabilityZone": "z1", "cidrBlock": "10.0.0.0/20", "mapPublicIpOnLaunch": false,
			"tags": map[string]any{"Name": "net-private-1", "SubnetType": "Private", "team": "web"},
		},
		"RouteTable net-public-2": {
			"vpcId": "id of Vpc net", "tags": map[string]any{"Name": "net-public-2", "SubnetType": "Public", "team": "web"},
		},
		"RouteTableAssociation net-isolated-1": {
			"routeTableId": "id of RouteTable net-isolated-1", "subnetId": "id of Subnet net-isolated-1",
		},
		"Route net-private-2": {
			"routeTableId": "id of RouteTable net-private-2", "destinationCidrBlock": "0.0.0.0/0",
			"natGatewayId": "id of NatGateway net-1",
		},
		"NatGateway net-1": {
			"subnetId": "id of Subnet net-public-1", "allocationId": "allocation of net-1",
			"tags": map[string]any{"Name": "net-1", "team": "web"},
		},
	} {
		if got := r.inputs[k].Mappable(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", k, got, want)
		}
	}
}

// The program states the zones. Which they are must not depend on how many the region has, or in which order.
func TestSubnetsAreInTheZonesThatAreStated(t *testing.T) {
	n := standard(natNone)
	n.zones = []string{"z3", "z2"}
	r, err := declared(t, n)
	if err != nil {
		t.Fatal(err)
	}
	for number, zone := range n.zones {
		name := fmt.Sprintf("Subnet net-public-%d", number+1)
		if got := r.inputs[name]["availabilityZone"].StringValue(); got != zone {
			t.Errorf("%s is in %s; want %s", name, got, zone)
		}
	}
}

func TestARegionWithTooFewZonesIsRefused(t *testing.T) {
	n := standard(natNone)
	n.zoneCount = 4
	r, err := declared(t, n)
	if err == nil || !strings.Contains(err.Error(), "numberOfAvailabilityZones: got 4; allowed: at most the region's 3") {
		t.Errorf("got %v", err)
	}
	if got := slices.Sorted(maps.Keys(r.inputs)); !reflect.DeepEqual(got, []string{"Vpc net"}) { // the component
		t.Errorf("declared: %v", got)
	}
}

func TestAWrongLayoutDeclaresNothing(t *testing.T) {
	n := standard(natSingle)
	n.specs = n.specs[:1]
	r, err := declared(t, n)
	if err == nil || len(r.inputs) != 1 {
		t.Errorf("got %v, %v", err, r.inputs)
	}
}

func TestTheOutputsSayWhatBecameOfTheSpecs(t *testing.T) {
	n := standard(natNone)
	n.specs[0].name = "app"
	subnets, err := layout("v", n, two)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"type": "Private", "cidrMask": 20, "size": 4096, "name": "app"},
		{"type": "Public", "cidrMask": 20, "size": 4096},
		{"type": "Isolated", "cidrMask": 24, "size": 256},
	}
	if got := resolved(n.specs, subnets, 2); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}
