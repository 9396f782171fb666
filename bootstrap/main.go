// Command bootstrap is a small program of its own that prepares an AWS account for this repository: GitHub's workflows get
// roles without stored keys, Pulumi gets a bucket for its state and a key for its secrets, and images get repositories that
// no environment owns. It is deployed once for each account, by a person. docs/first-deploy.md has the commands.
package main

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() { pulumi.Run(program) }

func program(ctx *pulumi.Context) error {
	s, err := read(ctx)
	if err != nil {
		return err
	}
	partition := aws.GetPartitionOutput(ctx, aws.GetPartitionOutputArgs{}).Partition()
	account := aws.GetCallerIdentityOutput(ctx, aws.GetCallerIdentityOutputArgs{}).AccountId()

	store, err := newStore(ctx)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	roles, err := newRoles(ctx, s, partition, account, store)
	if err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	images, err := newRepositories(ctx, s, partition)
	if err != nil {
		return fmt.Errorf("repositories: %w", err)
	}

	ctx.Export("backend", pulumi.Sprintf("s3://%s", store.bucket.Bucket))
	// The CLI takes the region from here, wherever the key's user is.
	// https://www.pulumi.com/docs/iac/concepts/secrets/#aws-key-management-service-kms
	ctx.Export("secretsProvider", pulumi.Sprintf("awskms:///%s?region=%s", store.key.Arn, config.Get(ctx, "aws:region")))
	ctx.Export("roles", roles)
	ctx.Export("repositories", images)

	return nil
}

// errSettings begins the list of everything that is wrong with the settings.
var errSettings = errors.New("settings of bootstrap")
