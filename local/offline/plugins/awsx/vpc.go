package awsx

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Vpc is the component awsx:ec2:Vpc with those outputs of the official one that the program reads
// (https://www.pulumi.com/registry/packages/awsx/api-docs/ec2/vpc/#outputs).
type Vpc struct {
	pulumi.ResourceState

	VpcID            pulumi.StringOutput `pulumi:"vpcId"`
	PublicSubnetIDs  pulumi.StringArray  `pulumi:"publicSubnetIds"`
	PrivateSubnetIDs pulumi.StringArray  `pulumi:"privateSubnetIds"`
}

// child is any of the component's resources. Declared by token, they need none of the aws SDK's large packages.
type child struct {
	pulumi.CustomResourceState

	AllocationID pulumi.StringOutput `pulumi:"allocationId"` // of an Elastic IP
}

// subnet is one subnet of one zone.
type subnet struct {
	name  string
	kind  string
	zone  string
	index int // of the zone, from 0
	block netip.Prefix
}

// builder declares the children of one VPC. After the first error it does nothing more.
type builder struct {
	ctx  *pulumi.Context
	name string
	v    *Vpc
	vpc  *child
	igw  *child
	nats []*child // by zone; with one for all only the first
	err  error
}

func newVpc(ctx *pulumi.Context, name string, n network, opts ...pulumi.ResourceOption) (*Vpc, error) {
	v := &Vpc{}
	if err := ctx.RegisterComponentResource(token, name, v, opts...); err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, name: name, v: v}
	b.network(n)
	for index, zone := range n.zones {
		// The public subnet comes first: the private one needs its NAT gateway.
		for _, spec := range n.specs {
			b.subnet(n.nat, subnet{
				name: fmt.Sprintf("%s-%s-%d", name, strings.ToLower(spec.kind), index+1),
				kind: spec.kind, zone: zone, index: index, block: spec.blocks[index],
			})
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	return v, b.publish()
}

// add declares one resource below its parent.
func (b *builder) add(kind, name string, parent pulumi.Resource, props pulumi.Map) *child {
	c := &child{}
	if b.err == nil {
		b.err = b.ctx.RegisterResource(kind, name, props, c, pulumi.Parent(parent))
	}
	return c
}

// network declares the VPC and its internet gateway, which costs nothing and is there even if no subnet uses it.
func (b *builder) network(n network) {
	named := pulumi.StringMap{"Name": pulumi.String(b.name)}
	props := pulumi.Map{"cidrBlock": pulumi.String(n.block.String()), "tags": named}
	if n.dnsSupport != nil {
		props["enableDnsSupport"] = pulumi.Bool(*n.dnsSupport)
	}
	if n.dnsHostnames != nil {
		props["enableDnsHostnames"] = pulumi.Bool(*n.dnsHostnames)
	}
	b.vpc = b.add("aws:ec2/vpc:Vpc", b.name, b.v, props)
	b.igw = b.add("aws:ec2/internetGateway:InternetGateway", b.name, b.vpc,
		pulumi.Map{"vpcId": b.vpc.ID(), "tags": named})
}

// subnet declares a subnet with a route table of its own.
func (b *builder) subnet(nat string, s subnet) {
	named := pulumi.StringMap{"Name": pulumi.String(s.name), "SubnetType": pulumi.String(s.kind)}
	net := b.add("aws:ec2/subnet:Subnet", s.name, b.vpc, pulumi.Map{
		"vpcId":               b.vpc.ID(),
		"availabilityZone":    pulumi.String(s.zone),
		"cidrBlock":           pulumi.String(s.block.String()),
		"mapPublicIpOnLaunch": pulumi.Bool(s.kind == typePublic),
		"tags":                named,
	})
	table := b.add("aws:ec2/routeTable:RouteTable", s.name, net,
		pulumi.Map{"vpcId": b.vpc.ID(), "tags": named})
	b.add("aws:ec2/routeTableAssociation:RouteTableAssociation", s.name, table,
		pulumi.Map{"routeTableId": table.ID(), "subnetId": net.ID()})
	b.route(nat, s, net, table)
}

// route gives a public subnet the internet gateway and a private one the NAT gateway, if there is one.
func (b *builder) route(nat string, s subnet, net, table *child) {
	id := net.ID().ToStringOutput()
	switch s.kind {
	case typePublic:
		b.v.PublicSubnetIDs = append(b.v.PublicSubnetIDs, id)
		if nat == natPerZone && len(b.nats) <= s.index || nat == natSingle && len(b.nats) == 0 {
			b.gateway(s.index, net)
		}
		b.defaultRoute(s.name, table, "gatewayId", b.igw)
	case typePrivate:
		b.v.PrivateSubnetIDs = append(b.v.PrivateSubnetIDs, id)
		switch nat {
		case natSingle:
			b.defaultRoute(s.name, table, "natGatewayId", b.nats[0])
		case natPerZone:
			b.defaultRoute(s.name, table, "natGatewayId", b.nats[s.index])
		}
	}
}

// gateway declares a NAT gateway with an Elastic IP in the zone's public subnet.
func (b *builder) gateway(zone int, net *child) {
	name := fmt.Sprintf("%s-%d", b.name, zone+1)
	tags := pulumi.StringMap{"Name": pulumi.String(name)}
	eip := b.add("aws:ec2/eip:Eip", name, net, pulumi.Map{"tags": tags})
	nat := b.add("aws:ec2/natGateway:NatGateway", name, net,
		pulumi.Map{"subnetId": net.ID(), "allocationId": eip.AllocationID, "tags": tags})
	b.nats = append(b.nats, nat)
}

func (b *builder) defaultRoute(name string, table *child, target string, gateway *child) {
	b.add("aws:ec2/route:Route", name, table, pulumi.Map{
		"routeTableId":         table.ID(),
		"destinationCidrBlock": pulumi.String("0.0.0.0/0"),
		target:                 gateway.ID(),
	})
}

// publish registers the outputs.
func (b *builder) publish() error {
	b.v.VpcID = b.vpc.ID().ToStringOutput()
	return b.ctx.RegisterResourceOutputs(b.v, pulumi.Map{
		"vpcId":            b.v.VpcID,
		"publicSubnetIds":  b.v.PublicSubnetIDs,
		"privateSubnetIds": b.v.PrivateSubnetIDs,
	})
}
