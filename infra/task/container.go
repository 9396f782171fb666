// Package task is what runs in a task: NGINX, the app and the containers beside them. It reads their settings, and renders
// the container definitions, the volumes and the policies of the roles. It is pure: it declares no resource.
package task

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/document"
)

// The names of NGINX's and the app's container, to which the target group and the log streams refer. Commands run in the
// app's.
const (
	NginxContainer = "nginx"
	AppContainer   = "app"
)

// temporaryVolume is the only place that NGINX writes to: it holds the rendered configuration and the buffers. It is a
// directory of the task, empty at the start. The image, too, declares the path as a volume, so that Fargate keeps the
// directory's permissions.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
const (
	temporaryVolume = "nginx-tmp"
	temporaryPath   = "/tmp"
)

// The socket between the two containers lies on a volume of its own. The app makes it, and to NGINX it is read-only.
const (
	socketVolume    = "app-socket"
	socketDirectory = "/run/app"
	socketPath      = socketDirectory + "/http.sock"
)

// container is a container definition. It states every default that AWS would fill in, so that what AWS returns equals
// what was sent, and a second preview shows no change.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type container struct {
	Name              string        `json:"name"`
	Image             string        `json:"image"`
	Essential         bool          `json:"essential"`
	CPU               int           `json:"cpu"`
	Memory            int           `json:"memory,omitempty"`
	MemoryReservation int           `json:"memoryReservation,omitempty"`
	Command           []string      `json:"command,omitempty"`
	User              string        `json:"user"`
	ReadOnly          bool          `json:"readonlyRootFilesystem"`
	StopTimeout       int           `json:"stopTimeout"`
	PortMappings      []portMapping `json:"portMappings"`
	Environment       []variable    `json:"environment"`
	Secrets           []source      `json:"secrets,omitempty"`
	MountPoints       []mountPoint  `json:"mountPoints"`
	VolumesFrom       []struct{}    `json:"volumesFrom"`
	SystemControls    []struct{}    `json:"systemControls"`
	// DockerLabels are the versions of the secret values.
	DockerLabels map[string]string `json:"dockerLabels,omitempty"`
	DependsOn    []dependency      `json:"dependsOn,omitempty"`
	HealthCheck  *healthCheck      `json:"healthCheck,omitempty"`
	FireLens     *fireLens         `json:"firelensConfiguration,omitempty"`
	// RepositoryCredentials are for an image in a private registry other than ECR.
	RepositoryCredentials *repositoryCredentials `json:"repositoryCredentials,omitempty"`
	LogConfiguration      logConfiguration       `json:"logConfiguration"`
}

type portMapping struct {
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// source names the ARN from which ECS reads the value of a variable.
type source struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

type repositoryCredentials struct {
	CredentialsParameter string `json:"credentialsParameter"`
}

type mountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly"`
}

type dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"`
}

type healthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval"`
	Timeout     int      `json:"timeout"`
	Retries     int      `json:"retries"`
	StartPeriod int      `json:"startPeriod"`
}

// fireLens marks the container to which ECS sends the lines of others.
type fireLens struct {
	Type    string            `json:"type"`
	Options map[string]string `json:"options"`
}

type logConfiguration struct {
	LogDriver     string            `json:"logDriver"`
	Options       map[string]string `json:"options"`
	SecretOptions []source          `json:"secretOptions"`
}

// Args describes the tasks of a service: their settings, and what the rest of the stack decides for them.
type Args struct {
	Settings
	// Service is the name in the names of log streams. Region is where the logs are written.
	Service, Region string
	// IdleTimeout is that of what sends requests to the tasks. TLS makes NGINX accept HTTPS instead of HTTP.
	IdleTimeout time.Duration
	TLS         bool
	// Ingress is the name that the sidecar has for what sends requests, or empty for a load balancer.
	Ingress string
	// Host is the name of the service, or empty.
	Host string
	// LoginPaths are those on which the load balancer says who has logged in.
	LoginPaths []string
	// Grace is further time in which failed health checks do not count, where ECS has none of its own.
	Grace time.Duration
	// Overrides change what is rendered.
	Overrides Overrides
}

