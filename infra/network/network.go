// Package network declares the VPC in which a service runs, with awsx, or uses an existing VPC. It gives the load balancer
// public subnets in two zones, and the tasks a route to ECR and CloudWatch.
package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awsxec2 "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:network:Network" //nolint:gosec // A type, not a credential.

// Args describes a network.
type Args struct {
	stack.Info
	Settings
	// Services are the AWS services, such as ecr.api, that get interface endpoints if Egress is Endpoints.
	Services []string
	// Unusable are zones without something that the ingress needs.
	Unusable stack.Unusable
	// FlowLogBucketARN is the bucket that flow logs are written to, or nil if there are none.
	FlowLogBucketARN pulumi.StringInput
}

// Network is where a service runs.
type Network struct {
	pulumi.ResourceState

	VPCID           pulumi.StringOutput
	PublicSubnetIDs pulumi.StringArrayOutput
	// TaskSubnetIDs are the public subnets if Settings.PublicTasks is true, and the private ones otherwise.
	TaskSubnetIDs pulumi.StringArrayOutput
	// PublicRanges are the address ranges of the public subnets. A load balancer sends its requests from these addresses.
	PublicRanges pulumi.StringArrayOutput
	// TaskRanges are the address ranges of the tasks' subnets. A VPC link sends its requests from these addresses.
	TaskRanges pulumi.StringArrayOutput
	// AvailabilityZones are the zones of the VPC that the program creates. It is empty for an existing VPC.
	AvailabilityZones []string
	// Routes are resources that must exist before the first task starts and outlive the last one, because tasks cannot
	// pull images without them. It is empty for an existing VPC.
	Routes []pulumi.Resource
}

// New declares a network.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Network, error) {
	n := &Network{}
	if err := ctx.RegisterComponentResource(Token, args.Name, n, opts...); err != nil {
		return nil, fmt.Errorf("network %s: %w", args.Name, err)
	}
	b := &builder{Network: n, Args: args, ctx: ctx, child: pulumi.Parent(n)}
	build := b.build
	if args.Mode == Existing {
		build = b.useExisting
	}
	if err := build(); err != nil {
		return nil, fmt.Errorf("network %s: %w", args.Name, err)
	}

	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{
		"vpcId":           n.VPCID,
		"publicSubnetIds": n.PublicSubnetIDs,
		"taskSubnetIds":   n.TaskSubnetIDs,
	})
}

// builder fills in a Network, from what its resources are made of.
type builder struct {
	*Network
	Args  Args
	ctx   *pulumi.Context
	child pulumi.ResourceOrInvokeOption
	vpc   *awsxec2.Vpc // nil for an existing VPC
}

func (b *builder) useExisting() error {
	args := b.Args
	b.VPCID = pulumi.String(args.VPCID).ToStringOutput()
	b.PublicSubnetIDs = pulumi.ToStringArray(args.PublicSubnetIDs).ToStringArrayOutput()

	b.TaskSubnetIDs = b.PublicSubnetIDs
	if !args.PublicTasks() {
		b.TaskSubnetIDs = pulumi.ToStringArray(args.PrivateSubnetIDs).ToStringArrayOutput()
	}

	all, public := b.ranges(), len(args.PublicSubnetIDs)
	b.PublicRanges = part(all, 0, public)
	b.TaskRanges = b.PublicRanges
	if !args.PublicTasks() {
		b.TaskRanges = part(all, public, public+len(args.PrivateSubnetIDs))
	}

	return nil
}

func part(all pulumi.StringArrayOutput, from, to int) pulumi.StringArrayOutput {
	return all.ApplyT(func(ranges []string) []string { return ranges[from:to] }).(pulumi.StringArrayOutput)
}

// ranges looks up the given subnets, checks that all of them are in the VPC and that each public subnet is in a different
// zone, and returns the address ranges of all, those of the public subnets first.
func (b *builder) ranges() pulumi.StringArrayOutput {
	args := b.Args
	var found []any
	for _, id := range append(slices.Clone(args.PublicSubnetIDs), args.PrivateSubnetIDs...) {
		found = append(found, ec2.LookupSubnetOutput(b.ctx,
			ec2.LookupSubnetOutputArgs{Id: pulumi.String(id)}, b.child))
	}

	return pulumi.All(found...).ApplyT(func(values []any) ([]string, error) {
		var subnets []ec2.LookupSubnetResult
		for _, value := range values {
			subnets = append(subnets, value.(ec2.LookupSubnetResult))
		}
		return checkSubnets(args, subnets)
	}).(pulumi.StringArrayOutput)
}

