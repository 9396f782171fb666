package config

import (
	"fmt"
	"net/mail"
	"time"
)

// Operations describes what tells people how the service does.
type Operations struct {
	Alarms                  bool
	AlarmEmail              string
	AlarmErrorPercent       int
	AlarmLatency            time.Duration
	AlarmUtilizationPercent int
	RollbackOnAlarms        bool
	LogMetrics              bool
	Dashboard               bool
}

func (r *reader) operations() Operations {
	return Operations{
		Alarms: r.switched("alarms"),
		AlarmEmail: r.text("alarmEmail", "empty, or an address such as team@example.com", func(value string) bool {
			address, err := mail.ParseAddress(value)
			return value == "" || err == nil && address.Address == value
		}),
		AlarmErrorPercent: r.between("alarmErrorPercent", 1, 100, "percent"),
		AlarmLatency: time.Duration(
			r.between("alarmLatencyMilliseconds", 1, 3600000, "milliseconds")) * time.Millisecond,
		AlarmUtilizationPercent: r.between("alarmUtilizationPercent", 1, 100, "percent"),
		RollbackOnAlarms:        r.boolean("rollbackOnAlarms"),
		LogMetrics:              r.switched("logMetrics"),
		Dashboard:               r.switched("dashboard"),
	}
}

func (r *reader) operationsContradictions(cfg *Config) {
	operations := cfg.Operations
	if !operations.Alarms {
		if operations.AlarmEmail != "" {
			r.contradiction([]string{"alarmEmail", "alarms"}, "an address is given, but alarms is off; nobody would ever write to it")
		}
		return
	}

	if cfg.Service.ContainerInsights == "disabled" {
		r.contradiction([]string{"alarms", "containerInsights"},
			"alarms is on, but containerInsights is disabled; nothing would count the running tasks; allowed: enabled, enhanced")
	}
	// NGINX gives up a second before the load balancer does, so no answer takes longer.
	if longest := cfg.LoadBalancer.IdleTimeout - time.Second; operations.AlarmLatency >= longest {
		r.contradiction([]string{"alarmLatencyMilliseconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%d ms is not less than %g s less one; an answer never takes that long, and the alarm would never go off",
				operations.AlarmLatency.Milliseconds(), cfg.LoadBalancer.IdleTimeout.Seconds()))
	}
}
