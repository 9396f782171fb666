// Package network declares the VPC in which a service runs, through awsx, or takes one that exists. It is for the
// load balancer, which needs public subnets in two zones, and for the tasks, which need a way to ECR and CloudWatch.
package network

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awsxec2 "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:network:Network"

// Mode says what kind of network there is.
type Mode string

const (
	// LowCost has public subnets alone: tasks get public addresses, and there is no NAT gateway to pay for.
	LowCost Mode = "low-cost"
	// Large has private subnets beside the public ones: tasks get private addresses and leave through NAT gateways.
	Large Mode = "large"
	// Existing declares nothing.
	Existing Mode = "existing"
)

// zones is the number of availability zones: the fewest a load balancer accepts.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer
const zones = 2

// Args describes a network. VPCID and the subnet ids belong to Existing, the rest to the other modes.
type Args struct {
	Mode Mode
	// CIDR is the VPC's range, /16 to /24.
	CIDR netip.Prefix
	// SingleNAT makes one NAT gateway for all zones instead of one in each.
	SingleNAT bool

	VPCID                             string
	PublicSubnetIDs, PrivateSubnetIDs []string
}

// Validate reports what New would refuse.
func (a Args) Validate() error {
	switch a.Mode {
	case LowCost, Large:
		if !a.CIDR.IsValid() || !a.CIDR.Addr().Is4() || a.CIDR.Bits() < 16 || a.CIDR.Bits() > 24 {
			return fmt.Errorf("range %s; allowed: an IPv4 range of /16 to /24", a.CIDR)
		}
	case Existing:
		if a.VPCID == "" || len(a.PublicSubnetIDs) < zones {
			return fmt.Errorf("VPC %q with %d public subnets; allowed: an id and %d or more",
				a.VPCID, len(a.PublicSubnetIDs), zones)
		}
	default:
		return fmt.Errorf("mode %q; allowed: %s, %s, %s", a.Mode, LowCost, Large, Existing)
	}

	return nil
}

// Network is where a service runs.
type Network struct {
	pulumi.ResourceState

	VPCID           pulumi.StringOutput
	PublicSubnetIDs pulumi.StringArrayOutput
	// TaskSubnetIDs are the private subnets where there are any, else the public ones.
	TaskSubnetIDs pulumi.StringArrayOutput
	// PublicTasks says that tasks need public addresses to reach ECR and CloudWatch.
	PublicTasks bool
	// Routes must be there before the first task starts and must outlive the last one: without them no image is
	// pulled. Empty for a network that exists.
	Routes []pulumi.Resource
}

// New declares a network.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Network, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}

	n := &Network{}
	if err := ctx.RegisterComponentResource(Token, name, n, opts...); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}

	var err error
	if args.Mode == Existing {
		n.take(args)
	} else {
		err = n.build(ctx, name, args)
	}
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}

	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{
		"vpcId":           n.VPCID,
		"publicSubnetIds": n.PublicSubnetIDs,
		"taskSubnetIds":   n.TaskSubnetIDs,
	})
}

func (n *Network) take(args Args) {
	n.VPCID = pulumi.String(args.VPCID).ToStringOutput()
	n.PublicSubnetIDs = pulumi.ToStringArray(args.PublicSubnetIDs).ToStringArrayOutput()
	n.PublicTasks = len(args.PrivateSubnetIDs) == 0

	n.TaskSubnetIDs = n.PublicSubnetIDs
	if !n.PublicTasks {
		n.TaskSubnetIDs = pulumi.ToStringArray(args.PrivateSubnetIDs).ToStringArrayOutput()
	}
}

func (n *Network) build(ctx *pulumi.Context, name string, args Args) error {
	vpc, err := awsxec2.NewVpc(ctx, name, vpcArgs(args), pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("VPC: %w", err)
	}

	// Every VPC is born with a group that lets its members talk to each other. Nothing uses it; adopting it without
	// rules takes them away. https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-2
	_, err = ec2.NewDefaultSecurityGroup(ctx, name+"-closed", &ec2.DefaultSecurityGroupArgs{
		VpcId:   vpc.VpcId,
		Ingress: ec2.DefaultSecurityGroupIngressArray{},
		Egress:  ec2.DefaultSecurityGroupEgressArray{},
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("default security group: %w", err)
	}

	n.VPCID = vpc.VpcId
	n.PublicSubnetIDs = vpc.PublicSubnetIds
	n.TaskSubnetIDs = vpc.PublicSubnetIds
	n.PublicTasks = args.Mode == LowCost
	if args.Mode == Large {
		n.TaskSubnetIDs = vpc.PrivateSubnetIds
	}
	// The engine reads a dependency on a remote component as one on everything inside it.
	n.Routes = []pulumi.Resource{vpc}

	return nil
}

func vpcArgs(args Args) *awsxec2.VpcArgs {
	cidr := args.CIDR.String()
	vpc := &awsxec2.VpcArgs{
		CidrBlock:                 &cidr,
		EnableDnsSupport:          pulumi.Bool(true),
		EnableDnsHostnames:        pulumi.Bool(true),
		NumberOfAvailabilityZones: pulumi.IntRef(zones),
		NatGateways:               &awsxec2.NatGatewayConfigurationArgs{Strategy: awsxec2.NatGatewayStrategyNone},
		SubnetStrategy:            new(awsxec2.SubnetAllocationStrategyAuto),
		SubnetSpecs: []awsxec2.SubnetSpecArgs{
			{Type: awsxec2.SubnetTypePublic, CidrBlocks: eighths(args.CIDR, 0)},
		},
	}

	if args.Mode == Large {
		vpc.SubnetSpecs = append(vpc.SubnetSpecs,
			awsxec2.SubnetSpecArgs{Type: awsxec2.SubnetTypePrivate, CidrBlocks: eighths(args.CIDR, zones)})
		vpc.NatGateways.Strategy = awsxec2.NatGatewayStrategyOnePerAz
		if args.SingleNAT {
			vpc.NatGateways.Strategy = awsxec2.NatGatewayStrategySingle
		}
	}

	return vpc
}

// eighths returns one range per zone, each an eighth of the VPC's, beginning with the given eighth. The ranges are
// stated, not left to awsx, so that the public subnets stay where they are when a network grows from low-cost to
// large; half of the range stays free for more zones.
func eighths(cidr netip.Prefix, first int) []string {
	var all []string
	for i := first; i < first+zones; i++ {
		address := cidr.Masked().Addr().As4()
		number := uint32(address[0])<<24 | uint32(address[1])<<16 | uint32(address[2])<<8 | uint32(address[3])
		number += uint32(i) << (32 - cidr.Bits() - 3)
		eighth := netip.AddrFrom4([4]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})
		all = append(all, netip.PrefixFrom(eighth, cidr.Bits()+3).String())
	}

	return all
}
