package emulator

import (
	"slices"
	"strings"
)

// prefixes are IAM's names of services that botocore calls otherwise.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var prefixes = map[string]string{
	"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing", "service-quotas": "servicequotas", "efs": "elasticfilesystem",
}

// otherNames are operations that IAM authorises under another name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var otherNames = map[string]string{
	"s3:DeleteBucketEncryption":           "s3:PutEncryptionConfiguration",
	"s3:DeleteBucketLifecycle":            "s3:PutLifecycleConfiguration",
	"s3:DeleteBucketOwnershipControls":    "s3:PutBucketOwnershipControls",
	"s3:DeleteBucketTagging":              "s3:PutBucketTagging",
	"s3:DeleteObjects":                    "s3:DeleteObject",
	"s3:DeletePublicAccessBlock":          "s3:PutBucketPublicAccessBlock",
	"s3:HeadBucket":                       "s3:ListBucket",
	"s3:HeadObject":                       "s3:GetObject",
	"s3:ListObjectsV2":                    "s3:ListBucket",
	"s3:ListObjectVersions":               "s3:ListBucketVersions",
	"s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
	"s3:GetBucketCors":                    "s3:GetBucketCORS",
	"s3:GetBucketEncryption":              "s3:GetEncryptionConfiguration",
	"s3:GetBucketLifecycleConfiguration":  "s3:GetLifecycleConfiguration",
	"s3:GetBucketReplication":             "s3:GetReplicationConfiguration",
	"s3:GetObjectLockConfiguration":       "s3:GetBucketObjectLockConfiguration",
	"s3:GetPublicAccessBlock":             "s3:GetBucketPublicAccessBlock",
	"s3:PutBucketEncryption":              "s3:PutEncryptionConfiguration",
	"s3:PutBucketLifecycleConfiguration":  "s3:PutLifecycleConfiguration",
	"s3:PutPublicAccessBlock":             "s3:PutBucketPublicAccessBlock",
}

// methods are the actions of an HTTP API: IAM knows the method of the request, not its operation.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html
var methods = []struct{ operation, method string }{
	{"Get", "GET"}, {"Create", "POST"}, {"Update", "PATCH"}, {"Delete", "DELETE"}, {"Import", "PUT"}, {"Reimport", "PUT"},
}

// authorised is the action that IAM checks for a request, service:Operation in botocore's names.
func authorised(request string) string {
	service, operation, _ := strings.Cut(request, ":")
	if service == "apigatewayv2" {
		service = "apigateway"
		for _, m := range methods {
			if strings.HasPrefix(operation, m.operation) {
				return service + ":" + m.method
			}
		}
	}
	if prefix, ok := prefixes[service]; ok {
		service = prefix
	}
	action := service + ":" + operation
	if other, ok := otherNames[action]; ok {
		return other
	}

	return action
}

// authorisedOf are the actions of each command, in the names of IAM.
func authorisedOf(requests map[string][]string) map[string][]string {
	actions := map[string][]string{}
	for command, all := range requests {
		for _, request := range all {
			actions[command] = append(actions[command], authorised(request))
		}
		slices.Sort(actions[command])
		actions[command] = slices.Compact(actions[command])
	}

	return actions
}
