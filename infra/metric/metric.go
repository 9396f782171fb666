// Package metric describes metrics of CloudWatch, alarms on them and lines of graphs. What owns a metric, such as a kind of
// ingress, describes it; what watches it declares the alarms and the dashboard.
package metric

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Metric is one metric of AWS with a statistic, such as Sum or p99.
type Metric struct {
	// ID is the name of the metric in an expression, or empty if there is none.
	ID                         string
	Namespace, Name, Statistic string
	Dimensions                 []Dimension
}

// Dimension says of which resource a metric is, in the order in which a dashboard names them.
type Dimension struct {
	Name  string
	Value pulumi.StringInput
}

// Alarm fires when a value reaches the threshold in some of the last minutes. The value is one metric, or an expression
// over several.
type Alarm struct {
	Name, Description string
	Metrics           []Metric
	// Expression combines metrics by their ids. Empty: there is one metric.
	Expression string
	Threshold  float64
	// Of is the number of minutes that are evaluated, Bad the number of them that must be bad.
	Bad, Of int
	// Missing is what a minute without data means.
	Missing string
	// Deployment marks alarms on which a deployment is rolled back.
	Deployment bool
}

// What a minute without data means to an alarm. Without requests there are no errors. Without data from the tasks their
// state is unknown, and the alarm reports that it has insufficient data.
const (
	QuietIsFine    = "notBreaching"
	QuietIsUnknown = "missing"
)

// ErrorShare is the percentage of requests that failed, of metrics with the ids requests and errors. A load balancer does not
// count a request for which it found no target, so there can be more errors than requests; and there is no number at all for
// a minute without errors.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
const ErrorShare = "IF(FILL(errors, 0) > 0, 100 * errors / IF(FILL(requests, 0) > errors, requests, errors), 0)"

// Limits are those of the alarms on what clients see.
type Limits struct {
	ErrorPercent int
	Latency      time.Duration
}

// Line is one line of a graph.
type Line struct {
	Metric
	Label, Colour string
}

// Colours that CloudWatch's own graphs use: blue for what is, orange for the client's errors, red for ours.
const (
	Blue, Green, Orange, Red, DarkRed, Grey = "#1f77b4", "#2ca02c", "#ff7f0e", "#d62728", "#7f0000", "#7f7f7f"
)

// Traffic is how something that sends requests to tasks measures what clients see.
type Traffic struct {
	Alarms           []Alarm
	Requests, Errors []Line
	// Latency are the response times, in LatencyUnit.
	Latency     []Line
	LatencyUnit string
	// Tasks are how many tasks it finds healthy. It is empty where only ECS counts them.
	Tasks []Line
}

// Percentiles are the lines of response times.
func Percentiles(of Metric) []Line {
	var lines []Line
	for _, each := range []struct{ statistic, label, colour string }{
		{"p50", "half of the requests", Green}, {"p90", "90 of 100", Orange}, {"p99", "99 of 100", Red},
	} {
		of.Statistic = each.statistic
		lines = append(lines, Line{of, each.label, each.colour})
	}

	return lines
}
