package network

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	awsxec2 "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// gateway adds a gateway endpoint for S3 to all route tables. Tasks download image layers from S3, and through this endpoint
// they do so without a NAT gateway and at no cost.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html
func (n *Network) gateway(ctx *pulumi.Context, name string, args Args, made *awsxec2.Vpc) error {
	tables := ec2.GetRouteTablesOutput(ctx, ec2.GetRouteTablesOutputArgs{VpcId: made.VpcId}, pulumi.Parent(n))
	endpoint, err := ec2.NewVpcEndpoint(ctx, name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           made.VpcId,
		VpcEndpointType: pulumi.String("Gateway"),
		ServiceName:     pulumi.String(service(args.Region, "s3")),
		RouteTableIds:   tables.Ids(),
	}, pulumi.Parent(n), pulumi.DependsOn([]pulumi.Resource{made}))
	if err != nil {
		return fmt.Errorf("endpoint of S3: %w", err)
	}
	n.Routes = append(n.Routes, endpoint)

	return nil
}

// endpoints adds interface endpoints, through which tasks reach AWS's services from private subnets that have no other route
// out of the VPC.
func (n *Network) endpoints(ctx *pulumi.Context, name string, args Args, made *awsxec2.Vpc) error {
	group, err := ec2.NewSecurityGroup(ctx, name+"-endpoints", &ec2.SecurityGroupArgs{
		Description: pulumi.String("Interface endpoints"),
		VpcId:       made.VpcId,
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("security group of the endpoints: %w", err)
	}
	rule, err := vpc.NewSecurityGroupIngressRule(ctx, name+"-endpoints-https", &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: group.ID(),
		Description:     pulumi.String("HTTPS from the VPC"),
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(httpsPort),
		ToPort:          pulumi.Int(httpsPort),
		CidrIpv4:        pulumi.String(args.CIDR.String()),
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("security group rule of the endpoints: %w", err)
	}
	n.Routes = append(n.Routes, rule)

	for _, needed := range args.Services {
		endpoint, err := ec2.NewVpcEndpoint(ctx, name+"-"+needed, &ec2.VpcEndpointArgs{
			VpcId:             made.VpcId,
			VpcEndpointType:   pulumi.String("Interface"),
			ServiceName:       pulumi.String(service(args.Region, needed)),
			SubnetIds:         made.PrivateSubnetIds,
			SecurityGroupIds:  pulumi.StringArray{group.ID()},
			PrivateDnsEnabled: pulumi.Bool(true),
		}, pulumi.Parent(n), pulumi.DependsOn([]pulumi.Resource{made}))
		if err != nil {
			return fmt.Errorf("endpoint of %s: %w", needed, err)
		}
		n.Routes = append(n.Routes, endpoint)
	}

	return nil
}

const httpsPort = 443

// service returns the name by which an endpoint refers to an AWS service.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
func service(region, name string) string {
	return "com.amazonaws." + region + "." + name
}

// flowLog records the connections of every network interface in the VPC, and writes the records to a bucket.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-6
func (n *Network) flowLog(ctx *pulumi.Context, name string, args Args, made *awsxec2.Vpc) error {
	_, err := ec2.NewFlowLog(ctx, name, &ec2.FlowLogArgs{
		VpcId:                  made.VpcId,
		TrafficType:            pulumi.String("ALL"),
		LogDestinationType:     pulumi.String("s3"),
		LogDestination:         args.FlowLogBucketARN.ToStringOutput(),
		MaxAggregationInterval: pulumi.Int(aggregation),
	}, pulumi.Parent(n))
	if err != nil {
		return fmt.Errorf("flow log: %w", err)
	}

	return nil
}

// aggregation is the time, in seconds, over which the packets of a connection are combined into one line of the flow log. AWS
// allows 60 and 600; the longer time gives fewer lines.
const aggregation = 600
