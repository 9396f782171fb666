package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NothingElse takes from a role every policy but those of the stack. A role's policies are resources of their own, so without
// this a refresh would not see another one beside them, and an update would leave it.
// https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/iam_role_policy_attachments_exclusive
func NothingElse(ctx *pulumi.Context, name string, role *iam.Role, inline, attached pulumi.StringArray, opts ...pulumi.ResourceOption) error {
	_, err := iam.NewRolePoliciesExclusive(ctx, name, &iam.RolePoliciesExclusiveArgs{RoleName: role.Name, PolicyNames: listed(inline)}, opts...)
	if err != nil {
		return fmt.Errorf("inline policies of role %s: %w", name, err)
	}
	_, err = iam.NewRolePolicyAttachmentsExclusive(ctx, name,
		&iam.RolePolicyAttachmentsExclusiveArgs{RoleName: role.Name, PolicyArns: listed(attached)}, opts...)
	if err != nil {
		return fmt.Errorf("policies attached to role %s: %w", name, err)
	}

	return nil
}

// listed is an empty list instead of none, which would leave the role as it is.
func listed(all pulumi.StringArray) pulumi.StringArray {
	if all == nil {
		return pulumi.StringArray{}
	}

	return all
}
