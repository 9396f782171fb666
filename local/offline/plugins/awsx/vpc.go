package awsx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Vpc is the component awsx:ec2:Vpc with the outputs of the official one
// (https://www.pulumi.com/registry/packages/awsx/api-docs/ec2/vpc/#outputs).
type Vpc struct {
	pulumi.ResourceState

	Vpc                    pulumi.Resource     `pulumi:"vpc"`
	InternetGateway        pulumi.Resource     `pulumi:"internetGateway"`
	Subnets                []pulumi.Resource   `pulumi:"subnets"`
	RouteTables            []pulumi.Resource   `pulumi:"routeTables"`
	RouteTableAssociations []pulumi.Resource   `pulumi:"routeTableAssociations"`
	Routes                 []pulumi.Resource   `pulumi:"routes"`
	Eips                   []pulumi.Resource   `pulumi:"eips"`
	NatGateways            []pulumi.Resource   `pulumi:"natGateways"`
	VpcEndpoints           []pulumi.Resource   `pulumi:"vpcEndpoints"`
	VpcID                  pulumi.StringOutput `pulumi:"vpcId"`
	PublicSubnetIDs        pulumi.StringArray  `pulumi:"publicSubnetIds"`
	PrivateSubnetIDs       pulumi.StringArray  `pulumi:"privateSubnetIds"`
	IsolatedSubnetIDs      pulumi.StringArray  `pulumi:"isolatedSubnetIds"`
	SubnetLayout           []map[string]any    `pulumi:"subnetLayout"`
}

// child is any of the component's resources. Declared by token, they need none of the aws SDK's large packages.
type child struct {
	pulumi.CustomResourceState

	AllocationID pulumi.StringOutput `pulumi:"allocationId"` // of an Elastic IP
}

// builder declares the children of one VPC. After the first error it does nothing more.
type builder struct {
	ctx  *pulumi.Context
	name string
	tags map[string]string
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
	zones, err := zoneNames(ctx, n, v)
	if err != nil {
		return nil, err
	}
	subnets, err := layout(name, n, zones)
	if err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, name: name, tags: n.tags, v: v}
	b.network(n)
	for zone := range zones {
		b.zone(n.nat, zone, subnets)
	}
	if b.err != nil {
		return nil, b.err
	}
	v.SubnetLayout = resolved(n.specs, subnets, len(zones))
	return v, b.publish()
}

// zoneNames asks the region for its zones unless they are given.
func zoneNames(ctx *pulumi.Context, n network, v *Vpc) ([]string, error) {
	if len(n.zones) > 0 {
		return n.zones, nil
	}
	var result struct {
		Names []string `pulumi:"names"`
	}
	err := ctx.Invoke("aws:index/getAvailabilityZones:getAvailabilityZones", &struct{}{}, &result, pulumi.Parent(v))
	if err != nil {
		return nil, err
	}
	if len(result.Names) < n.zoneCount {
		return nil, fmt.Errorf("numberOfAvailabilityZones: got %d; allowed: at most the region's %d",
			n.zoneCount, len(result.Names))
	}
	return result.Names[:n.zoneCount], nil
}

// add declares one resource below its parent.
func (b *builder) add(kind, name string, parent pulumi.Resource, props pulumi.Map) *child {
	c := &child{}
	if b.err == nil {
		b.err = b.ctx.RegisterResource(kind, name, props, c, pulumi.Parent(parent))
	}
	return c
}

// tagged merges tags, the later ones winning.
func tagged(all ...map[string]string) pulumi.StringMap {
	merged := map[string]string{}
	for _, tags := range all {
		maps.Copy(merged, tags)
	}
	return pulumi.ToStringMap(merged)
}

// network declares the VPC and its internet gateway, which costs nothing and is there even if no subnet uses it.
func (b *builder) network(n network) {
	shared := tagged(map[string]string{"Name": b.name}, b.tags)
	props := pulumi.Map{"cidrBlock": pulumi.String(n.block.String()), "tags": shared}
	if n.dnsSupport != nil {
		props["enableDnsSupport"] = pulumi.Bool(*n.dnsSupport)
	}
	if n.dnsHostnames != nil {
		props["enableDnsHostnames"] = pulumi.Bool(*n.dnsHostnames)
	}
	b.vpc = b.add("aws:ec2/vpc:Vpc", b.name, b.v, props)
	b.igw = b.add("aws:ec2/internetGateway:InternetGateway", b.name, b.vpc,
		pulumi.Map{"vpcId": b.vpc.ID(), "tags": shared})
	b.v.Vpc, b.v.InternetGateway = b.vpc, b.igw
}

