package awsx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// subnet is one subnet of one zone.
type subnet struct {
	name  string
	kind  string
	zone  string
	index int // of the zone, from 0
	block netip.Prefix
	tags  map[string]string
}

// layout divides the VPC's block as the official plugin does with the strategies Auto and Exact: equal blocks for the
// zones, a power of two of them, and in each zone the subnets one after the other in the order they are given
// (https://www.pulumi.com/docs/iac/clouds/aws/guides/vpc/#subnet-allocation). It returns them zone by zone.
func layout(name string, n network, zones []string) ([]subnet, error) {
	specs := n.specs
	zoneMask := n.block.Bits() + newBits(len(zones))
	if len(specs) == 0 {
		if n.strategy == strategyExact {
			return nil, fmt.Errorf("subnetSpecs: missing; %s needs them", strategyExact)
		}
		specs = defaultSpecs(zoneMask)
	}
	explicit := slices.ContainsFunc(specs, func(s subnetSpec) bool { return len(s.blocks) > 0 })
	var subnets []subnet
	var err error
	if explicit {
		subnets, err = explicitLayout(name, specs, zones)
	} else {
		subnets, err = evenLayout(name, n.block, zoneMask, specs, zones)
	}
	if err != nil {
		return nil, err
	}
	return subnets, validate(n, subnets)
}

// defaultSpecs is a private subnet of half of each zone and a public one of a quarter, within a /16.
func defaultSpecs(zoneMask int) []subnetSpec {
	mask := max(zoneMask, 16)
	return []subnetSpec{{kind: typePrivate, mask: mask + 1}, {kind: typePublic, mask: mask + 2}}
}

func evenLayout(
	name string, block netip.Prefix, zoneMask int, specs []subnetSpec, zones []string,
) ([]subnet, error) {
	share := zoneMask + newBits(len(specs))
	masks := make([]int, len(specs))
	var need uint64
	for i, spec := range specs {
		masks[i] = spec.mask
		if masks[i] == 0 {
			masks[i] = share
		}
		// AWS takes subnets from /16 to /28: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
		if masks[i] < 16 || masks[i] > 28 {
			return nil, fmt.Errorf("subnetSpecs[%d]: a subnet of /%d; allowed: /16 to /28", i, masks[i])
		}
		need += 1 << (32 - masks[i])
	}
	if room := uint64(1) << (32 - zoneMask); need > room {
		return nil, fmt.Errorf("cidrBlock: %d addresses per zone; the subnets of one need %d", room, need)
	}
	var subnets []subnet
	start := number(block.Addr())
	for zone := range zones {
		next := start + uint32(zone)<<(32-zoneMask)
		for i, spec := range specs {
			next = align(next, masks[i])
			subnets = append(subnets, newSubnet(name, spec, zones, zone, prefix(next, masks[i])))
			next += 1 << (32 - masks[i])
		}
	}
	return subnets, nil
}

func explicitLayout(name string, specs []subnetSpec, zones []string) ([]subnet, error) {
	for i, spec := range specs {
		switch {
		case len(spec.blocks) != len(zones):
			return nil, fmt.Errorf("subnetSpecs[%d].cidrBlocks: got %d; allowed: one for each of %d zones, in every spec",
				i, len(spec.blocks), len(zones))
		case spec.mask != 0 && slices.ContainsFunc(spec.blocks, func(b netip.Prefix) bool { return b.Bits() != spec.mask }):
			return nil, fmt.Errorf("subnetSpecs[%d].cidrMask: got %d; allowed: the mask of all cidrBlocks", i, spec.mask)
		}
	}
	var subnets []subnet
	for zone := range zones {
		for _, spec := range specs {
			subnets = append(subnets, newSubnet(name, spec, zones, zone, spec.blocks[zone]))
		}
	}
	return subnets, nil
}

func newSubnet(vpc string, spec subnetSpec, zones []string, zone int, block netip.Prefix) subnet {
	part := spec.name
	if part == "" {
		part = strings.ToLower(spec.kind)
	}
	return subnet{
		name: fmt.Sprintf("%s-%s-%d", vpc, part, zone+1),
		kind: spec.kind, zone: zones[zone], index: zone, block: block, tags: spec.tags,
	}
}

// validate refuses what the official plugin refuses.
func validate(n network, subnets []subnet) error {
	var problems []error
	for i, a := range subnets {
		for _, b := range subnets[i+1:] {
			if a.block.Overlaps(b.block) {
				problems = append(problems, fmt.Errorf("subnets %s (%s) and %s (%s) overlap", a.name, a.block, b.name, b.block))
			}
		}
	}
	if n.strategy == strategyExact {
		problems = append(problems, gaps(n.block, subnets)...)
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(subnets, func(s subnet) bool { return s.kind == kind })
	}
	if n.nat != natNone && (!has(typePublic) || !has(typePrivate)) {
		problems = append(problems, fmt.Errorf(
			"natGateways.strategy: got %s without public and private subnets; allowed: %s", n.nat, natNone))
	}
	return errors.Join(problems...)
}

// gaps lists the addresses of the VPC that no subnet has, which Exact does not allow.
func gaps(block netip.Prefix, subnets []subnet) []error {
	var problems []error
	next := uint64(number(block.Addr()))
	for _, s := range subnets {
		if start := uint64(number(s.block.Addr())); start != next {
			problems = append(problems, fmt.Errorf("subnet %s: starts at %s; %s allows no gap before it",
				s.name, s.block.Addr(), strategyExact))
		}
		next = uint64(number(s.block.Addr())) + 1<<(32-s.block.Bits())
	}
	if end := uint64(number(block.Addr())) + 1<<(32-block.Bits()); next != end {
		problems = append(problems, fmt.Errorf("cidrBlock %s: not filled to its end, as %s demands", block, strategyExact))
	}
	return problems
}

// newBits is how many bits tell that many blocks apart.
func newBits(count int) int {
	if count < 2 {
		return 0
	}
	return bits.Len(uint(count - 1))
}

// align moves an address up to the next start of a block of that mask.
func align(address uint32, mask int) uint32 {
	size := uint32(1) << (32 - mask)
	return (address + size - 1) / size * size
}

func number(address netip.Addr) uint32 {
	four := address.As4()
	return binary.BigEndian.Uint32(four[:])
}

func prefix(address uint32, mask int) netip.Prefix {
	var four [4]byte
	binary.BigEndian.PutUint32(four[:], address)
	return netip.PrefixFrom(netip.AddrFrom4(four), mask)
}
