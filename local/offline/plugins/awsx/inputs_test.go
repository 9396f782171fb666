package awsx

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// given are the inputs as the program sets them, with one of them changed; nil takes it out.
func given(name string, value any) resource.PropertyMap {
	inputs := map[string]any{
		"cidrBlock": "10.1.0.0/16", "availabilityZoneNames": []any{"z1", "z2"}, "subnetStrategy": "Auto",
		"natGateways": map[string]any{"strategy": "single"},
		"subnetSpecs": []any{
			map[string]any{"type": "Public", "cidrBlocks": []any{"10.1.0.0/24", "10.1.1.0/24"}},
			map[string]any{"type": "Private", "cidrBlocks": []any{"10.1.2.0/24", "10.1.3.0/24"}},
		},
	}
	inputs[name] = value
	if value == nil {
		delete(inputs, name)
	}
	return resource.NewPropertyMapFromMap(inputs)
}

func TestWrongInputsAreRefusedByName(t *testing.T) {
	for want, inputs := range map[string]resource.PropertyMap{
		`subnetStrategy: got ""; allowed: Auto`:       given("subnetStrategy", nil),
		`subnetStrategy: got "Legacy"; allowed: Auto`: given("subnetStrategy", "Legacy"),
		"ipv4IpamPoolId: not supported by this stand-in; allowed: availabilityZoneNames, cidrBlock, enableDnsHostnames, " +
			"enableDnsSupport, natGateways, subnetSpecs, subnetStrategy": given("ipv4IpamPoolId", "x"),
		"natGateways.elasticIpAllocationIds: not supported by this stand-in; allowed: strategy": given(
			"natGateways", map[string]any{"strategy": "None", "elasticIpAllocationIds": []any{}}),
		`natGateways.strategy: got "Two"; allowed: None, Single, OnePerAz`: given("natGateways", map[string]any{"strategy": "Two"}),
		"subnetSpecs[0].size: not supported by this stand-in; allowed: cidrBlocks, type\n" +
			"natGateways.strategy: got Single without public and private subnets; allowed: None": given("subnetSpecs", []any{
			map[string]any{"type": "Public", "size": 16.0, "cidrBlocks": []any{"10.1.0.0/24", "10.1.1.0/24"}}}),
		"subnetSpecs[0].cidrBlocks: got 1; allowed: one for each of 2 zones, in every spec\n" +
			"natGateways.strategy: got Single without public and private subnets; allowed: None": given("subnetSpecs", []any{
			map[string]any{"type": "Public", "cidrBlocks": []any{"10.1.0.0/24"}}}),
		`cidrBlock: got "10.0.0.1/16"; allowed: an IPv4 block such as 10.0.0.0/16`: given("cidrBlock", "10.0.0.1/16"),
		`cidrBlock: got "fd00::/64"; allowed: an IPv4 block such as 10.0.0.0/16`:   given("cidrBlock", "fd00::/64"),
		"enableDnsSupport: got a string; allowed: true, false":                     given("enableDnsSupport", "yes"),
		"enableDnsSupport: not known yet; allowed: a value that no resource has to give": given(
			"enableDnsSupport", resource.Computed{Element: resource.NewBoolProperty(true)}),
	} {
		if _, err := parse(inputs); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestInputsAreReadAsTheSDKSendsThem(t *testing.T) {
	inputs := given("enableDnsHostnames", nil)
	inputs["enableDnsSupport"] = resource.NewOutputProperty(resource.Output{Element: resource.NewBoolProperty(true), Known: true})
	inputs["cidrBlock"] = resource.MakeSecret(inputs["cidrBlock"])
	got, err := parse(inputs)
	on := true
	want := network{
		block: block("10.1.0.0/16"), zones: []string{"z1", "z2"}, nat: natSingle, dnsSupport: &on, specs: []subnetSpec{
			{kind: typePublic, blocks: []netip.Prefix{block("10.1.0.0/24"), block("10.1.1.0/24")}},
			{kind: typePrivate, blocks: []netip.Prefix{block("10.1.2.0/24"), block("10.1.3.0/24")}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestWithoutAStrategyEachZoneHasANATGateway(t *testing.T) {
	if got, err := parse(given("natGateways", nil)); err != nil || got.nat != natPerZone {
		t.Errorf("got %s, %v", got.nat, err)
	}
}
