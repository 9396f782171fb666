// Package stack is what every topic needs of the stack that it is part of.
package stack

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Info is handed to each topic as a whole.
type Info struct {
	// Name is the name of the service, with which the names of all resources begin.
	Name string
	// Partition, Account and Region are parts of ARNs.
	Partition, Account pulumi.StringInput
	Region             string
	// KMSKeyARN is the key that encrypts logs and images. If it is empty, AWS's own key is used.
	KMSKeyARN string
	// BoundaryARN is the policy that bounds every role, or empty.
	BoundaryARN string
	// Protect makes the engine refuse to delete what serves clients and what holds data.
	Protect bool
	// LogRetentionDays is how long CloudWatch keeps logs.
	LogRetentionDays int
}

// PermissionsBoundary is that of every role.
func (i Info) PermissionsBoundary() pulumi.StringPtrInput {
	if i.BoundaryARN == "" {
		return nil
	}

	return pulumi.String(i.BoundaryARN)
}

// Unusable are the ids of availability zones that lack something, and what that is.
type Unusable struct {
	ZoneIDs []string
	Lacking string
}

// LogGroup declares a log group.
func (i Info) LogGroup(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*cloudwatch.LogGroup, error) {
	args := &cloudwatch.LogGroupArgs{RetentionInDays: pulumi.Int(i.LogRetentionDays)}
	if i.KMSKeyARN != "" {
		args.KmsKeyId = pulumi.String(i.KMSKeyARN)
	}
	group, err := cloudwatch.NewLogGroup(ctx, name, args, append(opts, pulumi.Protect(i.Protect))...)
	if err != nil {
		return nil, fmt.Errorf("log group %s: %w", name, err)
	}

	return group, nil
}
