package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// cloud records what is declared, by type and name.
type cloud struct {
	sync.Mutex
	declared map[string]resource.PropertyMap
}

func (c *cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	c.Lock()
	defer c.Unlock()
	c.declared[args.TypeToken+" "+args.Name] = args.Inputs
	outputs := args.Inputs.Copy()
	outputs["arn"] = resource.NewProperty("arn:of:" + args.Name)
	outputs["bucket"] = resource.NewProperty("state-1")
	outputs["repositoryUrl"] = resource.NewProperty("123456789012.dkr.ecr.eu-central-1.amazonaws.com/" + args.Name)
	if _, named := outputs["name"]; !named {
		outputs["name"] = resource.NewProperty(args.Name + "-1")
	}

	return args.Name + "-id", outputs, nil
}

func (*cloud) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	switch args.Token {
	case "aws:index/getPartition:getPartition":
		return resource.PropertyMap{"partition": resource.NewProperty("aws-cn")}, nil
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return resource.PropertyMap{"accountId": resource.NewProperty("123456789012")}, nil
	}

	return nil, os.ErrInvalid
}

func deploy(t *testing.T, values map[string]string) (*cloud, error) {
	t.Helper()
	c := &cloud{declared: map[string]resource.PropertyMap{}}
	given := map[string]string{"bootstrap:repository": "team/shop", "bootstrap:environments": `["staging","prod"]`, "bootstrap:pullAccounts": `[]`}
	for key, value := range values {
		given["bootstrap:"+key] = value
	}
	err := pulumi.RunErr(program, pulumi.WithMocks("bootstrap", "aws", c), func(info *pulumi.RunInfo) { info.Config = given })

	return c, err
}

// readPolicy is as much of a policy as the tests read.
type readPolicy struct {
	Statement []struct {
		Effect    string
		Action    []string
		Resource  []string
		Principal map[string]any
		Condition map[string]map[string]string
	}
}

func (c *cloud) document(t *testing.T, key string, property resource.PropertyKey) (d readPolicy) {
	t.Helper()
	inputs, ok := c.declared[key]
	if !ok {
		t.Fatalf("%s is not declared", key)
	}
	if err := json.Unmarshal([]byte(inputs[property].StringValue()), &d); err != nil {
		t.Fatal(err)
	}

	return d
}

// grantedTo are the actions that a role is allowed.
func grantedTo(t *testing.T, name string) (granted []string) {
	t.Helper()
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range c.document(t, rolePolicy+name, "policy").Statement {
		if statement.Effect == "Allow" {
			granted = append(granted, statement.Action...)
		}
	}

	return granted
}

const (
	role       = "aws:iam/role:Role "
	rolePolicy = "aws:iam/rolePolicy:RolePolicy "
)

// trusts decides as IAM does for a condition of StringEquals; another operator would be a mistake.
func (d readPolicy) trusts(t *testing.T, claims map[string]string) bool {
	t.Helper()
	for _, statement := range d.Statement {
		if len(statement.Condition) != 1 || len(statement.Condition["StringEquals"]) != 2 {
			t.Fatalf("conditions %v; want StringEquals of audience and subject alone", statement.Condition)
		}
		holds := statement.Effect == "Allow"
		for key, want := range statement.Condition["StringEquals"] {
			holds = holds && claims[strings.TrimPrefix(key, issuer+":")] == want
		}
		if holds {
			return true
		}
	}

	return false
}

func TestARoleTrustsExactlyTheJobsItIsFor(t *testing.T) {
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	const aud = "sts.amazonaws.com"
	for name, trusted := range map[string][]string{
		"prod":    {"repo:team/shop:environment:prod"},
		"staging": {"repo:team/shop:environment:staging"},
		"preview": {"repo:team/shop:pull_request", "repo:team/shop:ref:refs/heads/main"},
	} {
		d := c.document(t, role+name, "assumeRolePolicy")
		for _, subject := range []string{
			"repo:team/shop:environment:prod", "repo:team/shop:environment:staging", "repo:team/shop:pull_request", "repo:team/shop:ref:refs/heads/main",
			// Look-alikes.
			"repo:team/shop:environment:prod2", "repo:team/shop:environment:pro", "repo:team/shop:environment:PROD", "repo:team/shop:environment:prod:ref:refs/heads/main",
			"repo:team/shop2:environment:prod", "repo:team2/shop:environment:prod", "repo:Team/shop:environment:prod", "repo:team/shop-environment:prod",
			"xrepo:team/shop:environment:prod", "repo:team/shop:environment:*", "repo:team/shop:ref:refs/heads/main2", "repo:team/shop:ref:refs/tags/main", "repo:team/shop", "",
		} {
			if got, want := d.trusts(t, map[string]string{"aud": aud, "sub": subject}), slices.Contains(trusted, subject); got != want {
				t.Errorf("role %s trusts %q: %v; want %v", name, subject, got, want)
			}
		}
		if d.trusts(t, map[string]string{"aud": "https://github.com/team", "sub": trusted[0]}) {
			t.Errorf("role %s trusts a token that is not for AWS", name)
		}
		for _, statement := range d.Statement {
			if len(statement.Principal) != 1 || statement.Principal["Federated"] != "arn:of:github" || !slices.Equal(statement.Action, []string{"sts:AssumeRoleWithWebIdentity"}) {
				t.Errorf("role %s: %v may %v", name, statement.Principal, statement.Action)
			}
		}
	}
}

