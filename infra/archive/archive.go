// Package archive declares the S3 buckets that keep the load balancer's access logs and the VPC's flow logs. They are for
// anyone who has to find out afterwards who sent which request.
package archive

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:archive:Archive" //nolint:gosec // A type, not a credential.

// Args describes an archive.
type Args struct {
	stack.Info
	Settings
	// AccessLogs and FlowLogs are true if the load balancer and the VPC write logs. If neither does, nothing is declared.
	AccessLogs, FlowLogs bool
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
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Archive, error) {
	a := &Archive{}
	if !args.AccessLogs && !args.FlowLogs {
		return a, nil
	}
	if err := ctx.RegisterComponentResource(Token, args.Name, a, opts...); err != nil {
		return nil, fmt.Errorf("archive %s: %w", args.Name, err)
	}
	b := &builder{Args: args, ctx: ctx, child: pulumi.Parent(a)}
	if err := b.build(a); err != nil {
		return nil, fmt.Errorf("archive %s: %w", args.Name, err)
	}

	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{
		"accessLogBucket":  a.AccessLogBucket,
		"flowLogBucketArn": a.FlowLogBucketARN,
	})
}

// builder holds what the resources of an archive are made of.
type builder struct {
	Args
	ctx   *pulumi.Context
	child pulumi.ResourceOption
}

// build declares a bucket of its own for each kind of logs, because AWS attaches a policy to the bucket of a flow log, and
// "this policy overwrites any existing policy attached to the bucket". If both shared a bucket, the load balancer would lose
// its permission to write as soon as the flow log is created.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func (b *builder) build(a *Archive) error {
	if b.AccessLogs {
		policy, err := b.declareBucket(b.Name+"-logs", accessLogs)
		if err != nil {
			return fmt.Errorf("access logs: %w", err)
		}
		// This output of the policy is the bucket's name. What uses it waits until the policy exists.
		a.AccessLogBucket = policy.Bucket
	}
	if b.FlowLogs {
		policy, err := b.declareBucket(b.Name+"-flow-logs", flowLogs)
		if err != nil {
			return fmt.Errorf("flow logs: %w", err)
		}
		a.FlowLogBucketARN = pulumi.Sprintf("arn:%s:s3:::%s", b.Partition, policy.Bucket)
	}

	return nil
}

func (b *builder) declareBucket(name string, rights rights) (*s3.BucketPolicy, error) {
	bucket, err := s3.NewBucketV2(b.ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(b.ForceDestroy),
	}, b.child, pulumi.Protect(b.Protect))
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	closed, err := b.restrict(name, bucket)
	if err != nil {
		return nil, err
	}

	policy, err := s3.NewBucketPolicy(b.ctx, name, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: pulumi.All(b.Partition, b.Account, bucket.Arn).ApplyT(func(all []any) (string, error) {
			return bucketPolicy(place{all[0].(string), b.Region, all[1].(string), all[2].(string)}, rights)
		}).(pulumi.StringOutput),
		// S3 accepts only one change to the access settings of a bucket at a time.
	}, b.child, pulumi.DependsOn(closed))
	if err != nil {
		return nil, fmt.Errorf("bucket policy: %w", err)
	}

	return policy, nil
}

// restrict blocks all public access to a bucket, encrypts it, and lets the logs in it expire. It returns the resources that
// must exist before the bucket's policy is attached.
func (b *builder) restrict(name string, bucket *s3.BucketV2) ([]pulumi.Resource, error) {
	public, err := s3.NewBucketPublicAccessBlock(b.ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket:                bucket.ID(),
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, b.child)
	if err != nil {
		return nil, fmt.Errorf("public access block: %w", err)
	}
	// The owner of the bucket owns every object in it, whoever wrote the object. Access control lists are disabled.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
	owner, err := s3.NewBucketOwnershipControls(b.ctx, name, &s3.BucketOwnershipControlsArgs{
		Bucket: bucket.ID(),
		Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, b.child, pulumi.DependsOn([]pulumi.Resource{public}))
	if err != nil {
		return nil, fmt.Errorf("ownership controls: %w", err)
	}
	// The load balancer can write only to buckets that are encrypted with S3's own keys (SSE-S3).
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
	_, err = s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("AES256"),
			},
		}},
	}, b.child)
	if err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(b.ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:     pulumi.String("expire"),
			Status: pulumi.String("Enabled"),
			Filter: s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String(folder + "/")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{
				Days: pulumi.Int(b.RetentionDays),
			},
		}},
	}, b.child)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: %w", err)
	}

	return []pulumi.Resource{public, owner}, nil
}