// Values are those that other resources provide.
type Values struct {
	NginxImage, AppImage       string
	NginxLogGroup, AppLogGroup string
	// IngressRanges are separated by commas. NGINX trusts what requests from there say about the client's address.
	IngressRanges string
	// Secrets are where the values of Settings.Secrets are, in the same order.
	Secrets []Found
}

// builder renders the containers of one task.
type builder struct {
	Args
	Values
	secrets map[string]references
}

// Definitions renders the containers of a task: first NGINX, which gets the requests, then the app and the containers
// beside them.
func Definitions(args Args, values Values) (string, error) {
	if values.NginxImage == "" || values.AppImage == "" {
		return "", fmt.Errorf("images %q and %q; allowed: two references", values.NginxImage, values.AppImage)
	}
	if values.NginxLogGroup == "" || values.AppLogGroup == "" {
		return "", fmt.Errorf("log groups %q and %q; allowed: two names", values.NginxLogGroup, values.AppLogGroup)
	}

	b := builder{args, values, args.references(values.Secrets)}
	front, err := b.sidecar()
	if err != nil {
		return "", err
	}
	all := []container{front, b.app()}
	for _, extra := range args.Extra {
		all = append(all, b.extra(extra))
	}
	if args.LogRouter.on() {
		all = append(all, b.logRouter())
	}

	return render(all, args.Overrides)
}

// Size is about how many bytes the containers of a task take in its definition. What other resources provide has names of the
// usual length.
func Size(args Args) (int, error) {
	const image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/a-name-of-20-letters-nginx-1234567@sha256:" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	values := Values{
		NginxImage: image, AppImage: image, NginxLogGroup: "a-name-of-20-letters-nginx-1234567", AppLogGroup: "a-name-of-20-letters-app-1234567",
		IngressRanges: "10.0.0.0/19,10.0.32.0/19",
	}
	for range args.Secrets() {
		values.Secrets = append(values.Secrets, Found{ARN: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-name-of-20-letters-123456"})
	}
	text, err := Definitions(args, values)

	return len(text), err
}

// Commands is part of the names of the task definition for commands and of its log streams.
const Commands = "commands"

// CommandDefinition renders the app's container for commands: as in the tasks of the service, but alone. NGINX would wait
// for an app that answers, and ECS stops a task whose containers wait for each other too long. For the same reason there is
// no health check, which would fail while the command runs. A command that fails is not started again. Its log goes to
// CloudWatch, even if there is a log router, because the deployment shows the last lines.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func CommandDefinition(args Args, values Values) (string, error) {
	if values.AppImage == "" || values.AppLogGroup == "" {
		return "", fmt.Errorf("image %q and log group %q; allowed: a reference and a name", values.AppImage, values.AppLogGroup)
	}

	b := builder{args, values, args.references(values.Secrets)}
	alone := b.app()
	alone.HealthCheck, alone.DependsOn = nil, nil
	alone.LogConfiguration = b.logs(Commands, values.AppLogGroup)

	return render([]container{alone}, args.Overrides.ofCommands())
}

func render(containers []container, overrides Overrides) (string, error) {
	all := make([]any, len(containers))
	for i, c := range containers {
		var err error
		if all[i], err = overrides.applied(c); err != nil {
			return "", err
		}
	}

	return document.JSON(all)
}

