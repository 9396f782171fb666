package service

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// declareSecurityGroup declares the tasks' security group and its rules: the ingress may connect to one port of the tasks,
// and the tasks may connect to any address on the given ports, and to the given security groups. A service waits for all of
// them.
//
// The tasks may connect to any address because ECR, S3 and CloudWatch have no fixed ones. Name resolution needs no rule:
// traffic to the VPC's resolver does not pass through security groups.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func (b *builder) declareSecurityGroup() (err error) {
	b.group, err = ec2.NewSecurityGroup(b.ctx, b.Name+"-tasks", &ec2.SecurityGroupArgs{
		// A changed description would replace the group, so this one mentions nothing that may change.
		Description: pulumi.String("Tasks"),
		VpcId:       b.VPCID,
	}, b.child)
	if err != nil {
		return fmt.Errorf("security group: %w", err)
	}
	for _, declare := range []func() error{b.declareRulesOfIngress, b.declareEgressToPorts, b.declareEgressToGroups} {
		if err := declare(); err != nil {
			return err
		}
	}

	return nil
}

// declareRulesOfIngress lets the ingress connect to one port of the tasks, with a rule in either group. The rules' names
// contain the kind of ingress and the port, so that when one changes, the old way stays open until the tasks that need it
// are gone.
func (b *builder) declareRulesOfIngress() error {
	kind, port := b.Ingress.Kind, b.Task.ContainerPort
	err := b.declareIngress(fmt.Sprintf("%s-tasks-from-%s-%d", b.Name, kind, port), &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId:           b.group.ID(),
		ReferencedSecurityGroupId: b.Ingress.GroupID,
		Description:               pulumi.String("Requests from the " + b.Ingress.Name),
		FromPort:                  pulumi.Int(port),
		ToPort:                    pulumi.Int(port),
	})
	if err != nil {
		return err
	}

	return b.declareEgress(fmt.Sprintf("%s-%s-to-tasks-%d", b.Name, kind, port), &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId:           b.Ingress.GroupID,
		ReferencedSecurityGroupId: b.group.ID(),
		Description:               pulumi.String("Requests and health checks to the tasks"),
		FromPort:                  pulumi.Int(port),
		ToPort:                    pulumi.Int(port),
	})
}

func (b *builder) declareEgressToPorts() error {
	for _, port := range b.EgressPorts {
		err := b.declareEgress(fmt.Sprintf("%s-tasks-to-%d", b.Name, port), &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId: b.group.ID(),
			Description:     pulumi.String("Connections of the tasks"),
			FromPort:        pulumi.Int(port),
			ToPort:          pulumi.Int(port),
			CidrIpv4:        pulumi.String("0.0.0.0/0"),
		})
		if err != nil {
			return err
		}
	}

	return nil
}

func (b *builder) declareIngress(name string, args *vpc.SecurityGroupIngressRuleArgs) error {
	args.IpProtocol = pulumi.String("tcp")
	rule, err := vpc.NewSecurityGroupIngressRule(b.ctx, name, args, b.child)
	if err != nil {
		return fmt.Errorf("security group rule: %w", err)
	}
	b.before = append(b.before, rule)

	return nil
}

func (b *builder) declareEgress(name string, args *vpc.SecurityGroupEgressRuleArgs) error {
	args.IpProtocol = pulumi.String("tcp")
	rule, err := vpc.NewSecurityGroupEgressRule(b.ctx, name, args, b.child)
	if err != nil {
		return fmt.Errorf("security group rule: %w", err)
	}
	b.before = append(b.before, rule)

	return nil
}
