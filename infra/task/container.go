package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The names of NGINX's and the app's container, to which the target group and the log streams refer.
const (
	nginxName = "nginx"
	appName   = "app"
)

// AppContainer is the name of the container in which commands run.
const AppContainer = appName

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
	Name              string           `json:"name"`
	Image             string           `json:"image"`
	Essential         bool             `json:"essential"`
	CPU               int              `json:"cpu"`
	Memory            int              `json:"memory,omitempty"`
	MemoryReservation int              `json:"memoryReservation,omitempty"`
	Command           []string         `json:"command,omitempty"`
	User              string           `json:"user"`
	ReadOnly          bool             `json:"readonlyRootFilesystem"`
	StopTimeout       int              `json:"stopTimeout"`
	PortMappings      []portMapping    `json:"portMappings"`
	Environment       []variable       `json:"environment"`
	Secrets           []source         `json:"secrets,omitempty"`
	MountPoints       []mountPoint     `json:"mountPoints"`
	VolumesFrom       []struct{}       `json:"volumesFrom"`
	SystemControls    []struct{}       `json:"systemControls"`
	DependsOn         []dependency     `json:"dependsOn,omitempty"`
	HealthCheck       *healthCheck     `json:"healthCheck,omitempty"`
	RestartPolicy     *restartPolicy   `json:"restartPolicy,omitempty"`
	FireLens          *fireLens        `json:"firelensConfiguration,omitempty"`
	LogConfiguration  logConfiguration `json:"logConfiguration"`
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

// restartPolicy makes ECS start a container again that has ended after at least that many seconds.
type restartPolicy struct {
	Enabled              bool `json:"enabled"`
	RestartAttemptPeriod int  `json:"restartAttemptPeriod"`
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

// resolved are the values of a task definition that other resources provide.
type resolved struct {
	nginxImage, appImage       string
	nginxLogGroup, appLogGroup string
	// ingressRanges are separated by commas.
	ingressRanges string
	// secrets are the ARNs of secret values with the variables they fill, by container.
	secrets map[string][]source
}

// containerDefinitions renders the containers of a task: first NGINX, which the load balancer talks to, then the app and
// what runs beside them.
func containerDefinitions(service string, args Args, values resolved) (string, error) {
	if values.nginxImage == "" || values.appImage == "" {
		return "", fmt.Errorf("images %q and %q; allowed: two references", values.nginxImage, values.appImage)
	}
	if values.nginxLogGroup == "" || values.appLogGroup == "" {
		return "", fmt.Errorf("log groups %q and %q; allowed: two names", values.nginxLogGroup, values.appLogGroup)
	}

	all := []container{nginx(service, args, values), app(service, args, values)}
	for _, further := range args.Further {
		all = append(all, further.container(service, args, values))
	}
	if args.LogRouter.on() {
		all = append(all, args.LogRouter.container(service, args, values))
	}

	return rendered(all)
}

func rendered(containers []container) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(containers)

	return strings.TrimSpace(text.String()), err
}

func nginx(service string, args Args, values resolved) container {
	c := common(args, nginxName, values.nginxImage)
	c.CPU = args.ownShare()
	c.User = "101:101"
	c.PortMappings = []portMapping{{ContainerPort: args.ContainerPort, HostPort: args.ContainerPort, Protocol: "tcp"}}
	c.Environment = environment(sidecarEnvironment(args, values.ingressRanges))
	c.MountPoints = []mountPoint{{SourceVolume: temporaryVolume, ContainerPath: temporaryPath}}
	if args.Sidecar.AppListen == OnSocket {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: socketVolume, ContainerPath: socketDirectory, ReadOnly: true})
	}
	for i, files := range args.Sidecar.StaticFiles {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: staticVolume(i), ContainerPath: staticMount(i, files), ReadOnly: true})
	}
	if args.Sidecar.StaticHistory.given() {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: historyVolume, ContainerPath: historyPath})
	}
	// ECS stops containers in the reverse order, so NGINX finishes its requests while the app still answers. If the app has
	// no health check of its own, NGINX's health page waits for the app's first answer.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
	c.DependsOn = []dependency{{ContainerName: appName, Condition: "START"}}
	if args.App.checksItself() {
		c.DependsOn[0].Condition = "HEALTHY"
	}
	c.HealthCheck = health(args, "CMD", "/usr/local/bin/healthcheck")
	args.logging(&c, service, values.nginxLogGroup, values)

	return c
}

