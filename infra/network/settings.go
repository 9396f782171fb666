package network

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says in which VPC a service runs, and how its tasks reach the Internet and AWS's services. VPCID and the subnet
// ids are for the mode Existing, the other fields for the other modes.
type Settings struct {
	Mode Mode
	// CIDR is the address range of the VPC, /16 to /24.
	CIDR netip.Prefix
	// AvailabilityZones are the names of the zones for the VPC's subnets. If it is empty, the program chooses the zones.
	AvailabilityZones []string
	// Egress applies only to the mode Large.
	Egress Egress
	// FlowLogs records the connections in the VPC that the program creates.
	FlowLogs bool

	VPCID                             string
	PublicSubnetIDs, PrivateSubnetIDs []string
}

// Mode is the kind of network in which a service runs.
type Mode string

const (
	// LowCost has only public subnets: tasks get public addresses, and there is no NAT gateway to pay for.
	LowCost Mode = "low-cost"
	// Large also has private subnets, in which tasks get private addresses. Egress says how they reach the outside.
	Large Mode = "large"
	// Existing uses a VPC that exists, and declares no network resources.
	Existing Mode = "existing"
)

// Egress is the way in which the tasks of a large network reach AWS's services and the rest of the world.
type Egress string

const (
	// NATPerZone has a NAT gateway in each zone, so that no zone depends on another.
	NATPerZone Egress = "nat-per-az"
	// NATSingle has one NAT gateway for all zones.
	NATSingle Egress = "nat-single"
	// Endpoints lets tasks reach only the AWS services that they need, through interface endpoints.
	Endpoints Egress = "endpoints"
	// Public runs the tasks in the public subnets, with public addresses.
	Public Egress = "public"
)

// Zones is the number of availability zones of a VPC that the program creates. A load balancer accepts no fewer.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer
const Zones = 2

// HasFlowLogs reports whether the program declares flow logs. For an existing VPC, they are up to its owner.
func (s Settings) HasFlowLogs() bool { return s.FlowLogs && s.Mode != Existing }

// EndpointsOnly reports whether tasks reach only AWS's services, through endpoints.
func (s Settings) EndpointsOnly() bool { return s.Mode == Large && s.Egress == Endpoints }

// PublicTasks reports whether the tasks run in public subnets. They then need public addresses to reach ECR and CloudWatch.
func (s Settings) PublicTasks() bool {
	switch s.Mode {
	case Large:
		return s.Egress == Public
	case Existing:
		return len(s.PrivateSubnetIDs) == 0
	case LowCost:
	}

	return true
}

var (
	vpcPattern = regexp.MustCompile(`^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`)
	// The name of a Local Zone does not match: it has a place between region and letter, as in us-east-1-atl-1a.
	zonePattern   = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-[0-9][a-z]$`)
	subnetPattern = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

// Read returns the settings of the network.
func Read(r *settings.Reader) Settings {
	const subnet = "subnet- and 8 or 17 hexadecimal digits"

	s := Settings{
		Mode:              settings.OneOf(r, "network", LowCost, Large, Existing),
		CIDR:              readCIDR(r),
		AvailabilityZones: r.Texts("availabilityZones", "an availability zone such as eu-central-1a", zonePattern.MatchString),
		Egress:            settings.OneOf(r, "egress", NATPerZone, NATSingle, Endpoints, Public),
		FlowLogs:          r.Switch("flowLogs", "off", "on"),
		VPCID: r.Text("vpcId", "empty, or vpc- and 8 or 17 hexadecimal digits",
			func(id string) bool { return id == "" || vpcPattern.MatchString(id) }),
		PublicSubnetIDs:  r.Texts("publicSubnetIds", subnet, subnetPattern.MatchString),
		PrivateSubnetIDs: r.Texts("privateSubnetIds", subnet, subnetPattern.MatchString),
	}
	if s.Mode != Large && (s.Egress == NATSingle || s.Egress == Endpoints) {
		r.Conflict([]string{"egress", "network"},
			fmt.Sprintf("egress is %s, but network is %s; allowed with: large", s.Egress, s.Mode))
	}
	if given := len(s.AvailabilityZones); given != 0 && given != Zones {
		r.Fail("availabilityZones", fmt.Sprintf("%d given", given), "two, or none (the program then chooses two)")
	}
	if s.Mode == Existing {
		checkExisting(r, s)
		return s
	}

	onlyWithExisting(r, "vpcId", s.VPCID != "", s.Mode)
	onlyWithExisting(r, "publicSubnetIds", len(s.PublicSubnetIDs) > 0, s.Mode)
	onlyWithExisting(r, "privateSubnetIds", len(s.PrivateSubnetIDs) > 0, s.Mode)

	return s
}

func readCIDR(r *settings.Reader) netip.Prefix {
	value := r.Text("vpcCidr", "a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16",
		func(value string) bool {
			prefix, err := netip.ParsePrefix(value)
			return err == nil && prefix == prefix.Masked() && prefix.Addr().Is4() &&
				prefix.Addr().IsPrivate() && prefix.Bits() >= 16 && prefix.Bits() <= 24
		})
	// The check above has already reported a value that does not parse.
	prefix, _ := netip.ParsePrefix(value)

	return prefix
}

func checkExisting(r *settings.Reader, s Settings) {
	if s.VPCID == "" {
		r.Conflict([]string{"network", "vpcId"}, "network is existing, but vpcId is empty; allowed: vpc-…")
	}
	if len(s.PublicSubnetIDs) < Zones {
		r.Conflict([]string{"network", "publicSubnetIds"},
			fmt.Sprintf("network is existing, but the number of public subnets is %d; allowed: two or more, each in a different zone",
				len(s.PublicSubnetIDs)))
	}
	if len(s.AvailabilityZones) > 0 {
		r.Conflict([]string{"availabilityZones", "network"}, "given, but network is existing; allowed with: low-cost, large")
	}
	for _, id := range s.PrivateSubnetIDs {
		if slices.Contains(s.PublicSubnetIDs, id) {
			r.Conflict([]string{"publicSubnetIds", "privateSubnetIds"}, id+" is in both; allowed: in one of them")
		}
	}
}

func onlyWithExisting(r *settings.Reader, key string, given bool, mode Mode) {
	if given {
		r.Conflict([]string{key, "network"}, fmt.Sprintf("given, but network is %s; allowed with: existing", mode))
	}
}
