package observability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Namespaces of AWS's metrics.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html
const (
	loadBalancerNamespace = "AWS/ApplicationELB"
	serviceNamespace      = "AWS/ECS"
	insightsNamespace     = "ECS/ContainerInsights"
)

// Every alarm looks at whole minutes, the shortest period of these metrics.
const minute = 60

// What an alarm makes of a minute without data. Without requests there are no errors. Without a report from the tasks,
// nobody knows how they are, and the alarm says so.
const (
	quietIsFine    = "notBreaching"
	quietIsUnknown = "missing"
)

// alarm goes off when value reaches threshold in some of the last minutes. The value is one metric, or an expression
// over several.
type alarm struct {
	name, description string
	metrics           []metric
	// expression combines metrics by their ids. Empty: there is one metric.
	expression string
	threshold  float64
	// of is the number of minutes looked at, bad the number of those that must be bad.
	bad, of int
	missing string
	// deployment marks alarms that a bad deployment sets off.
	deployment bool
}

// metric is a metric of AWS's with its statistic, such as Sum or p99.
type metric struct {
	// id is what an expression calls it; empty without one.
	id                         string
	namespace, name, statistic string
	dimensions                 pulumi.StringMap
}

// declare makes the alarm. It tells the topic when it goes off and when all is well again.
func (a alarm) declare(
	ctx *pulumi.Context, name string, topic pulumi.StringPtrInput, opts ...pulumi.ResourceOption,
) (*cloudwatch.MetricAlarm, error) {
	args := &cloudwatch.MetricAlarmArgs{
		AlarmDescription:   pulumi.String(a.description),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(a.threshold),
		DatapointsToAlarm:  pulumi.Int(a.bad),
		EvaluationPeriods:  pulumi.Int(a.of),
		TreatMissingData:   pulumi.String(a.missing),
		AlarmActions:       pulumi.Array{topic},
		OkActions:          pulumi.Array{topic},
	}
	if a.expression == "" {
		a.metrics[0].read(args)
	} else {
		args.MetricQueries = a.queries()
	}

	declared, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+a.name, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("alarm %s: %w", a.name, err)
	}

	return declared, nil
}

// read makes an alarm read this metric alone.
func (m metric) read(args *cloudwatch.MetricAlarmArgs) {
	args.Namespace = pulumi.String(m.namespace)
	args.MetricName = pulumi.String(m.name)
	args.Dimensions = m.dimensions
	args.Period = pulumi.Int(minute)
	if !strings.HasPrefix(m.statistic, "p") {
		args.Statistic = pulumi.String(m.statistic)
		return
	}

	args.ExtendedStatistic = pulumi.String(m.statistic)
	// Of a handful of requests, the slowest one is always among the slowest hundredth.
	args.EvaluateLowSampleCountPercentiles = pulumi.String("ignore")
}

// queries has one entry for each metric, and the expression, which is the one the alarm reads.
func (a alarm) queries() cloudwatch.MetricAlarmMetricQueryArray {
	var queries cloudwatch.MetricAlarmMetricQueryArray
	for _, m := range a.metrics {
		queries = append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
			Id: pulumi.String(m.id),
			Metric: cloudwatch.MetricAlarmMetricQueryMetricArgs{
				Namespace:  pulumi.String(m.namespace),
				MetricName: pulumi.String(m.name),
				Dimensions: m.dimensions,
				Period:     pulumi.Int(minute),
				Stat:       pulumi.String(m.statistic),
			},
			ReturnData: pulumi.Bool(false),
		})
	}

	return append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
		Id:         pulumi.String("value"),
		Expression: pulumi.String(a.expression),
		Label:      pulumi.String(a.name),
		ReturnData: pulumi.Bool(true),
	})
}

// errorShare is the percentage of requests that failed. The load balancer does not count a request for which it found
// no target, so there can be more errors than requests; and it sends no number at all for a minute without errors.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
const errorShare = "IF(FILL(errors, 0) > 0, 100 * errors / IF(FILL(requests, 0) > errors, requests, errors), 0)"