func (b builder) sidecar() (container, error) {
	c := b.common(NginxContainer, b.NginxImage)
	c.CPU = b.ownShare()
	c.User = "101:101"
	c.PortMappings = []portMapping{{ContainerPort: b.ContainerPort, HostPort: b.ContainerPort, Protocol: "tcp"}}
	variables, err := b.sidecarEnvironment()
	if err != nil {
		return container{}, fmt.Errorf("container %s: %w", NginxContainer, err)
	}
	c.Environment = environment(variables)
	c.MountPoints = []mountPoint{{SourceVolume: temporaryVolume, ContainerPath: temporaryPath}}
	if b.Sidecar.AppListen == OnSocket {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: socketVolume, ContainerPath: socketDirectory, ReadOnly: true})
	}
	for i, files := range b.Sidecar.StaticFiles {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: staticVolume(i), ContainerPath: nginx.StaticDirectory(i, files.Path), ReadOnly: true})
	}
	if b.App.DocumentRoot != "" {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: documentRootVolume, ContainerPath: nginx.DocumentRoot, ReadOnly: true})
	}
	for _, mount := range b.mountsInRoot() {
		mount.ContainerPath, mount.ReadOnly = nginx.DocumentRoot+strings.TrimPrefix(mount.ContainerPath, b.App.DocumentRoot), true
		c.MountPoints = append(c.MountPoints, mount)
	}
	if b.Sidecar.StaticHistory.given() {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: historyVolume, ContainerPath: nginx.HistoryDirectory})
	}
	// ECS stops containers in the reverse order, so NGINX finishes its requests while the app still answers. If the app has
	// no health check of its own, NGINX's health page waits for the app's first answer.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
	c.DependsOn = []dependency{{ContainerName: AppContainer, Condition: "START"}}
	if b.App.hasHealthCommand() {
		c.DependsOn[0].Condition = "HEALTHY"
	}
	c.HealthCheck = b.healthCheck("CMD", "/usr/local/bin/sidecar", "health")
	b.logging(&c, b.NginxLogGroup)

	return c, nil
}

func (b builder) app() container {
	c := b.common(AppContainer, b.AppImage)
	c.CPU = b.ownShare()
	c.Command = b.App.Command
	c.User = b.App.User
	variables := map[string]string{"NODE_ENV": "production"}
	maps.Copy(variables, b.App.Environment)
	maps.Copy(variables, map[string]string{
		"HOST":                  "127.0.0.1",
		"PORT":                  strconv.Itoa(b.AppPort),
		"KEEP_ALIVE_TIMEOUT_MS": milliseconds(b.appKeepAlive()),
	})
	if b.Sidecar.AppListen == OnSocket {
		variables["SOCKET"] = socketPath
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: socketVolume, ContainerPath: socketDirectory})
	}
	c.Environment = environment(variables)
	b.refer(&c)
	// Before what lies in it.
	if b.App.DocumentRoot != "" {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: documentRootVolume, ContainerPath: b.App.DocumentRoot})
	}
	for i, files := range b.Sidecar.StaticFiles {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: staticVolume(i), ContainerPath: files.Directory})
	}
	c.MountPoints = append(c.MountPoints, b.writtenMounts()...)
	if b.App.hasHealthCommand() {
		c.HealthCheck = b.healthCheck(b.App.HealthCommand...)
	}
	for _, extra := range b.Extra {
		c.DependsOn = append(c.DependsOn, extra.dependency())
	}
	b.logging(&c, b.AppLogGroup)

	return c
}

// common is what the containers have in common. NGINX and the app are essential: when one exits, ECS stops the task and
// starts another.
func (b builder) common(name, image string) container {
	return container{
		Name:           name,
		Image:          image,
		Essential:      true,
		ReadOnly:       !b.Exec,
		StopTimeout:    int(b.StopTimeout.Seconds()),
		PortMappings:   []portMapping{},
		MountPoints:    []mountPoint{},
		VolumesFrom:    []struct{}{},
		SystemControls: []struct{}{},
	}
}

func (b builder) healthCheck(command ...string) *healthCheck {
	return &healthCheck{
		Command:     command,
		Interval:    int(b.Health.Interval.Seconds()),
		Timeout:     int(b.Health.Timeout.Seconds()),
		Retries:     b.Health.Retries,
		StartPeriod: int(min(b.Health.StartPeriod+b.Grace, longestStart).Seconds()),
	}
}

// logs sends a container's output to its log group without ever blocking the container: if CloudWatch is slow and the
// buffer full, lines are lost and the service keeps answering.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func (b builder) logs(name, group string) logConfiguration {
	return logConfiguration{
		LogDriver: "awslogs",
		Options: map[string]string{
			"awslogs-group":         group,
			"awslogs-region":        b.Region,
			"awslogs-stream-prefix": b.Service + "/" + name,
			"mode":                  "non-blocking",
			"max-buffer-size":       strconv.Itoa(b.LogBufferMegabytes) + "m",
		},
		SecretOptions: []source{},
	}
}

// environment returns the variables sorted by name, which is the order in which AWS returns them.
func environment(values map[string]string) []variable {
	all := []variable{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, variable{Name: name, Value: values[name]})
	}

	return all
}
