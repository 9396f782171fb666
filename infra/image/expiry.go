package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Expire lets old images of the repository expire. The output of what runs the image is known once it runs, and never
// when ECS has gone back to what ran before. Until then the policy stays that protects the earlier image.
func (i *Image) Expire(ctx *pulumi.Context, name string, running pulumi.StringOutput, opts ...pulumi.ResourceOption) error {
	if i.repository == nil {
		return nil
	}
	policy, err := lifecyclePolicy(i.content, i.keep)
	if err != nil {
		return fmt.Errorf("image %s: lifecycle policy: %w", name, err)
	}
	_, err = ecr.NewLifecyclePolicy(ctx, name, &ecr.LifecyclePolicyArgs{
		Repository: i.repository.Name,
		Policy:     running.ApplyT(func(string) string { return policy }).(pulumi.StringOutput),
		// Another policy is another resource to the provider, and the repository has one: to delete the old one last would
		// leave none. https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecr_lifecycle_policy
	}, append(opts, pulumi.Parent(i), pulumi.DeleteBeforeReplace(true))...)
	if err != nil {
		return fmt.Errorf("image %s: lifecycle policy: %w", name, err)
	}

	return nil
}

// lifecycle is a lifecycle policy of ECR, as far as this package needs it.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type lifecycle struct {
	Rules []rule `json:"rules"`
}

type rule struct {
	Priority    int       `json:"rulePriority"`
	Description string    `json:"description"`
	Selection   selection `json:"selection"`
	Action      action    `json:"action"`
}

type selection struct {
	TagStatus   string   `json:"tagStatus"`
	TagPrefixes []string `json:"tagPrefixList,omitempty"`
	CountType   string   `json:"countType"`
	CountNumber int      `json:"countNumber"`
}

type action struct {
	Type string `json:"type"`
}

// lifecyclePolicy keeps the newest images whatever their tags. A rule for untagged images alone would never apply,
// and one by age would delete what runs. https://github.com/aws/containers-roadmap/issues/1078
//
// What runs need not be among the newest. ECR goes by the time of the first push, and an image that comes back with a
// reverted commit keeps it, under any new tag; builds that never came to run are newer, too. But an image that matches a
// rule's tags does not expire by a rule behind it, so a rule in front protects the content that runs.
// https://github.com/aws/containers-roadmap/issues/2746
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules
func lifecyclePolicy(content string, keep int) (string, error) {
	var text bytes.Buffer
	err := json.NewEncoder(&text).Encode(lifecycle{Rules: []rule{{
		Priority:    1,
		Description: "Keep the image that runs",
		Selection: selection{
			TagStatus: "tagged", TagPrefixes: []string{content}, CountType: "imageCountMoreThan", CountNumber: 1,
		},
		Action: action{Type: "expire"},
	}, {
		Priority:    2,
		Description: fmt.Sprintf("Keep the newest %d images", keep),
		Selection:   selection{TagStatus: "any", CountType: "imageCountMoreThan", CountNumber: keep},
		Action:      action{Type: "expire"},
	}}})

	return strings.TrimSpace(text.String()), err
}
