package ingress

import "time"

// HealthCheck says how the load balancer probes the tasks, in whole seconds and probes in a row.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
type HealthCheck struct {
	Path               string
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
}

// ECS itself replaces a task whose containers are unhealthy. So the load balancer has time to spare while NGINX answers the
// check: ten failures, the most that it counts, 6 s apart. It counts two, AWS's default, if the app answers, so that a hung app
// gets no more requests before ECS has replaced it. Two successes, the fewest that it counts, let new tasks serve early. A check
// that takes longer than 5 s would hardly succeed, and must end before the next begins; more often than every 5 s, it cannot
// probe.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
const (
	healthyThreshold      = 2
	unhealthyThreshold    = 10
	unhealthyThresholdApp = 2
	checkInterval         = 6 * time.Second
	shortestInterval      = 5 * time.Second
	longestCheck          = 5 * time.Second
)

// HealthCheckOf returns how the load balancer probes tasks whose NGINX has the given health page. If NGINX goes on serving for
// stopDelay while that page fails, the load balancer counts a task as unhealthy within this time.
func (s Settings) HealthCheckOf(page string, stopDelay time.Duration) HealthCheck {
	check := HealthCheck{Path: page, Interval: checkInterval, Healthy: healthyThreshold, Unhealthy: unhealthyThreshold}
	switch {
	case s.HealthPath != "" && s.HealthPath != page:
		check.Path, check.Unhealthy = s.HealthPath, unhealthyThresholdApp
	case stopDelay > 0:
		check.Interval = shortestInterval
		check.Unhealthy = min(unhealthyThreshold, int(stopDelay/shortestInterval))
	}
	check.Timeout = min(longestCheck, check.Interval-time.Second)

	return check
}

// Drain returns the time that the load balancer gives to the requests of a task that is removed. It is part of the stop
// timeout, so that no task is killed while it may still be answering: half of it, or all but the 30 s that NGINX and the app
// have at most for a stop of their own.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay
func Drain(stopTimeout time.Duration) time.Duration {
	return max(stopTimeout/2, stopTimeout-30*time.Second).Truncate(time.Second)
}
