// Package waf declares a web application firewall for a load balancer: either a web ACL with AWS's managed rules, a rate
// limit and a log, or the association with an existing web ACL. It is for services that the Internet can reach.
//
// The resources are declared by their tokens. The SDK's package wafv2 has 140,600 lines and more than doubles the time
// to compile the program, for three resources. Tests with the tag wafv2 compare every property with it.
package waf

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
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
	Settings
	LoadBalancerARN pulumi.StringInput
	// LogRetentionDays is how long the log is kept. KMSKeyARN encrypts it, or is empty for AWS's own key.
	LogRetentionDays int
	KMSKeyARN        string
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

// New declares a firewall, or nothing where the settings ask for none.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Firewall, error) {
	f := &Firewall{}
	if args.Mode == Off {
		return f, nil
	}
	if args.LoadBalancerARN == nil {
		return nil, fmt.Errorf("firewall %s: load balancer must be given", name)
	}

	if err := ctx.RegisterComponentResource(Token, name, f, opts...); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", name, err)
	}
	if err := f.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", name, err)
	}

	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"webAclArn": f.WebACLARN})
}

func (f *Firewall) build(ctx *pulumi.Context, name string, args Args) error {
	f.WebACLARN = pulumi.String(args.WebACLARN()).ToStringOutput()
	if args.Mode == Managed {
		var acl declared
		if err := ctx.RegisterResource(webACLToken, name, webACL(name, args.RateLimit), &acl, pulumi.Parent(f)); err != nil {
			return fmt.Errorf("web ACL: %w", err)
		}
		f.WebACLARN = acl.ARN
		if err := f.log(ctx, name, args); err != nil {
			return err
		}
	}

	var association declared
	err := ctx.RegisterResource(associationToken, name, pulumi.Map{
		"resourceArn": args.LoadBalancerARN, "webAclArn": f.WebACLARN,
	}, &association, pulumi.Parent(f))
	if err != nil {
		return fmt.Errorf("association: %w", err)
	}

	return nil
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

// log records every inspected request, without the headers that hold credentials.
func (f *Firewall) log(ctx *pulumi.Context, name string, args Args) error {
	groupArgs := &cloudwatch.LogGroupArgs{
		RetentionInDays: pulumi.Int(args.LogRetentionDays),
	}
	if args.KMSKeyARN != "" {
		groupArgs.KmsKeyId = pulumi.String(args.KMSKeyARN)
	}
	group, err := cloudwatch.NewLogGroup(ctx, logPrefix+name, groupArgs, pulumi.Parent(f))
	if err != nil {
		return fmt.Errorf("log group: %w", err)
	}

	var logging declared
	err = ctx.RegisterResource(loggingToken, name, pulumi.Map{
		"resourceArn":           f.WebACLARN,
		"logDestinationConfigs": pulumi.Array{group.Arn},
		"redactedFields": pulumi.Array{
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("authorization")}},
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("cookie")}},
		},
	}, &logging, pulumi.Parent(f))
	if err != nil {
		return fmt.Errorf("logging: %w", err)
	}

	return nil
}
