package awsbridge

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// description is the default text of the official plugin.
var description = &info.Schema{Default: &info.Default{Value: "Managed by Pulumi"}}

// name32 limits the automatic name of a load balancer or target group, 32 characters
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html).
func name32() *info.Schema { return tfbridge.AutoName("name", 32, "-") }

// named keeps the bridge from making a plural of a repeated block's name.
func named(name string) *info.Schema { return &info.Schema{Name: name} }

// fields are overrides by the Terraform provider's names.
type fields = map[string]*info.Schema

// within overrides what is inside a block.
func within(inside fields) *info.Schema {
	return &info.Schema{Elem: &info.Schema{Fields: inside}}
}

// list keeps a block that occurs at most once a list, as the SDK has it.
func list(name string, inside fields) *info.Schema {
	s := within(inside)
	s.Name, s.MaxItemsOne = name, tfbridge.False()
	return s
}

// one makes a repeated block a single object, where the provider's own schema does not say that it occurs at most once.
func one(inside fields) *info.Schema {
	s := within(inside)
	s.MaxItemsOne = tfbridge.True()
	return s
}

// integer marks text that the SDK has as a number. The bridge converts inputs; outputs need numbers.
func integer() *info.Schema { return &info.Schema{Type: "integer"} }

// numbers turns outputs that the Terraform provider keeps as text into the numbers the SDK reads: below the given
// property, or at the top if that is empty. (Inputs the bridge converts itself.)
func numbers(below resource.PropertyKey, keys ...resource.PropertyKey) info.PropertyTransform {
	return func(_ context.Context, outputs resource.PropertyMap) (resource.PropertyMap, error) {
		target := outputs
		if below != "" {
			if !outputs[below].IsObject() {
				return outputs, nil
			}
			target = outputs[below].ObjectValue()
		}
		for _, key := range keys {
			if !target[key].IsString() {
				continue
			}
			number, err := strconv.ParseFloat(target[key].StringValue(), 64)
			if err != nil {
				return nil, fmt.Errorf("%s: got %q; expected a number", key, target[key].StringValue())
			}
			target[key] = resource.NewNumberProperty(number)
		}
		return outputs, nil
	}
}

// configuration holds the provider's own settings. Region is what the official plugin reads too.
func configuration() fields {
	return fields{
		"region":                        {Default: &info.Default{EnvVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}}},
		"assume_role":                   {Name: "assumeRole", MaxItemsOne: tfbridge.True()},
		"assume_role_with_web_identity": one(nil),
		"default_tags":                  one(nil),
		"ignore_tags":                   one(nil),
	}
}

// ofRole takes the role's name for the id.
func ofRole() info.ComputeID {
	return tfbridge.DelegateIDField("roleName", name, "https://github.com/pulumi/pulumi-aws")
}

