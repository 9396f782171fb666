package main

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/document"
	"fargate-nginx-sidecar/infra/policy"
)

// A repository of this program belongs to no environment, so that the destruction of one takes no image from another.
var repositoryNames = []string{"app", "nginx"}

// keptTags begin the tags of images that must not expire: the program of ops/ gives one to what a stack runs, and takes it
// away when three later images of that stack have one.
const keptTags = "keep-"

// newest is how many other images a repository keeps.
const newest = 100

// mostKept is more than a repository can hold with such a tag, so the rule that has it deletes nothing.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const mostKept = 100_000

func newRepositories(ctx *pulumi.Context, s settings, partition pulumi.StringInput) (pulumi.StringMap, error) {
	lifecycle, err := lifecyclePolicy()
	if err != nil {
		return nil, err
	}
	urls := pulumi.StringMap{}
	for _, name := range repositoryNames {
		repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
			ImageTagMutability:         pulumi.String("IMMUTABLE"),
			ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		}, pulumi.Protect(true))
		if err != nil {
			return nil, err
		}
		child := pulumi.Parent(repository)
		if _, err := ecr.NewLifecyclePolicy(ctx, name, &ecr.LifecyclePolicyArgs{
			Repository: repository.Name, Policy: pulumi.String(lifecycle),
		}, child); err != nil {
			return nil, err
		}
		if len(s.pullAccounts) > 0 {
			if _, err := ecr.NewRepositoryPolicy(ctx, name, &ecr.RepositoryPolicyArgs{
				Repository: repository.Name,
				Policy: partition.ToStringOutput().ApplyT(func(partition string) (string, error) {
					return pullPolicy(partition, s.pullAccounts)
				}).(pulumi.StringOutput),
			}, child); err != nil {
				return nil, err
			}
		}
		urls[name] = repository.RepositoryUrl
	}

	return urls, nil
}

// pullPolicy lets other accounts pull. Which of their roles may, they decide themselves.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
func pullPolicy(partition string, accounts []string) (string, error) {
	roots := make([]string, len(accounts))
	for i, account := range accounts {
		roots[i] = "arn:" + partition + ":iam::" + account + ":root"
	}

	return policy.Render(policy.Statement{
		Sid: "Pull", Effect: "Allow", Principal: map[string][]string{"AWS": roots},
		Action: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
	})
}

// lifecyclePolicy protects what stacks run: an image that a rule selects by its tag cannot expire by a later rule.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules
func lifecyclePolicy() (string, error) {
	type selection struct {
		Status   string   `json:"tagStatus"`
		Prefixes []string `json:"tagPrefixList,omitempty"`
		Type     string   `json:"countType"`
		Number   int      `json:"countNumber"`
	}
	type rule struct {
		Priority    int               `json:"rulePriority"`
		Description string            `json:"description"`
		Selection   selection         `json:"selection"`
		Action      map[string]string `json:"action"`
	}
	expire := map[string]string{"type": "expire"}

	return document.JSON(map[string][]rule{"rules": {
		{1, "Keep what stacks run and ran before", selection{"tagged", []string{keptTags}, "imageCountMoreThan", mostKept}, expire},
		{2, "Keep the newest others", selection{"any", nil, "imageCountMoreThan", newest}, expire},
	}})
}
