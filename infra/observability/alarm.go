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
	apiNamespace          = "AWS/ApiGateway"
	serviceNamespace      = "AWS/ECS"
	insightsNamespace     = "ECS/ContainerInsights"
)

// Every alarm looks at whole minutes, the shortest period of these metrics.
const minute = 60

// What a minute without data means to an alarm. Without requests there are no errors, and all is well. Without data from
// the tasks nobody knows how they are, and the alarm reports that it has insufficient data.
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
	// of is the number of minutes that are evaluated, bad the number of them that must be bad.
	bad, of int
	missing string
	// deployment marks alarms on which a deployment is rolled back.
	deployment bool
	// whole marks alarms on the whole load balancer, whoever the requests are for.
	whole bool
}

// metric is one of AWS's metrics with a statistic, such as Sum or p99.
type metric struct {
	// id is the name of the metric in an expression, or empty if there is none.
	id                         string
	namespace, name, statistic string
	dimensions                 pulumi.StringMap
}

// declare declares the alarm, which notifies the topic when it goes off and when all is well again.
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
	// Of a handful of requests, the slowest one always counts as the slowest hundredth.
	args.EvaluateLowSampleCountPercentiles = pulumi.String("ignore")
}

// queries returns one entry for each metric, and one for the expression, which is the one that the alarm watches.
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

func (i Ingress) onLoadBalancer() pulumi.StringMap {
	return pulumi.StringMap{"LoadBalancer": i.LoadBalancer.ToStringOutput()}
}

func (i Ingress) onTargets() pulumi.StringMap {
	return pulumi.StringMap{"LoadBalancer": i.LoadBalancer.ToStringOutput(), "TargetGroup": i.TargetGroup.ToStringOutput()}
}

// trafficAlarms are the alarms on what clients see, as the load balancer or the API measures it.
func trafficAlarms(args TrafficArgs) []alarm {
	if args.API != nil {
		return apiAlarms(args)
	}

	loadBalancer, targets := args.onLoadBalancer(), args.onTargets()
	requests := metric{"requests", loadBalancerNamespace, "RequestCount", "Sum", loadBalancer}
	if args.Shared {
		requests.dimensions = targets
	}
	milliseconds := args.Latency.Milliseconds()

	all := []alarm{
		{
			// Deployments are not rolled back on this alarm: a new target group has no tasks for a moment, and a rollback
			// would then restore a revision to which no listener sends requests.
			name: "alb-5xx", whole: true,
			description: fmt.Sprintf("The load balancer itself answered at least %d %% of the requests with 5xx in 3 of the last 5 minutes: "+
				"either no task is healthy, or the tasks do not answer in time.", args.ErrorPercent),
			metrics:    []metric{requests, {"errors", loadBalancerNamespace, "HTTPCode_ELB_5XX_Count", "Sum", loadBalancer}},
			expression: errorShare, threshold: float64(args.ErrorPercent), bad: 3, of: 5, missing: quietIsFine,
		},
		{
			name: "target-5xx",
			description: fmt.Sprintf("The tasks answered at least %d %% of the requests with 5xx in 3 of the last 5 minutes. "+
				"502 and 504 come from the sidecar, if the app refuses connections or is too slow; other codes come from the app.", args.ErrorPercent),
			metrics:    []metric{requests, {"errors", loadBalancerNamespace, "HTTPCode_Target_5XX_Count", "Sum", targets}},
			expression: errorShare, threshold: float64(args.ErrorPercent), bad: 3, of: 5, missing: quietIsFine, deployment: true,
		},
		{
			name:        "latency",
			description: fmt.Sprintf("At least one request in a hundred took %d ms or longer in each of the last 5 minutes.", milliseconds),
			metrics:     []metric{{"", loadBalancerNamespace, "TargetResponseTime", "p99", targets}},
			threshold:   args.Latency.Seconds(), bad: 5, of: 5, missing: quietIsFine, deployment: true,
		},
		{
			name: "rejected-connections", whole: true,
			description: "The load balancer rejected connections in 3 of the last 5 minutes, because it had reached its maximum number of connections.",
			metrics:     []metric{{"", loadBalancerNamespace, "RejectedConnectionCount", "Sum", loadBalancer}},
			threshold:   1, bad: 3, of: 5, missing: quietIsFine,
		},
		{
			// Deployments are not rolled back on this alarm: sick tasks of the old revision must not stop the new one,
			// and the circuit breaker already watches the new tasks.
			name:        "unhealthy-hosts",
			description: "In each of the last 5 minutes a task failed the load balancer's health check, and ECS has not replaced it.",
			metrics:     []metric{{"", loadBalancerNamespace, "UnHealthyHostCount", "Maximum", targets}},
			threshold:   1, bad: 5, of: 5, missing: quietIsFine,
		},
	}
	return slices.DeleteFunc(all, func(a alarm) bool { return a.whole && args.Shared })
}

