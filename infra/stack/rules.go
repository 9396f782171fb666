package stack

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// OwnerTag is a default tag of the provider, and therefore one of each rule that a stack has made, and OwnerValue its value.
const (
	OwnerTag   = "ManagedBy"
	OwnerValue = "pulumi"
)

// OwnRulesOnly returns the id of a security group, once it has been checked that no one else has let anything in. The rules of a
// group are resources of their own, so a refresh does not see another one beside them, and an update does not remove it. Rules
// of other stacks have the tag, too, and rules that let something out are not looked at in what serves several stacks.
func OwnRulesOnly(ctx *pulumi.Context, group *ec2.SecurityGroup, opts ...pulumi.InvokeOption) pulumi.StringOutput {
	found := vpc.GetSecurityGroupRulesOutput(ctx, vpc.GetSecurityGroupRulesOutputArgs{
		Filters: vpc.GetSecurityGroupRulesFilterArray{vpc.GetSecurityGroupRulesFilterArgs{
			Name: pulumi.String("group-id"), Values: pulumi.StringArray{group.ID()},
		}},
	}, opts...)

	return pulumi.All(group.ID().ToStringOutput(), found.Ids()).ApplyT(func(values []any) (string, error) {
		id := values[0].(string)
		var errs []error
		for _, rule := range values[1].([]string) {
			rule, err := vpc.GetSecurityGroupRule(ctx, &vpc.GetSecurityGroupRuleArgs{SecurityGroupRuleId: &rule}, opts...)
			if err == nil {
				err = foreign(id, rule)
			}
			errs = append(errs, err)
		}
		return id, errors.Join(errs...)
	}).(pulumi.StringOutput)
}

func foreign(group string, rule *vpc.GetSecurityGroupRuleResult) error {
	if rule.IsEgress || rule.Tags[OwnerTag] == OwnerValue {
		return nil
	}
	ports := fmt.Sprint(rule.FromPort)
	if rule.ToPort != rule.FromPort {
		ports += fmt.Sprintf("-%d", rule.ToPort)
	}
	source := cmp.Or(rule.CidrIpv4, rule.CidrIpv6, rule.ReferencedSecurityGroupId, rule.PrefixListId)

	return fmt.Errorf("security group %s has a rule that no stack has made: %s lets in %s %s from %s; remove it: "+
		"aws ec2 revoke-security-group-ingress --group-id %[1]s --security-group-rule-ids %[2]s",
		group, rule.SecurityGroupRuleId, strings.Replace(rule.IpProtocol, "-1", "every protocol,", 1), ports, source)
}
