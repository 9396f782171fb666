package service

import (
	"fmt"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says in how many tasks a service runs, what they may connect to, and how one revision replaces another.
type Settings struct {
	LogRetentionDays int
	// EgressPorts are the TCP ports to which tasks may open connections at any address. EgressGroups are security groups,
	// such as a database's, to which they may do so, too.
	EgressPorts  []int
	EgressGroups []EgressGroup
	Scaling      Scaling

	ContainerInsights             Insights
	DesiredCount                  int
	MaximumPercent                int
	MinimumHealthyPercent         int
	CircuitBreaker                Breaker
	ZoneRebalancing               bool
	HealthCheckGracePeriodSeconds int
	// DeploymentTimeout is how long an update waits for a steady service.
	DeploymentTimeout time.Duration
	// DeployCommand runs with each new revision of the task definition before the service gets it, unless it is empty.
	DeployCommand []string
}

// Insights is how much CloudWatch measures of the cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-container-insights.html
type Insights string

// The levels of Container Insights.
const (
	InsightsOff      Insights = "disabled"
	InsightsOn       Insights = "enabled"
	InsightsEnhanced Insights = "enhanced"
)

// Breaker is what ECS does with a deployment whose tasks do not become healthy.
type Breaker string

// The modes of the circuit breaker.
const (
	BreakerRollback Breaker = "rollback"
	BreakerStop     Breaker = "stop"
	BreakerOff      Breaker = "off"
)

// retentions are those that CloudWatch Logs accepts, in days.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// Read returns the settings of the service.
func Read(r *settings.Reader) Settings {
	r.FollowProfile("logRetentionDays", "30", "365")
	s := Settings{
		LogRetentionDays: r.Among("logRetentionDays", retentions, "days"),
		EgressPorts: r.Numbers("taskEgressPorts", "1 to 65535 (TCP port)",
			func(port int) bool { return port >= 1 && port <= 65535 }),
		EgressGroups: readEgressGroups(r),
		Scaling:      readScaling(r),

		ContainerInsights:     settings.OneOf(r, "containerInsights", InsightsOff, InsightsOn, InsightsEnhanced),
		DesiredCount:          r.Between("desiredCount", 1, 5000, "tasks"),
		MaximumPercent:        r.Between("deploymentMaximumPercent", 101, 200, "percent"),
		MinimumHealthyPercent: r.Between("deploymentMinimumHealthyPercent", 0, 100, "percent"),
		CircuitBreaker:        settings.OneOf(r, "circuitBreaker", BreakerRollback, BreakerStop, BreakerOff),
		ZoneRebalancing:       r.OneOf("zoneRebalancing", "enabled", "disabled") == "enabled",
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
		HealthCheckGracePeriodSeconds: r.Between("healthCheckGracePeriodSeconds", 0, 2147483647, "seconds"),
		DeploymentTimeout:             time.Duration(r.Between("deploymentTimeoutMinutes", 5, 120, "minutes")) * time.Minute,
		DeployCommand: r.Words("deployCommand", "a list of words without an empty one, or an empty list for no command",
			func([]string) bool { return true }),
	}
	checkEgress(r, s)
	checkDeployment(r, s)
	checkScaling(r, s)

	return s
}

// checkDeployment refuses limits that let ECS neither start another task nor stop one, so that no deployment could ever
// begin. ECS rounds the upper limit down and the lower one up.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func checkDeployment(r *settings.Reader, s Settings) {
	checkRoom(r, s, s.DesiredCount, "desiredCount")
	// Nor may a deployment be blocked after load has changed the number of tasks. More tasks only leave more room, so it
	// is enough to check the lowest number. The desired count has been checked above.
	if s.Scaling.On && s.Scaling.Min < s.DesiredCount {
		checkRoom(r, s, s.Scaling.Min, "minCount")
	}
}

func checkRoom(r *settings.Reader, s Settings, tasks int, key string) {
	most := tasks * s.MaximumPercent / 100
	fewest := (tasks*s.MinimumHealthyPercent + 99) / 100

	if most <= tasks && fewest >= tasks {
		r.Conflict([]string{"deploymentMaximumPercent", "deploymentMinimumHealthyPercent", key},
			fmt.Sprintf("at most %d and at least %d of %d tasks must run, so a deployment could neither start nor stop one",
				most, fewest, tasks))
	}
}
