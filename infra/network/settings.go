package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

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

// Read returns the settings of the network.
func Read(r *settings.Reader) Settings {
	subnet := settings.Pattern("subnet- and 8 or 17 hexadecimal digits", `^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
	g := r.Group("network")

	s := Settings{
		Mode: settings.OneOf(g, "kind", LowCost, []Mode{LowCost, Large, Existing},
			"`low-cost`: two public subnets, tasks with public addresses, no NAT gateway. `large`: tasks in private subnets behind NAT gateways, unless `network.egress` says otherwise. `existing`: the VPC in `network.vpc`.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/networking-outbound.html"),
		CIDR: readCIDR(g),
		AvailabilityZones: g.Else("the first two with Fargate").Texts("zones", nil,
			settings.Pattern("an availability zone such as eu-central-1a", `^[a-z]{2,4}(-[a-z]+)+-[0-9][a-z]$`),
			"The two availability zones of the VPC that the program creates. Without them, the account's first two by name that have Fargate; Local Zones are never chosen. Copy the output `availabilityZones` here after the first update, so that a zone that AWS adds later does not change the choice. AWS refuses a change, because the new subnets would have the ranges of the old ones.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html"),
		Egress: settings.OneOf(g, "egress", NATPerZone, []Egress{NATPerZone, NATSingle, Endpoints, Public},
			"How the tasks of a `large` network reach other addresses: `nat-per-az` (a NAT gateway in each zone), `nat-single` (one NAT gateway: cheaper, but a failure of its zone cuts off all tasks), `endpoints` (only AWS's services for images, logs, parameters and secrets; nothing on the Internet) or `public` (tasks in the public subnets, with public addresses). Tasks in private subnets reach S3 through a free gateway endpoint in each case.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/networking-outbound.html"),
		FlowLogs: g.InProd(true).Bool("flowLogs", false,
			"Whether the VPC that the program creates records its traffic in an S3 bucket. With an existing VPC, this is up to its owner.",
			"https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3.html"),
		VPCID: g.Text("vpc", "", settings.Pattern("vpc- and 8 or 17 hexadecimal digits", `^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`),
			"Id of the VPC for the kind `existing`. DNS support and DNS hostnames must be on in it.",
			"https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html"),
		PublicSubnetIDs: g.Texts("publicSubnets", nil, subnet,
			"Ids of the load balancer's subnets for the kind `existing`: at least two, each in a different availability zone, with a route to an internet gateway. None with `ingress.internal`, if there are two private subnets.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer"),
		PrivateSubnetIDs: g.Texts("privateSubnets", nil, subnet,
			"Ids of the tasks' subnets for the kind `existing`, from which ECR and CloudWatch must be reachable. Without them, the tasks run in `network.publicSubnets` with public addresses.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html"),
	}
	if given := len(s.AvailabilityZones); given != 0 && given != Zones {
		r.Fail("network.zones", fmt.Sprintf("%d given", given), "two, or none (the program then chooses two)")
	}
	checkMode(r, s)

	return s
}

func readCIDR(g settings.Group) netip.Prefix {
	form := settings.Form{Allowed: "a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16", Check: func(value string) bool {
		prefix, err := netip.ParsePrefix(value)
		return err == nil && prefix == prefix.Masked() && prefix.Addr().Is4() &&
			prefix.Addr().IsPrivate() && prefix.Bits() >= 16 && prefix.Bits() <= 24
	}}
	value := g.Text("cidr", "10.0.0.0/16", form,
		"Private IPv4 range of the VPC that the program creates. Each subnet gets an eighth of it, and a load balancer needs at least a /27. Decide before the first update: a change replaces the VPC, and AWS does not detach the internet gateway of a VPC in use.",
		"https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html")
	// The check above has already reported a value that does not parse.
	prefix, _ := netip.ParsePrefix(value)

	return prefix
}

// checkMode refuses settings that have no effect on this kind of network, and an existing one that is not described.
func checkMode(r *settings.Reader, s Settings) {
	for _, only := range []struct {
		path  string
		kinds []Mode
	}{
		{"network.egress", []Mode{Large}},
		{"network.cidr", []Mode{LowCost, Large}},
		{"network.zones", []Mode{LowCost, Large}},
		{"network.flowLogs", []Mode{LowCost, Large}},
		{"network.vpc", []Mode{Existing}},
		{"network.publicSubnets", []Mode{Existing}},
		{"network.privateSubnets", []Mode{Existing}},
	} {
		if r.Given(only.path) && !slices.Contains(only.kinds, s.Mode) {
			r.Conflict([]string{only.path, "network.kind"}, fmt.Sprintf("set, but without effect on a network of kind %s; allowed with: %s", s.Mode, words(only.kinds)))
		}
	}
	if s.Mode == Existing {
		checkExisting(r, s)
	}
}

func words(kinds []Mode) string {
	all := make([]string, len(kinds))
	for i, kind := range kinds {
		all[i] = string(kind)
	}

	return strings.Join(all, ", ")
}

func checkExisting(r *settings.Reader, s Settings) {
	if s.VPCID == "" {
		r.Conflict([]string{"network.kind", "network.vpc"}, "the kind is existing, but no VPC is set; allowed: vpc-…")
	}
	if internal := r.Given("ingress.internal"); internal && len(s.PublicSubnetIDs) == 0 && len(s.PrivateSubnetIDs) >= Zones {
		return
	}
	if len(s.PublicSubnetIDs) < Zones {
		r.Conflict([]string{"network.kind", "network.publicSubnets"},
			fmt.Sprintf("the kind is existing, but the number of public subnets is %d; allowed: two or more, each in a different zone",
				len(s.PublicSubnetIDs)))
	}
	for _, id := range s.PrivateSubnetIDs {
		if slices.Contains(s.PublicSubnetIDs, id) {
			r.Conflict([]string{"network.publicSubnets", "network.privateSubnets"}, id+" is in both; allowed: in one of them")
		}
	}
}
