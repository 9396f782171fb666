package awsx

import (
	"fmt"
	"net/netip"
	"reflect"
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
	return nil, fmt.Errorf("call %s: unexpected", args.Token)
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

func block(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func standard(nat string) network {
	return network{block: block("10.0.0.0/16"), zones: []string{"z3", "z2"}, nat: nat, specs: []subnetSpec{
		{kind: typePublic, blocks: []netip.Prefix{block("10.0.0.0/19"), block("10.0.32.0/19")}},
		{kind: typePrivate, blocks: []netip.Prefix{block("10.0.64.0/19"), block("10.0.96.0/19")}},
	}}
}

func TestEachZoneHasItsSubnetsTablesAndRoutes(t *testing.T) {
	r, err := declared(t, standard(natPerZone))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Vpc net": "Vpc net", "InternetGateway net": "Vpc net"}
	for zone := 1; zone <= 2; zone++ {
		for _, kind := range []string{"public", "private"} {
			name := fmt.Sprintf("net-%s-%d", kind, zone)
			want["Subnet "+name] = "Vpc net"
			want["RouteTable "+name] = "Subnet " + name
			want["RouteTableAssociation "+name] = "RouteTable " + name
			want["Route "+name] = "RouteTable " + name
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
	r, err := declared(t, n)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]map[string]any{
		"Vpc net": {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": false, "tags": map[string]any{"Name": "net"}},
		"Subnet net-public-2": {
			"vpcId": "id of Vpc net", "availabilityZone": "z2", "cidrBlock": "10.0.32.0/19", "mapPublicIpOnLaunch": true,
			"tags": map[string]any{"Name": "net-public-2", "SubnetType": "Public"},
		},
		"Subnet net-private-1": {
			"vpcId": "id of Vpc net", "availabilityZone": "z3", "cidrBlock": "10.0.64.0/19", "mapPublicIpOnLaunch": false,
			"tags": map[string]any{"Name": "net-private-1", "SubnetType": "Private"},
		},
		"RouteTable net-public-2": {
			"vpcId": "id of Vpc net", "tags": map[string]any{"Name": "net-public-2", "SubnetType": "Public"},
		},
		"RouteTableAssociation net-private-1": {
			"routeTableId": "id of RouteTable net-private-1", "subnetId": "id of Subnet net-private-1",
		},
		"Route net-private-2": {
			"routeTableId": "id of RouteTable net-private-2", "destinationCidrBlock": "0.0.0.0/0",
			"natGatewayId": "id of NatGateway net-1",
		},
		"NatGateway net-1": {
			"subnetId": "id of Subnet net-public-1", "allocationId": "allocation of net-1", "tags": map[string]any{"Name": "net-1"},
		},
	} {
		if got := r.inputs[k].Mappable(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", k, got, want)
		}
	}
}
