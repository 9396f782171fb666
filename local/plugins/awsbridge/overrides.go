package awsbridge

import (
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
)

// description is the default text of the official plugin.
var description = &info.Schema{Default: &info.Default{Value: "Managed by Pulumi"}}

// name32 limits the automatic name of a load balancer or target group, 32 characters
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html).
func name32() *info.Schema { return tfbridge.AutoName("name", 32, "-") }

// named keeps the bridge from making a plural of a repeated block's name.
func named(name string) *info.Schema { return &info.Schema{Name: name} }

// list keeps a block that occurs at most once a list, as the SDK has it.
func list(name string) *info.Schema {
	return &info.Schema{Name: name, MaxItemsOne: tfbridge.False()}
}

// configuration holds the provider's own settings. Region is what the official plugin reads too.
func configuration() map[string]*info.Schema {
	return map[string]*info.Schema{
		"region": {Default: &info.Default{EnvVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}}},
		// The provider's own schema does not say that these occur at most once.
		"assume_role_with_web_identity": {MaxItemsOne: tfbridge.True()},
		"default_tags":                  {MaxItemsOne: tfbridge.True()},
		"ignore_tags":                   {MaxItemsOne: tfbridge.True()},
	}
}

// resourceOverrides says where the official plugin departs from the bridge's rules: names, blocks that are a single
// object or a list, automatic names, and resources that must go before their replacement comes.
func resourceOverrides() map[string]*info.Resource {
	rules := map[string]*info.Schema{"ingress": named("ingress"), "egress": named("egress")}
	return map[string]*info.Resource{
		"aws_appautoscaling_target": {},
		"aws_cloudwatch_metric_alarm": {Fields: map[string]*info.Schema{
			"alarm_name": tfbridge.AutoName("name", 255, "-"),
		}},
		"aws_default_security_group": {Fields: rules},
		"aws_security_group": {Fields: map[string]*info.Schema{
			"description": description, "ingress": named("ingress"), "egress": named("egress"),
		}},
		"aws_security_group_rule":  {DeleteBeforeReplace: true},
		"aws_ecr_lifecycle_policy": {DeleteBeforeReplace: true},
		"aws_ecs_service": {Fields: map[string]*info.Schema{
			"load_balancer": list("loadBalancers"),
			"service_connect_configuration": {Elem: &info.Schema{Fields: map[string]*info.Schema{
				"service": {Elem: &info.Schema{Fields: map[string]*info.Schema{
					"client_alias": list("clientAlias"),
				}}},
			}}},
		}},
		"aws_iam_role": {Fields: map[string]*info.Schema{
			"name": tfbridge.AutoName("name", 64, "-"),
		}},
		"aws_iam_role_policy_attachment": {DeleteBeforeReplace: true},
		"aws_kms_alias": {Fields: map[string]*info.Schema{
			"name": tfbridge.AutoNameWithCustomOptions("name", tfbridge.AutoNameOptions{
				Separator: "-", Maxlen: 238, Randlen: 7,
				PostTransform: func(_ *tfbridge.PulumiResource, name string) (string, error) {
					return "alias/" + strings.TrimPrefix(name, "alias/"), nil
				},
			}),
		}},
		"aws_lb":              {Fields: map[string]*info.Schema{"name": name32()}},
		"aws_lb_target_group": {Fields: map[string]*info.Schema{"name": name32()}},
		"aws_route53_record": {Fields: map[string]*info.Schema{
			"name":                       named("name"), // the record's domain name, never made up
			"alias":                      list("aliases"),
			"geolocation_routing_policy": list("geolocationRoutingPolicies"),
			"latency_routing_policy":     list("latencyRoutingPolicies"),
			"failover_routing_policy":    list("failoverRoutingPolicies"),
			"weighted_routing_policy":    list("weightedRoutingPolicies"),
		}},
		"aws_route53_zone": {Fields: map[string]*info.Schema{
			"name": named("name"), "comment": description,
		}},
		"aws_s3_bucket": {Fields: map[string]*info.Schema{
			"bucket": tfbridge.AutoNameTransform("bucket", 63, strings.ToLower),
		}},
		"aws_sns_topic_subscription": {Fields: map[string]*info.Schema{"topic_arn": named("topic")}},
	}
}

// functionOverrides does the same for functions.
func functionOverrides() map[string]*info.DataSource {
	return map[string]*info.DataSource{
		"aws_lb": {Fields: map[string]*info.Schema{"access_logs": {MaxItemsOne: tfbridge.True()}}},
		"aws_lb_target_group": {Fields: map[string]*info.Schema{
			"health_check": {MaxItemsOne: tfbridge.True()}, "stickiness": {MaxItemsOne: tfbridge.True()},
		}},
	}
}
