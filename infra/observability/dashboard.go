package observability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/document"
	"fargate-nginx-sidecar/infra/metric"
)

// shown is what the dashboard shows, once the names of all resources are known.
type shown struct {
	region, namespace             string
	cluster, service              string
	nginxLogGroup, appLogGroup    string
	alarms                        []string
	taskCounts, alarmed, logLines bool
	connectionCounts              bool
	logsElsewhere                 bool

	// The lines of graphs about traffic.
	requests, errors, latency, healthy [][]any
	latencyUnit                        string
}

func (b *tasksBuilder) declareDashboard(alarms pulumi.StringArray) error {
	traffic := b.Traffic
	fixed := shown{
		region: b.Region, taskCounts: b.TaskCounts, alarmed: len(alarms) > 0, logLines: b.LogMetrics,
		connectionCounts: b.ConnectionCounts, logsElsewhere: b.LogsElsewhere, latencyUnit: traffic.LatencyUnit,
	}
	names := pulumi.StringArray{b.Cluster, b.Service, b.NginxLogGroup, b.AppLogGroup, metricNamespace(b.ctx, b.Cluster)}
	for _, line := range slices.Concat(traffic.Requests, traffic.Errors, traffic.Latency, traffic.Tasks) {
		for _, dimension := range line.Dimensions {
			names = append(names, dimension.Value)
		}
	}

	dashboard, err := cloudwatch.NewDashboard(b.ctx, b.name, &cloudwatch.DashboardArgs{
		// Dashboards belong to the account and not to a region, and a second dashboard of the same name silently replaces
		// the first. The cluster's name is unique, and people know it from the other outputs.
		// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
		DashboardName: b.Cluster,
		DashboardBody: append(names, alarms...).ToStringArrayOutput().ApplyT(func(values []string) (string, error) {
			about := fixed
			about.cluster, about.service, about.nginxLogGroup, about.appLogGroup, about.namespace = values[0], values[1], values[2], values[3], values[4]
			rest := values[5:]
			for _, graph := range []struct {
				to    *[][]any
				lines []metric.Line
			}{
				{&about.requests, traffic.Requests}, {&about.errors, traffic.Errors}, {&about.latency, traffic.Latency}, {&about.healthy, traffic.Tasks},
			} {
				*graph.to, rest = resolved(graph.lines, rest)
			}
			about.alarms = rest
			return document.JSON(about.dashboard())
		}).(pulumi.StringOutput),
	}, b.child)
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}

	b.DashboardURL = pulumi.StringArray{b.Partition, dashboard.DashboardName}.ToStringArrayOutput().ApplyT(
		func(values []string) string { return consoleURL(values[0], b.Region, values[1]) }).(pulumi.StringOutput)

	return nil
}

// resolved are the lines of a graph, with the first of the values as their dimensions, and the values that are left.
func resolved(lines []metric.Line, values []string) (drawn [][]any, rest []string) {
	for _, line := range lines {
		var dimensions []string
		for i, dimension := range line.Dimensions {
			dimensions = append(dimensions, dimension.Name, values[i])
		}
		values = values[len(line.Dimensions):]
		drawn = append(drawn, series(line.Namespace, line.Name, dimensions, look(line.Label, line.Statistic, line.Colour)))
	}

	return drawn, values
}

// consoleURL is where a browser shows a dashboard. Each partition has its own console.
// https://docs.aws.amazon.com/general/latest/gr/console-service.html
func consoleURL(partition, region, dashboard string) string {
	host := region + ".console.aws.amazon.com"
	switch partition {
	case "aws-cn":
		host = "console.amazonaws.cn"
	case "aws-us-gov":
		host = "console.amazonaws-us-gov.com"
	case "aws-eusc":
		host = region + ".console.amazonaws-eusc.eu"
	}

	return fmt.Sprintf("https://%s/cloudwatch/home?region=%s#dashboards/dashboard/%s", host, region, dashboard)
}

// body is a dashboard as CloudWatch reads it. A dashboard is 24 units wide.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type body struct {
	Start   string   `json:"start"`
	Widgets []widget `json:"widgets"`
}

type widget struct {
	Type       string         `json:"type"`
	X          int            `json:"x"`
	Y          int            `json:"y"`
	Width      int            `json:"width"`
	Height     int            `json:"height"`
	Properties map[string]any `json:"properties"`
}

const (
	wide, third = 24, 8
	graphHeight = 6
)

