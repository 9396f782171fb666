package awsx

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func block(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func blocksOf(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, block(s))
	}
	return all
}

func public(mask int) subnetSpec   { return subnetSpec{kind: typePublic, mask: mask} }
func private(mask int) subnetSpec  { return subnetSpec{kind: typePrivate, mask: mask} }
func isolated(mask int) subnetSpec { return subnetSpec{kind: typeIsolated, mask: mask} }

var (
	two   = []string{"a", "b"}
	three = []string{"a", "b", "c"}
)

func TestSubnetsLieWhereTheOfficialPluginPutsThem(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     network
		zones []string
		want  string
	}{
		{
			"no specs: private halves, public quarters", network{block: block("10.0.0.0/16"), nat: natPerZone}, two,
			"v-private-1 10.0.0.0/18, v-public-1 10.0.64.0/19, v-private-2 10.0.128.0/18, v-public-2 10.0.192.0/19",
		},
		{
			"three zones share the room of four", network{block: block("10.0.0.0/16"), nat: natPerZone}, three,
			"v-private-1 10.0.0.0/19, v-public-1 10.0.32.0/20, v-private-2 10.0.64.0/19, v-public-2 10.0.96.0/20, " +
				"v-private-3 10.0.128.0/19, v-public-3 10.0.160.0/20",
		},
		{
			"no masks: equal shares",
			network{block: block("10.0.0.0/16"), nat: natNone, specs: []subnetSpec{public(0), private(0), isolated(0)}}, two,
			"v-public-1 10.0.0.0/19, v-private-1 10.0.32.0/19, v-isolated-1 10.0.64.0/19, " +
				"v-public-2 10.0.128.0/19, v-private-2 10.0.160.0/19, v-isolated-2 10.0.192.0/19",
		},
		{
			"a wide subnet after a narrow one starts at its own boundary",
			network{block: block("10.0.0.0/16"), nat: natNone, specs: []subnetSpec{public(24), private(20)}}, two,
			"v-public-1 10.0.0.0/24, v-private-1 10.0.16.0/20, v-public-2 10.0.128.0/24, v-private-2 10.0.144.0/20",
		},
		{
			"a name replaces the type",
			network{block: block("10.0.0.0/16"), nat: natNone, specs: []subnetSpec{{kind: typePublic, name: "edge"}}}, two,
			"v-edge-1 10.0.0.0/17, v-edge-2 10.0.128.0/17",
		},
		{
			"blocks as given",
			network{block: block("10.0.0.0/16"), nat: natSingle, specs: []subnetSpec{
				{kind: typePublic, blocks: blocksOf("10.0.0.0/24", "10.0.1.0/24")},
				{kind: typePrivate, mask: 20, blocks: blocksOf("10.0.16.0/20", "10.0.32.0/20")},
			}}, two,
			"v-public-1 10.0.0.0/24, v-private-1 10.0.16.0/20, v-public-2 10.0.1.0/24, v-private-2 10.0.32.0/20",
		},
		{
			"exact, with a filler",
			network{block: block("10.0.0.0/16"), nat: natNone, strategy: strategyExact, specs: []subnetSpec{
				public(18), {kind: typeUnused, mask: 18},
			}}, two,
			"v-public-1 10.0.0.0/18, v-unused-1 10.0.64.0/18, v-public-2 10.0.128.0/18, v-unused-2 10.0.192.0/18",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			subnets, err := layout("v", c.n, c.zones)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range subnets {
				got = append(got, fmt.Sprintf("%s %s", s.name, s.block))
				if s.zone != c.zones[s.index] {
					t.Errorf("%s: zone %s", s.name, s.zone)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), c.want)
			}
		})
	}
}

func TestALayoutThatCannotBeIsRefused(t *testing.T) {
	wide := block("10.0.0.0/16")
	for _, c := range []struct {
		n    network
		want string
	}{
		{network{block: wide, nat: natNone, strategy: strategyExact}, "subnetSpecs: missing; Exact needs them"},
		{
			network{block: wide, nat: natNone, specs: []subnetSpec{public(17), private(20)}},
			"cidrBlock: 32768 addresses per zone; the subnets of one need 36864",
		},
		{
			network{block: wide, nat: natNone, specs: []subnetSpec{public(29)}},
			"subnetSpecs[0]: a subnet of /29; allowed: /16 to /28",
		},
		{
			network{block: wide, nat: natNone, specs: []subnetSpec{{kind: typePublic, blocks: blocksOf("10.0.0.0/24")}}},
			"subnetSpecs[0].cidrBlocks: got 1; allowed: one for each of 2 zones, in every spec",
		},
		{
			network{block: wide, nat: natNone, specs: []subnetSpec{
				{kind: typePublic, mask: 25, blocks: blocksOf("10.0.0.0/24", "10.0.1.0/24")},
			}},
			"subnetSpecs[0].cidrMask: got 25; allowed: the mask of all cidrBlocks",
		},
		{
			network{block: wide, nat: natNone, specs: []subnetSpec{
				{kind: typePublic, blocks: blocksOf("10.0.0.0/23", "10.0.1.0/24")},
			}},
			"subnets v-public-1 (10.0.0.0/23) and v-public-2 (10.0.1.0/24) overlap",
		},
		{
			network{block: wide, nat: natNone, strategy: strategyExact, specs: []subnetSpec{public(18)}},
			"subnet v-public-2: starts at 10.0.128.0; Exact allows no gap before it\n" +
				"cidrBlock 10.0.0.0/16: not filled to its end, as Exact demands",
		},
		{
			network{block: wide, nat: natSingle, specs: []subnetSpec{public(20)}},
			"natGateways.strategy: got Single without public and private subnets; allowed: None",
		},
	} {
		_, err := layout("v", c.n, two)
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}
