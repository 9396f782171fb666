package ingress

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Publish leads clients to the service, once it is ready: by a rule that forwards every request to the target group, and
// by the domain's record. ready is any output that is known when the service's tasks are healthy.
//
// When a change replaces the target group, the engine makes the new group and a new service for it before it comes here,
// and deletes the old ones after it. Until then the rule goes on forwarding to the old group: the listener's own action
// leads to the new, still empty one, but the rule is asked first.
func (i *Ingress) Publish(ctx *pulumi.Context, name string, ready pulumi.StringInput) error {
	targets := i.TargetGroupARN
	if !ctx.DryRun() {
		// A preview knows nothing of a service that is not there yet, and would show a change of the rule every time.
		targets = pulumi.StringArray{i.TargetGroupARN, ready}.ToStringArrayOutput().Index(pulumi.Int(0))
	}
	rule, err := lb.NewListenerRule(ctx, name+"-traffic", &lb.ListenerRuleArgs{
		ListenerArn: i.forwarding.Arn,
		Priority:    pulumi.Int(1),
		Conditions: lb.ListenerRuleConditionArray{lb.ListenerRuleConditionArgs{
			PathPattern: lb.ListenerRuleConditionPathPatternArgs{Values: pulumi.StringArray{pulumi.String("/*")}},
		}},
		Actions: lb.ListenerRuleActionArray{lb.ListenerRuleActionArgs{
			Type:           pulumi.String("forward"),
			TargetGroupArn: targets,
		}},
	}, pulumi.Parent(i), pulumi.Protect(i.args.DeletionProtection))
	if err != nil {
		return fmt.Errorf("ingress %s: rule: %w", name, err)
	}
	if i.args.HostedZoneID == "" {
		return nil
	}

	_, err = route53.NewRecord(ctx, i.args.Domain, &route53.RecordArgs{
		ZoneId: pulumi.String(i.args.HostedZoneID),
		Name:   pulumi.String(i.args.Domain),
		Type:   pulumi.String("A"),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name:   i.loadBalancer.DnsName,
			ZoneId: i.loadBalancer.ZoneId,
			// There is one place to send clients to; without it, they would get no answer instead of a 503.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(i), pulumi.Protect(i.args.DeletionProtection), pulumi.DependsOn([]pulumi.Resource{rule}), once(name+"-alias"))
	if err != nil {
		return fmt.Errorf("ingress %s: alias record: %w", name, err)
	}

	return nil
}
