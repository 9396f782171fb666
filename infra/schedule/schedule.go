// Package schedule declares what runs commands at given times: a schedule for each command, the role with which EventBridge
// Scheduler starts tasks, and a queue for everything that went wrong, whether a task could not start or its command failed.
package schedule

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:schedule:Schedule" //nolint:gosec // A type, not a credential.

// Args describes commands on a schedule and the tasks in which they run.
type Args struct {
	Settings
	Partition, Account pulumi.StringInput
	Region             string

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

// validate reports missing arguments that the rest of the program has to provide.
func (a Args) validate() error {
	if a.Partition == nil || a.Account == nil || a.Region == "" {
		return errors.New("partition, account and region must be given")
	}
	if a.Cluster == nil || a.TaskDefinition == nil || a.Container == "" || a.RoleARNs == nil || a.SubnetIDs == nil || a.SecurityGroupID == nil {
		return errors.New("cluster, task definition, container, roles, subnets and security group must be given")
	}

	return nil
}

// Schedule runs commands at given times.
type Schedule struct{ pulumi.ResourceState }

// New declares the schedules, or nothing if there are no commands.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) error {
	if len(args.Tasks) == 0 {
		return nil
	}
	if err := args.validate(); err != nil {
		return fmt.Errorf("schedule of %s: %w", name, err)
	}

	s := &Schedule{}
	if err := ctx.RegisterComponentResource(Token, name, s, opts...); err != nil {
		return fmt.Errorf("schedule of %s: %w", name, err)
	}
	if err := s.build(ctx, name, args); err != nil {
		return fmt.Errorf("schedule of %s: %w", name, err)
	}

	return ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

func (s *Schedule) build(ctx *pulumi.Context, name string, args Args) error {
	failures, err := s.failures(ctx, name, args)
	if err != nil {
		return err
	}
	group, err := scheduler.NewScheduleGroup(ctx, name, &scheduler.ScheduleGroupArgs{}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	role, rights, err := s.role(ctx, name, args, group, failures)
	if err != nil {
		return err
	}
	for _, task := range args.Tasks {
		if err := s.schedule(ctx, name, args, task, group, role, rights, failures); err != nil {
			return err
		}
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

func (s *Schedule) schedule(
	ctx *pulumi.Context, name string, args Args, task Task,
	group *scheduler.ScheduleGroup, role *iam.Role, rights *iam.RolePolicy, failures *sqs.Queue,
) error {
	input, err := overrides(args.Container, task.Command)
	if err != nil {
		return err
	}
	zone := task.Timezone
	if zone == "" {
		zone = "UTC"
	}
	_, err = scheduler.NewSchedule(ctx, name+"-"+task.Name, &scheduler.ScheduleArgs{
		GroupName:                  group.Name,
		ScheduleExpression:         pulumi.String(task.Schedule),
		ScheduleExpressionTimezone: pulumi.String(zone),
		FlexibleTimeWindow:         scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
		Target: scheduler.ScheduleTargetArgs{
			Arn:     args.Cluster,
			RoleArn: role.Arn,
			Input:   pulumi.String(input),
			EcsParameters: scheduler.ScheduleTargetEcsParametersArgs{
				TaskDefinitionArn: args.TaskDefinition,
				LaunchType:        pulumi.String("FARGATE"),
				TaskCount:         pulumi.Int(1),
				NetworkConfiguration: scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs{
					Subnets:        args.SubnetIDs,
					SecurityGroups: pulumi.StringArray{args.SecurityGroupID},
					AssignPublicIp: pulumi.Bool(args.PublicAddresses),
				},
				EnableEcsManagedTags: pulumi.Bool(true),
				PropagateTags:        pulumi.String("TASK_DEFINITION"),
			},
			RetryPolicy: scheduler.ScheduleTargetRetryPolicyArgs{
				MaximumEventAgeInSeconds: pulumi.Int(retryFor),
				MaximumRetryAttempts:     pulumi.Int(retryTimes),
			},
			DeadLetterConfig: scheduler.ScheduleTargetDeadLetterConfigArgs{Arn: failures.Arn},
		},
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{rights}))
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
	text, err := json.Marshal(struct {
		ContainerOverrides []override `json:"containerOverrides"`
	}{[]override{{container, command}}})

	return string(text), err
}

func (s *Schedule) role(
	ctx *pulumi.Context, name string, args Args, group *scheduler.ScheduleGroup, failures *sqs.Queue,
) (*iam.Role, *iam.RolePolicy, error) {
	name += "-schedule"
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Lets EventBridge Scheduler start tasks"),
		AssumeRolePolicy: pulumi.All(group.Arn, args.Account).ApplyT(func(values []any) (string, error) {
			return trustPolicy(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("role: %w", err)
	}
	rights, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: pulumi.All(args.Cluster, args.TaskDefinition, args.RoleARNs, failures.Arn).ApplyT(func(values []any) (string, error) {
			return startPolicy(values[0].(string), values[1].(string), values[2].([]string), values[3].(string))
		}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("role: %w", err)
	}

	return role, rights, nil
}

// keepSeconds is how long the queue keeps what went wrong: fourteen days, the longest that there is.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
const keepSeconds = 14 * 24 * 60 * 60

// failures declares the queue of everything that went wrong, and the alarm on it. The scheduler sends what it could not
// start; it does not learn how a task ends, so a rule of EventBridge sends each task that failed.
func (s *Schedule) failures(ctx *pulumi.Context, name string, args Args) (*sqs.Queue, error) {
	name += "-failures"
	queue, err := sqs.NewQueue(ctx, name, &sqs.QueueArgs{
		MessageRetentionSeconds: pulumi.Int(keepSeconds),
		SqsManagedSseEnabled:    pulumi.Bool(true),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	rule, err := cloudwatch.NewEventRule(ctx, name, &cloudwatch.EventRuleArgs{
		Description: pulumi.String("Scheduled tasks that failed"),
		EventPattern: pulumi.All(args.Cluster, args.TaskDefinition).ApplyT(func(values []any) (string, error) {
			return failedTasks(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("rule: %w", err)
	}
	policy, err := sqs.NewQueuePolicy(ctx, name, &sqs.QueuePolicyArgs{
		QueueUrl: queue.Url,
		Policy: pulumi.All(queue.Arn, rule.Arn).ApplyT(func(values []any) (string, error) {
			return queuePolicy(values[0].(string), values[1].(string))
		}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	_, err = cloudwatch.NewEventTarget(ctx, name, &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: queue.Arn,
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{policy}))
	if err != nil {
		return nil, fmt.Errorf("rule: %w", err)
	}
	if args.Topic == nil {
		return queue, nil
	}

	return queue, s.alarm(ctx, name, args, queue)
}

// AlarmMetrics is the number of metrics that the alarm reads.
const AlarmMetrics = 1

func (s *Schedule) alarm(ctx *pulumi.Context, name string, args Args, queue *sqs.Queue) error {
	_, err := cloudwatch.NewMetricAlarm(ctx, name, &cloudwatch.MetricAlarmArgs{
		AlarmDescription: pulumi.String("A scheduled task could not be started, or its command failed; the queue's messages say which. " +
			"All is well again when the queue has been emptied."),
		Namespace:          pulumi.String("AWS/SQS"),
		MetricName:         pulumi.String("ApproximateNumberOfMessagesVisible"),
		Dimensions:         pulumi.StringMap{"QueueName": queue.Name},
		Statistic:          pulumi.String("Maximum"),
		Period:             pulumi.Int(60),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(1),
		EvaluationPeriods:  pulumi.Int(1),
		DatapointsToAlarm:  pulumi.Int(1),
		// A queue that has been empty for hours has no data.
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
		TreatMissingData: pulumi.String("notBreaching"),
		AlarmActions:     pulumi.Array{args.Topic},
		OkActions:        pulumi.Array{args.Topic},
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("alarm: %w", err)
	}

	return nil
}