// checkSubnets checks the subnets, of which the first ones are public, and returns the address ranges of all.
func checkSubnets(args Args, subnets []ec2.LookupSubnetResult) ([]string, error) {
	var errs []error
	var ranges []string
	inZones, public := map[string]bool{}, len(args.PublicSubnetIDs)

	for i, subnet := range subnets {
		if subnet.VpcId != args.VPCID {
			errs = append(errs, fmt.Errorf("subnet %s is in VPC %s; allowed: subnets of %s", subnet.Id, subnet.VpcId, args.VPCID))
		}
		if ofTasks := i >= public || args.PublicTasks(); ofTasks && !args.usable(subnet.AvailabilityZoneId) {
			errs = append(errs, fmt.Errorf("subnet %s is in zone %s (%s); allowed for tasks: zones that have %s",
				subnet.Id, subnet.AvailabilityZone, subnet.AvailabilityZoneId, args.needs()))
		}
		ranges = append(ranges, subnet.CidrBlock)
		if i < public {
			inZones[subnet.AvailabilityZone] = true
		}
	}
	if len(inZones) < public {
		errs = append(errs, fmt.Errorf("%d public subnets in %d zones; allowed: each in a different zone", public, len(inZones)))
	}

	return ranges, errors.Join(errs...)
}

func (b *builder) build() error {
	args := b.Args
	zones, err := b.zones()
	if err != nil {
		return err
	}
	b.AvailabilityZones = zones

	vpc, err := awsxec2.NewVpc(b.ctx, args.Name, vpcArgs(args, zones), b.child, pulumi.Protect(args.Protect))
	if b.vpc = vpc; err != nil {
		return fmt.Errorf("VPC: %w", err)
	}

	// AWS creates every VPC with a default security group, whose members may connect to each other. Nothing uses this group.
	// Adopting it here without rules removes the rules that it has.
	// https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-2
	_, err = ec2.NewDefaultSecurityGroup(b.ctx, args.Name+"-closed", &ec2.DefaultSecurityGroupArgs{
		VpcId:   vpc.VpcId,
		Ingress: ec2.DefaultSecurityGroupIngressArray{},
		Egress:  ec2.DefaultSecurityGroupEgressArray{},
	}, b.child)
	if err != nil {
		return fmt.Errorf("default security group: %w", err)
	}

	b.VPCID = vpc.VpcId
	b.PublicSubnetIDs = vpc.PublicSubnetIds
	b.TaskSubnetIDs = vpc.PublicSubnetIds
	b.PublicRanges = pulumi.ToStringArray(eighths(args.CIDR, 0)).ToStringArrayOutput()
	b.TaskRanges = b.PublicRanges
	if !args.PublicTasks() {
		b.TaskSubnetIDs = vpc.PrivateSubnetIds
		b.TaskRanges = pulumi.ToStringArray(eighths(args.CIDR, Zones)).ToStringArrayOutput()
	}
	// To the engine, a dependency on a remote component is a dependency on everything inside the component.
	b.Routes = []pulumi.Resource{vpc}

	return b.addOptional()
}

// addOptional adds the parts of a VPC that only some settings need: endpoints and flow logs.
func (b *builder) addOptional() error {
	if b.Args.Mode == Large {
		if err := b.gateway(); err != nil {
			return err
		}
	}
	if b.Args.EndpointsOnly() {
		if err := b.endpoints(); err != nil {
			return err
		}
	}
	if b.Args.HasFlowLogs() {
		return b.flowLog()
	}

	return nil
}

func vpcArgs(args Args, zones []string) *awsxec2.VpcArgs {
	cidr := args.CIDR.String()
	vpc := &awsxec2.VpcArgs{
		CidrBlock:             &cidr,
		EnableDnsSupport:      pulumi.Bool(true),
		EnableDnsHostnames:    pulumi.Bool(true),
		AvailabilityZoneNames: zones,
		NatGateways:           &awsxec2.NatGatewayConfigurationArgs{Strategy: awsxec2.NatGatewayStrategyNone},
		SubnetStrategy:        new(awsxec2.SubnetAllocationStrategyAuto),
		SubnetSpecs: []awsxec2.SubnetSpecArgs{
			{Type: awsxec2.SubnetTypePublic, CidrBlocks: eighths(args.CIDR, 0)},
		},
	}

	if args.Mode == Large {
		vpc.SubnetSpecs = append(vpc.SubnetSpecs,
			awsxec2.SubnetSpecArgs{Type: awsxec2.SubnetTypePrivate, CidrBlocks: eighths(args.CIDR, Zones)})
		switch args.Egress {
		case NATPerZone:
			vpc.NatGateways.Strategy = awsxec2.NatGatewayStrategyOnePerAz
		case NATSingle:
			vpc.NatGateways.Strategy = awsxec2.NatGatewayStrategySingle
		case Endpoints, Public:
		}
	}

	return vpc
}

// eighths returns one address range per zone. Each is an eighth of the VPC's range; the first result is the eighth with the
// given number. The program states the ranges instead of leaving them to awsx, so that the public subnets keep theirs when a
// network changes from low-cost to large. Half of the VPC's range stays free for more zones.
func eighths(cidr netip.Prefix, first uint32) []string {
	var all []string
	for zone := range uint32(Zones) {
		address := cidr.Masked().Addr().As4()
		start := binary.BigEndian.Uint32(address[:]) + (first+zone)<<(32-cidr.Bits()-3)
		binary.BigEndian.PutUint32(address[:], start)
		all = append(all, netip.PrefixFrom(netip.AddrFrom4(address), cidr.Bits()+3).String())
	}

	return all
}
