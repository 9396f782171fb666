package observability

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
)

// Namespaces of AWS's metrics.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html
const (
	serviceNamespace  = "AWS/ECS"
	insightsNamespace = "ECS/ContainerInsights"
)

// Every alarm looks at whole minutes, the shortest period of these metrics.
const minute = 60

// declareAlarm declares an alarm, which notifies the topic when it fires and when it is over.
func (b builder) declareAlarm(a metric.Alarm, topic pulumi.StringPtrInput) (*cloudwatch.MetricAlarm, error) {
	args := &cloudwatch.MetricAlarmArgs{
		AlarmDescription:   pulumi.String(a.Description),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(a.Threshold),
		DatapointsToAlarm:  pulumi.Int(a.Bad),
		EvaluationPeriods:  pulumi.Int(a.Of),
		TreatMissingData:   pulumi.String(a.Missing),
		AlarmActions:       pulumi.Array{topic},
		OkActions:          pulumi.Array{topic},
	}
	if a.Expression == "" {
		read(a.Metrics[0], args)
	} else {
		args.MetricQueries = queries(a)
	}

	declared, err := cloudwatch.NewMetricAlarm(b.ctx, b.name+"-"+a.Name, args, b.child)
	if err != nil {
		return nil, fmt.Errorf("alarm %s: %w", a.Name, err)
	}

	return declared, nil
}

// read makes an alarm read one metric alone.
func read(m metric.Metric, args *cloudwatch.MetricAlarmArgs) {
	args.Namespace = pulumi.String(m.Namespace)
	args.MetricName = pulumi.String(m.Name)
	args.Dimensions = dimensions(m)
	args.Period = pulumi.Int(minute)
	if !strings.HasPrefix(m.Statistic, "p") {
		args.Statistic = pulumi.String(m.Statistic)
		return
	}

	args.ExtendedStatistic = pulumi.String(m.Statistic)
	// Of a handful of requests, the slowest one always counts as the slowest hundredth.
	args.EvaluateLowSampleCountPercentiles = pulumi.String("ignore")
}

func dimensions(m metric.Metric) pulumi.StringMap {
	all := pulumi.StringMap{}
	for _, dimension := range m.Dimensions {
		all[dimension.Name] = dimension.Value.ToStringOutput()
	}

	return all
}

// queries returns one entry for each metric, and one for the expression, which is the one that the alarm watches.
func queries(a metric.Alarm) cloudwatch.MetricAlarmMetricQueryArray {
	var queries cloudwatch.MetricAlarmMetricQueryArray
	for _, m := range a.Metrics {
		queries = append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
			Id: pulumi.String(m.ID),
			Metric: cloudwatch.MetricAlarmMetricQueryMetricArgs{
				Namespace:  pulumi.String(m.Namespace),
				MetricName: pulumi.String(m.Name),
				Dimensions: dimensions(m),
				Period:     pulumi.Int(minute),
				Stat:       pulumi.String(m.Statistic),
			},
			ReturnData: pulumi.Bool(false),
		})
	}

	return append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
		Id:         pulumi.String("value"),
		Expression: pulumi.String(a.Expression),
		Label:      pulumi.String(a.Name),
		ReturnData: pulumi.Bool(true),
	})
}

// taskAlarms are the alarms on the tasks themselves.
func taskAlarms(args TasksArgs) []metric.Alarm {
	most := float64(args.UtilizationPercent)

	return []metric.Alarm{
		{
			Name: "cpu",
			Description: fmt.Sprintf("The tasks used at least %d %% of their CPU in each of the last 10 minutes: "+
				"the service needs more tasks, or larger ones.", args.UtilizationPercent),
			Metrics:   []metric.Metric{args.of(serviceNamespace, "CPUUtilization", "Average")},
			Threshold: most, Bad: 10, Of: 10, Missing: metric.QuietIsUnknown,
		},
		{
			Name: "memory",
			Description: fmt.Sprintf("A task used at least %d %% of its memory in each of the last 5 minutes: "+
				"a task that runs out of memory is killed.", args.UtilizationPercent),
			Metrics:   []metric.Metric{args.of(serviceNamespace, "MemoryUtilization", "Maximum")},
			Threshold: most, Bad: 5, Of: 5, Missing: metric.QuietIsUnknown,
		},
		{
			// The alarm waits ten minutes, because fewer tasks may run while a deployment replaces them.
			Name:        "missing-tasks",
			Description: "Fewer tasks ran than are desired in each of the last 10 minutes: tasks stop again, or Fargate has no capacity for them.",
			Metrics: []metric.Metric{
				named("desired", args.of(insightsNamespace, "DesiredTaskCount", "Average")),
				named("running", args.of(insightsNamespace, "RunningTaskCount", "Average")),
			},
			Expression: "desired - running", Threshold: 1, Bad: 10, Of: 10, Missing: metric.QuietIsUnknown,
		},
	}
}

// of is a metric of the service.
func (a TasksArgs) of(namespace, name, statistic string) metric.Metric {
	return metric.Metric{
		Namespace: namespace, Name: name, Statistic: statistic,
		Dimensions: []metric.Dimension{{Name: "ClusterName", Value: a.Cluster}, {Name: "ServiceName", Value: a.Service}},
	}
}

func named(id string, m metric.Metric) metric.Metric {
	m.ID = id

	return m
}

// AlarmMetrics is the number of metrics that the alarms on the tasks read together. AWS charges alarms by it.
func AlarmMetrics() int {
	count := 0
	for _, a := range taskAlarms(TasksArgs{}) {
		count += len(a.Metrics)
	}

	return count
}