// reading matches actions that change nothing and hand out no secret of an app.
var reading = regexp.MustCompile(`^(apigateway:GET|[a-z0-9-]+:(Describe|List|Get|BatchGetImage|BatchCheckLayerAvailability|Filter)[A-Za-z]*\*?|kms:Decrypt)$`)

func TestThePreviewRoleOnlyReads(t *testing.T) {
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range c.document(t, rolePolicy+"preview", "policy").Statement {
		for _, action := range statement.Action {
			if !reading.MatchString(action) || action == "secretsmanager:Get*" || action == "secretsmanager:GetSecretValue" {
				t.Errorf("the preview role may %s", action)
			}
			if strings.HasPrefix(action, "kms:") && !slices.Equal(statement.Resource, []string{"arn:of:secrets"}) {
				t.Errorf("%s with %v", action, statement.Resource)
			}
		}
	}
}

// A role that could change its own trust or rights would be an administrator's.
func TestADeployRoleCannotWidenItself(t *testing.T) {
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	denied, passed := false, []string{}
	for _, statement := range c.document(t, rolePolicy+"prod", "policy").Statement {
		switch {
		case statement.Effect == "Deny" && slices.Equal(statement.Action, []string{"iam:*"}):
			denied = slices.Contains(statement.Resource, "arn:aws-cn:iam::123456789012:role/github-*") &&
				slices.Contains(statement.Resource, "arn:aws-cn:iam::123456789012:oidc-provider/*")
		case slices.ContainsFunc(statement.Action, func(a string) bool { return covers(a, "iam:PassRole") }) && statement.Effect == "Allow":
			passed = append(passed, statement.Condition["StringEquals"]["iam:PassedToService"])
		}
	}
	if !denied {
		t.Error("it may change the roles of bootstrap")
	}
	if slices.Sort(passed); !slices.Equal(passed, passedTo) {
		t.Errorf("roles are passed to %q", passed)
	}
	for _, name := range []string{"prod", "staging", "preview"} {
		if got := c.declared[role+name]["name"].StringValue(); got != "github-"+name {
			t.Errorf("role %s is called %s, outside what is denied", name, got)
		}
	}
}

// The policies in a role's own text have at most 10,240 characters together.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestThePoliciesFitIntoTheirRoles(t *testing.T) {
	c, err := deploy(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prod", "preview"} {
		if size := len(c.declared[rolePolicy+name]["policy"].StringValue()); size > 10_240 {
			t.Errorf("the policy of %s has %d characters", name, size)
		}
	}
}

func TestOtherAccountsMayOnlyPull(t *testing.T) {
	c, err := deploy(t, map[string]string{"pullAccounts": `["210987654321"]`})
	if err != nil {
		t.Fatal(err)
	}
	d := c.document(t, "aws:ecr/repositoryPolicy:RepositoryPolicy app", "policy")
	if len(d.Statement) != 1 || !slices.Equal(d.Statement[0].Action, []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}) {
		t.Errorf("grants: %+v", d)
	}
	if got := d.Statement[0].Principal["AWS"]; len(got.([]any)) != 1 || got.([]any)[0] != "arn:aws-cn:iam::210987654321:root" {
		t.Errorf("to %v", got)
	}
	if alone, err := deploy(t, nil); err != nil || alone.declared["aws:ecr/repositoryPolicy:RepositoryPolicy app"] != nil {
		t.Errorf("without other accounts there is a grant, or %v", err)
	}
}

func TestWrongSettingsAreReportedTogether(t *testing.T) {
	_, err := deploy(t, map[string]string{"repository": "shop", "environments": `["prod","prod","preview","*"]`, "pullAccounts": `["1234"]`})
	for _, want := range []string{
		`repository: "shop"; allowed: owner/name`, `environments: "prod"; allowed: each once`, `environments: "preview"`, `environments: "*"`,
		`pullAccounts: "1234"; allowed: the 12 digits`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nlacks %s", err, want)
		}
	}
}
