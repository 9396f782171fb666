package main

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/iam and the table of docs/first-deploy.md anew")

// unseen are actions that no run on the emulator calls, and why a role has them.
var unseen = []struct{ pattern, why string }{
	// AWS checks these although no request has their name.
	{`^iam:PassRole$`, "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"},
	{`^iam:CreateServiceLinkedRole$`, "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html"},
	{`^logs:(\w+LogDelivery|PutResourcePolicy)$`, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html"},
	{`^elasticloadbalancing:Set\*$`, "https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html"},
	{`^route53:AssociateVPCWithHostedZone$`, "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"},
	{`^route53:(Create|Delete)HostedZone$`, "https://docs.aws.amazon.com/cloud-map/latest/dg/identity-and-access-management.html"},
	{`^ecr:(BatchGetImage|BatchCheckLayerAvailability|\w+LayerUpload|UploadLayerPart|PutImage)$`, "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html"},
	// Whatever is made with tags; and tags change.
	{`:(Tag|Untag|AddTags|RemoveTags)\w*$|:(DeleteTags|ChangeTagsForResource)$`, "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html"},
	// Pulumi keeps states and keys there. The local run keeps them in files.
	{`^(kms:\w+|s3:(Get|Put)Object)$`, "https://www.pulumi.com/docs/iac/concepts/state-and-backends/"},
	// Changes of a stack that no run makes, and shapes that no run deploys, by the resources of the provider.
	{`^iam:(UpdateRole|UpdateRoleDescription|UpdateAssumeRolePolicy|\w+PermissionsBoundary|AttachRolePolicy|DetachRolePolicy)$`, provider + "iam/role.go"},
	{`^ec2:(ReplaceRoute|DisassociateAddress|ModifySecurityGroupRules|ModifyVpcEndpoint|GetManagedPrefixListEntries)$`, provider + "ec2"},
	{`^ecr:PutImageScanningConfiguration$`, provider + "ecr/repository.go"},
	{`^servicequotas:\w+$`, provider + "servicequotas/service_quota_data_source.go"},
	{`^sns:(Subscribe|Unsubscribe)$`, provider + "sns/topic_subscription.go"},
	{`^wafv2:UpdateWebACL$`, provider + "wafv2/web_acl.go"},
	{`^application-autoscaling:DeleteScheduledAction$`, provider + "appautoscaling/scheduled_action.go"},
	{`^servicediscovery:(UpdateService|DeregisterInstance)$`, provider + "servicediscovery/service.go"},
	{`^ecr:BatchDeleteImage$`, "the workflows' own command, .ci/keep"},
	{`^ecs:(UpdateCluster\*|PutClusterCapacityProviders|ExecuteCommand)$`, provider + "ecs"},
	{`^logs:(DeleteRetentionPolicy|AssociateKmsKey|DisassociateKmsKey)$`, provider + "logs/group.go"},
	{`^s3:(ListBucketVersions|DeleteObject|DeleteObjectVersion)$`, provider + "s3/bucket.go"},
}

const provider = "https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/"

// isUnseen matches these actions.
var isUnseen = func() *regexp.Regexp {
	patterns := make([]string, len(unseen))
	for i, u := range unseen {
		patterns[i] = u.pattern
	}

	return regexp.MustCompile(strings.Join(patterns, "|"))
}()

// readRecorded reads testdata/actions.json: the actions that each command has called in the end-to-end tests, whatever the
// documents say. The flag -record of these tests adds to it.
func readRecorded(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string][]string{}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}

	return recorded
}

func TestRolesMayDoWhatRunsHaveDone(t *testing.T) {
	recorded := readRecorded(t)
	if len(recorded["pulumi-up"]) < 100 || len(recorded["pulumi-preview"]) < 5 {
		t.Fatalf("%d actions of updates and %d of previews; runs have more", len(recorded["pulumi-up"]), len(recorded["pulumi-preview"]))
	}
	for command, actions := range recorded {
		role, reading := "prod", command == "pulumi-preview" || command == "ops-preview"
		if reading {
			role = previewRole
		}
		granted := grantedTo(t, role)
		for _, action := range actions {
			if !covered(granted, action) {
				t.Errorf("%s: the role %s may not %s", command, role, action)
			}
		}
	}
}

// A right that nothing needs is one that only an attacker would use.
func TestRolesMayDoNothingThatNoRunHasDone(t *testing.T) {
	var called []string
	for _, actions := range readRecorded(t) {
		called = append(called, actions...)
	}
	granted := grantedTo(t, "prod")
	for _, action := range granted {
		unseen, seen := isUnseen.MatchString(action), slices.ContainsFunc(called, func(c string) bool { return covers(action, c) })
		switch {
		case !unseen && !seen:
			t.Errorf("no run has called %s", action)
		case unseen && seen:
			t.Errorf("runs have called %s: take it out of unseen", action)
		}
	}
	for _, u := range unseen {
		if !slices.ContainsFunc(granted, regexp.MustCompile(u.pattern).MatchString) {
			t.Errorf("unseen: no role may do %s", u.pattern)
		}
	}
}

func covered(granted []string, action string) bool {
	return slices.ContainsFunc(granted, func(g string) bool { return covers(g, action) })
}

func covers(granted, wanted string) bool {
	if prefix, pattern := strings.CutSuffix(granted, "*"); pattern {
		return strings.HasPrefix(wanted, prefix)
	}

	return granted == wanted
}
