package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// shown is what the dashboard shows, once the names of all resources are known.
type shown struct {
	region, namespace             string
	cluster, service              string
	loadBalancer, targets         string
	api                           string
	nginxLogGroup, appLogGroup    string
	alarms                        []string
	taskCounts, alarmed, logLines bool
	connectionCounts, shared      bool
	logsElsewhere                 bool
}

func (t *Tasks) dashboard(ctx *pulumi.Context, name string, args TasksArgs, alarms pulumi.StringArray) error {
	fixed := shown{
		region: args.Region, taskCounts: args.TaskCounts, alarmed: len(alarms) > 0, logLines: args.LogMetrics,
		connectionCounts: args.ConnectionCounts, shared: args.Shared, logsElsewhere: args.LogsElsewhere,
	}
	names := append(pulumi.StringArray{
		args.Cluster, args.Service, orNone(args.LoadBalancer), orNone(args.TargetGroup), orNone(args.API),
		args.NginxLogGroup, args.AppLogGroup, metricNamespace(ctx, args.Cluster),
	}, alarms...)

	dashboard, err := cloudwatch.NewDashboard(ctx, name, &cloudwatch.DashboardArgs{
		// Dashboards belong to the account and not to a region, and a second dashboard of the same name silently replaces
		// the first. The cluster's name is unique, and people know it from the other outputs.
		// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
		DashboardName: args.Cluster,
		DashboardBody: names.ToStringArrayOutput().ApplyT(func(values []string) (string, error) {
			about := fixed
			about.cluster, about.service, about.loadBalancer, about.targets = values[0], values[1], values[2], values[3]
			about.api, about.nginxLogGroup, about.appLogGroup, about.namespace = values[4], values[5], values[6], values[7]
			about.alarms = values[8:]
			return render(about.dashboard())
		}).(pulumi.StringOutput),
	}, pulumi.Parent(t))
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}

	t.DashboardURL = pulumi.StringArray{args.Partition, dashboard.DashboardName}.ToStringArrayOutput().ApplyT(
		func(values []string) string { return consoleURL(values[0], args.Region, values[1]) }).(pulumi.StringOutput)

	return nil
}

// orNone is the name of a part of the ingress, or nothing if the ingress has no such part.
func orNone(name pulumi.StringInput) pulumi.StringInput {
	if name == nil {
		return pulumi.String("")
	}

	return name
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
		[]widget{s.requests(), s.errors(), s.latency()},
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

// Colours that CloudWatch's own graphs use: blue for what is, orange for the client's errors, red for ours.
const (
	blue, green, orange, red = "#1f77b4", "#2ca02c", "#ff7f0e", "#d62728"
)

func look(label, statistic, colour string) map[string]any {
	return map[string]any{"label": label, "stat": statistic, "color": colour}
}

func (s shown) onLoadBalancer() []string { return []string{"LoadBalancer", s.loadBalancer} }

func (s shown) onTargets() []string {
	return []string{"LoadBalancer", s.loadBalancer, "TargetGroup", s.targets}
}

func (s shown) onAPI() []string { return []string{"ApiId", s.api} }

func (s shown) onService() []string {
	return []string{"ClusterName", s.cluster, "ServiceName", s.service}
}

func (s shown) requests() widget {
	if s.api != "" {
		return s.graph("Requests", "per minute", series(apiNamespace, "Count", s.onAPI(), look("requests", "Sum", blue)))
	}
	where := s.onLoadBalancer()
	if s.shared {
		where = s.onTargets()
	}

	return s.graph("Requests", "per minute",
		series(loadBalancerNamespace, "RequestCount", where, look("requests", "Sum", blue)),
		series(loadBalancerNamespace, "HTTPCode_Target_2XX_Count", s.onTargets(), look("2xx", "Sum", green)))
}

func (s shown) errors() widget {
	if s.api != "" {
		return s.graph("Errors", "per minute",
			series(apiNamespace, "4xx", s.onAPI(), look("4xx", "Sum", orange)),
			series(apiNamespace, "5xx", s.onAPI(), look("5xx", "Sum", red)))
	}
	lines := [][]any{
		series(loadBalancerNamespace, "HTTPCode_Target_4XX_Count", s.onTargets(), look("4xx of the tasks", "Sum", orange)),
		series(loadBalancerNamespace, "HTTPCode_Target_5XX_Count", s.onTargets(), look("5xx of the tasks", "Sum", red)),
	}
	if !s.shared {
		lines = append(lines,
			series(loadBalancerNamespace, "HTTPCode_ELB_5XX_Count", s.onLoadBalancer(), look("5xx of the load balancer", "Sum", "#7f0000")))
	}

	return s.graph("Errors", "per minute", lines...)
}

func (s shown) latency() widget {
	unit, namespace, name, of := "seconds", loadBalancerNamespace, "TargetResponseTime", s.onTargets()
	if s.api != "" {
		unit, namespace, name, of = "milliseconds", apiNamespace, "Latency", s.onAPI()
	}

	return s.graph("Response time", unit,
		series(namespace, name, of, look("half of the requests", "p50", green)),
		series(namespace, name, of, look("90 of 100", "p90", orange)),
		series(namespace, name, of, look("99 of 100", "p99", red)))
}

func (s shown) tasks() widget {
	lines := [][]any{
		series(loadBalancerNamespace, "HealthyHostCount", s.onTargets(), look("healthy", "Minimum", green)),
		series(loadBalancerNamespace, "UnHealthyHostCount", s.onTargets(), look("unhealthy", "Maximum", red)),
	}
	if s.api != "" {
		// Each task reports its use of CPU once a minute.
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html#cw_running_task_count
		lines = [][]any{series(serviceNamespace, "CPUUtilization", s.onService(), look("reporting", "SampleCount", green))}
	}
	if s.taskCounts {
		lines = append(lines,
			series(insightsNamespace, "RunningTaskCount", s.onService(), look("running", "Average", blue)),
			series(insightsNamespace, "DesiredTaskCount", s.onService(), look("desired", "Average", "#7f7f7f")))
	}

	return s.graph("Tasks", "tasks", lines...)
}

func (s shown) utilization(title, name string) widget {
	return s.graph(title, "percent",
		series(serviceNamespace, name, s.onService(), look("average", "Average", blue)),
		series(serviceNamespace, name, s.onService(), look("highest", "Maximum", orange)))
}

func (s shown) sidecar() widget {
	return s.graph("What NGINX did", "per minute",
		series(s.namespace, rejected.name, nil, look("refused without asking the app", "Sum", orange)),
		series(s.namespace, upstreamErrors.name, nil, look("app failed or did not answer", "Sum", red)))
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

// render writes JSON on one line, without escaping < and &.
func render(document any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(document)

	return strings.TrimSpace(text.String()), err
}
