package alb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb/oidc"
	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// What a load balancer and a target group do where an attribute says nothing.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
const (
	defaultIdleTimeout         = 60 * time.Second
	defaultDeregistrationDelay = 300 * time.Second
)

// wanted is all that the emulator holds of load balancing.
type wanted struct {
	listeners map[string]listenerSettings
	groups    map[string]groupSettings
}

// listenerSettings is one listener with its rules in their order, the default rule last.
type listenerSettings struct {
	arn       string
	balancer  string // ARN of its load balancer
	port      int
	https     bool
	hostname  string // of the load balancer
	idle      time.Duration
	dropNames bool // drop header fields with invalid names
	rules     []rule
}

// logins are the authenticate-oidc actions of all rules.
func (l listenerSettings) logins() []oidc.Action {
	var all []oidc.Action
	for _, r := range l.rules {
		for _, a := range r.actions {
			if a.AuthenticateOidcConfig != nil {
				all = append(all, oidc.Action{AuthenticateOidcActionConfig: *a.AuthenticateOidcConfig, Signer: l.balancer})
			}
		}
	}
	return all
}

// rule is what a request must match and what then happens.
type rule struct {
	conditions []types.RuleCondition
	actions    []types.Action
}

// groupSettings is one target group.
type groupSettings struct {
	port  int
	https bool
	used  bool // some rule forwards to it
	delay time.Duration
	check checkSettings
	// sticky is how long a client stays with its target; zero is not at all.
	sticky time.Duration
}

// source reads the ELB API.
type source struct{ client *elb.Client }

func newSource(endpoint, region string) *source {
	return &source{elb.NewFromConfig(emulator.Config(endpoint, region))}
}

// read collects everything. A resource that goes away between two of the calls fails the whole; the next look is
// one second away.
func (s *source) read(ctx context.Context) (wanted, error) {
	w := wanted{map[string]listenerSettings{}, map[string]groupSettings{}}
	groups := elb.NewDescribeTargetGroupsPaginator(s.client, &elb.DescribeTargetGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return w, fmt.Errorf("target groups: %w", err)
		}
		for _, g := range page.TargetGroups {
			settings, err := s.group(ctx, g)
			if err != nil {
				return w, fmt.Errorf("target group %s: %w", aws.ToString(g.TargetGroupName), err)
			}
			w.groups[aws.ToString(g.TargetGroupArn)] = settings
		}
	}
	balancers := elb.NewDescribeLoadBalancersPaginator(s.client, &elb.DescribeLoadBalancersInput{})
	for balancers.HasMorePages() {
		page, err := balancers.NextPage(ctx)
		if err != nil {
			return w, fmt.Errorf("load balancers: %w", err)
		}
		for _, b := range page.LoadBalancers {
			if b.Type != types.LoadBalancerTypeEnumApplication {
				continue
			}
			if err := s.listeners(ctx, b, w.listeners); err != nil {
				return w, fmt.Errorf("load balancer %s: %w", aws.ToString(b.LoadBalancerName), err)
			}
		}
	}
	w.markUsed()
	return w, nil
}

// markUsed notes which target groups some rule forwards to.
func (w wanted) markUsed() {
	for _, l := range w.listeners {
		for _, r := range l.rules {
			for _, a := range r.actions {
				if g, ok := w.groups[forwardsTo(a)]; ok {
					g.used = true
					w.groups[forwardsTo(a)] = g
				}
			}
		}
	}
}

func (s *source) group(ctx context.Context, g types.TargetGroup) (groupSettings, error) {
	found, err := s.client.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		return groupSettings{}, err
	}
	settings := groupSettings{
		port:  int(aws.ToInt32(g.Port)),
		https: g.Protocol == types.ProtocolEnumHttps,
		delay: defaultDeregistrationDelay,
	}
	enabled, duration := false, defaultCookieDuration
	for _, a := range found.Attributes {
		switch value := aws.ToString(a.Value); aws.ToString(a.Key) {
		case "deregistration_delay.timeout_seconds":
			settings.delay = secondsOr(value, settings.delay)
		case "stickiness.enabled":
			enabled = value == "true"
		case "stickiness.lb_cookie.duration_seconds":
			duration = secondsOr(value, duration)
		}
	}
	if enabled {
		settings.sticky = duration
	}
	settings.check, err = newCheckSettings(g)
	return settings, err
}

func (s *source) listeners(ctx context.Context, b types.LoadBalancer, into map[string]listenerSettings) error {
	found, err := s.client.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: b.LoadBalancerArn})
	if err != nil {
		return err
	}
	common := listenerSettings{balancer: aws.ToString(b.LoadBalancerArn), hostname: aws.ToString(b.DNSName), idle: defaultIdleTimeout}
	for _, a := range found.Attributes {
		switch value := aws.ToString(a.Value); aws.ToString(a.Key) {
		case "idle_timeout.timeout_seconds":
			common.idle = secondsOr(value, common.idle)
		case "routing.http.drop_invalid_header_fields.enabled":
			common.dropNames = value == "true"
		}
	}
	pages := elb.NewDescribeListenersPaginator(s.client, &elb.DescribeListenersInput{LoadBalancerArn: b.LoadBalancerArn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, l := range page.Listeners {
			settings := common
			settings.arn = aws.ToString(l.ListenerArn)
			settings.port = int(aws.ToInt32(l.Port))
			settings.https = l.Protocol == types.ProtocolEnumHttps
			if settings.rules, err = s.rules(ctx, l); err != nil {
				return err
			}
			into[settings.arn] = settings
		}
	}
	return nil
}

// rules returns a listener's rules by priority, the default rule last.
func (s *source) rules(ctx context.Context, l types.Listener) ([]rule, error) {
	found, err := s.client.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found.Rules, func(a, b types.Rule) int { return cmp.Compare(priority(a), priority(b)) })
	var rules []rule
	for _, r := range found.Rules {
		actions := slices.Clone(r.Actions)
		slices.SortStableFunc(actions, func(a, b types.Action) int { return cmp.Compare(aws.ToInt32(a.Order), aws.ToInt32(b.Order)) })
		rules = append(rules, rule{r.Conditions, actions})
	}
	return rules, nil
}

func priority(r types.Rule) int {
	n, err := strconv.Atoi(aws.ToString(r.Priority))
	if err != nil { // "default"
		return 1 << 30
	}
	return n
}

func secondsOr(value string, otherwise time.Duration) time.Duration {
	n, err := strconv.Atoi(value)
	if err != nil {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
