package observability

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/policy"
)

// declareTopic declares the topic, who may publish to it, and its subscriber, and returns its ARN.
//
// The topic is not encrypted with a KMS key: CloudWatch cannot publish to a topic that uses AWS's own key for SNS, only
// to one with a customer's key, and alarms contain no secrets.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
func (b *trafficBuilder) declareTopic() (pulumi.StringOutput, error) {
	topic, err := sns.NewTopic(b.ctx, b.name+"-alarms", nil, b.child)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("topic: %w", err)
	}

	_, err = sns.NewTopicPolicy(b.ctx, b.name+"-alarms", &sns.TopicPolicyArgs{
		Arn: topic.Arn,
		Policy: pulumi.StringArray{topic.Arn, b.Partition, b.Account}.ToStringArrayOutput().ApplyT(
			func(values []string) (string, error) {
				return topicPolicy(values[0], values[1], b.Region, values[2])
			}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("topic policy: %w", err)
	}

	if b.Settings.Email != "" {
		_, err = sns.NewTopicSubscription(b.ctx, b.name+"-alarms", &sns.TopicSubscriptionArgs{
			Topic:    topic.Arn,
			Protocol: pulumi.String("email"),
			Endpoint: pulumi.String(b.Settings.Email),
		}, b.child)
		if err != nil {
			return pulumi.StringOutput{}, fmt.Errorf("subscription: %w", err)
		}
	}

	return topic.Arn, nil
}

// topicPolicy lets the alarms of this account and region publish, and refuses everything that comes without TLS.
// https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html#enforce-encryption-data-in-transit
func topicPolicy(topic, partition, region, account string) (string, error) {
	if topic == "" || partition == "" || account == "" {
		return "", fmt.Errorf("topic %q, partition %q, account %q; allowed: three names", topic, partition, account)
	}

	return policy.Render(
		policy.Statement{
			Sid:       "AlarmsOfThisAccount",
			Effect:    "Allow",
			Principal: map[string]string{"Service": "cloudwatch.amazonaws.com"},
			Action:    []string{"sns:Publish"},
			Resource:  []string{topic},
			Condition: map[string]map[string]string{
				"ArnLike":      {"aws:SourceArn": fmt.Sprintf("arn:%s:cloudwatch:%s:%s:alarm:*", partition, region, account)},
				"StringEquals": {"aws:SourceAccount": account},
			},
		},
		policy.Statement{
			Sid:       "NobodyWithoutTLS",
			Effect:    "Deny",
			Principal: map[string]string{"AWS": "*"},
			Action:    []string{"sns:Publish"},
			Resource:  []string{topic},
			Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
		},
	)
}
