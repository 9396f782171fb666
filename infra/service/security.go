package service

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// securityGroup declares the tasks' security group and its rules: the load balancer may connect to one port of the tasks,
// and the tasks may connect to any address on the given ports, and to the given security groups. It returns the rules,
// which a service has to wait for.
//
// The tasks may connect to any address because ECR, S3 and CloudWatch have no fixed ones. Name resolution needs no rule:
// traffic to the VPC's resolver does not pass through security groups.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func (s *Service) securityGroup(
	ctx *pulumi.Context, name string, args Args,
) (*ec2.SecurityGroup, []pulumi.Resource, error) {
	group, err := ec2.NewSecurityGroup(ctx, name+"-tasks", &ec2.SecurityGroupArgs{
		// A changed description would replace the group, so this one mentions nothing that may change.
		Description: pulumi.String("Tasks"),
		VpcId:       args.VPCID,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("security group: %w", err)
	}

	ingress, err := s.fromIngress(ctx, name, args, group)
	if err != nil {
		return nil, nil, err
	}
	egress, err := s.egress(ctx, name, args, group)
	if err != nil {
		return nil, nil, err
	}

	toGroups, err := s.egressToGroups(ctx, name, args, group)
	if err != nil {
		return nil, nil, err
	}

	return group, slices.Concat(ingress, egress, toGroups), nil
}

// fromIngress lets the ingress connect to one port of the tasks, with a rule in either group. The rules' names contain the
// kind of ingress and the port, so that when one changes, the old way stays open until the tasks that need it are gone.
func (s *Service) fromIngress(
	ctx *pulumi.Context, name string, args Args, group *ec2.SecurityGroup,
) ([]pulumi.Resource, error) {
	kind, port := args.IngressKind, strconv.Itoa(args.Task.ContainerPort)
	in, err := vpc.NewSecurityGroupIngressRule(ctx, fmt.Sprintf("%s-tasks-from-%s-%s", name, kind, port), &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId:           group.ID(),
		ReferencedSecurityGroupId: args.IngressGroupID,
		Description:               pulumi.String("Requests from the " + args.IngressName),
		IpProtocol:                pulumi.String("tcp"),
		FromPort:                  pulumi.Int(args.Task.ContainerPort),
		ToPort:                    pulumi.Int(args.Task.ContainerPort),
	}, pulumi.Parent(s), once(name+"-tasks-from-alb"))
	if err != nil {
		return nil, fmt.Errorf("security group rule: %w", err)
	}

	out, err := vpc.NewSecurityGroupEgressRule(ctx, fmt.Sprintf("%s-%s-to-tasks-%s", name, kind, port), &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId:           args.IngressGroupID,
		ReferencedSecurityGroupId: group.ID(),
		Description:               pulumi.String("Requests and health checks to the tasks"),
		IpProtocol:                pulumi.String("tcp"),
		FromPort:                  pulumi.Int(args.Task.ContainerPort),
		ToPort:                    pulumi.Int(args.Task.ContainerPort),
	}, pulumi.Parent(s), once(name+"-alb-to-tasks"))
	if err != nil {
		return nil, fmt.Errorf("security group rule: %w", err)
	}

	return []pulumi.Resource{in, out}, nil
}

// once names the logical name that a resource has in stacks of earlier versions, so that the engine recognizes it.
func once(name string) pulumi.ResourceOption {
	return pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(name)}})
}

func (s *Service) egress(
	ctx *pulumi.Context, name string, args Args, group *ec2.SecurityGroup,
) ([]pulumi.Resource, error) {
	var rules []pulumi.Resource
	for _, port := range args.EgressPorts {
		rule, err := vpc.NewSecurityGroupEgressRule(ctx, fmt.Sprintf("%s-tasks-to-%d", name, port),
			&vpc.SecurityGroupEgressRuleArgs{
				SecurityGroupId: group.ID(),
				Description:     pulumi.String("Connections of the tasks"),
				IpProtocol:      pulumi.String("tcp"),
				FromPort:        pulumi.Int(port),
				ToPort:          pulumi.Int(port),
				CidrIpv4:        pulumi.String("0.0.0.0/0"),
			}, pulumi.Parent(s))
		if err != nil {
			return nil, fmt.Errorf("security group rule: %w", err)
		}
		rules = append(rules, rule)
	}

	return rules, nil
}
