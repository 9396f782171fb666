package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// otherNames are operations that IAM authorises under another name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var otherNames = map[string]string{
	"s3:DeleteBucketEncryption":           "s3:PutEncryptionConfiguration",
	"s3:DeleteBucketLifecycle":            "s3:PutLifecycleConfiguration",
	"s3:DeleteBucketOwnershipControls":    "s3:PutBucketOwnershipControls",
	"s3:DeletePublicAccessBlock":          "s3:PutBucketPublicAccessBlock",
	"s3:HeadBucket":                       "s3:ListBucket",
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

// unseen are actions that AWS authorises although no request has their name.
var unseen = []string{
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
	"iam:PassRole",
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
	"iam:CreateServiceLinkedRole",
	// https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
	"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
	// https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html
	"elasticloadbalancing:SetWebACL",
	// https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
	"route53:AssociateVPCWithHostedZone",
	// https://docs.aws.amazon.com/cloud-map/latest/dg/identity-and-access-management.html
	"route53:CreateHostedZone", "route53:DeleteHostedZone",
}

// authorised is the action that IAM checks for a request, whose service has the name that botocore gives it.
func authorised(request string) string {
	if other, ok := otherNames[request]; ok {
		return other
	}

	return strings.Replace(request, "elbv2:", "elasticloadbalancing:", 1)
}

// testdata/actions.json is .build/aws-actions.json of a local run that has deployed Pulumi.prod.yaml with a domain, lifted its
// protection and destroyed it: what the provider really calls, whatever the documents say.
func TestADeployRoleMayDoWhatARunHasDone(t *testing.T) {
	text, err := os.ReadFile("testdata/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string][]string{"no command": unseen}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded["pulumi-up"]) < 100 {
		t.Fatalf("%d actions of an update; a run of prod has more", len(recorded["pulumi-up"]))
	}
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	granted := c.grantedToProd(t)
	for command, requests := range recorded {
		for _, request := range requests {
			if wanted := authorised(request); !slices.ContainsFunc(granted, func(g string) bool { return covers(g, wanted) }) {
				t.Errorf("%s: the role of prod may not %s", command, wanted)
			}
		}
	}
}
