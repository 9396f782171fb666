package network

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"fargate-nginx-sidecar/infra/stack"
)

func TestSubnetsAreEighthsOfTheVPC(t *testing.T) {
	for cidr, want := range map[string][]string{
		"10.0.0.0/16":     {"10.0.0.0/19", "10.0.32.0/19", "10.0.64.0/19", "10.0.96.0/19"},
		"172.16.128.0/17": {"172.16.128.0/20", "172.16.144.0/20", "172.16.160.0/20", "172.16.176.0/20"},
		"192.168.7.0/24":  {"192.168.7.0/27", "192.168.7.32/27", "192.168.7.64/27", "192.168.7.96/27"},
	} {
		vpc := netip.MustParsePrefix(cidr)
		if got := slices.Concat(eighths(vpc, 0), eighths(vpc, Zones)); !slices.Equal(got, want) {
			t.Errorf("%s: %v; want %v", cidr, got, want)
		}
	}
}

func TestGivenSubnetsMustWorkTogether(t *testing.T) {
	good := []ec2.LookupSubnetResult{
		{Id: "a", VpcId: "vpc", AvailabilityZone: "1", CidrBlock: "10.0.0.0/24"},
		{Id: "b", VpcId: "vpc", AvailabilityZone: "2", CidrBlock: "10.0.1.0/24"},
		{Id: "c", VpcId: "vpc", AvailabilityZone: "2", CidrBlock: "10.0.2.0/24"},
	}
	args := Args{Settings: Settings{Mode: Existing, VPCID: "vpc", PublicSubnetIDs: []string{"a", "b"}, PrivateSubnetIDs: []string{"c"}}}
	args.Unusable = stack.Unusable{ZoneIDs: []string{"use1-az3"}, Lacking: "VPC links"}
	ranges, err := checkSubnets(args, good)
	if err != nil || !slices.Equal(ranges, []string{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}) {
		t.Errorf("ranges %v, error %v; want those of all subnets", ranges, err)
	}

	for want, change := range map[string]func([]ec2.LookupSubnetResult){
		"2 public subnets in 1 zones; allowed: each in a different zone":                             func(s []ec2.LookupSubnetResult) { s[1].AvailabilityZone = "1" },
		"subnet c is in zone 2 (use1-az3); allowed for tasks: zones that have Fargate and VPC links": func(s []ec2.LookupSubnetResult) { s[2].AvailabilityZoneId = "use1-az3" },
		"subnet c is in VPC other; allowed: subnets of vpc":                                          func(s []ec2.LookupSubnetResult) { s[2].VpcId = "other" },
	} {
		subnets := slices.Clone(good)
		change(subnets)
		if _, err := checkSubnets(args, subnets); err == nil || err.Error() != want {
			t.Errorf("error: %v; want %s", err, want)
		}
	}
}
