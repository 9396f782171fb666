// Package observability declares what tells people how a service is doing: alarms with the SNS topic that they notify,
// metrics that are made from the sidecar's log, and a dashboard. It is for whoever is on call.
//
// It has two components, because ECS can roll a deployment back on alarms: the alarms on what clients see (Traffic) must
// exist before the ECS service, and the alarms on the tasks (Tasks) need the service's name.
package observability

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/stack"
)

// The components' types in the stack.
const (
	TrafficToken = "fargate-nginx-sidecar:observability:Traffic" //nolint:gosec // A type, not a credential.
	TasksToken   = "fargate-nginx-sidecar:observability:Tasks"   //nolint:gosec // A type, not a credential.
)

// TrafficArgs describes the alarms on what clients see.
type TrafficArgs struct {
	stack.Info
	Settings Settings
	// Alarms are those of the ingress.
	Alarms []metric.Alarm
}

// Traffic watches what clients see.
type Traffic struct {
	pulumi.ResourceState

	// Topic is the ARN of the topic that the alarms notify, or nil without alarms.
	Topic pulumi.StringPtrInput
	// AlarmARNs are those of all alarms.
	AlarmARNs pulumi.StringArray
	// RollbackAlarms are the names of the alarms on which a deployment may be rolled back, or nil if there are none.
	RollbackAlarms pulumi.StringArrayInput
}

// NewTraffic declares the topic and the alarms on what clients see.
func NewTraffic(ctx *pulumi.Context, args TrafficArgs, opts ...pulumi.ResourceOption) (*Traffic, error) {
	t := &Traffic{}
	if err := ctx.RegisterComponentResource(TrafficToken, args.Name, t, opts...); err != nil {
		return nil, fmt.Errorf("traffic of %s: %w", args.Name, err)
	}
	if args.Settings.Alarms {
		b := &trafficBuilder{Traffic: t, TrafficArgs: args, builder: builder{ctx, args.Name, pulumi.Parent(t)}}
		if err := b.build(); err != nil {
			return nil, fmt.Errorf("traffic of %s: %w", args.Name, err)
		}
	}

	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{
		"topicArn":  t.Topic,
		"alarmArns": t.AlarmARNs,
	})
}

// builder declares resources of one of the components.
type builder struct {
	ctx   *pulumi.Context
	name  string
	child pulumi.ResourceOption
}

// trafficBuilder fills in a Traffic.
type trafficBuilder struct {
	*Traffic
	TrafficArgs
	builder
}

func (b *trafficBuilder) build() error {
	topic, err := b.declareTopic()
	if err != nil {
		return err
	}
	b.Topic = topic

	var rollback pulumi.StringArray
	for _, a := range b.Alarms {
		declared, err := b.declareAlarm(a, topic)
		if err != nil {
			return err
		}
		b.AlarmARNs = append(b.AlarmARNs, declared.Arn)
		if a.Deployment {
			rollback = append(rollback, declared.Name)
		}
	}
	b.RollbackAlarms = rollback

	return nil
}

// TasksArgs describes the alarms on the tasks, the metrics from the sidecar's log and the dashboard.
type TasksArgs struct {
	stack.Info
	Settings
	// Topic and AlarmARNs are Traffic's. Topic is nil without alarms; AlarmARNs are shown on the dashboard together with
	// this component's own alarms.
	Topic     pulumi.StringPtrInput
	AlarmARNs pulumi.StringArray

	// Traffic is how the ingress measures what clients see.
	Traffic                    metric.Traffic
	Cluster, Service           pulumi.StringInput
	NginxLogGroup, AppLogGroup pulumi.StringInput

	// TaskCounts is true if Container Insights counts running and desired tasks. Otherwise there are no such metrics.
	TaskCounts bool
	// ConnectionCounts is true if NGINX's log has lines with its numbers of connections and requests.
	ConnectionCounts bool
	// LogsElsewhere is true if the lines of NGINX and the app are not in their log groups.
	LogsElsewhere bool
}

// Tasks watches the tasks of a service.
type Tasks struct {
	pulumi.ResourceState

	// DashboardURL is the dashboard's address in the console, or nil without a dashboard.
	DashboardURL pulumi.StringPtrInput
}

// NewTasks declares the alarms on tasks, the log's metrics and the dashboard.
func NewTasks(ctx *pulumi.Context, args TasksArgs, opts ...pulumi.ResourceOption) (*Tasks, error) {
	t := &Tasks{}
	if err := ctx.RegisterComponentResource(TasksToken, args.Name, t, opts...); err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", args.Name, err)
	}
	b := &tasksBuilder{Tasks: t, TasksArgs: args, builder: builder{ctx, args.Name, pulumi.Parent(t)}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", args.Name, err)
	}

	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"dashboardUrl": t.DashboardURL})
}

// tasksBuilder fills in a Tasks.
type tasksBuilder struct {
	*Tasks
	TasksArgs
	builder
}

func (b *tasksBuilder) build() error {
	arns := slices.Clone(b.AlarmARNs)
	if b.Alarms {
		for _, a := range taskAlarms(b.TasksArgs) {
			declared, err := b.declareAlarm(a, b.Topic)
			if err != nil {
				return err
			}
			arns = append(arns, declared.Arn)
		}
	}
	if b.LogMetrics {
		if err := b.declareLogMetrics(); err != nil {
			return err
		}
	}
	if b.Dashboard {
		return b.declareDashboard(arns)
	}

	return nil
}
