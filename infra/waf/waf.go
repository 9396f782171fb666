// Package waf declares a web application firewall for a load balancer: either a web ACL with AWS's managed rules, a rate
// limit and a log, or the association with an existing web ACL. It is for services that the Internet can reach.
//
// The resources are declared by their tokens. The SDK's package wafv2 has 140,600 lines and more than doubles the time
// to compile the program, for three resources. Tests with the tag wafv2 compare every property with it.
package waf

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:waf:Firewall" //nolint:gosec // A type, not a credential.

// Tokens of the resources that are declared without the SDK's package.
const (
	webACLToken      = "aws:wafv2/webAcl:WebAcl"                                         //nolint:gosec // a type token, no credential
	associationToken = "aws:wafv2/webAclAssociation:WebAclAssociation"                   //nolint:gosec // as above
	loggingToken     = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration" //nolint:gosec // as above
)

// ManagedRules are AWS's groups of rules, in the order of their evaluation. Together they need 925 of the 1,500 units of
// capacity that a web ACL has without extra charge; the rate limit needs 2 more.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
var ManagedRules = []string{
	"AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet", commonRules,
}

// logPrefix begins the name of every log group that AWS lets a web ACL write to.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
const logPrefix = "aws-waf-logs-"

const commonRules = "AWSManagedRulesCommonRuleSet"

// Args describes a firewall.
type Args struct {
	stack.Info
	Settings
	LoadBalancerARN pulumi.StringInput
}

// Firewall inspects the requests to a load balancer.
type Firewall struct {
	pulumi.ResourceState

	WebACLARN pulumi.StringOutput
}

// declared is a resource that is declared without the SDK's type for it.
type declared struct {
	pulumi.CustomResourceState

	ARN pulumi.StringOutput `pulumi:"arn"`
}

// New declares a firewall, or nothing where the settings have none.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Firewall, error) {
	f := &Firewall{}
	if args.Mode == Off {
		return f, nil
	}
	if err := ctx.RegisterComponentResource(Token, args.Name, f, opts...); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", args.Name, err)
	}
	b := &builder{Firewall: f, Args: args, ctx: ctx, child: pulumi.Parent(f)}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", args.Name, err)
	}

	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"webAclArn": f.WebACLARN})
}

// builder fills in a Firewall, from what its resources are made of.
type builder struct {
	*Firewall
	Args  Args
	ctx   *pulumi.Context
	child pulumi.ResourceOption
}

func (b *builder) build() error {
	b.WebACLARN = pulumi.String(b.Args.WebACLARN()).ToStringOutput()
	if b.Args.Mode == Managed {
		acl, err := b.declare(webACLToken, webACL(b.Args.Name, b.Args.RateLimit))
		if err != nil {
			return fmt.Errorf("web ACL: %w", err)
		}
		b.WebACLARN = acl.ARN
		if err := b.declareLog(); err != nil {
			return err
		}
	}
	if _, err := b.declare(associationToken, pulumi.Map{"resourceArn": b.Args.LoadBalancerARN, "webAclArn": b.WebACLARN}); err != nil {
		return fmt.Errorf("association: %w", err)
	}

	return nil
}

// declare declares one resource by its token.
func (b *builder) declare(token string, inputs pulumi.Map) (*declared, error) {
	resource := &declared{}

	return resource, b.ctx.RegisterResource(token, b.Args.Name, inputs, resource, b.child)
}

// webACL allows what no rule blocks. The rate limit comes first, so that requests above it are not inspected further.
func webACL(name string, limit int) pulumi.Map {
	rules := pulumi.Array{pulumi.Map{
		"name": pulumi.String("RateLimit"), "priority": pulumi.Int(0),
		"action": pulumi.Map{"block": pulumi.Map{"customResponse": pulumi.Map{"responseCode": pulumi.Int(429)}}},
		"statement": pulumi.Map{"rateBasedStatement": pulumi.Map{
			"limit": pulumi.Int(limit), "aggregateKeyType": pulumi.String("IP"), "evaluationWindowSec": pulumi.Int(300),
		}},
		"visibilityConfig": visible(name + "-RateLimit"),
	}}
	for i, group := range ManagedRules {
		managed := pulumi.Map{"name": pulumi.String(group), "vendorName": pulumi.String("AWS")}
		if group == commonRules {
			// This group would block every body above 8 KB; NGINX enforces the app's own limit.
			// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
			managed["ruleActionOverrides"] = pulumi.Array{pulumi.Map{
				"name": pulumi.String("SizeRestrictions_BODY"), "actionToUse": pulumi.Map{"count": pulumi.Map{}},
			}}
		}
		rules = append(rules, pulumi.Map{
			"name": pulumi.String(group), "priority": pulumi.Int(i + 1),
			"overrideAction":   pulumi.Map{"none": pulumi.Map{}},
			"statement":        pulumi.Map{"managedRuleGroupStatement": managed},
			"visibilityConfig": visible(name + "-" + group),
		})
	}

	return pulumi.Map{
		"scope":            pulumi.String("REGIONAL"),
		"defaultAction":    pulumi.Map{"allow": pulumi.Map{}},
		"rules":            rules,
		"visibilityConfig": visible(name),
	}
}

// visible turns on metrics in CloudWatch and samples of requests.
// https://docs.aws.amazon.com/securityhub/latest/userguide/waf-controls.html#waf-12
func visible(metric string) pulumi.Map {
	return pulumi.Map{
		"cloudwatchMetricsEnabled": pulumi.Bool(true), "sampledRequestsEnabled": pulumi.Bool(true), "metricName": pulumi.String(metric),
	}
}

// declareLog records every inspected request, without the headers that hold credentials.
func (b *builder) declareLog() error {
	group, err := b.Args.LogGroup(b.ctx, logPrefix+b.Args.Name, b.child)
	if err != nil {
		return err
	}
	_, err = b.declare(loggingToken, pulumi.Map{
		"resourceArn":           b.WebACLARN,
		"logDestinationConfigs": pulumi.Array{group.Arn},
		"redactedFields": pulumi.Array{
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("authorization")}},
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("cookie")}},
		},
	})
	if err != nil {
		return fmt.Errorf("logging: %w", err)
	}

	return nil
}
