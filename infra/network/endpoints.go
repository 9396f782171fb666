package network

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/stack"
)

// gateway adds a gateway endpoint for S3 to all route tables. Tasks download image layers from S3, and through this endpoint
// they do so without a NAT gateway and at no cost.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html
func (b *builder) gateway() error {
	tables := ec2.GetRouteTablesOutput(b.ctx, ec2.GetRouteTablesOutputArgs{VpcId: b.vpc.VpcId}, b.child)
	endpoint, err := ec2.NewVpcEndpoint(b.ctx, b.Args.Name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           b.vpc.VpcId,
		VpcEndpointType: pulumi.String("Gateway"),
		ServiceName:     pulumi.String(service(b.Args.Region, "s3")),
		RouteTableIds:   tables.Ids(),
	}, b.child, pulumi.DependsOn([]pulumi.Resource{b.vpc}))
	if err != nil {
		return fmt.Errorf("endpoint of S3: %w", err)
	}
	b.Routes = append(b.Routes, endpoint)

	return nil
}

// endpoints adds interface endpoints, through which tasks reach AWS's services from private subnets that have no other route
// out of the VPC.
func (b *builder) endpoints() error {
	group, err := ec2.NewSecurityGroup(b.ctx, b.Args.Name+"-endpoints", &ec2.SecurityGroupArgs{
		Description: pulumi.String("Interface endpoints"),
		VpcId:       b.vpc.VpcId,
	}, b.child)
	if err != nil {
		return fmt.Errorf("security group of the endpoints: %w", err)
	}
	rule, err := vpc.NewSecurityGroupIngressRule(b.ctx, b.Args.Name+"-endpoints-https", &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: group.ID(),
		Description:     pulumi.String("HTTPS from the VPC"),
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(httpsPort),
		ToPort:          pulumi.Int(httpsPort),
		CidrIpv4:        pulumi.String(b.Args.CIDR.String()),
	}, b.child)
	if err != nil {
		return fmt.Errorf("security group rule of the endpoints: %w", err)
	}
	b.Routes = append(b.Routes, rule)

	checked := stack.OwnRulesOnly(b.ctx, group, b.child)
	for _, needed := range b.Args.Services {
		endpoint, err := ec2.NewVpcEndpoint(b.ctx, b.Args.Name+"-"+needed, &ec2.VpcEndpointArgs{
			VpcId:             b.vpc.VpcId,
			VpcEndpointType:   pulumi.String("Interface"),
			ServiceName:       pulumi.String(service(b.Args.Region, needed)),
			SubnetIds:         b.vpc.PrivateSubnetIds,
			SecurityGroupIds:  pulumi.StringArray{checked},
			PrivateDnsEnabled: pulumi.Bool(true),
		}, b.child, pulumi.DependsOn([]pulumi.Resource{b.vpc}))
		if err != nil {
			return fmt.Errorf("endpoint of %s: %w", needed, err)
		}
		b.Routes = append(b.Routes, endpoint)
	}

	return nil
}

const httpsPort = 443

// service returns the name by which an endpoint refers to an AWS service.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
func service(region, name string) string {
	if strings.HasPrefix(region, "eusc-") { // the European Sovereign Cloud
		return "eu.amazonaws." + region + "." + name
	}

	return "com.amazonaws." + region + "." + name
}

// flowLog records the connections of every network interface in the VPC, and writes the records to a bucket.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-6
func (b *builder) flowLog() error {
	_, err := ec2.NewFlowLog(b.ctx, b.Args.Name, &ec2.FlowLogArgs{
		VpcId:                  b.vpc.VpcId,
		TrafficType:            pulumi.String("ALL"),
		LogDestinationType:     pulumi.String("s3"),
		LogDestination:         b.Args.FlowLogBucketARN.ToStringOutput(),
		MaxAggregationInterval: pulumi.Int(aggregation),
	}, b.child)
	if err != nil {
		return fmt.Errorf("flow log: %w", err)
	}

	return nil
}

// aggregation is the time, in seconds, over which the packets of a connection are combined into one line of the flow log. AWS
// allows 60 and 600; the longer time gives fewer lines.
const aggregation = 600
