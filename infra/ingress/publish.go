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

// once is the value, known once the service is ready. In a preview of a deployment, ready is unknown, and whatever waits for it
// would always seem to change.
func (b *builder) once(ready, value pulumi.StringInput) pulumi.StringOutput {
	if b.ctx.DryRun() {
		return value.ToStringOutput()
	}

	return pulumi.StringArray{value, ready}.ToStringArrayOutput().Index(pulumi.Int(0))
}

// rule is a rule of the listener that forwards requests to a target group.
type rule struct {
	name       string
	priority   int
	conditions lb.ListenerRuleConditionArray
	targets    pulumi.StringInput
	// login requires a login first.
	login bool
}

func (b *builder) declareRule(r rule, opts ...pulumi.ResourceOption) (*lb.ListenerRule, error) {
	forwarding := lb.ListenerRuleActionArgs{Type: pulumi.String("forward"), TargetGroupArn: r.targets}
	actions := lb.ListenerRuleActionArray{forwarding}
	if r.login {
		forwarding.Order = pulumi.Int(2)
		actions = lb.ListenerRuleActionArray{b.login(), forwarding}
	}
	declared, err := lb.NewListenerRule(b.ctx, r.name, &lb.ListenerRuleArgs{
		ListenerArn: b.listenerARN,
		Priority:    pulumi.Int(r.priority),
		Conditions:  r.conditions,
		Actions:     actions,
	}, append(opts, b.child, pulumi.Protect(b.Protect))...)
	if err != nil {
		return nil, fmt.Errorf("listener rule: %w", err)
	}

	return declared, nil
}

// declareTraffic declares the rule that sends clients to the tasks once they are ready. If only some paths need a login,
// they have a rule before it, which comes first, so that no request gets past it.
func (b *builder) declareTraffic(traffic rule, onLoginPaths lb.ListenerRuleConditionArray) (*lb.ListenerRule, error) {
	traffic.name, traffic.login = b.Name+"-traffic", b.OIDC.Issuer != ""
	if len(b.OIDC.Paths) == 0 {
		return b.declareRule(traffic)
	}

	login, err := b.declareRule(rule{
		name: b.Name + "-login", priority: traffic.priority - 1, conditions: onLoginPaths, targets: traffic.targets, login: true,
	})
	if err != nil {
		return nil, err
	}
	traffic.login = false

	return b.declareRule(traffic, pulumi.DependsOn([]pulumi.Resource{login}))
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

// target is where the DNS records of the domain lead: an address in the zone of an AWS service.
type target struct{ address, zone pulumi.StringInput }

// declareAlias declares the DNS records that route clients from the domain and its aliases to a target.
func (b *builder) declareAlias(to target, after pulumi.Resource) error {
	for _, host := range append([]string{b.Domain}, b.DomainAliases...) {
		records := map[string]string{host: "A"}
		if b.AddressType == Dualstack {
			records[host+"-ipv6"] = "AAAA"
		}
		for name, kind := range records {
			if err := b.declareRecord(name, host, kind, to, after); err != nil {
				return err
			}
		}
	}

	return nil
}

func (b *builder) declareRecord(name, host, kind string, to target, after pulumi.Resource) error {
	_, err := route53.NewRecord(b.ctx, name, &route53.RecordArgs{
		ZoneId: pulumi.String(b.HostedZoneID),
		Name:   pulumi.String(host),
		Type:   pulumi.String(kind),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name:   to.address,
			ZoneId: to.zone,
			// There is only one address to send clients to. Without healthy tasks, clients should still find it and get
			// its 503 instead of no answer at all.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, b.child, pulumi.Protect(b.Protect), pulumi.DependsOn([]pulumi.Resource{after}))
	if err != nil {
		return fmt.Errorf("alias record: %w", err)
	}

	return nil
}
