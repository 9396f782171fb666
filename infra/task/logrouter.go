package task

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"fargate-nginx-sidecar/infra/settings"
)

// LogRouter is a container with Fluent Bit that sends the logs of NGINX and the app to another place than CloudWatch. AWS
// calls this FireLens: ECS writes Fluent Bit's configuration, and hands it the lines.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html
type LogRouter struct {
	// Image holds Fluent Bit, such as AWS for Fluent Bit. User is like the app's.
	Image, User string
	// Output are the options of one of Fluent Bit's outputs; Name says which. Options in secrets get their values from a
	// store.
	Output map[string]string

	secrets map[string]settings.Secret
}

// on reports whether there is a log router.
func (l LogRouter) on() bool { return l.Image != "" }

const (
	logRouterKey  = "logRouter"
	logRouterName = "log-router"
)

// routerMemory is what AWS's own examples reserve for Fluent Bit, in MiB. It is no limit.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html
const routerMemory = 50

// bufferLimit is an option of the log driver, not of Fluent Bit: how many lines of a container wait for the router.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-docker-buffer-limit.html
const bufferLimit = "log-driver-buffer-limit"

// linesPerMegabyte makes a number of lines out of the buffer, for lines of 1 KiB. NGINX's have about half of that.
const linesPerMegabyte = 1024

// ownOptions are set by ECS or by the program. Each comes with the reason.
var ownOptions = map[string]string{
	"Match":     "ECS gives each container its own",
	bufferLimit: "it is as large as the buffer of a container without a log router",
}

// needDisk are outputs that write to the disk first, which is read-only.
// https://docs.fluentbit.io/manual/data-pipeline/outputs/s3
var needDisk = []string{"s3"}

var (
	outputPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	optionPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)
)

func readLogRouter(g settings.Group) LogRouter {
	const source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html"
	const names = "names of letters, digits, dots, hyphens and underscores that begin with a letter"
	router := LogRouter{
		Image: g.Required("image", settings.Form{Allowed: settings.ImageAllowed, Check: settings.IsImage},
			"Image of Fluent Bit, such as `public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.14`.", source),
		User: g.Required("user", user, "User, as in `app.user`.", source),
		Output: g.Map("output",
			"Options of one of Fluent Bit's outputs, as in `{Name: http, Host: logs.example.com, Port: 443, tls: \"on\"}`. An output to an AWS service needs its permissions in `app.policies`.",
			"https://docs.fluentbit.io/manual/data-pipeline/outputs"),
		secrets: g.Secrets("secrets", nil, "Options whose values ECS reads from a store, as in `app.secrets`.", source),
	}
	if !g.Given() {
		return LogRouter{}
	}

	switch name := router.Output["Name"]; {
	case !outputPattern.MatchString(name):
		g.Fail("output.Name", strconv.Quote(name), "the name of one of Fluent Bit's outputs, such as http")
	case slices.Contains(needDisk, name):
		g.Fail("output.Name", name+" writes to the disk, which is read-only", "an output that does not, such as http")
	}
	for _, name := range slices.Sorted(maps.Keys(router.Output)) {
		router.checkOption(g, name, names)
	}

	return router
}

// checkOption keeps a value from adding lines of its own to the configuration that ECS writes.
func (l LogRouter) checkOption(g settings.Group, option, names string) {
	value := l.Output[option]
	switch _, secret := l.secrets[option]; {
	case !optionPattern.MatchString(option):
		g.Fail("output", strconv.Quote(option), names)
	case ownOptions[option] != "":
		g.Fail("output."+option, "reserved: set by the program", "no value; "+ownOptions[option])
	case secret:
		g.Fail("output."+option, "in secrets, too", "each option once")
	case settings.HoldsAWSKey(value):
		g.Fail("output."+option, "holds an AWS access key", "permissions granted through app.policies")
	case value == "" || strings.ContainsFunc(value, unicode.IsControl):
		g.Fail("output."+option, strconv.Quote(value), "one line")
	}
}

// routerPort is where Fluent Bit listens in a task, beside its socket.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html
const routerPort = 24224

func checkLogRouter(r *settings.Reader, s Settings) {
	for key, port := range map[string]int{"app.port": s.AppPort, "http.port": s.ContainerPort} {
		if s.LogRouter.on() && port == routerPort {
			r.Conflict([]string{logRouterKey, key}, "the log router listens on 24224; allowed: another port")
		}
	}
}

// logRouter renders the router. Its own log, which says why an output fails, goes to CloudWatch.
func (b builder) logRouter() container {
	c := b.common(logRouterName, b.LogRouter.Image)
	c.User = b.LogRouter.User
	c.Environment = []variable{}
	c.MemoryReservation = routerMemory
	c.DockerLabels = b.secrets[logRouterName].versions
	c.FireLens = &fireLens{Type: "fluentbit", Options: map[string]string{"enable-ecs-log-metadata": "true"}}
	c.LogConfiguration = b.logs(logRouterName, b.AppLogGroup)

	return c
}

// logging makes NGINX or the app write to the log router, if there is one, or to a log group. The router starts before
// them and stops after them. ECS does not wait for the router: while it is slow and the buffer full, lines are lost.
func (b builder) logging(c *container, group string) {
	if !b.LogRouter.on() {
		c.LogConfiguration = b.logs(c.Name, group)
		return
	}

	options := maps.Clone(b.LogRouter.Output)
	options[bufferLimit] = strconv.Itoa(b.LogBufferMegabytes * linesPerMegabyte)
	c.LogConfiguration = logConfiguration{LogDriver: "awsfirelens", Options: options, SecretOptions: []source{}}
	if secrets := b.secrets[logRouterName].sources; len(secrets) > 0 {
		c.LogConfiguration.SecretOptions = secrets
	}
	c.DependsOn = append(c.DependsOn, dependency{ContainerName: logRouterName, Condition: "START"})
}

// RoutesLogs reports whether the logs of NGINX and the app go to another place than CloudWatch.
func (s Settings) RoutesLogs() bool { return s.LogRouter.on() }
