package archive

import (
	"fmt"

	"fargate-nginx-sidecar/infra/policy"
)

// folder is the folder in a bucket below which the load balancer and the flow logs write everything.
const folder = "AWSLogs"

// place is the ARN of a bucket, with the partition, region and account that the bucket is in.
type place struct{ partition, region, account, bucket string }

// below returns the ARN pattern of all objects that are written for the account.
func (p place) below() []string {
	return []string{fmt.Sprintf("%s/%s/%s/*", p.bucket, folder, p.account)}
}

// rights returns the statements that allow an AWS service to write its logs to a bucket.
type rights func(place) []policy.Statement

// bucketPolicy returns the policy of a bucket. It allows what the given rights allow, and denies every request that does not
// use TLS.
func bucketPolicy(p place, rights rights) (string, error) {
	if p.partition == "" || p.region == "" || p.account == "" || p.bucket == "" {
		return "", fmt.Errorf("partition %q, region %q, account %q, bucket %q; allowed: four values that are not empty",
			p.partition, p.region, p.account, p.bucket)
	}

	return policy.Render(append([]policy.Statement{{
		Sid:       "EncryptedConnectionsOnly",
		Effect:    "Deny",
		Principal: "*",
		Action:    []string{"s3:*"},
		Resource:  []string{p.bucket, p.bucket + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}, rights(p)...)...)
}

// loadBalancers are the AWS accounts that write access logs in the regions of China and of AWS GovCloud (US). AWS documents
// the log delivery service for all regions, but does not name these two partitions. It still accepts policies that name the
// accounts.
var loadBalancers = map[string]string{
	// https://docs.amazonaws.cn/en_us/aws/latest/userguide/elb.html
	"cn-north-1":     "638102146993",
	"cn-northwest-1": "037604701340",
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html#attach-bucket-policy
	"us-gov-east-1": "190560391635",
	"us-gov-west-1": "048591011584",
}

// accessLogs allows load balancers to write. A load balancer writes below the number of its own account, so the path excludes
// load balancers of other accounts.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html#attach-bucket-policy
func accessLogs(p place) []policy.Statement {
	principal := map[string]string{"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
	if account, ok := loadBalancers[p.region]; ok {
		principal = map[string]string{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", p.partition, account)}
	}

	return []policy.Statement{{
		Sid: "AccessLogs", Effect: "Allow", Principal: principal, Action: []string{"s3:PutObject"}, Resource: p.below(),
	}}
}

// flowLogs allows the flow logs of this account and region to write. Both statements are copied from AWS's documentation,
// with their ids. Of the two pages below, one says that AWS overwrites a bucket's policy, and the other that it adds missing
// statements. If it looks for existing statements before it adds any, it finds these.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-S3.html
//
// The condition requires the canned ACL bucket-owner-full-control, although access control lists are disabled in the bucket
// (BucketOwnerEnforced). S3 still accepts requests with this one canned ACL, and AWS attaches the same condition to buckets
// in which access control lists are disabled by default.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html
func flowLogs(p place) []policy.Statement {
	delivery := map[string]string{"Service": "delivery.logs.amazonaws.com"}
	source := map[string]string{"aws:SourceArn": fmt.Sprintf("arn:%s:logs:%s:%s:*", p.partition, p.region, p.account)}

	return []policy.Statement{{
		Sid: "AWSLogDeliveryWrite", Effect: "Allow", Principal: delivery,
		Action: []string{"s3:PutObject"}, Resource: p.below(),
		Condition: map[string]map[string]string{
			"StringEquals": {"aws:SourceAccount": p.account, "s3:x-amz-acl": "bucket-owner-full-control"},
			"ArnLike":      source,
		},
	}, {
		Sid: "AWSLogDeliveryAclCheck", Effect: "Allow", Principal: delivery,
		Action: []string{"s3:GetBucketAcl"}, Resource: []string{p.bucket},
		Condition: map[string]map[string]string{"StringEquals": {"aws:SourceAccount": p.account}, "ArnLike": source},
	}}
}
