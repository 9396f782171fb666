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
	Image string `json:"image"`
	User  string `json:"user"`
	// Output are the options of one of Fluent Bit's outputs; Name says which. Options in SecretNames get their values from
	// a store.
	Output      settings.Values `json:"output"`
	SecretNames settings.Values `json:"secrets"`

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

// linesPerMegabyte makes a number of lines out of logBufferMegabytes, for lines of 1 KiB. NGINX's have about half of that.
const linesPerMegabyte = 1024

// ownOptions are set by ECS or by the program. Each comes with what an error names as allowed instead.
var ownOptions = map[string]string{
	"Match":     "no value; ECS gives each container its own",
	bufferLimit: "the setting logBufferMegabytes instead",
}

// needDisk are outputs that write to the disk first, which is read-only.
// https://docs.fluentbit.io/manual/data-pipeline/outputs/s3
var needDisk = []string{"s3"}

var (
	outputPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	optionPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)
)

func readLogRouter(r *settings.Reader) LogRouter {
	router := settings.Object[LogRouter](r, logRouterKey, "image, user, output, secrets")
	if r.Wrong(logRouterKey) || router.isEmpty() {
		return LogRouter{}
	}

	fail := func(field, got, allowed string) { r.FailIn(logRouterKey, logRouterKey+"."+field, got, allowed) }
	if !settings.IsImage(router.Image) {
		fail("image", strconv.Quote(router.Image), settings.ImageAllowed)
	}
	if !userPattern.MatchString(router.User) {
		fail("user", strconv.Quote(router.User), userAllowed)
	}
	switch name := router.Output["Name"]; {
	case !outputPattern.MatchString(name):
		fail("output.Name", strconv.Quote(name), "the name of one of Fluent Bit's outputs, such as http")
	case slices.Contains(needDisk, name):
		fail("output.Name", name+" writes to the disk, which is read-only", "an output that does not, such as http")
	}
	for _, option := range slices.Sorted(maps.Keys(router.Output)) {
		router.checkOption(fail, option)
	}
	router.secrets = r.CheckSecrets(logRouterKey, logRouterKey+".secrets", router.SecretNames, nil)

	return router
}

func (l LogRouter) isEmpty() bool {
	return l.Image == "" && l.User == "" && len(l.Output) == 0 && len(l.SecretNames) == 0
}

// checkOption keeps a value from adding lines of its own to the configuration that ECS writes.
func (l LogRouter) checkOption(fail func(field, got, allowed string), option string) {
	value := l.Output[option]
	switch _, secret := l.SecretNames[option]; {
	case !optionPattern.MatchString(option):
		fail("output", strconv.Quote(option), "names of letters, digits, dots, hyphens and underscores that begin with a letter")
	case ownOptions[option] != "":
		fail("output."+option, "set by the program", ownOptions[option])
	case secret:
		fail("output."+option, "in secrets, too", "each option once")
	case settings.HoldsAWSKey(value):
		fail("output."+option, "holds an AWS access key", "rights granted through taskPolicyArns")
	case value == "" || strings.ContainsFunc(value, unicode.IsControl):
		fail("output."+option, strconv.Quote(value), "one line")
	}
}

// routerPort is where Fluent Bit listens in a task, beside its socket.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html
const routerPort = 24224

func checkLogRouter(r *settings.Reader, s Settings) {
	for key, port := range map[string]int{"appPort": s.AppPort, "containerPort": s.ContainerPort} {
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
	if secrets := b.secrets[logRouterName]; len(secrets) > 0 {
		c.LogConfiguration.SecretOptions = secrets
	}
	c.DependsOn = append(c.DependsOn, dependency{ContainerName: logRouterName, Condition: "START"})
}

// RoutesLogs reports whether the logs of NGINX and the app go to another place than CloudWatch.
func (s Settings) RoutesLogs() bool { return s.LogRouter.on() }
