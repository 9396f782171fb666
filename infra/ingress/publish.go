package ingress

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Publish sends clients to the service once it is ready. It declares a rule that forwards every request to the target
// group, and the domain's DNS record. ready is any output that becomes known when the service's tasks are healthy.
//
// When a change replaces the target group, the engine first creates the new group and a new service for it, then changes
// this rule, and finally deletes the old group and service. Until the rule changes, it keeps forwarding to the old group.
// The listener's default action already points to the new group, which is still empty, but the rule takes precedence.
func (i *Ingress) Publish(ctx *pulumi.Context, name string, ready pulumi.StringInput) error {
	targets := i.TargetGroupARN
	if !ctx.DryRun() {
		// In a preview of a deployment, ready is unknown, and the rule would always seem to change.
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
		return fmt.Errorf("ingress %s: listener rule: %w", name, err)
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
			// There is only one load balancer to send clients to. Without healthy tasks, clients should still find it and
			// get its 503 instead of no answer at all.
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(i), pulumi.Protect(i.args.DeletionProtection), pulumi.DependsOn([]pulumi.Resource{rule}), once(name+"-alias"))
	if err != nil {
		return fmt.Errorf("ingress %s: alias record: %w", name, err)
	}

	return nil
}
