package image

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/document"
)

// kept is the number of images in a repository that do not expire, the newest ones: enough for a month of daily deployments to
// go back to. An image in ECR costs a few cents a month, because images of one app share most layers.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
const kept = 30

// Expire lets old images of the repository expire. running is any output that becomes known once tasks run the new image; it
// stays unknown if ECS rolls the deployment back. Until it is known, the existing policy stays, and that one protects the
// earlier image. A preview of a deployment never knows it, and would show the policies of all images as replaced.
func (i *Image) Expire(running pulumi.StringOutput, opts ...pulumi.ResourceOption) error {
	b := i.builder
	if b.repository == nil {
		return nil
	}
	policy, err := lifecyclePolicy(b.content.digest)
	if err != nil {
		return fmt.Errorf("image %s: lifecycle policy: %w", b.name(), err)
	}
	once := pulumi.String(policy).ToStringOutput()
	if !b.ctx.DryRun() {
		once = running.ApplyT(func(string) string { return policy }).(pulumi.StringOutput)
	}
	_, err = ecr.NewLifecyclePolicy(b.ctx, b.name(), &ecr.LifecyclePolicyArgs{
		Repository: b.repository.Name,
		Policy:     once,
		// The provider replaces the resource when the policy changes, but a repository has only one policy. If the engine
		// created the new resource first and then deleted the old one, the repository would be left without a policy.
		// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecr_lifecycle_policy
	}, append(opts, b.child, pulumi.DeleteBeforeReplace(true))...)
	if err != nil {
		return fmt.Errorf("image %s: lifecycle policy: %w", b.name(), err)
	}

	return nil
}

// lifecycle is an ECR lifecycle policy, with the fields that this package needs.
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

// lifecyclePolicy keeps the newest images, whatever their tags. A rule for untagged images only would never apply, because
// an immutable tag stays on its image, and a rule by age would delete the image that runs.
// https://github.com/aws/containers-roadmap/issues/1078
//
// The image that runs is not always among the newest. ECR sorts images by the time of their first push. An image that comes
// back with a reverted commit keeps that time even under a new tag, and builds that were never deployed can be newer. But
// an image whose tag matches one rule cannot expire by a rule of lower priority, so the first rule protects the image that
// runs.
// https://github.com/aws/containers-roadmap/issues/2746
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules
func lifecyclePolicy(content string) (string, error) {
	return document.JSON(lifecycle{Rules: []rule{{
		Priority:    1,
		Description: "Keep the image that runs",
		Selection: selection{
			TagStatus: "tagged", TagPrefixes: []string{content}, CountType: "imageCountMoreThan", CountNumber: 1,
		},
		Action: action{Type: "expire"},
	}, {
		Priority:    2,
		Description: fmt.Sprintf("Keep the newest %d images", kept),
		Selection:   selection{TagStatus: "any", CountType: "imageCountMoreThan", CountNumber: kept},
		Action:      action{Type: "expire"},
	}}})
}
