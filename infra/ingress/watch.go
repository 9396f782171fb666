package ingress

import (
	"fmt"

	"fargate-nginx-sidecar/infra/metric"
)

// balancerNamespace is that of a load balancer's metrics.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
const balancerNamespace = "AWS/ApplicationELB"

// balancerWatch describes what a load balancer measures: as a whole, and for the target group of this stack.
type balancerWatch struct {
	limits            metric.Limits
	balancer, targets []metric.Dimension
	// requests are of the whole load balancer, unless it also serves others.
	requests metric.Metric
}

func (i *Ingress) balancerWatch(limits metric.Limits) balancerWatch {
	balancer := metric.Dimension{Name: "LoadBalancer", Value: i.loadBalancerSuffix}
	w := balancerWatch{
		limits: limits, balancer: []metric.Dimension{balancer},
		targets: []metric.Dimension{balancer, {Name: "TargetGroup", Value: i.targetGroupSuffix}},
	}
	w.requests = w.of("RequestCount", "Sum", w.balancer)

	return w
}

func (w balancerWatch) of(name, statistic string, where []metric.Dimension) metric.Metric {
	return metric.Metric{Namespace: balancerNamespace, Name: name, Statistic: statistic, Dimensions: where}
}

// graphs are those of the target group.
func (w balancerWatch) graphs() metric.Traffic {
	return metric.Traffic{
		Requests: []metric.Line{
			{Metric: w.requests, Label: "requests", Colour: metric.Blue},
			{Metric: w.of("HTTPCode_Target_2XX_Count", "Sum", w.targets), Label: "2xx", Colour: metric.Green},
		},
		Errors: []metric.Line{
			{Metric: w.of("HTTPCode_Target_4XX_Count", "Sum", w.targets), Label: "4xx of the tasks", Colour: metric.Orange},
			{Metric: w.of("HTTPCode_Target_5XX_Count", "Sum", w.targets), Label: "5xx of the tasks", Colour: metric.Red},
		},
		Latency: metric.Percentiles(w.of("TargetResponseTime", "", w.targets)), LatencyUnit: "seconds",
		Tasks: []metric.Line{
			{Metric: w.of("HealthyHostCount", "Minimum", w.targets), Label: "healthy", Colour: metric.Green},
			{Metric: w.of("UnHealthyHostCount", "Maximum", w.targets), Label: "unhealthy", Colour: metric.Red},
		},
	}
}

func (w balancerWatch) failedTasks() metric.Alarm {
	return errorAlarm("target-5xx", w.requests, w.of("HTTPCode_Target_5XX_Count", "Sum", w.targets), w.limits, true,
		fmt.Sprintf("The tasks answered at least %d %% of the requests with 5xx in 3 of the last 5 minutes. "+
			"502 and 504 come from the sidecar, if the app refuses connections or is too slow; other codes come from the app.", w.limits.ErrorPercent))
}

func (w balancerWatch) slowTasks() metric.Alarm {
	return latencyAlarm(w.of("TargetResponseTime", "p99", w.targets), w.limits, w.limits.Latency.Seconds())
}

// unhealthyTasks rolls no deployment back: unhealthy tasks of the old revision must not stop the new one, and the circuit
// breaker already watches the new tasks.
func (w balancerWatch) unhealthyTasks() metric.Alarm {
	return metric.Alarm{
		Name:        "unhealthy-hosts",
		Description: "In each of the last 5 minutes a task failed the load balancer's health check, and ECS has not replaced it.",
		Metrics:     []metric.Metric{w.of("UnHealthyHostCount", "Maximum", w.targets)},
		Threshold:   1, Bad: 5, Of: 5, Missing: metric.QuietIsFine,
	}
}

// errorAlarm fires on the share of the requests that failed.
func errorAlarm(name string, requests, errors metric.Metric, limits metric.Limits, deployment bool, description string) metric.Alarm {
	requests.ID, errors.ID = "requests", "errors"

	return metric.Alarm{
		Name: name, Description: description, Metrics: []metric.Metric{requests, errors}, Expression: metric.ErrorShare,
		Threshold: float64(limits.ErrorPercent), Bad: 3, Of: 5, Missing: metric.QuietIsFine, Deployment: deployment,
	}
}

// latencyAlarm fires on slow answers. The threshold is in the unit of the metric.
func latencyAlarm(latency metric.Metric, limits metric.Limits, threshold float64) metric.Alarm {
	return metric.Alarm{
		Name: "latency",
		Description: fmt.Sprintf("At least one request in a hundred took %d ms or longer in each of the last 5 minutes.",
			limits.Latency.Milliseconds()),
		Metrics:   []metric.Metric{latency},
		Threshold: threshold, Bad: 5, Of: 5, Missing: metric.QuietIsFine, Deployment: true,
	}
}