// dashboard answers these questions from top to bottom: Is something wrong? Do clients notice? Is it the tasks? Which
// requests are affected?
func (s shown) dashboard() body {
	var rows [][]widget
	if s.alarmed {
		rows = append(rows, []widget{{
			Type: "alarm", Width: wide, Height: 2,
			Properties: map[string]any{"title": "Alarms", "alarms": s.alarms},
		}})
	}
	rows = append(rows,
		[]widget{
			s.graph("Requests", "per minute", s.requests...), s.graph("Errors", "per minute", s.errors...),
			s.graph("Response time", s.latencyUnit, s.latency...),
		},
		[]widget{s.tasks(), s.utilization("CPU", "CPUUtilization"), s.utilization("Memory", "MemoryUtilization")},
	)
	if s.logLines {
		rows = append(rows, []widget{s.sidecar(), s.refused(), s.failed()})
	}
	if s.connectionCounts && !s.logsElsewhere {
		rows = append(rows, []widget{s.connections()})
	}
	if !s.logsElsewhere {
		rows = append(rows, []widget{s.appLog()})
	}

	return body{Start: "-PT3H", Widgets: placed(rows)}
}

// placed gives widgets their places: rows below each other, filled from the left.
func placed(rows [][]widget) []widget {
	var all []widget
	y := 0
	for _, row := range rows {
		x := 0
		for _, w := range row {
			w.X, w.Y = x, y
			x += w.Width
			all = append(all, w)
		}
		y += row[0].Height
	}

	return all
}

// series is one line of a graph: a metric with its dimensions, and how it is shown.
func series(namespace, name string, dimensions []string, look map[string]any) []any {
	line := []any{namespace, name}
	for _, part := range dimensions {
		line = append(line, part)
	}

	return append(line, look)
}

func (s shown) graph(title, unit string, lines ...[]any) widget {
	return widget{Type: "metric", Width: third, Height: graphHeight, Properties: map[string]any{
		"title": title, "region": s.region, "view": "timeSeries", "period": minute, "metrics": lines,
		"yAxis": map[string]any{"left": map[string]any{"min": 0, "label": unit, "showUnits": false}},
	}}
}

func look(label, statistic, colour string) map[string]any {
	return map[string]any{"label": label, "stat": statistic, "color": colour}
}

func (s shown) onService() []string {
	return []string{"ClusterName", s.cluster, "ServiceName", s.service}
}

func (s shown) tasks() widget {
	lines := slices.Clone(s.healthy)
	if len(lines) == 0 {
		// Each task reports its use of CPU once a minute.
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html#cw_running_task_count
		lines = [][]any{series(serviceNamespace, "CPUUtilization", s.onService(), look("reporting", "SampleCount", metric.Green))}
	}
	if s.taskCounts {
		lines = append(lines,
			series(insightsNamespace, "RunningTaskCount", s.onService(), look("running", "Average", metric.Blue)),
			series(insightsNamespace, "DesiredTaskCount", s.onService(), look("desired", "Average", metric.Grey)))
	}

	return s.graph("Tasks", "tasks", lines...)
}

func (s shown) utilization(title, name string) widget {
	return s.graph(title, "percent",
		series(serviceNamespace, name, s.onService(), look("average", "Average", metric.Blue)),
		series(serviceNamespace, name, s.onService(), look("highest", "Maximum", metric.Orange)))
}

func (s shown) sidecar() widget {
	return s.graph("What NGINX did", "per minute",
		series(s.namespace, rejected.name, nil, look("refused without asking the app", "Sum", metric.Orange)),
		series(s.namespace, upstreamErrors.name, nil, look("app failed or did not answer", "Sum", metric.Red)))
}

// query is a table of what CloudWatch Logs Insights finds. It runs when somebody opens the dashboard, and AWS charges it
// by the data that it reads.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
func (s shown) query(title, group string, width int, steps ...string) widget {
	return widget{Type: "log", Width: width, Height: graphHeight, Properties: map[string]any{
		"title": title, "region": s.region, "view": "table",
		"query": fmt.Sprintf("SOURCE '%s' | %s", group, strings.Join(steps, " | ")),
	}}
}

func (s shown) refused() widget {
	return s.query("Refused most often", s.nginxLogGroup, third,
		"filter status >= 400 and status < 499 and upstream_status not like /^4/",
		"stats count(*) as requests by status, method, path", "sort requests desc", "limit 20")
}

func (s shown) failed() widget {
	return s.query("Last failures of the app", s.nginxLogGroup, third,
		"filter upstream_status like /^5/",
		"fields @timestamp, upstream_status, request_time, method, path, request_id", "sort @timestamp desc", "limit 20")
}

// connections are of the lines that each task's NGINX writes about itself. Dropped are those it had no room for.
func (s shown) connections() widget {
	w := s.query("Connections of NGINX", s.nginxLogGroup, wide, `filter event = "connections"`,
		"stats max(connections) as most_in_a_task, sum(requests) as requests, sum(dropped) as dropped by bin(1m)")
	w.Properties["view"] = "timeSeries"

	return w
}

func (s shown) appLog() widget {
	return s.query("The app's last lines", s.appLogGroup, wide,
		"fields @timestamp, @message", "sort @timestamp desc", "limit 50")
}