func app(service string, args Args, values resolved) container {
	c := common(args, appName, values.appImage)
	c.CPU = args.ownShare()
	c.Command = args.App.Command
	c.User = args.App.User
	variables := map[string]string{"NODE_ENV": "production"}
	maps.Copy(variables, args.App.Environment)
	maps.Copy(variables, map[string]string{
		"HOST":                  "127.0.0.1",
		"PORT":                  strconv.Itoa(args.AppPort),
		"KEEP_ALIVE_TIMEOUT_MS": milliseconds(args.appKeepAlive()),
	})
	if args.Sidecar.AppListen == OnSocket {
		variables["SOCKET"] = socketPath
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: socketVolume, ContainerPath: socketDirectory})
	}
	c.Environment = environment(variables)
	c.Secrets = values.secrets[appName]
	for i, path := range args.App.WritablePaths {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: appVolume(i), ContainerPath: path})
	}
	for i, files := range args.Sidecar.StaticFiles {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: staticVolume(i), ContainerPath: files.Directory})
	}
	for _, volume := range args.Volumes {
		c.MountPoints = append(c.MountPoints,
			mountPoint{SourceVolume: efsVolume(volume.Name), ContainerPath: volume.MountPath, ReadOnly: volume.ReadOnly})
	}
	if args.App.checksItself() {
		c.HealthCheck = health(args, args.App.HealthCommand...)
	}
	for _, further := range args.Further {
		c.DependsOn = append(c.DependsOn, further.dependency())
	}
	c.RestartPolicy = restart(int(args.App.Restart.Seconds()))
	args.logging(&c, service, values.appLogGroup, values)

	return c
}

// common is what the containers have in common. NGINX and the app are essential: when one exits, ECS stops the task and
// starts another.
func common(args Args, name, image string) container {
	return container{
		Name:           name,
		Image:          image,
		Essential:      true,
		ReadOnly:       !args.Exec,
		StopTimeout:    int(args.StopTimeout.Seconds()),
		PortMappings:   []portMapping{},
		MountPoints:    []mountPoint{},
		VolumesFrom:    []struct{}{},
		SystemControls: []struct{}{},
	}
}

func health(args Args, command ...string) *healthCheck {
	return &healthCheck{
		Command:     command,
		Interval:    int(args.Health.Interval.Seconds()),
		Timeout:     int(args.Health.Timeout.Seconds()),
		Retries:     args.Health.Retries,
		StartPeriod: int(args.Health.StartPeriod.Seconds()),
	}
}

// restart returns no policy for zero seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-restart-policy.html
func restart(seconds int) *restartPolicy {
	if seconds == 0 {
		return nil
	}

	return &restartPolicy{Enabled: true, RestartAttemptPeriod: seconds}
}

// logs sends a container's output to its log group without ever blocking the container: if CloudWatch is slow and the
// buffer full, lines are lost and the service keeps answering.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func logs(service string, args Args, name, group string) logConfiguration {
	return logConfiguration{
		LogDriver: "awslogs",
		Options: map[string]string{
			"awslogs-group":         group,
			"awslogs-region":        args.Region,
			"awslogs-stream-prefix": service + "/" + name,
			"mode":                  "non-blocking",
			"max-buffer-size":       strconv.Itoa(args.LogBufferMegabytes) + "m",
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
