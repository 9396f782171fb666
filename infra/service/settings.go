package service

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says what runs, in how many tasks, and how one revision replaces another.
type Settings struct {
	// CPU is in CPU units, 1024 to a vCPU; Memory in MiB.
	CPU, Memory int
	// EphemeralStorageGiB is the size of a task's own disk; zero is Fargate's default.
	EphemeralStorageGiB int
	// Volumes are directories of file systems that outlive the tasks.
	Volumes      []Volume
	Architecture Architecture
	// ContainerPort is NGINX's, AppPort the app's.
	ContainerPort, AppPort int
	// StopTimeout is the time between a container's stop signal and its kill signal.
	StopTimeout        time.Duration
	Health             ContainerHealth
	LogRetentionDays   int
	LogBufferMegabytes int
	// EgressPorts are the TCP ports to which tasks may open connections at any address. EgressGroups are security groups,
	// such as a database's, to which they may do so, too.
	EgressPorts  []int
	EgressGroups []EgressGroup
	// TaskPolicyARNs are the IAM policies of the tasks. Without any, and without Exec, the tasks have no role.
	TaskPolicyARNs []string
	// Exec lets people open a shell in a container. Its agent has to write files, so the root file systems are writable
	// with it. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
	Exec bool

	App     App
	Sidecar Sidecar
	// Further are the other containers of a task, in the order of their names.
	Further   []Further
	LogRouter LogRouter
	Scaling   Scaling

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

// Architecture is the processor of the tasks, as ECS spells it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
type Architecture string

// The architectures that Fargate offers.
const (
	X86 Architecture = "X86_64"
	ARM Architecture = "ARM64"
)

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

// ContainerHealth is the health check that ECS runs inside each container, in whole seconds.
type ContainerHealth struct {
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// retentions are those that CloudWatch Logs accepts, in days.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

var policyPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy(/[\x21-\x2e\x30-\x7e]+)+$`)

// Read returns the settings of the service.
func Read(r *settings.Reader) Settings {
	r.FollowProfile("logRetentionDays", "30", "365")
	s := Settings{
		Architecture:  settings.OneOf(r, "architecture", X86, ARM),
		ContainerPort: r.Between("containerPort", 1024, 65535, "(TCP port)"),
		AppPort:       r.Between("appPort", 1024, 65535, "(TCP port)"),
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout
		StopTimeout: r.Seconds("stopTimeoutSeconds", 2, 120),
		// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
		Health: ContainerHealth{
			Interval:    r.Seconds("containerHealthIntervalSeconds", 5, 300),
			Timeout:     r.Seconds("containerHealthTimeoutSeconds", 2, 60),
			Retries:     r.Between("containerHealthRetries", 1, 10, "checks"),
			StartPeriod: r.Seconds("containerHealthStartPeriodSeconds", 0, 300),
		},
		LogRetentionDays:   r.Among("logRetentionDays", retentions, "days"),
		LogBufferMegabytes: r.Between("logBufferMegabytes", 1, 1024, "MB"),
		EgressPorts: r.Numbers("taskEgressPorts", "1 to 65535 (TCP port)",
			func(port int) bool { return port >= 1 && port <= 65535 }),
		EgressGroups:        readEgressGroups(r),
		EphemeralStorageGiB: readEphemeralStorage(r),
		Volumes:             readVolumes(r),
		TaskPolicyARNs: r.Texts("taskPolicyArns", "the ARN of an IAM policy that grants less than everything",
			func(arn string) bool {
				return policyPattern.MatchString(arn) && !strings.HasSuffix(arn, ":aws:policy/AdministratorAccess")
			}),
		Exec: r.Boolean("exec"),

		App:       readApp(r),
		Sidecar:   readSidecar(r),
		Further:   readFurther(r),
		LogRouter: readLogRouter(r),
		Scaling:   readScaling(r),

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
	s.CPU, s.Memory = readSize(r)
	checkTask(r, s)
	checkDeployment(r, s)
	checkScaling(r, s)

	return s
}

// AWSServices are the AWS services that the tasks need, by their names in endpoints: those for images, logs and
// parameters, and those that the settings add.
func (s Settings) AWSServices() []string {
	needed := []string{"ecr.api", "ecr.dkr", "logs", "ssm"}
	if s.readsSecrets() {
		needed = append(needed, "secretsmanager")
	}
	if s.Exec {
		needed = append(needed, "ssmmessages")
	}

	return needed
}

// readsSecrets reports whether a container gets a value from Secrets Manager.
func (s Settings) readsSecrets() bool {
	all := []map[string]settings.Secret{s.App.Secrets, s.LogRouter.secrets}
	for _, further := range s.Further {
		all = append(all, further.secrets)
	}

	return slices.ContainsFunc(all, func(secrets map[string]settings.Secret) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(secrets)), func(secret settings.Secret) bool {
			return secret.Store == settings.StoreSecret
		})
	})
}

func checkTask(r *settings.Reader, s Settings) {
	if s.ContainerPort == s.AppPort {
		r.Conflict([]string{"containerPort", "appPort"},
			fmt.Sprintf("both are %d, but the containers of a task share one network interface", s.AppPort))
	}
	if s.Sidecar.AppListen == OnSocket && slices.Contains(s.App.WritablePaths, socketDirectory) {
		r.Conflict([]string{"appListen", "appWritablePaths"}, socketDirectory+" is the directory of the socket, which the app may write to anyway")
	}
	if s.Health.Timeout > s.Health.Interval {
		r.Conflict([]string{"containerHealthTimeoutSeconds", "containerHealthIntervalSeconds"},
			fmt.Sprintf("%g is more than %g; checks would overlap", s.Health.Timeout.Seconds(), s.Health.Interval.Seconds()))
	}
	// A full buffer is taken from the task's memory, once for each container.
	buffers := 2 + len(s.Further)
	if s.RoutesLogs() {
		buffers++
	}
	if 2*buffers*s.LogBufferMegabytes > s.Memory {
		r.Conflict([]string{"logBufferMegabytes", "memory"},
			fmt.Sprintf("the buffers of %d containers, %d MB each, would need more than half of %d MiB", buffers, s.LogBufferMegabytes, s.Memory))
	}
	if !r.Wrong("taskEgressPorts") && !slices.Contains(s.EgressPorts, 443) {
		r.Fail("taskEgressPorts", strings.ReplaceAll(fmt.Sprint(s.EgressPorts), " ", ", "),
			"a list that contains 443, the port through which the tasks pull images and write logs")
	}
	checkEgress(r, s)
	checkStaticFiles(r, s)
	checkVolumes(r, s)
	checkFurther(r, s)
	checkLogRouter(r, s)
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
