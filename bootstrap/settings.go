package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// settings are what a person sets once.
type settings struct {
	// repository is owner/name on GitHub.
	repository string
	// environments are the names of its environments that deploy.
	environments []string
	// pullAccounts are other accounts whose stacks run this account's images.
	pullAccounts []string
}

// Whatever a subject may contain beside letters, digits and a few signs would widen the trust: IAM compares with
// StringEquals, but a person who reads * or ? in a policy must not have to wonder.
// https://docs.github.com/en/actions/reference/openid-connect-reference#example-subject-claims
var (
	repositoryPattern  = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}$`)
	environmentPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)
	accountPattern     = regexp.MustCompile(`^[0-9]{12}$`)
)

func read(ctx *pulumi.Context) (settings, error) {
	values := config.New(ctx, "")
	s := settings{repository: values.Get("repository")}
	var errs []error
	fail := func(key, value, allowed string) {
		errs = append(errs, fmt.Errorf("%s: %q; allowed: %s", key, value, allowed))
	}
	if !repositoryPattern.MatchString(s.repository) {
		fail("repository", s.repository, "owner/name of a repository on GitHub")
	}
	for key, list := range map[string]*[]string{"environments": &s.environments, "pullAccounts": &s.pullAccounts} {
		if err := values.GetObject(key, list); err != nil {
			fail(key, values.Get(key), "a list of texts")
		}
	}
	if len(s.environments) == 0 {
		fail("environments", values.Get("environments"), "at least one")
	}
	seen := map[string]bool{}
	for _, name := range s.environments {
		if !environmentPattern.MatchString(name) || name == previewRole || seen[name] {
			fail("environments", name, "each once: 1 to 30 of a-z, 0-9 and hyphens that begin with a letter, but not "+previewRole)
		}
		seen[name] = true
	}
	for _, account := range s.pullAccounts {
		if !accountPattern.MatchString(account) {
			fail("pullAccounts", account, "the 12 digits of an AWS account")
		}
	}
	if err := errors.Join(errs...); err != nil {
		return settings{}, fmt.Errorf("%w:\n%w", errSettings, err)
	}

	return s, nil
}
