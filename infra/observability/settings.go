package observability

import (
	"net/mail"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says what tells people how the service is doing.
type Settings struct {
	// Alarms declares the alarms and the topic that they notify.
	Alarms bool
	// Email is the address that gets every alarm, once its owner has confirmed AWS's first message. It may be empty.
	Email string
	// ErrorPercent is the percentage of failed requests that sets off an alarm.
	ErrorPercent int
	// Latency is the time in which 99 of 100 requests must be answered.
	Latency time.Duration
	// UtilizationPercent is the use of the tasks' CPU or memory that sets off an alarm.
	UtilizationPercent int
	// Dashboard declares the dashboard. LogMetrics turns lines of the sidecar's JSON log into metrics for it, if they are
	// in CloudWatch.
	Dashboard, LogMetrics bool
}

// An alarm on a share of 5 % tolerates single failures; 85 % of CPU or memory leaves time to react before the tasks slow down
// or are killed. Other thresholds are a matter of overrides, or of alarms of one's own on the topic.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
const (
	errorPercent       = 5
	utilizationPercent = 85
)

// Read returns the settings of alarms, metrics and dashboard.
func Read(r *settings.Reader) Settings {
	g := r.Group("monitoring")
	address := settings.Form{Allowed: "an address such as team@example.com", Check: func(value string) bool {
		address, err := mail.ParseAddress(value)
		return err == nil && address.Address == value
	}}
	s := Settings{
		Alarms: g.InProd(true).Bool("alarms", false,
			"Whether there are CloudWatch alarms, with an SNS topic that they notify, on 5xx answers of the load balancer and of the tasks, slow answers, unhealthy tasks, rejected connections, CPU, memory and missing tasks. Each alarm costs money. ECS rolls back a deployment during which an alarm on 5xx answers or on slow answers fires, because tasks can be healthy and still answer wrongly; the update then fails. Alarms need `monitoring.containerInsights`, which counts the tasks.",
			"https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"),
		Email: g.Text("email", "", address,
			"E-mail address that gets every alarm, after it has confirmed AWS's first message. Without it, alarms notify only what subscribes to the topic in the output `alarmTopicArn`.",
			"https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html"),
		Latency: g.Duration("latency", time.Second, time.Millisecond, time.Hour,
			"Response time of the slowest 1 % of requests (p99) above which an alarm fires. It must be less than `http.readTimeout`, after which NGINX answers 504.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html"),
		Dashboard: g.InProd(true).Bool("dashboard", false,
			"Whether there is a CloudWatch dashboard with alarms, requests, errors, response times, tasks, refused requests, failures of the app and the last log lines. CloudWatch counts these requests and failures in the sidecar's log, unless `logRouter` sends it elsewhere. The first three dashboards of an account cost nothing.",
			"https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html"),
		ErrorPercent:       errorPercent,
		UtilizationPercent: utilizationPercent,
	}
	for _, path := range []string{"monitoring.email", "monitoring.latency"} {
		if !s.Alarms && r.Given(path) {
			r.Conflict([]string{path, "monitoring.alarms"}, "set, but there are no alarms; allowed with: alarms: true")
		}
	}

	return s
}
