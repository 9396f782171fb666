package archive

import (
	"fmt"

	"fargate-nginx-sidecar/infra/policy"
)

// folder is the one below which both writers put everything.
const folder = "AWSLogs"

// place is a bucket, by its ARN, and where it is.
type place struct{ partition, region, account, bucket string }

// below are the objects that are written for the account.
func (p place) below() []string {
	return []string{fmt.Sprintf("%s/%s/%s/*", p.bucket, folder, p.account)}
}

// rights are the statements that let a writer put its logs into a bucket.
type rights func(place) []policy.Statement

// bucketPolicy gives the writer its rights, and refuses whatever does not come encrypted.
func bucketPolicy(p place, rights rights) (string, error) {
	if p.partition == "" || p.region == "" || p.account == "" || p.bucket == "" {
		return "", fmt.Errorf("partition %q, region %q, account %q, bucket %q; allowed: four names",
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

// loadBalancers are AWS's accounts that write access logs in the partitions of China and of the United States'
// government. AWS documents its log delivery service for all regions, but not by name for these two partitions, and
// goes on taking policies with the accounts.
var loadBalancers = map[string]string{
	// https://docs.amazonaws.cn/en_us/aws/latest/userguide/elb.html
	"cn-north-1":     "638102146993",
	"cn-northwest-1": "037604701340",
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html#attach-bucket-policy
	"us-gov-east-1": "190560391635",
	"us-gov-west-1": "048591011584",
}

// accessLogs lets load balancers write. Each writes below its own account's number, so the path keeps those of other
// accounts out.
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

// flowLogs lets the flow logs of this account and region write. The two statements are AWS's own, ids included, so that
// an AWS that looks for them before it adds them finds them; its two pages differ on whether it adds or overwrites.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-S3.html
//
// The condition on x-amz-acl holds although the bucket's access lists do not count (BucketOwnerEnforced): S3 still
// takes a request that carries this one value, and AWS attaches the same condition to buckets that are like this one
// by default.
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
