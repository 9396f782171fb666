package archive

import (
	"fmt"

	"fargate-nginx-sidecar/infra/policy"
)

// folder is the one below which both writers put everything.
const folder = "AWSLogs"

// writers lets the load balancer and the VPC of this account write, and refuses whatever does not come encrypted.
func writers(args Args, partition, region, account, bucket string) (string, error) {
	if partition == "" || region == "" || account == "" || bucket == "" {
		return "", fmt.Errorf("partition %q, region %q, account %q, bucket %q; allowed: four names", partition, region, account, bucket)
	}
	below := fmt.Sprintf("%s/%s/%s/*", bucket, folder, account)

	statements := []policy.Statement{{
		Sid:       "EncryptedConnectionsOnly",
		Effect:    "Deny",
		Principal: "*",
		Action:    []string{"s3:*"},
		Resource:  []string{bucket, bucket + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}
	if args.AccessLogs {
		statements = append(statements, policy.Statement{
			// In all regions; the account of each region that older policies name is no longer needed. A load balancer
			// writes below its own account's number, so the path keeps other accounts out.
			// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html#attach-bucket-policy
			Sid:       "AccessLogs",
			Effect:    "Allow",
			Principal: map[string]string{"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
			Action:    []string{"s3:PutObject"},
			Resource:  []string{below},
		})
	}
	if args.FlowLogs {
		statements = append(statements, flowLogs(partition, region, account, bucket, below)...)
	}

	return policy.Render(statements...)
}

// flowLogs is what AWS would add to the policy by itself, and the program would then take away again.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-permissions.html
func flowLogs(partition, region, account, bucket, below string) []policy.Statement {
	delivery := map[string]string{"Service": "delivery.logs.amazonaws.com"}
	source := map[string]map[string]string{
		"StringEquals": {"aws:SourceAccount": account},
		"ArnLike":      {"aws:SourceArn": fmt.Sprintf("arn:%s:logs:%s:%s:*", partition, region, account)},
	}
	write := map[string]map[string]string{
		"StringEquals": {"aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control"},
		"ArnLike":      source["ArnLike"],
	}

	return []policy.Statement{{
		Sid: "FlowLogs", Effect: "Allow", Principal: delivery,
		Action: []string{"s3:PutObject"}, Resource: []string{below}, Condition: write,
	}, {
		Sid: "FlowLogsMayAsk", Effect: "Allow", Principal: delivery,
		Action: []string{"s3:GetBucketAcl"}, Resource: []string{bucket}, Condition: source,
	}}
}