// apiAlarms are the alarms on what clients of an HTTP API see. Its errors are its own and those of the tasks together.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
func apiAlarms(args TrafficArgs) []alarm {
	api := pulumi.StringMap{"ApiId": args.API.ToStringOutput()}

	return []alarm{
		{
			name: "api-5xx",
			description: fmt.Sprintf("At least %d %% of the requests were answered with 5xx in 3 of the last 5 minutes: by API Gateway, if it "+
				"finds no task or gets no answer in time, by the sidecar, if the app refuses connections or is too slow, or by the app.", args.ErrorPercent),
			metrics:    []metric{{"requests", apiNamespace, "Count", "Sum", api}, {"errors", apiNamespace, "5xx", "Sum", api}},
			expression: errorShare, threshold: float64(args.ErrorPercent), bad: 3, of: 5, missing: quietIsFine, deployment: true,
		},
		{
			name: "latency",
			description: fmt.Sprintf("At least one request in a hundred took %d ms or longer in each of the last 5 minutes.",
				args.Latency.Milliseconds()),
			metrics:   []metric{{"", apiNamespace, "Latency", "p99", api}},
			threshold: float64(args.Latency.Milliseconds()), bad: 5, of: 5, missing: quietIsFine, deployment: true,
		},
	}
}

// taskAlarms are the alarms on the tasks themselves.
func taskAlarms(args TasksArgs) []alarm {
	service := pulumi.StringMap{"ClusterName": args.Cluster.ToStringOutput(), "ServiceName": args.Service.ToStringOutput()}
	most := float64(args.UtilizationPercent)

	return []alarm{
		{
			name: "cpu",
			description: fmt.Sprintf("The tasks used at least %d %% of their CPU in each of the last 10 minutes: "+
				"the service needs more tasks, or larger ones.", args.UtilizationPercent),
			metrics:   []metric{{"", serviceNamespace, "CPUUtilization", "Average", service}},
			threshold: most, bad: 10, of: 10, missing: quietIsUnknown,
		},
		{
			name: "memory",
			description: fmt.Sprintf("A task used at least %d %% of its memory in each of the last 5 minutes: "+
				"a task that runs out of memory is killed.", args.UtilizationPercent),
			metrics:   []metric{{"", serviceNamespace, "MemoryUtilization", "Maximum", service}},
			threshold: most, bad: 5, of: 5, missing: quietIsUnknown,
		},
		{
			// The alarm waits ten minutes, because fewer tasks may run while a deployment replaces them.
			name:        "missing-tasks",
			description: "Fewer tasks ran than are desired in each of the last 10 minutes: tasks stop again, or Fargate has no capacity for them.",
			metrics: []metric{
				{"desired", insightsNamespace, "DesiredTaskCount", "Average", service},
				{"running", insightsNamespace, "RunningTaskCount", "Average", service},
			},
			expression: "desired - running", threshold: 1, bad: 10, of: 10, missing: quietIsUnknown,
		},
	}
}

// AlarmMetrics is the number of metrics that all alarms read together. AWS charges alarms by it. Of the ingress, only its
// kind matters.
func AlarmMetrics(ingress Ingress) int {
	unnamed := pulumi.String("")
	alarms := slices.Concat(
		trafficAlarms(TrafficArgs{Ingress: ingress}), taskAlarms(TasksArgs{Cluster: unnamed, Service: unnamed}))

	metrics := 0
	for _, a := range alarms {
		metrics += len(a.metrics)
	}

	return metrics
}
