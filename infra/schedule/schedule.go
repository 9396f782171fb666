// Package schedule declares what runs commands at given times: a schedule for each command, the role with which EventBridge
// Scheduler starts tasks, and a queue for everything that went wrong, whether a task could not start or its command failed.
package schedule

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/document"
	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:schedule:Schedule" //nolint:gosec // A type, not a credential.

// Args describes commands on a schedule and the tasks in which they run.
type Args struct {
	stack.Info
	Settings
	Cluster pulumi.StringInput
	// TaskDefinition is the ARN of the revision in which the commands run, Container the name of its only container.
	TaskDefinition pulumi.StringInput
	Container      string
	// RoleARNs are the roles of the tasks, which the scheduler hands to ECS.
	RoleARNs        pulumi.StringArrayInput
	SubnetIDs       pulumi.StringArrayInput
	SecurityGroupID pulumi.StringInput
	PublicAddresses bool
	// Topic is notified of failures; it is nil without alarms.
	Topic pulumi.StringPtrInput
}

// Schedule runs commands at given times.
type Schedule struct{ pulumi.ResourceState }

// New declares the schedules, or nothing if there are no commands.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) error {
	if len(args.Tasks) == 0 {
		return nil
	}
	s := &Schedule{}
	if err := ctx.RegisterComponentResource(Token, args.Name, s, opts...); err != nil {
		return fmt.Errorf("schedule of %s: %w", args.Name, err)
	}
	b := &builder{Args: args, ctx: ctx, child: pulumi.Parent(s)}
	if err := b.build(); err != nil {
		return fmt.Errorf("schedule of %s: %w", args.Name, err)
	}

	return ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

// builder holds what the schedules are made of, and what is declared already.
type builder struct {
	Args
	ctx   *pulumi.Context
	child pulumi.ResourceOption

	failures *sqs.Queue
	group    *scheduler.ScheduleGroup
	role     *iam.Role
	rights   *iam.RolePolicy
}

func (b *builder) build() error {
	for _, declare := range []func() error{b.declareFailures, b.declareGroup, b.declareRole} {
		if err := declare(); err != nil {
			return err
		}
	}
	for _, task := range b.Tasks {
		if err := b.declareSchedule(task); err != nil {
			return err
		}
	}

	return nil
}

func (b *builder) declareGroup() (err error) {
	if b.group, err = scheduler.NewScheduleGroup(b.ctx, b.Name, &scheduler.ScheduleGroupArgs{}, b.child); err != nil {
		return fmt.Errorf("group: %w", err)
	}

	return nil
}

// The scheduler tries again for a quarter of an hour if ECS refuses to start a task, for instance because Fargate has no
// capacity. Its own default is a whole day, after which a nightly command would meet the next night's.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
const (
	retryFor   = 15 * 60 // seconds
	retryTimes = 15
)

func (b *builder) declareSchedule(task Task) error {
	input, err := overrides(b.Container, task.Command)
	if err != nil {
		return err
	}
	zone := task.Timezone
	if zone == "" {
		zone = "UTC"
	}
	_, err = scheduler.NewSchedule(b.ctx, b.Name+"-"+task.Name, &scheduler.ScheduleArgs{
		GroupName:                  b.group.Name,
		ScheduleExpression:         pulumi.String(task.Schedule),
		ScheduleExpressionTimezone: pulumi.String(zone),
		FlexibleTimeWindow:         scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
		Target: scheduler.ScheduleTargetArgs{
			Arn:     b.Cluster,
			RoleArn: b.role.Arn,
			Input:   pulumi.String(input),
			EcsParameters: scheduler.ScheduleTargetEcsParametersArgs{
				TaskDefinitionArn: b.TaskDefinition,
				LaunchType:        pulumi.String("FARGATE"),
				TaskCount:         pulumi.Int(1),
				NetworkConfiguration: scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs{
					Subnets:        b.SubnetIDs,
					SecurityGroups: pulumi.StringArray{b.SecurityGroupID},
					AssignPublicIp: pulumi.Bool(b.PublicAddresses),
				},
				EnableEcsManagedTags: pulumi.Bool(true),
				PropagateTags:        pulumi.String("TASK_DEFINITION"),
			},
			RetryPolicy: scheduler.ScheduleTargetRetryPolicyArgs{
				MaximumEventAgeInSeconds: pulumi.Int(retryFor),
				MaximumRetryAttempts:     pulumi.Int(retryTimes),
			},
			DeadLetterConfig: scheduler.ScheduleTargetDeadLetterConfigArgs{Arn: b.failures.Arn},
		},
	}, b.child, pulumi.DependsOn([]pulumi.Resource{b.rights}))
	if err != nil {
		return fmt.Errorf("%s: %w", task.Name, err)
	}

	return nil
}

