// Package archive declares the S3 buckets that keep the load balancer's access logs and the VPC's flow logs. They are for
// anyone who has to find out afterwards who sent which request.
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
	// AccessLogs and FlowLogs say whether the load balancer and the VPC write logs. If neither does, nothing is declared.
	AccessLogs, FlowLogs bool
	Partition, Account   pulumi.StringInput
	Region               string
	// Protect makes the engine refuse to delete the buckets.
	Protect bool
}

// Archive holds one bucket for each kind of logs that is turned on, and none if neither is.
type Archive struct {
	pulumi.ResourceState

	// AccessLogBucket is the name of the bucket for access logs, and FlowLogBucketARN is the ARN of the bucket for flow
	// logs. Each is nil if that kind of logs is off. Each becomes known only once the bucket's policy allows writing,
	// because AWS tests that as soon as the logs are turned on.
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

// build declares a bucket of its own for each kind of logs, because AWS attaches a policy to the bucket of a flow log, and
// "this policy overwrites any existing policy attached to the bucket". If both shared a bucket, the load balancer would lose
// its permission to write as soon as the flow log is created.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func (a *Archive) build(ctx *pulumi.Context, name string, args Args) error {
	if args.AccessLogs {
		policy, err := a.bucket(ctx, name+"-logs", args, accessLogs)
		if err != nil {
			return fmt.Errorf("access logs: %w", err)
		}
		// This output of the policy is the bucket's name. Whatever uses it waits until the policy exists.
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
		// S3 accepts only one change to the access settings of a bucket at a time.
	}, pulumi.Parent(a), pulumi.DependsOn(closed))
	if err != nil {
		return nil, fmt.Errorf("bucket policy: %w", err)
	}

	return policy, nil
}

// restrict blocks all public access to a bucket, encrypts it, and lets the logs in it expire. It returns the resources that
// must exist before the bucket's policy is attached.
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
	// The owner of the bucket owns every object in it, whoever wrote the object. Access control lists are disabled.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
	owner, err := s3.NewBucketOwnershipControls(ctx, name, &s3.BucketOwnershipControlsArgs{
		Bucket: bucket.ID(),
		Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, pulumi.Parent(a), pulumi.DependsOn([]pulumi.Resource{public}))
	if err != nil {
		return nil, fmt.Errorf("ownership controls: %w", err)
	}
	// The load balancer can write only to buckets that are encrypted with S3's own keys (SSE-S3).
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
