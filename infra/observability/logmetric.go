package observability

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// logMetric counts the lines of the sidecar's log that match a pattern. The load balancer's metrics cannot make this
// distinction: they count status codes, but do not know whether NGINX or the app gave them.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
type logMetric struct {
	filter, name, pattern string
}

var (
	// rejected counts requests to which NGINX, and not the app, answered 4xx. 499 is not an answer: the client went away.
	rejected = logMetric{
		"rejected", "RejectedRequests",
		`{ ($.status >= 400) && ($.status < 499) && ($.upstream_status != "4*") }`,
	}
	// upstreamErrors counts requests to which the app answered 5xx, or for which NGINX noted 502 or 504, because the app
	// refused the connection or was too slow.
	upstreamErrors = logMetric{
		"upstream-errors", "UpstreamErrors",
		`{ $.upstream_status = "5*" }`,
	}
)

// logMetrics are all metrics that are made from the log.
var logMetrics = []logMetric{rejected, upstreamErrors}

// LogMetrics is the number of these metrics. AWS charges them by it.
func LogMetrics() int { return len(logMetrics) }

// metricNamespace keeps the metrics of different stacks apart, because a metric with a default value cannot have
// dimensions. It contains the cluster's name, which is unique. The stack's name is not: a stack of another project in the
// same account may have the same name.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html
func metricNamespace(ctx *pulumi.Context, cluster pulumi.StringInput) pulumi.StringOutput {
	return pulumi.Sprintf("%s/%s", ctx.Project(), cluster)
}

func (b *tasksBuilder) declareLogMetrics() error {
	for _, m := range logMetrics {
		_, err := cloudwatch.NewLogMetricFilter(b.ctx, b.name+"-"+m.filter, &cloudwatch.LogMetricFilterArgs{
			LogGroupName: b.NginxLogGroup,
			Pattern:      pulumi.String(m.pattern),
			MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
				Namespace: metricNamespace(b.ctx, b.Cluster),
				Name:      pulumi.String(m.name),
				Value:     pulumi.String("1"),
				// A line that does not match counts 0, so that the graph has a line at the bottom and not a gap.
				DefaultValue: pulumi.String("0"),
				Unit:         pulumi.String("Count"),
			},
		}, b.child)
		if err != nil {
			return fmt.Errorf("metric of log lines %s: %w", m.filter, err)
		}
	}

	return nil
}
