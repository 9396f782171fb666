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
	// RollbackOnAlarms lets ECS roll back a deployment during which clients notice failures.
	RollbackOnAlarms bool
	// LogMetrics turns lines of the sidecar's JSON log into metrics.
	LogMetrics bool
	Dashboard  bool
}

// Read returns the settings of alarms, metrics and dashboard.
func Read(r *settings.Reader) Settings {
	s := Settings{
		Alarms: r.Switch("alarms", "off", "on"),
		Email: r.Text("alarmEmail", "empty, or an address such as team@example.com", func(value string) bool {
			address, err := mail.ParseAddress(value)
			return value == "" || err == nil && address.Address == value
		}),
		ErrorPercent: r.Between("alarmErrorPercent", 1, 100, "percent"),
		Latency: time.Duration(
			r.Between("alarmLatencyMilliseconds", 1, 3600000, "milliseconds")) * time.Millisecond,
		UtilizationPercent: r.Between("alarmUtilizationPercent", 1, 100, "percent"),
		RollbackOnAlarms:   r.Boolean("rollbackOnAlarms"),
		LogMetrics:         r.Switch("logMetrics", "off", "on"),
		Dashboard:          r.Switch("dashboard", "off", "on"),
	}
	if !s.Alarms && s.Email != "" {
		r.Conflict([]string{"alarmEmail", "alarms"}, "an address is given, but alarms is off, so no alarm would ever be sent to it")
	}

	return s
}
