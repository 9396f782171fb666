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
)

// The components' types in the stack.
const (
	TrafficToken = "fargate-nginx-sidecar:observability:Traffic" //nolint:gosec // A type, not a credential.
	TasksToken   = "fargate-nginx-sidecar:observability:Tasks"   //nolint:gosec // A type, not a credential.
)

// TrafficArgs describes the alarms on what clients see.
type TrafficArgs struct {
	Settings
	// Alarms are those of the ingress.
	Alarms             []metric.Alarm
	Partition, Account pulumi.StringInput
	Region             string
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
func NewTraffic(ctx *pulumi.Context, name string, args TrafficArgs, opts ...pulumi.ResourceOption) (*Traffic, error) {
	t := &Traffic{}
	if err := ctx.RegisterComponentResource(TrafficToken, name, t, opts...); err != nil {
		return nil, fmt.Errorf("traffic of %s: %w", name, err)
	}
	if args.Settings.Alarms {
		if err := t.build(ctx, name, args); err != nil {
			return nil, fmt.Errorf("traffic of %s: %w", name, err)
		}
	}

	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{
		"topicArn":  t.Topic,
		"alarmArns": t.AlarmARNs,
	})
}

func (t *Traffic) build(ctx *pulumi.Context, name string, args TrafficArgs) error {
	topic, err := t.topic(ctx, name, args)
	if err != nil {
		return err
	}
	t.Topic = topic

	var rollback pulumi.StringArray
	for _, a := range args.Alarms {
		declared, err := declare(ctx, name, a, topic, pulumi.Parent(t))
		if err != nil {
			return err
		}
		t.AlarmARNs = append(t.AlarmARNs, declared.Arn)
		if a.Deployment {
			rollback = append(rollback, declared.Name)
		}
	}
	t.RollbackAlarms = rollback

	return nil
}

// TasksArgs describes the alarms on the tasks, the metrics from the sidecar's log and the dashboard.
type TasksArgs struct {
	Settings
	// Partition and Region are parts of the console's address.
	Partition pulumi.StringInput
	Region    string
	// Topic and AlarmARNs are Traffic's. Topic is nil without alarms; AlarmARNs are shown on the dashboard together with
	// this component's own alarms.
	Topic     pulumi.StringPtrInput
	AlarmARNs pulumi.StringArray

	// Traffic is how the ingress measures what clients see.
	Traffic                    metric.Traffic
	Cluster, Service           pulumi.StringInput
	NginxLogGroup, AppLogGroup pulumi.StringInput

	// TaskCounts says that Container Insights counts running and desired tasks. Otherwise there are no such metrics.
	TaskCounts bool
	// ConnectionCounts says that NGINX's log has lines with its numbers of connections and requests.
	ConnectionCounts bool
	// LogsElsewhere says that the lines of NGINX and the app are not in their log groups.
	LogsElsewhere bool
}

// Tasks watches the tasks of a service.
type Tasks struct {
	pulumi.ResourceState

	// DashboardURL is the dashboard's address in the console, or nil without a dashboard.
	DashboardURL pulumi.StringPtrInput
}

// NewTasks declares the alarms on tasks, the log's metrics and the dashboard.
func NewTasks(ctx *pulumi.Context, name string, args TasksArgs, opts ...pulumi.ResourceOption) (*Tasks, error) {
	t := &Tasks{}
	if err := ctx.RegisterComponentResource(TasksToken, name, t, opts...); err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", name, err)
	}
	if err := t.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("tasks of %s: %w", name, err)
	}

	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"dashboardUrl": t.DashboardURL})
}

func (t *Tasks) build(ctx *pulumi.Context, name string, args TasksArgs) error {
	arns := slices.Clone(args.AlarmARNs)
	if args.Alarms {
		for _, a := range taskAlarms(args) {
			declared, err := declare(ctx, name, a, args.Topic, pulumi.Parent(t))
			if err != nil {
				return err
			}
			arns = append(arns, declared.Arn)
		}
	}
	if args.LogMetrics {
		if err := t.logMetrics(ctx, name, args); err != nil {
			return err
		}
	}
	if args.Dashboard {
		return t.dashboard(ctx, name, args, arns)
	}

	return nil
}