// overrides puts the command in place of the container's own.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html
func overrides(container string, command []string) (string, error) {
	type override struct {
		Name    string   `json:"name"`
		Command []string `json:"command"`
	}
	return document.JSON(struct {
		ContainerOverrides []override `json:"containerOverrides"`
	}{[]override{{container, command}}})
}

func (b *builder) declareRole() (err error) {
	name := b.Name + "-schedule"
	b.role, err = iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description:         pulumi.String("Lets EventBridge Scheduler start tasks"),
		PermissionsBoundary: b.PermissionsBoundary(),
		AssumeRolePolicy: pulumi.All(b.group.Arn, b.Account).ApplyT(func(values []any) (string, error) {
			return trustPolicy(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return fmt.Errorf("role: %w", err)
	}
	b.rights, err = iam.NewRolePolicy(b.ctx, name, &iam.RolePolicyArgs{
		Role: b.role.Name,
		Policy: pulumi.All(b.Cluster, b.TaskDefinition, b.RoleARNs, b.failures.Arn).ApplyT(func(values []any) (string, error) {
			return startPolicy(values[0].(string), values[1].(string), values[2].([]string), values[3].(string))
		}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return fmt.Errorf("role: %w", err)
	}

	return stack.NothingElse(b.ctx, name, b.role, pulumi.StringArray{b.rights.Name}, nil, b.child)
}

// keepSeconds is how long the queue keeps what went wrong: fourteen days, the longest that there is.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
const keepSeconds = 14 * 24 * 60 * 60

// declareFailures declares the queue of everything that went wrong, and the alarm on it. The scheduler sends what it could not
// start; it does not learn how a task ends, so a rule of EventBridge sends each task that failed.
func (b *builder) declareFailures() (err error) {
	name := b.Name + "-failures"
	b.failures, err = sqs.NewQueue(b.ctx, name, &sqs.QueueArgs{
		MessageRetentionSeconds: pulumi.Int(keepSeconds),
		SqsManagedSseEnabled:    pulumi.Bool(true),
	}, b.child)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	rule, err := cloudwatch.NewEventRule(b.ctx, name, &cloudwatch.EventRuleArgs{
		Description: pulumi.String("Scheduled tasks that failed"),
		EventPattern: pulumi.All(b.Cluster, b.TaskDefinition).ApplyT(func(values []any) (string, error) {
			return failedTasks(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return fmt.Errorf("rule: %w", err)
	}
	policy, err := sqs.NewQueuePolicy(b.ctx, name, &sqs.QueuePolicyArgs{
		QueueUrl: b.failures.Url,
		Policy: pulumi.All(b.failures.Arn, rule.Arn).ApplyT(func(values []any) (string, error) {
			return queuePolicy(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	_, err = cloudwatch.NewEventTarget(b.ctx, name, &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: b.failures.Arn,
	}, b.child, pulumi.DependsOn([]pulumi.Resource{policy}))
	if err != nil {
		return fmt.Errorf("rule: %w", err)
	}
	if b.Topic == nil {
		return nil
	}

	return b.declareAlarm(name)
}

// AlarmMetrics is the number of metrics that the alarm reads.
const AlarmMetrics = 1

func (b *builder) declareAlarm(name string) error {
	_, err := cloudwatch.NewMetricAlarm(b.ctx, name, &cloudwatch.MetricAlarmArgs{
		AlarmDescription: pulumi.String("A scheduled task could not be started, or its command failed; the queue's messages say which. " +
			"All is well again when the queue has been emptied."),
		Namespace:          pulumi.String("AWS/SQS"),
		MetricName:         pulumi.String("ApproximateNumberOfMessagesVisible"),
		Dimensions:         pulumi.StringMap{"QueueName": b.failures.Name},
		Statistic:          pulumi.String("Maximum"),
		Period:             pulumi.Int(60),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(1),
		EvaluationPeriods:  pulumi.Int(1),
		DatapointsToAlarm:  pulumi.Int(1),
		// A queue that has been empty for hours has no data.
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
		TreatMissingData: pulumi.String("notBreaching"),
		AlarmActions:     pulumi.Array{b.Topic},
		OkActions:        pulumi.Array{b.Topic},
	}, b.child)
	if err != nil {
		return fmt.Errorf("alarm: %w", err)
	}

	return nil
}
