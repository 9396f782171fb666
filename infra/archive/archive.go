// Package archive declares the buckets that keep the load balancer's access logs and the network's flow logs. It is for
// whoever has to find out afterwards who asked for what.
package archive

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:archive:Archive" //nolint:gosec // A type, not a credential.

// Args describes an archive.
type Args struct {
	Settings
	// AccessLogs and FlowLogs say who writes: the load balancer, the VPC. With neither, nothing is declared.
	AccessLogs, FlowLogs bool
	Partition, Account   pulumi.StringInput
	Region               string
	// Protect makes the engine refuse to delete the buckets.
	Protect bool
}

// Archive is a bucket for each writer, or nothing.
type Archive struct {
	pulumi.ResourceState

	// AccessLogBucket is the name of the bucket for the load balancer, FlowLogBucketARN the one for the VPC. Each is
	// nil if its writer has nothing to write. Both are known when the writer may write: AWS tries it at once.
	AccessLogBucket, FlowLogBucketARN pulumi.StringInput
}

// New declares an archive.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Archive, error) {
	a := &Archive{}
	if !args.AccessLogs && !args.FlowLogs {
		return a, nil
	}
	if args.Partition == nil || args.Account == nil || args.Region == "" {
		return nil, fmt.Errorf("archive %s: partition, account and region must be given", name)
	}
	if err := ctx.RegisterComponentResource(Token, name, a, opts...); err != nil {
		return nil, fmt.Errorf("archive %s: %w", name, err)
	}
	if err := a.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("archive %s: %w", name, err)
	}

	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{
		"accessLogBucket":  a.AccessLogBucket,
		"flowLogBucketArn": a.FlowLogBucketARN,
	})
}

// build gives each writer a bucket of its own, because a flow log changes the policy of the bucket that it is given:
// AWS attaches the one that flow logs need, and "this policy overwrites any existing policy attached to the bucket". In
// a common bucket, the load balancer's right to write would be gone as soon as the VPC logs.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func (a *Archive) build(ctx *pulumi.Context, name string, args Args) error {
	if args.AccessLogs {
		policy, err := a.bucket(ctx, name+"-logs", args, accessLogs)
		if err != nil {
			return fmt.Errorf("access logs: %w", err)
		}
		// The policy's bucket is the bucket's name, and whoever waits for it waits for the policy.
		a.AccessLogBucket = policy.Bucket
	}
	if args.FlowLogs {
		policy, err := a.bucket(ctx, name+"-flow-logs", args, flowLogs)
		if err != nil {
			return fmt.Errorf("flow logs: %w", err)
		}
		a.FlowLogBucketARN = pulumi.Sprintf("arn:%s:s3:::%s", args.Partition, policy.Bucket)
	}

	return nil
}

func (a *Archive) bucket(ctx *pulumi.Context, name string, args Args, rights rights) (*s3.BucketPolicy, error) {
	bucket, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(args.ForceDestroy),
	}, pulumi.Parent(a), pulumi.Protect(args.Protect))
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	closed, err := a.restrict(ctx, name, args, bucket)
	if err != nil {
		return nil, err
	}

	policy, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: pulumi.All(args.Partition, args.Account, bucket.Arn).ApplyT(func(all []any) (string, error) {
			return bucketPolicy(place{all[0].(string), args.Region, all[1].(string), all[2].(string)}, rights)
		}).(pulumi.StringOutput),
		// S3 takes one change of a bucket's access at a time.
	}, pulumi.Parent(a), pulumi.DependsOn(closed))
	if err != nil {
		return nil, fmt.Errorf("bucket policy: %w", err)
	}

	return policy, nil
}

// restrict closes a bucket to the public, encrypts it and lets logs expire.
func (a *Archive) restrict(ctx *pulumi.Context, name string, args Args, bucket *s3.BucketV2) ([]pulumi.Resource, error) {
	public, err := s3.NewBucketPublicAccessBlock(ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket:                bucket.ID(),
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, pulumi.Parent(a))
	if err != nil {
		return nil, fmt.Errorf("public access block: %w", err)
	}
	// Everything in the bucket is its owner's, whoever writes it; access lists do not count.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
	owner, err := s3.NewBucketOwnershipControls(ctx, name, &s3.BucketOwnershipControlsArgs{
		Bucket: bucket.ID(),
		Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, pulumi.Parent(a), pulumi.DependsOn([]pulumi.Resource{public}))
	if err != nil {
		return nil, fmt.Errorf("ownership controls: %w", err)
	}
	// The load balancer writes to buckets with S3's own keys alone.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
	_, err = s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("AES256"),
			},
		}},
	}, pulumi.Parent(a))
	if err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:     pulumi.String("expire"),
			Status: pulumi.String("Enabled"),
			Filter: s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String(folder + "/")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{
				Days: pulumi.Int(args.RetentionDays),
			},
		}},
	}, pulumi.Parent(a))
	if err != nil {
		return nil, fmt.Errorf("lifecycle: %w", err)
	}

	return []pulumi.Resource{public, owner}, nil
}
