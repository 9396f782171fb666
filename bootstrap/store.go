package main

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// store is where Pulumi keeps states, and the key that encrypts the secrets in them.
// https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3
type store struct {
	bucket *s3.BucketV2
	key    *kms.Key
}

// oldStates is how long an earlier version of a state is kept, in days. It is the way back from a state that is damaged.
const oldStates = 90

// keyWindow is the longest time in which the deletion of a key can be taken back, in days. With the key, all secrets of all
// stacks would be lost. https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
const keyWindow = 30

func newStore(ctx *pulumi.Context) (*store, error) {
	keep := pulumi.Protect(true)
	key, err := kms.NewKey(ctx, "secrets", &kms.KeyArgs{
		Description:          pulumi.String("Encrypts the secrets in the states of Pulumi"),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(keyWindow),
	}, keep)
	if err != nil {
		return nil, err
	}
	bucket, err := s3.NewBucketV2(ctx, "state", &s3.BucketV2Args{}, keep)
	if err != nil {
		return nil, err
	}

	return &store{bucket, key}, guard(ctx, bucket)
}

// guard keeps the states private, and earlier versions of them for a while.
func guard(ctx *pulumi.Context, bucket *s3.BucketV2) error {
	yes, child := pulumi.Bool(true), pulumi.Parent(bucket)
	if _, err := s3.NewBucketPublicAccessBlock(ctx, "state", &s3.BucketPublicAccessBlockArgs{
		Bucket: bucket.ID(), BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
	}, child); err != nil {
		return err
	}
	versioned, err := s3.NewBucketVersioningV2(ctx, "state", &s3.BucketVersioningV2Args{
		Bucket:                  bucket.ID(),
		VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, child)
	if err != nil {
		return err
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(ctx, "state", &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("earlier-versions"), Status: pulumi.String("Enabled"),
			Filter: s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(oldStates),
			},
		}},
	}, child, pulumi.DependsOn([]pulumi.Resource{versioned}))

	return err
}