// resourceOverrides says where the official plugin departs from the bridge's rules: names, blocks that are a single
// object or a list, automatic names, and resources that must go before their replacement comes.
func resourceOverrides() map[string]*info.Resource {
	rules := fields{"ingress": named("ingress"), "egress": named("egress")}
	return map[string]*info.Resource{
		"aws_appautoscaling_scheduled_action": {
			Fields: fields{"scalable_target_action": within(fields{
				"min_capacity": integer(), "max_capacity": integer(),
			})},
			TransformOutputs: numbers("scalableTargetAction", "minCapacity", "maxCapacity"),
		},
		"aws_cloudwatch_metric_alarm": {Fields: fields{
			"alarm_name": tfbridge.AutoName("name", 255, "-"),
		}},
		"aws_default_security_group": {Fields: rules},
		"aws_security_group": {Fields: fields{
			"description": description, "ingress": named("ingress"), "egress": named("egress"),
		}},
		"aws_security_group_rule":  {DeleteBeforeReplace: true},
		"aws_ecr_lifecycle_policy": {DeleteBeforeReplace: true},
		"aws_ecs_service": {Fields: fields{
			"load_balancer": list("loadBalancers", nil),
			"service_connect_configuration": within(fields{
				"service": within(fields{"client_alias": list("clientAlias", nil)}),
			}),
		}},
		"aws_iam_role": {Fields: fields{
			"name": tfbridge.AutoName("name", 64, "-"),
		}},
		"aws_iam_role_policy_attachment": {DeleteBeforeReplace: true},
		// They have no id of their own.
		"aws_iam_role_policies_exclusive":           {ComputeID: ofRole()},
		"aws_iam_role_policy_attachments_exclusive": {ComputeID: ofRole()},
		"aws_kms_alias": {Fields: fields{
			"name": tfbridge.AutoNameWithCustomOptions("name", tfbridge.AutoNameOptions{
				Separator: "-", Maxlen: 238, Randlen: 7,
				PostTransform: func(_ *tfbridge.PulumiResource, name string) (string, error) {
					return "alias/" + strings.TrimPrefix(name, "alias/"), nil
				},
			}),
		}},
		"aws_lb": {Fields: fields{"name": name32()}},
		"aws_lb_target_group": {
			Fields:           fields{"name": name32(), "deregistration_delay": integer()},
			TransformOutputs: numbers("", "deregistrationDelay"),
		},
		"aws_route53_record": {Fields: fields{
			"name":                       named("name"), // the record's domain name, never made up
			"alias":                      list("aliases", nil),
			"geolocation_routing_policy": list("geolocationRoutingPolicies", nil),
			"latency_routing_policy":     list("latencyRoutingPolicies", nil),
			"failover_routing_policy":    list("failoverRoutingPolicies", nil),
			"weighted_routing_policy":    list("weightedRoutingPolicies", nil),
		}},
		"aws_route53_zone": {Fields: fields{
			"name": named("name"), "comment": description,
		}},
		"aws_s3_bucket": {Fields: fields{
			"bucket":  tfbridge.AutoNameTransform("bucket", 63, strings.ToLower),
			"logging": list("loggings", nil),
			"object_lock_configuration": within(fields{"rule": list("rules", fields{
				"default_retention": list("defaultRetentions", nil),
			})}),
			"replication_configuration": list("replicationConfigurations", fields{"rules": within(fields{
				"destination": list("destinations", fields{
					"access_control_translation": list("accessControlTranslations", nil),
					"metrics":                    list("metrics", nil),
					"replication_time":           list("replicationTimes", nil),
				}),
				"filter": list("filters", nil),
				"source_selection_criteria": list("sourceSelectionCriterias", fields{
					"sse_kms_encrypted_objects": list("sseKmsEncryptedObjects", nil),
				}),
			})}),
			"server_side_encryption_configuration": list("serverSideEncryptionConfigurations", fields{
				"rule": list("rules", fields{
					"apply_server_side_encryption_by_default": list("applyServerSideEncryptionByDefaults", nil),
				}),
			}),
			"versioning": list("versionings", nil),
			"website":    list("websites", nil),
			"lifecycle_rule": within(fields{
				"expiration":                    list("expirations", nil),
				"noncurrent_version_expiration": list("noncurrentVersionExpirations", nil),
			}),
		}},
		"aws_s3_bucket_lifecycle_configuration": {Fields: fields{
			"rule": within(fields{
				"abort_incomplete_multipart_upload": one(nil),
				"expiration":                        one(nil),
				"filter":                            one(fields{"and": one(nil), "tag": one(nil)}),
				"noncurrent_version_expiration":     one(nil),
			}),
		}},
		"aws_sns_topic_subscription": {Fields: fields{"topic_arn": named("topic")}},
	}
}

// functionOverrides does the same for functions.
func functionOverrides() map[string]*info.DataSource {
	return map[string]*info.DataSource{
		"aws_lb": {Fields: fields{"access_logs": one(nil)}},
		"aws_lb_target_group": {Fields: fields{
			"health_check": one(nil), "stickiness": one(nil),
		}},
	}
}
