package main

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/policy"
)

// GitHub's issuer of tokens, and what a token for AWS is meant for.
// https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
const (
	issuer   = "token.actions.githubusercontent.com"
	audience = "sts.amazonaws.com"
)

// previewRole is the name of the role that only reads. The others are named after their environments.
const previewRole = "preview"

// rolePrefix begins the names of all roles here, which no role may change.
const rolePrefix = "github-"

// Subjects of tokens: a job in an environment, a job of a pull request, and one of the main branch without environment.
// https://docs.github.com/en/actions/reference/openid-connect-reference#example-subject-claims
func inEnvironment(repository, name string) string {
	return "repo:" + repository + ":environment:" + name
}

func ofPreviews(repository string) []string {
	return []string{"repo:" + repository + ":pull_request", "repo:" + repository + ":ref:refs/heads/main"}
}

func newRoles(ctx *pulumi.Context, s settings, partition, number pulumi.StringInput, store *store) (pulumi.StringMap, error) {
	provider, err := iam.NewOpenIdConnectProvider(ctx, "github", &iam.OpenIdConnectProviderArgs{
		Url: pulumi.String("https://" + issuer), ClientIdLists: pulumi.ToStringArray([]string{audience}),
	})
	if err != nil {
		return nil, err
	}
	trusted := map[string][]string{previewRole: ofPreviews(s.repository)}
	for _, name := range s.environments {
		trusted[name] = []string{inEnvironment(s.repository, name)}
	}
	arns := pulumi.StringMap{}
	for _, name := range append(slices.Clone(s.environments), previewRole) {
		role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
			Name:        pulumi.String(rolePrefix + name),
			Description: pulumi.String("GitHub's workflows: " + name),
			AssumeRolePolicy: provider.Arn.ApplyT(func(arn string) (string, error) {
				return trustPolicy(arn, trusted[name])
			}).(pulumi.StringOutput),
		}, pulumi.Protect(true))
		if err != nil {
			return nil, err
		}
		if _, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
			Role: role.Name,
			Policy: pulumi.All(partition, number, store.bucket.Arn, store.key.Arn).ApplyT(func(values []any) (string, error) {
				a := account{values[0].(string), values[1].(string), values[2].(string), values[3].(string)}
				if name == previewRole {
					return a.previewPolicy()
				}
				return a.deployPolicy()
			}).(pulumi.StringOutput),
		}, pulumi.Parent(role)); err != nil {
			return nil, err
		}
		arns[name] = role.Arn
	}

	return arns, nil
}

// trustPolicy lets in tokens with exactly these subjects. Nothing is matched by a pattern: with one, another repository,
// environment or branch whose name only looks alike could be let in.
func trustPolicy(provider string, subjects []string) (string, error) {
	var statements []policy.Statement
	for _, subject := range subjects {
		statements = append(statements, policy.Statement{
			Effect: "Allow", Principal: map[string]string{"Federated": provider}, Action: []string{"sts:AssumeRoleWithWebIdentity"},
			Condition: map[string]map[string]string{"StringEquals": {issuer + ":aud": audience, issuer + ":sub": subject}},
		})
	}

	return policy.Render(statements...)
}
