package task

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/images/nginx"
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
	// SecretKeyARNs are KMS keys that have encrypted secret values. BoundaryARN is the policy that bounds every role, or empty.
	SecretKeyARNs []string
	BoundaryARN   string
	// Exec lets people open a shell in a container. Its agent has to write files, so the root file systems are writable
	// with it. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
	Exec bool

	App     App
	Sidecar Sidecar
	// Extra are the other containers of a task, in the order of their names.
	Extra     []ExtraContainer
	LogRouter LogRouter
	// Secret is true if a value of the containers is encrypted in the stack file.
	Secret bool
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

// The checks that ECS runs inside NGINX's and the app's container. Five seconds is the shortest interval that ECS takes, so
// that a task is replaced soon; three failures in a row are more than one slow answer. NGINX's check requests the app's health
// path within one second less than the timeout, and the rest is for the check itself.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
const (
	healthInterval = 5 * time.Second
	healthTimeout  = 3 * time.Second
	healthRetries  = 3
)

// longestStart is the longest start period that ECS takes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
const longestStart = 300 * time.Second

// logBufferMegabytes is the memory in which each container buffers log lines while CloudWatch is slow: AWS's recommendation
// for most apps. When it is full, lines are lost and the service keeps answering.
// https://aws.amazon.com/blogs/containers/preventing-log-loss-with-non-blocking-mode-in-the-awslogs-container-log-driver/
const logBufferMegabytes = 25

// Read returns the settings of the tasks.
func Read(r *settings.Reader) Settings {
	app, http, g := r.Group("app"), r.Group("http"), r.Group("task")
	policy := settings.Form{Allowed: "the ARN of an IAM policy that grants less than everything", Pattern: policyPattern,
		Check: func(arn string) bool { return !strings.HasSuffix(arn, ":aws:policy/AdministratorAccess") }}
	s := Settings{
		AppPort: app.Int("port", 3000, 1024, 65535, "",
			"TCP port on which the app listens on 127.0.0.1. It must differ from `http.port`, because both containers share one network interface.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html"),
		App: readApp(app),
		PolicyARNs: app.Texts("policies", nil, policy,
			"ARNs of IAM policies for the tasks' role, for an app that calls AWS. Without any, the tasks have no role, unless `task.exec` needs one.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html"),
		SecretKeyARNs: app.Texts("secretKeys", nil, settings.Pattern("the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>", `^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`),
			"KMS keys that have encrypted values of `app.secrets` or other secrets of the containers, beside `storage.kmsKey`: ECS gets the permission to decrypt with them. The policy of a key in another account must allow that, too.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html#task-execution-secrets"),
		BoundaryARN: g.Text("permissionsBoundary", "", settings.Form{Allowed: "the ARN of an IAM policy", Pattern: policyPattern},
			"IAM policy that bounds the permissions of every role that the stack creates, for accounts that require one.",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"),
		Volumes: readVolumes(app),

		Sidecar: readSidecar(app, http, g, r.Group("overrides")),
		ContainerPort: http.Int("port", 8080, 1024, 65535, "",
			"TCP port on which NGINX receives requests. AWS's pattern uses 80; this sidecar does not run as root, and not every host lets such a process open a port below 1024. A change replaces the target group and the ECS service: the old ones answer until the new tasks are healthy.",
			"https://man7.org/linux/man-pages/man7/capabilities.7.html"),

		Architecture: settings.OneOf(g, "architecture", X86, []Architecture{X86, ARM},
			"Processor architecture of the tasks, and of the images that are built.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-arm64.html"),
		EphemeralStorageGiB: readEphemeralStorage(g),
		StopTimeout: g.Duration("stopTimeout", 60*time.Second, 2*time.Second, 120*time.Second,
			"Time between the stop signal and the kill signal for each container. Before the signal, the load balancer gives requests under way half of this time to finish, or all but 30s of it if that is more.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout"),
		Exec: g.Bool("exec", false,
			"Whether ECS Exec is on, with which users who have the permission `ecs:ExecuteCommand` can open a shell in a running container. Its agent writes to the file system, so the containers' root file systems become writable.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html"),
		Health: ContainerHealth{
			Interval: healthInterval, Timeout: healthTimeout, Retries: healthRetries,
			StartPeriod: app.Duration("startTime", 10*time.Second, 0, longestStart,
				"Time that the app needs to start: failed health checks do not count before. ECS replaces no unhealthy task until 50s later.",
				"https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"),
		},
		LogBufferMegabytes: logBufferMegabytes,

		Extra:     readExtra(r.Group(extraKey)),
		LogRouter: readLogRouter(r.Group(logRouterKey)),
		Secret:    r.Secret("app") || r.Secret(extraKey) || r.Secret(logRouterKey),
	}
	s.CPU, s.Memory = readSize(g)
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
		r.Conflict([]string{"http.port", "app.port"},
			fmt.Sprintf("both are %d, but the containers of a task share one network interface", s.AppPort))
	}
	if s.Sidecar.AppListen == OnSocket && slices.Contains(s.App.WritablePaths, socketDirectory) {
		r.Conflict([]string{"app.socket", "app.writablePaths"}, socketDirectory+" is the directory of the socket, which the app may write to anyway")
	}
	// A full buffer is taken from the task's memory, once for each container.
	buffers := 2 + len(s.Extra)
	if s.RoutesLogs() {
		buffers++
	}
	if 2*buffers*s.LogBufferMegabytes > s.Memory {
		r.Conflict([]string{"task.memory"},
			fmt.Sprintf("the buffers of %d containers, %d MB each, would need more than half of %d MiB", buffers, s.LogBufferMegabytes, s.Memory))
	}
	checkSidecarOverrides(r, s.Sidecar)
	for _, path := range s.Sidecar.StreamedPaths {
		if longestCover(path, s.Sidecar.PathPrefixes) == 0 && !r.Wrong("http.paths") {
			r.Conflict([]string{"http.streamUploads", "http.paths"}, path+" does not reach the app; allowed: a path of http.paths, or one below it")
		}
	}
	if s.App.Protocol != nginx.HTTP && len(s.Sidecar.StreamedPaths) > 0 {
		r.Conflict([]string{"http.streamUploads", "app.protocol"}, "the variables of CGI hold the length of a body, which is known once it has come; allowed: one of them")
	}
	if s.App.Protocol == nginx.FastCGI && s.Sidecar.StripPrefix {
		r.Conflict([]string{"app.protocol", "http.stripPrefix"}, "the scripts of fastcgi are files at their paths, which have no prefix to cut off; allowed: one of them")
	}
	if seconds, given := s.Sidecar.Overrides[nginx.CacheSeconds.Name]; given && seconds != "0" && s.App.Protocol != nginx.HTTP {
		r.Conflict([]string{"app.protocol", "overrides.sidecar." + nginx.CacheSeconds.Name}, "only answers of an app that speaks http are cached; allowed: one of them")
	}
	checkStaticFiles(r, s)
	checkVolumes(r, s)
	checkExtra(r, s)
	checkLogRouter(r, s)
}
