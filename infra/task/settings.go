package task

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says what runs in a task, and how it starts and stops.
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
	LogBufferMegabytes int
	// PolicyARNs are the IAM policies of the tasks. Without any, and without Exec, the tasks have no role.
	PolicyARNs []string
	// Exec lets people open a shell in a container. Its agent has to write files, so the root file systems are writable
	// with it. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
	Exec bool

	App     App
	Sidecar Sidecar
	// Extra are the other containers of a task, in the order of their names.
	Extra     []ExtraContainer
	LogRouter LogRouter
}

// Architecture is the processor of the tasks, as ECS spells it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
type Architecture string

// The architectures that Fargate offers.
const (
	X86 Architecture = "X86_64"
	ARM Architecture = "ARM64"
)

// ContainerHealth is the health check that ECS runs inside each container, in whole seconds.
type ContainerHealth struct {
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

var policyPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy(/[\x21-\x2e\x30-\x7e]+)+$`)

// Read returns the settings of the tasks.
func Read(r *settings.Reader) Settings {
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
		LogBufferMegabytes:  r.Between("logBufferMegabytes", 1, 1024, "MB"),
		EphemeralStorageGiB: readEphemeralStorage(r),
		Volumes:             readVolumes(r),
		PolicyARNs: r.Texts("taskPolicyArns", "the ARN of an IAM policy that grants less than everything",
			func(arn string) bool {
				return policyPattern.MatchString(arn) && !strings.HasSuffix(arn, ":aws:policy/AdministratorAccess")
			}),
		Exec: r.Boolean("exec"),

		App:       readApp(r),
		Sidecar:   readSidecar(r),
		Extra:     readExtra(r),
		LogRouter: readLogRouter(r),
	}
	s.CPU, s.Memory = readSize(r)
	check(r, s)

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

func check(r *settings.Reader, s Settings) {
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
	buffers := 2 + len(s.Extra)
	if s.RoutesLogs() {
		buffers++
	}
	if 2*buffers*s.LogBufferMegabytes > s.Memory {
		r.Conflict([]string{"logBufferMegabytes", "memory"},
			fmt.Sprintf("the buffers of %d containers, %d MB each, would need more than half of %d MiB", buffers, s.LogBufferMegabytes, s.Memory))
	}
	checkStaticFiles(r, s)
	checkVolumes(r, s)
	checkExtra(r, s)
	checkLogRouter(r, s)
}