// order is that of the subnets within a zone: a private one needs the public one's NAT gateway.
var order = []string{typePublic, typePrivate, typeIsolated}

// zone declares the subnets of one zone, each with a route table of its own.
func (b *builder) zone(nat string, zone int, subnets []subnet) {
	for _, kind := range order {
		for _, s := range subnets {
			if s.index == zone && s.kind == kind {
				b.subnet(nat, s)
			}
		}
	}
}

func (b *builder) subnet(nat string, s subnet) {
	named := map[string]string{"Name": s.name, "SubnetType": s.kind}
	net := b.add("aws:ec2/subnet:Subnet", s.name, b.vpc, pulumi.Map{
		"vpcId":               b.vpc.ID(),
		"availabilityZone":    pulumi.String(s.zone),
		"cidrBlock":           pulumi.String(s.block.String()),
		"mapPublicIpOnLaunch": pulumi.Bool(s.kind == typePublic),
		"tags":                tagged(b.tags, s.tags, named),
	})
	table := b.add("aws:ec2/routeTable:RouteTable", s.name, net,
		pulumi.Map{"vpcId": b.vpc.ID(), "tags": tagged(b.tags, named)})
	association := b.add("aws:ec2/routeTableAssociation:RouteTableAssociation", s.name, table,
		pulumi.Map{"routeTableId": table.ID(), "subnetId": net.ID()})
	b.v.Subnets = append(b.v.Subnets, net)
	b.v.RouteTables = append(b.v.RouteTables, table)
	b.v.RouteTableAssociations = append(b.v.RouteTableAssociations, association)
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
	default:
		b.v.IsolatedSubnetIDs = append(b.v.IsolatedSubnetIDs, id)
	}
}

// gateway declares a NAT gateway with an Elastic IP in the zone's public subnet.
func (b *builder) gateway(zone int, net *child) {
	name := fmt.Sprintf("%s-%d", b.name, zone+1)
	tags := tagged(b.tags, map[string]string{"Name": name})
	eip := b.add("aws:ec2/eip:Eip", name, net, pulumi.Map{"tags": tags})
	nat := b.add("aws:ec2/natGateway:NatGateway", name, net,
		pulumi.Map{"subnetId": net.ID(), "allocationId": eip.AllocationID, "tags": tags})
	b.nats = append(b.nats, nat)
	b.v.Eips = append(b.v.Eips, eip)
	b.v.NatGateways = append(b.v.NatGateways, nat)
}

func (b *builder) defaultRoute(name string, table *child, target string, gateway *child) {
	b.v.Routes = append(b.v.Routes, b.add("aws:ec2/route:Route", name, table, pulumi.Map{
		"routeTableId":         table.ID(),
		"destinationCidrBlock": pulumi.String("0.0.0.0/0"),
		target:                 gateway.ID(),
	}))
}

// publish registers the outputs.
func (b *builder) publish() error {
	b.v.VpcID = b.vpc.ID().ToStringOutput()
	return b.ctx.RegisterResourceOutputs(b.v, pulumi.Map{
		"vpcId":             b.v.VpcID,
		"publicSubnetIds":   b.v.PublicSubnetIDs,
		"privateSubnetIds":  b.v.PrivateSubnetIDs,
		"isolatedSubnetIds": b.v.IsolatedSubnetIDs,
	})
}

// resolved describes what each spec has become: the subnets come zone by zone, in the order of the specs.
func resolved(specs []subnetSpec, subnets []subnet, zones int) []map[string]any {
	perZone := len(subnets) / zones
	var all []map[string]any
	for i := range perZone {
		first := subnets[i]
		entry := map[string]any{
			"type": first.kind, "cidrMask": first.block.Bits(), "size": 1 << (32 - first.block.Bits()),
		}
		if i < len(specs) {
			if specs[i].name != "" {
				entry["name"] = specs[i].name
			}
			if len(specs[i].blocks) > 0 {
				entry["cidrBlocks"] = blocks(specs[i])
			}
		}
		all = append(all, entry)
	}
	return all
}

func blocks(s subnetSpec) []string {
	var texts []string
	for _, block := range s.blocks {
		texts = append(texts, block.String())
	}
	return slices.Clip(texts)
}
