package ingress

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// lastPriority is the highest number that the priority of a rule can have. The rule with the lowest number comes first.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
const lastPriority = 50000

// readyTargets is the ARN of the target group, known once the service is ready. In a preview of a deployment, ready is
// unknown, and whatever waits for it would always seem to change.
func (i *Ingress) readyTargets(ctx *pulumi.Context, ready pulumi.StringInput) pulumi.StringOutput {
	if ctx.DryRun() {
		return i.TargetGroupARN.ToStringOutput()
	}

	return pulumi.StringArray{i.TargetGroupARN, ready}.ToStringArrayOutput().Index(pulumi.Int(0))
}

// rule is a rule of the listener that forwards requests to a target group.
type rule struct {
	name       string
	priority   int
	conditions lb.ListenerRuleConditionArray
	targets    pulumi.StringInput
	// login asks for a login first.
	login bool
}

func (i *Ingress) declareRule(ctx *pulumi.Context, args Args, r rule, opts ...pulumi.ResourceOption) (*lb.ListenerRule, error) {
	forwarding := lb.ListenerRuleActionArgs{Type: pulumi.String("forward"), TargetGroupArn: r.targets}
	actions := lb.ListenerRuleActionArray{forwarding}
	if r.login {
		forwarding.Order = pulumi.Int(2)
		actions = lb.ListenerRuleActionArray{i.login(ctx, args.OIDC), forwarding}
	}
	declared, err := lb.NewListenerRule(ctx, r.name, &lb.ListenerRuleArgs{
		ListenerArn: i.listenerARN,
		Priority:    pulumi.Int(r.priority),
		Conditions:  r.conditions,
		Actions:     actions,
	}, append(opts, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection))...)
	if err != nil {
		return nil, fmt.Errorf("listener rule: %w", err)
	}

	return declared, nil
}

// declareTraffic declares the rule that sends clients to the tasks once they are ready. If only some paths need a login,
// they have a rule before it, which comes first, so that nobody gets past it.
func (i *Ingress) declareTraffic(
	ctx *pulumi.Context, name string, args Args, ready pulumi.StringInput, priority int,
	conditions lb.ListenerRuleConditionArray, onLoginPaths lb.ListenerRuleConditionArray,
) (*lb.ListenerRule, error) {
	targets := i.readyTargets(ctx, ready)
	traffic := rule{name: name + "-traffic", priority: priority, conditions: conditions, targets: targets, login: args.OIDC.Issuer != ""}
	if len(args.OIDC.Paths) == 0 {
		return i.declareRule(ctx, args, traffic)
	}

	login, err := i.declareRule(ctx, args, rule{
		name: name + "-login", priority: priority - 1, conditions: onLoginPaths, targets: targets, login: true,
	})
	if err != nil {
		return nil, err
	}
	traffic.login = false

	return i.declareRule(ctx, args, traffic, pulumi.DependsOn([]pulumi.Resource{login}))
}

func onPaths(patterns ...string) lb.ListenerRuleConditionArgs {
	return lb.ListenerRuleConditionArgs{
		PathPattern: lb.ListenerRuleConditionPathPatternArgs{Values: pulumi.ToStringArray(patterns)},
	}
}

func onHosts(patterns ...string) lb.ListenerRuleConditionArgs {
	return lb.ListenerRuleConditionArgs{
		HostHeader: lb.ListenerRuleConditionHostHeaderArgs{Values: pulumi.ToStringArray(patterns)},
	}
}

// alias declares the DNS records that send clients from the domain and its aliases to where the zone of an AWS service
// knows the address.
func (i *Ingress) alias(ctx *pulumi.Context, args Args, address, zone pulumi.StringInput, after pulumi.Resource) error {
	for _, host := range append([]string{args.Domain}, args.DomainAliases...) {
		if err := i.record(ctx, host, host, "A", args, address, zone, after); err != nil {
			return err
		}
		if args.AddressType != Dualstack {
			continue
		}
		if err := i.record(ctx, host+"-ipv6", host, "AAAA", args, address, zone, after); err != nil {
			return err
		}
	}

	return nil
}

func (i *Ingress) record(
	ctx *pulumi.Context, name, host, kind string, args Args, address, zone pulumi.StringInput, after pulumi.Resource,
) error {
	_, err := route53.NewRecord(ctx, name, &route53.RecordArgs{
		ZoneId: pulumi.String(args.HostedZoneID),
		Name:   pulumi.String(host),
		Type:   pulumi.String(kind),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name:   address,
			ZoneId: zone,
			// There is only one address to send clients to. Without healthy tasks, clients should still find it and get
			// its 503 instead of no answer at all.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection), pulumi.DependsOn([]pulumi.Resource{after}))
	if err != nil {
		return fmt.Errorf("alias record: %w", err)
	}

	return nil
}
