package observability

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// logMetric counts the lines of the sidecar's log that match a pattern. No metric of the load balancer can tell these
// apart: it sees a status code, not who gave it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
type logMetric struct {
	filter, name, pattern string
}

var (
	// rejected: NGINX said 4xx and not the app. 499 is no answer: the client went away.
	rejected = logMetric{
		"rejected", "RejectedRequests",
		`{ ($.status >= 400) && ($.status < 499) && ($.upstream_status != "4*") }`,
	}
	// upstreamErrors: the app said 5xx, or NGINX noted 502 or 504 for an app that refused or was slow.
	upstreamErrors = logMetric{
		"upstream-errors", "UpstreamErrors",
		`{ $.upstream_status = "5*" }`,
	}
)

// logMetrics are all of them.
var logMetrics = []logMetric{rejected, upstreamErrors}

// LogMetrics is their number, by which AWS charges for them.
func LogMetrics() int { return len(logMetrics) }

// metricNamespace keeps the metrics of different stacks apart: a metric with a default value cannot have dimensions. The
// cluster's name is unique, the stack's is not: a stack of another project in the same account may have it too.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html
func metricNamespace(ctx *pulumi.Context, cluster pulumi.StringInput) pulumi.StringOutput {
	return pulumi.Sprintf("%s/%s", ctx.Project(), cluster)
}

func (t *Tasks) logMetrics(ctx *pulumi.Context, name string, args TasksArgs) error {
	for _, m := range logMetrics {
		_, err := cloudwatch.NewLogMetricFilter(ctx, name+"-"+m.filter, &cloudwatch.LogMetricFilterArgs{
			LogGroupName: args.NginxLogGroup,
			Pattern:      pulumi.String(m.pattern),
			MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
				Namespace: metricNamespace(ctx, args.Cluster),
				Name:      pulumi.String(m.name),
				Value:     pulumi.String("1"),
				// A line that does not match counts 0, so that the graph has a line at the bottom and not a gap.
				DefaultValue: pulumi.String("0"),
				Unit:         pulumi.String("Count"),
			},
		}, pulumi.Parent(t))
		if err != nil {
			return fmt.Errorf("metric of log lines %s: %w", m.filter, err)
		}
	}

	return nil
}