// trafficAlarms are those on what clients see: their requests, as the load balancer counts them.
func trafficAlarms(args TrafficArgs) []alarm {
	loadBalancer := pulumi.StringMap{"LoadBalancer": args.LoadBalancer.ToStringOutput()}
	targets := pulumi.StringMap{"LoadBalancer": args.LoadBalancer.ToStringOutput(), "TargetGroup": args.TargetGroup.ToStringOutput()}
	requests := metric{"requests", loadBalancerNamespace, "RequestCount", "Sum", loadBalancer}
	milliseconds := args.Latency.Milliseconds()

	return []alarm{
		{
			// Not one for deployments: a target group that is replaced has no tasks for a moment, and a rollback would
			// then put back a revision that no listener leads to.
			name: "alb-5xx",
			description: fmt.Sprintf("The load balancer itself answered %d %% of the requests or more with 5xx, in 3 of 5 minutes: "+
				"no healthy task, or tasks that do not answer in time.", args.ErrorPercent),
			metrics:    []metric{requests, {"errors", loadBalancerNamespace, "HTTPCode_ELB_5XX_Count", "Sum", loadBalancer}},
			expression: errorShare, threshold: float64(args.ErrorPercent), bad: 3, of: 5, missing: quietIsFine,
		},
		{
			name: "target-5xx",
			description: fmt.Sprintf("The tasks answered %d %% of the requests or more with 5xx, in 3 of 5 minutes. "+
				"502 and 504 come from the sidecar, when the app refuses or is slow; the others from the app.", args.ErrorPercent),
			metrics:    []metric{requests, {"errors", loadBalancerNamespace, "HTTPCode_Target_5XX_Count", "Sum", targets}},
			expression: errorShare, threshold: float64(args.ErrorPercent), bad: 3, of: 5, missing: quietIsFine, deployment: true,
		},
		{
			name:        "latency",
			description: fmt.Sprintf("One request in a hundred took %d ms or longer, in 5 of 5 minutes.", milliseconds),
			metrics:     []metric{{"", loadBalancerNamespace, "TargetResponseTime", "p99", targets}},
			threshold:   args.Latency.Seconds(), bad: 5, of: 5, missing: quietIsFine, deployment: true,
		},
		{
			name:        "rejected-connections",
			description: "The load balancer refused connections in 3 of 5 minutes, because it had as many as it can hold.",
			metrics:     []metric{{"", loadBalancerNamespace, "RejectedConnectionCount", "Sum", loadBalancer}},
			threshold:   1, bad: 3, of: 5, missing: quietIsFine,
		},
		{
			// Not one for deployments: tasks of the old revision must not stop the new one, and the circuit breaker
			// watches the new ones already.
			name:        "unhealthy-hosts",
			description: "A task fails the load balancer's health check, in 5 of 5 minutes, and was not replaced.",
			metrics:     []metric{{"", loadBalancerNamespace, "UnHealthyHostCount", "Maximum", targets}},
			threshold:   1, bad: 5, of: 5, missing: quietIsFine,
		},
	}
}

// taskAlarms are those on the tasks themselves.
func taskAlarms(args TasksArgs) []alarm {
	service := pulumi.StringMap{"ClusterName": args.Cluster.ToStringOutput(), "ServiceName": args.Service.ToStringOutput()}
	most := float64(args.UtilizationPercent)

	return []alarm{
		{
			name: "cpu",
			description: fmt.Sprintf("The tasks use %d %% of their CPU or more, in 10 of 10 minutes: "+
				"more tasks are needed, or larger ones.", args.UtilizationPercent),
			metrics:   []metric{{"", serviceNamespace, "CPUUtilization", "Average", service}},
			threshold: most, bad: 10, of: 10, missing: quietIsUnknown,
		},
		{
			name: "memory",
			description: fmt.Sprintf("A task uses %d %% of its memory or more, in 5 of 5 minutes: "+
				"a task without memory is killed.", args.UtilizationPercent),
			metrics:   []metric{{"", serviceNamespace, "MemoryUtilization", "Maximum", service}},
			threshold: most, bad: 5, of: 5, missing: quietIsUnknown,
		},
		{
			// Ten minutes: a deployment may run with fewer tasks while it replaces them.
			name:        "missing-tasks",
			description: "Fewer tasks run than are desired, in 10 of 10 minutes: they stop, or there is no room for them.",
			metrics: []metric{
				{"desired", insightsNamespace, "DesiredTaskCount", "Average", service},
				{"running", insightsNamespace, "RunningTaskCount", "Average", service},
			},
			expression: "desired - running", threshold: 1, bad: 10, of: 10, missing: quietIsUnknown,
		},
	}
}

// AlarmMetrics is the number of metrics that all alarms read together, by which AWS charges for them.
func AlarmMetrics() int {
	unnamed := pulumi.String("")
	alarms := slices.Concat(
		trafficAlarms(TrafficArgs{LoadBalancer: unnamed, TargetGroup: unnamed}),
		taskAlarms(TasksArgs{Cluster: unnamed, Service: unnamed}))

	metrics := 0
	for _, a := range alarms {
		metrics += len(a.metrics)
	}

	return metrics
}
