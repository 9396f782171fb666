package service

import (
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says in how many tasks a service runs, what they may connect to, and how one revision replaces another.
type Settings struct {
	// EgressPorts are the TCP ports to which tasks may open connections at any address. EgressGroups are security groups,
	// such as a database's, to which they may do so, too.
	EgressPorts  []int
	EgressGroups []EgressGroup
	Scaling      Scaling

	ContainerInsights Insights
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
	InsightsOff      Insights = ""
	InsightsOn       Insights = "enabled"
	InsightsEnhanced Insights = "enhanced"
)

// httpsPort is where AWS's services are.
const httpsPort = 443

// What overrides.service can change. maximumPercent lets ECS start a whole new set of tasks beside the old one, so that a
// deployment is over soon; with minimumHealthyPercent, rounded up, two tasks stay two while it lasts. The circuit breaker takes
// a service whose new tasks do not become healthy back to the last deployment that worked. Zones are rebalanced, because a
// service that has all its tasks in one zone fails with it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
const (
	maximumPercent        = 200
	minimumHealthyPercent = 75
	circuitBreaker        = true
	zoneRebalancing       = "ENABLED"
)

// Read returns the settings of the service.
func Read(r *settings.Reader) Settings {
	g := r.Group("deployment")
	s := Settings{
		EgressPorts: r.Group("network").Ints("ports", []int{httpsPort}, 1, 65535, "",
			"TCP ports to which the tasks may open connections at any address. They must include 443, through which the tasks pull images, write logs and call AWS. DNS needs no entry. For a database, use `network.groups`.",
			"https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"),
		EgressGroups: readEgressGroups(r.Group("network")),
		Scaling:      readScaling(r.Group("scale")),

		ContainerInsights: settings.OneOf(r.Group("monitoring").OrFalse(), "containerInsights", InsightsOn, []Insights{InsightsOn, InsightsEnhanced},
			"CloudWatch Container Insights for the cluster. Its metrics cost money.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-container-insights.html"),
		DeployCommand: g.Command("command",
			"Command that must succeed before the service gets a new revision of its task definition, such as `[npm, run, migrate]`. It runs once, alone in a task with the app's new image, variables, secrets, role and network. If it does not exit with status 0, the update fails with the last lines of its log, and the service stays as it is. A preview does not run it.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/standalone-tasks.html"),
		DeploymentTimeout: g.Duration("timeout", 20*time.Minute, 5*time.Minute, 120*time.Minute,
			"Time that an update waits for `deployment.command` and for the deployment to end. A deployment that fails ends the update at once.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html"),
	}
	checkEgress(r, s)
	checkScaling(r, s)

	return s
}
