package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"fargate-nginx-sidecar/ops/stack"
)

// The stack of a pull request is made from a template. In it {number} stands for the pull request's, {listener} for the shared
// listener, and {priority} for the first of the numbers that the stack's rules may have there.
const reviewTemplate = ".github/review.yaml"

// reviewPrefix begins the names of these stacks.
const reviewPrefix = "pr-"

// writeReview writes the stack file of a pull request.
func writeReview(ctx context.Context, o options) error {
	region, err := arn.Parse(o.listener)
	if err != nil || o.number < 1 {
		return fmt.Errorf("review: number %d, listener %q; allowed: a pull request's, and the ARN of a listener", o.number, o.listener)
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(region.Region))
	if err != nil {
		return fmt.Errorf("AWS credentials: %w", err)
	}
	template, err := os.ReadFile(reviewTemplate)
	if err != nil {
		return fmt.Errorf("review: %w", err)
	}
	rules, err := rulesOf(ctx, elb.NewFromConfig(loaded), o.listener)
	if err != nil {
		return err
	}
	priority, err := freePriority(o.number, rules)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("{number}", strconv.Itoa(o.number), "{listener}", o.listener, "{priority}", strconv.Itoa(priority)).Replace(string(template))
	s := stack.Stack{Name: reviewPrefix + strconv.Itoa(o.number)}
	fmt.Printf("%s: rules %d to %d\n", s.File(), priority, priority+rulesOfAStack-1)

	return s.Write([]byte(text))
}

// rule is a rule of a listener: its number, and for whose requests it is.
type rule struct {
	priority int
	hosts    []string
}

func rulesOf(ctx context.Context, client *elb.Client, listener string) ([]rule, error) {
	var rules []rule
	pages := elb.NewDescribeRulesPaginator(client, &elb.DescribeRulesInput{ListenerArn: &listener})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("rules of %s: %w", listener, err)
		}
		for _, r := range page.Rules {
			if number, err := strconv.Atoi(aws.ToString(r.Priority)); err == nil { // the last rule is called default
				rules = append(rules, rule{number, hosts(r.Conditions)})
			}
		}
	}

	return rules, nil
}

func hosts(conditions []types.RuleCondition) (all []string) {
	for _, c := range conditions {
		if c.HostHeaderConfig != nil {
			all = append(all, c.HostHeaderConfig.Values...)
		}
		if aws.ToString(c.Field) == "host-header" {
			all = append(all, c.Values...)
		}
	}

	return all
}

// rulesOfAStack is how many numbers in a row a stack takes, and lastPriority the highest first one; infra/ingress has both.
const (
	rulesOfAStack = 3
	lastPriority  = 1 + (50_000-2*rulesOfAStack)/rulesOfAStack*rulesOfAStack
)

// numbersApart is how far apart two pull requests must be to be given the same places. So many are never open at once.
const numbersApart = 2_000

// freePriority returns the first of three free numbers. Each pull request has places of its own, several of them in case rules of
// others are there; no two look at the same ones. So any number of them may look at the same moment without a lock, and none takes
// what another is about to take. One that has rules already keeps its place.
func freePriority(number int, rules []rule) (int, error) {
	own := reviewPrefix + strconv.Itoa(number) + "."
	taken := map[int]bool{}
	for _, r := range rules {
		if !slices.ContainsFunc(r.hosts, func(host string) bool { return strings.HasPrefix(host, own) }) {
			taken[r.priority] = true
		}
	}
	for place := number % numbersApart; 1+rulesOfAStack*place <= lastPriority; place += numbersApart {
		first := 1 + rulesOfAStack*place
		free := true
		for i := range rulesOfAStack {
			free = free && !taken[first+i]
		}
		if free {
			return first, nil
		}
	}

	return 0, fmt.Errorf("review: all places of pull request %d are taken by rules of other stacks", number)
}

// deployed is a stack as the CLI lists it.
type deployed struct {
	Name       string    `json:"name"`
	LastUpdate time.Time `json:"lastUpdate"`
}

// clean removes the stacks of pull requests that are closed, and of those that nobody has updated for some days.
func clean(ctx context.Context, o options) error {
	listed, err := exec.CommandContext(ctx, "pulumi", "stack", "ls", "--json").Output()
	if err != nil {
		return fmt.Errorf("pulumi stack ls: %w", err)
	}
	var all []deployed
	if err := json.Unmarshal(listed, &all); err != nil {
		return fmt.Errorf("pulumi stack ls: %w", err)
	}
	var errs []error
	for name, reason := range outdated(all, strings.Split(o.open, ","), time.Now().AddDate(0, 0, -o.days)) {
		fmt.Printf("%s: %s\n", name, reason)
		errs = append(errs, stack.Stack{Name: name, Log: os.Stdout}.Remove(ctx))
	}

	return errors.Join(errs...)
}

// outdated returns the stacks of pull requests that go, and why.
func outdated(all []deployed, open []string, oldest time.Time) map[string]string {
	reasons := map[string]string{}
	for _, s := range all {
		number, is := strings.CutPrefix(s.Name, reviewPrefix)
		if _, err := strconv.Atoi(number); !is || err != nil {
			continue
		}
		switch {
		case !slices.Contains(open, number):
			reasons[s.Name] = "its pull request is closed"
		case !s.LastUpdate.IsZero() && s.LastUpdate.Before(oldest):
			reasons[s.Name] = "not updated since " + s.LastUpdate.Format(time.DateOnly)
		}
	}

	return reasons
}
