package deployment

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// finding is a cause in a few words, and which setting to change and to what, or what else to do.
type finding struct{ cause, remedy string }

// recogniser returns nil for what it does not recognise.
type recogniser func(evidence) *finding

// ofAnyTask recognise what may befall each task, one of a command included. Those that need less than a running app come first.
var ofAnyTask = []recogniser{
	notPlaced, secretsNotRead, imageNotPulled, notStarted, fileSystemNotMounted, outOfMemory, otherContainer,
	readOnly, portRefused, fileRefused, missingVariable, notReached,
}

// ofServices recognise what may befall a task that is to run on.
var ofServices = []recogniser{appEnded, appHealth, noHealthLine, ownHealthCommand, sidecarEnded, targetUnhealthy, onAlarm}

func (e evidence) recognise(all []recogniser) *finding {
	for _, recognise := range all {
		if found := recognise(e); found != nil {
			return found
		}
	}

	return nil
}

// diagnose names the most certain cause of the failure of a service.
func (e evidence) diagnose() finding {
	if found := e.recognise(slices.Concat(ofAnyTask, ofServices)); found != nil {
		return *found
	}
	if e.outOfTime {
		return finding{
			"its tasks have not become healthy within deployment.timeout",
			"if the tasks only need more time, raise deployment.timeout; otherwise the lines below show what they wait for",
		}
	}

	return finding{"its tasks do not stay healthy: " + cmp.Or(shortened(e.stoppedReason()), "ECS gives no reason"),
		"the lines below show the end of the last task"}
}

// notPlaced recognises tasks that ECS could not even create: quotas and capacity, which only the events of a service name.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func notPlaced(e evidence) *finding {
	for _, event := range e.events {
		switch {
		case strings.Contains(event, "limit on the number of vCPUs"):
			return &finding{"the account's quota of Fargate vCPUs is used up",
				"request a higher quota in Service Quotas (Fargate On-Demand vCPU resource count, or Spot), or lower scale.min or task.cpu"}
		case strings.Contains(event, "Capacity is unavailable at this time"):
			return &finding{"Fargate has no capacity for the tasks in these zones",
				"run pulumi up again later, lower scale.spot, or give the tasks subnets in more zones (network.zones)"}
		case strings.Contains(event, "unable to place a task") && e.task == nil:
			return &finding{"ECS cannot place the tasks: " + shortened(event), "the reason names what is missing"}
		}
	}

	return nil
}

var secretName = regexp.MustCompile(`arn:aws[a-z-]*:(?:ssm|secretsmanager):[^\s"',]+`)

// secretsNotRead recognises secrets that ECS could not give to a container.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
func secretsNotRead(e evidence) *finding {
	reason := e.stoppedReason()
	if !strings.Contains(reason, "ResourceInitializationError") || !strings.Contains(reason, "secret") && !strings.Contains(reason, "ssm") {
		return nil
	}
	which := "a secret of app.secrets"
	if name := secretName.FindString(reason); name != "" {
		which = "the secret " + name
	}
	switch {
	case isNoRoute(reason):
		return noRoute("Secrets Manager and SSM")
	case strings.Contains(reason, "json key"):
		return &finding{which + " has no such JSON key", "correct the key behind # in app.secrets, or add it to the secret's value"}
	case strings.Contains(reason, "AccessDenied"):
		return &finding{"ECS may not read " + which,
			"if it is encrypted with a key of yours, set storage.kmsKey to that key; if it is of another account, its policy must allow the execution role"}
	case isMissing(reason):
		return &finding{which + " does not exist", "create it in this region and account, or correct its name in app.secrets"}
	}

	return &finding{"ECS cannot read " + which, "the reason below says why"}
}

func isMissing(reason string) bool {
	for _, words := range []string{"ResourceNotFoundException", "ParameterNotFound", "invalid ssm parameters", "can't find the specified secret"} {
		if strings.Contains(reason, words) {
			return true
		}
	}

	return false
}

var timedOut = regexp.MustCompile(`(?i)i/o timeout|deadline exceeded|task network configuration|no route to host|connection timed out|Client\.Timeout`)

func isNoRoute(reason string) bool { return timedOut.MatchString(reason) }

func noRoute(service string) *finding {
	return &finding{"the tasks cannot reach " + service,
		"give their subnets a route to it: a NAT gateway or endpoints (network.egress, or those of your VPC with network.vpc), or public subnets (network.egress: public); " +
			"network.ports must contain 443"}
}

var imageName = regexp.MustCompile(`\b([\w-]+(?:\.[\w-]+)+(?::\d+)?/[\w./-]+(?:[:@][\w.:-]+)?)`)

// imageNotPulled recognises images that ECS could not fetch.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
func imageNotPulled(e evidence) *finding {
	reason := e.stoppedReason()
	_, words, pulled := strings.Cut(reason, "CannotPullContainerError")
	if !pulled {
		if strings.Contains(reason, "ResourceInitializationError") && strings.Contains(reason, "registry auth") {
			return noRoute("ECR")
		}
		return nil
	}
	image := "an image"
	if found := imageName.FindStringSubmatch(words); found != nil {
		image = "the image " + strings.TrimRight(found[1], ":.,")
	}
	switch {
	case strings.Contains(words, "platform") || strings.Contains(words, "no matching manifest"):
		return wrongArchitecture(image + " is not")
	case isNoRoute(words):
		return noRoute("the registry of " + image)
	case strings.Contains(words, "denied") || strings.Contains(words, "authorization"):
		return &finding{"the registry refuses " + image, "the execution role must be allowed to pull it: an ECR repository of another account needs a policy that allows it"}
	case strings.Contains(words, "not found") || strings.Contains(words, "manifest unknown") || strings.Contains(words, "does not exist"):
		return &finding{image + " does not exist any more or never did", "set app.image, or the image in containers, to one that exists; " +
			"an image that this stack builds is pushed again by: pulumi up --refresh"}
	}

	return &finding{"ECS cannot pull " + image, "the reason below says why"}
}

func wrongArchitecture(what string) *finding {
	return &finding{what + " built for the tasks' processor", "set task.architecture to the image's (X86_64 or ARM64), or build the image for both"}
}

var (
	badFormat   = regexp.MustCompile(`(?i)exec format error`)
	notThere    = regexp.MustCompile(`(?i)executable file not found|no such file or directory`)
	notAllowed  = regexp.MustCompile(`(?i)permission denied`)
	quotedWords = regexp.MustCompile(`exec: \\?"([^"\\]+)`)
)

// notStarted recognises a command that the app's container cannot run.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html (CannotStartContainerError)
func notStarted(e evidence) *finding {
	app := e.container(appName)
	if app.match(badFormat) != nil || badFormat.MatchString(aws.ToString(app.seen.Reason)) {
		return wrongArchitecture("the app's program is not")
	}
	reason := aws.ToString(app.seen.Reason)
	if !strings.Contains(reason, "CannotStartContainerError") && !strings.Contains(reason, "CannotCreateContainerError") &&
		!strings.Contains(reason, "ContainerRuntimeError") && !app.endedWith(127) && !app.endedWith(126) {
		return nil
	}
	command := strings.Join(app.definition.Command, " ")
	if found := quotedWords.FindStringSubmatch(reason); found != nil {
		command = found[1]
	}
	command = cmp.Or(command, "the image's own command")
	switch {
	case notAllowed.MatchString(reason) || app.endedWith(126):
		return &finding{"the app's command cannot be executed: " + command,
			"make it executable for the user " + cmp.Or(aws.ToString(app.definition.User), "of the image") + " in the Dockerfile (chmod +x), or set app.command or app.user"}
	case notThere.MatchString(reason) || app.endedWith(127):
		return &finding{"the app's command was not found in its image: " + command, "set app.command to a program that the image has, or remove it for the image's own command"}
	}

	return &finding{"the app's container cannot start: " + shortened(reason), "correct app.command, app.user or app.image"}
}

// fileSystemNotMounted recognises EFS.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
func fileSystemNotMounted(e evidence) *finding {
	reason := e.stoppedReason()
	if !strings.Contains(strings.ToLower(reason), "efs") || !strings.Contains(reason, "ResourceInitializationError") {
		return nil
	}

	return &finding{"a file system of app.volumes cannot be mounted",
		"it needs a mount target in each zone of the tasks, and a security group that allows 2049 from the tasks' (network.groups)"}
}

// outOfMemory recognises a container that was killed for its memory.
func outOfMemory(e evidence) *finding {
	for _, c := range e.containers {
		if strings.Contains(aws.ToString(c.seen.Reason), "OutOfMemory") || c.match(heapFull) != nil {
			return &finding{"the container " + c.name + " ran out of memory", "raise task.memory (now " + cmp.Or(aws.ToString(e.task.Memory), "?") +
				" MiB for the whole task), or lower what the app takes, such as the heap of its runtime"}
		}
	}
	sidecarFirst := e.container(sidecarName).hasFailed() && !e.container(sidecarName).endedWith(137) // then ECS has killed the app
	if app := e.container(appName); app.endedWith(137) && !sidecarFirst && e.task.StopCode == types.TaskStopCodeEssentialContainerExited {
		return &finding{"the app was killed (SIGKILL), most likely because the task ran out of memory",
			"raise task.memory (now " + cmp.Or(aws.ToString(e.task.Memory), "?") + " MiB for the whole task)"}
	}

	return nil
}

var heapFull = regexp.MustCompile(`JavaScript heap out of memory|java\.lang\.OutOfMemoryError|MemoryError`)

// otherContainer recognises an extra container that has ended.
func otherContainer(e evidence) *finding {
	for _, c := range e.containers {
		if c.name == appName || c.name == sidecarName || c.definition.Essential != nil && !*c.definition.Essential {
			continue
		}
		if code := c.seen.ExitCode; c.seen.Reason != nil || c.isUnhealthy() || code != nil && *code != 0 && *code != 143 {
			return &finding{"the extra container " + c.describe(), "correct it in containers, or set essential: false for it if the app can do without"}
		}
	}

	return nil
}

var (
	readOnlyError = regexp.MustCompile(`(?i)read-only file ?system|EROFS|ReadOnlyFileSystemException`)
	noTemporary   = regexp.MustCompile(`(?i)no usable temporary directory|unable to create temp|cannot create temp`)
	aPath         = regexp.MustCompile(`(?:^|[\s'"(=:])(/[\w.@+-]+(?:/[\w.@+-]+)*)`)
)

// readOnly recognises an app that writes to its root file system.
func readOnly(e evidence) *finding {
	app := e.container(appName)
	if app.match(noTemporary) != nil {
		return &finding{"the app has no directory for temporary files: its root file system is read-only",
			"set app.writablePaths: [/tmp], and write VOLUME /tmp into the Dockerfile so that the app's user may write there"}
	}
	if app.match(readOnlyError) == nil {
		return nil
	}
	directory := app.readOnlyDirectory()
	if directory == "" {
		return &finding{"the app writes to its root file system, which is read-only",
			"set app.writablePaths to the directory that it writes to, and declare that as a VOLUME in the Dockerfile so that the app's user may write there"}
	}

	return &finding{"the app writes to " + directory + ", but its root file system is read-only",
		fmt.Sprintf("set app.writablePaths: [%s], and write VOLUME %s into the Dockerfile so that the app's user may write there", directory, directory)}
}

// readOnlyDirectory is the directory that a line about a read-only file system names, or "".
func (c container) readOnlyDirectory() string {
	line, directory := c.lastPath(readOnlyError)
	if parent := path.Dir(directory); directory != "" && parent != "/" && !strings.Contains(line, "mkdir") {
		return parent
	}

	return directory
}

// lastPath is the path that a line with an error names, in the last line that has one. Some runtimes print the error once more
// without the path.
func (c container) lastPath(about *regexp.Regexp) (line, found string) {
	for _, line := range slices.Backward(c.lines) {
		if paths := aPath.FindAllStringSubmatch(line, -1); paths != nil && about.MatchString(line) {
			return line, paths[len(paths)-1][1]
		}
	}

	return "", ""
}

var (
	portTaken  = regexp.MustCompile(`(?i)EADDRINUSE|address (?:already )?in use`)
	noAddress  = regexp.MustCompile(`(?i)(?:listen|bind).*(?:EADDRNOTAVAIL|cannot assign requested address)`)
	lowPort    = regexp.MustCompile(`(?i)(?:listen|bind).*(?:EACCES|permission denied)|(?:EACCES|permission denied).*(?:listen|bind|:(?:80|443)\b)`)
	noFile     = regexp.MustCompile(`(?i).*(?:EACCES|permission denied|AccessDeniedException).*`)
	aVariable  = regexp.MustCompile(`\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b`)
	isNotGiven = regexp.MustCompile(`(?i).*(?:KeyError|environment variable|env var|is not set|not set|is missing|is required|must be set|no value for|undefined variable|unbound variable|parameter not set).*`)
	noHost     = regexp.MustCompile(`(?i).*(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|connection refused|could not connect|no such host|name or service not known|could not translate host name).*`)
)

const listensNearby = "let the app listen on 127.0.0.1 or 0.0.0.0; many apps take the address from a variable: " +
	"the program sets HOST, for Next.js set app.environment: {HOSTNAME: 127.0.0.1}"

// portRefused recognises an app that may not listen where it wants to.
func portRefused(e evidence) *finding {
	app := e.container(appName)
	switch {
	case app.match(portTaken) != nil, e.container(sidecarName).match(portTaken) != nil: // whichever came second
		return &finding{"the port on which the app listens is taken in its task, where NGINX has " + e.sidecarPort(),
			"let the app listen on " + e.appPort() + " (its variable PORT), or set app.port or http.port to other ones"}
	case app.match(noAddress) != nil:
		return &finding{"the app listens on an address that its task does not have", listensNearby}
	case app.match(lowPort) != nil:
		return &finding{"the app may not listen on a port below 1024, because its user is not root",
			"let the app listen on " + e.appPort() + " (its variable PORT), or set app.port to another port above 1023"}
	}

	return nil
}

func (e evidence) sidecarPort() string {
	return cmp.Or(e.container(sidecarName).variable("NGINX_PORT"), "8080")
}

func (e evidence) appPort() string { return cmp.Or(e.container(appName).variable("PORT"), "app.port") }

// fileRefused recognises an app whose user may not use a file.
func fileRefused(e evidence) *finding {
	app := e.container(appName)
	if app.match(noFile) == nil || !app.hasFailed() {
		return nil
	}
	file := "a file"
	if _, found := app.lastPath(noFile); found != "" {
		file = found
	}

	return &finding{"the app's user " + aws.ToString(app.definition.User) + " may not use " + file,
		"give the file to that user in the Dockerfile (COPY --chown), or set app.user to the one that the image is made for"}
}

// hasFailed reports whether the container ended with an error of its own.
func (c container) hasFailed() bool {
	code := c.seen.ExitCode

	return code != nil && *code != 0 && *code != 143
}

// missingVariable recognises an app that names a variable which it does not have.
func missingVariable(e evidence) *finding {
	app := e.container(appName)
	line := app.match(isNotGiven)
	if line == nil || !app.hasFailed() {
		return nil
	}
	found := aVariable.FindStringSubmatch(line[0])
	if found == nil {
		return nil
	}

	return &finding{"the app misses the variable " + found[1], "set app.environment: {" + found[1] + ": …}, or app.secrets if its value is secret"}
}

// notReached recognises an app that ends because it cannot reach another service.
func notReached(e evidence) *finding {
	app := e.container(appName)
	line := app.lastFlush(noHost)
	if line == "" || !app.hasFailed() {
		return nil
	}

	return &finding{"the app cannot reach another service: " + shortened(line),
		"check the address in app.environment or app.secrets; the tasks may connect only to network.ports and network.groups, and the other side must allow their security group"}
}

// lastFlush is the last line that has a pattern, if possible one that is not indented: below an error, some runtimes print its parts.
func (c container) lastFlush(pattern *regexp.Regexp) string {
	found := ""
	for _, line := range slices.Backward(c.lines) {
		if !pattern.MatchString(line) {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			return line
		}
		found = cmp.Or(found, line)
	}

	return found
}

// appEnded recognises an app that ended by itself for a reason of its own.
func appEnded(e evidence) *finding {
	app := e.container(appName)
	if app.seen.ExitCode == nil || e.task.StopCode != types.TaskStopCodeEssentialContainerExited || e.container(sidecarName).hasFailed() && !app.hasFailed() {
		return nil
	}
	switch code := *app.seen.ExitCode; {
	case code == 0:
		return &finding{"the app ended by itself without an error, but a service must keep running",
			"set app.command to what serves requests in the foreground; what is to run once belongs in deployment.command or schedule"}
	case code == 139:
		return &finding{"the app crashed: SIGSEGV, exit code 139", "a native library of the image is most likely at fault: check that all are built for this base image and architecture"}
	}
	last := "it wrote nothing"
	if lines := telling(app.lines, linesShown); len(lines) > 0 {
		last = "its last lines are below"
	}

	return &finding{fmt.Sprintf("the app ended with exit code %d; %s", *app.seen.ExitCode, last), "correct the app, or what it is given in app.environment, app.secrets and app.command"}
}

// healthLine is the sidecar's about the app's last answer to the health check. images/nginx writes it.
var healthLine = regexp.MustCompile(`app health: (\S+): (.*?)(?:; listening in this task: (.*))?$`)

// refusedHost begins what the sidecar says of an app that answered 400 to NGINX, and ends with the Host of that request.
const refusedHost = "status 400 for Host "

// appHealth recognises what NGINX got instead of a healthy answer.
func appHealth(e evidence) *finding {
	line := e.container(sidecarName).match(healthLine)
	if line == nil {
		return nil
	}
	address, answer, listening := line[1], line[2], line[3]
	switch {
	case strings.Contains(answer, "refused"), strings.Contains(answer, "no such file"):
		return e.notListening(address, answer, listening)
	case strings.Contains(answer, "no answer within"):
		return &finding{fmt.Sprintf("the app gives %s on %s", answer, address),
			"set app.health to a path that the app answers at once, or let it answer within 2 s; if it only lacks CPU, raise task.cpu"}
	case strings.HasPrefix(answer, refusedHost):
		host := strings.TrimPrefix(answer, refusedHost)

		return &finding{fmt.Sprintf("the app answers %s on %s", answer, address),
			fmt.Sprintf("let it accept the Host %s (Django: ALLOWED_HOSTS, Rails: config.hosts), or put first in http.hosts a name that it accepts", host)}
	case strings.HasPrefix(answer, "status 404"):
		return &finding{fmt.Sprintf("the app answers %s on %s", answer, address), "set app.health to a path that the app answers with a status from 200 to 399"}
	case strings.HasPrefix(answer, "status 401"), strings.HasPrefix(answer, "status 403"):
		return &finding{fmt.Sprintf("the app answers %s on %s", answer, address), "set app.health to a path that needs no login"}
	case strings.HasPrefix(answer, "no fastcgi answer"), strings.HasPrefix(answer, "no uwsgi answer"):
		return &finding{fmt.Sprintf("the app does not speak what app.protocol says on %s: %s", address, answer),
			"set app.protocol to what it speaks there, http, fastcgi or uwsgi, and app.port to that port"}
	case strings.HasPrefix(answer, "php-fpm has no such script"):
		return &finding{fmt.Sprintf("%s (%s)", answer, address), "set app.documentRoot to the directory of the app's image that holds index.php, and let app.user read it"}
	case strings.HasPrefix(answer, "status "):
		return &finding{fmt.Sprintf("the app answers %s on %s", answer, address),
			"the app's lines say why; if only that path depends on something that is away, set app.health to one that does not"}
	}

	return &finding{fmt.Sprintf("the app does not speak HTTP on %s: %s", address, answer),
		"let the app serve plain HTTP there; TLS for clients ends at the load balancer (domain)"}
}

// noHealthLine recognises health checks that ECS ended before they could say anything: nothing but a lack of CPU delays them so.
func noHealthLine(e evidence) *finding {
	sidecar := e.container(sidecarName)
	if !sidecar.isUnhealthy() || sidecar.hasFailed() {
		return nil
	}

	return &finding{"the health check of NGINX did not end in time, and left no line about the app",
		"raise task.cpu (now " + cmp.Or(aws.ToString(e.task.Cpu), "?") + "): the containers take more than there is; if only the start does, raise app.startTime"}
}

// lowestPort is the lowest that a user other than root may listen on, and that app.port accepts.
const lowestPort = 1024

// notListening says where the app listens instead.
func (e evidence) notListening(address, answer, listening string) *finding {
	where, _, _ := strings.Cut(address, "/")
	cause := fmt.Sprintf("the app does not listen on %s (%s)", where, answer)
	var others []string
	for _, one := range strings.Split(listening, ", ") {
		if one != "" && !strings.HasSuffix(one, ":"+e.sidecarPort()) {
			others = append(others, one)
		}
	}
	if len(others) == 0 {
		start := e.startPeriod()
		return &finding{cause + ": nothing but NGINX listens in the task yet",
			fmt.Sprintf("if the app needs longer to start, raise app.startTime (now %ds); otherwise its lines say what it waits for", start)}
	}
	cause += "; it listens on " + strings.Join(others, ", ")
	wanted, err := netip.ParseAddrPort(where)
	for _, other := range others {
		if got, wrong := netip.ParseAddrPort(other); err == nil && wrong == nil && got.Port() == wanted.Port() {
			return &finding{cause, listensNearby}
		}
	}
	port, variable := others[0][strings.LastIndex(others[0], ":")+1:], "let the app listen on "+e.appPort()+", the port in its variable PORT"
	if number, err := strconv.Atoi(port); err != nil || number < lowestPort {
		return &finding{cause, variable}
	}

	return &finding{cause, fmt.Sprintf("set app.port: %s, or %s", port, variable)}
}

func (e evidence) startPeriod() int32 {
	if check := e.container(sidecarName).definition.HealthCheck; check != nil {
		return aws.ToInt32(check.StartPeriod)
	}

	return 0
}

// ownHealthCommand recognises a health check in the app's own container. ECS keeps nothing of what it writes.
func ownHealthCommand(e evidence) *finding {
	app := e.container(appName)
	if !app.isUnhealthy() || app.definition.HealthCheck == nil {
		return nil
	}

	return &finding{"the app's own health command fails: " + strings.Join(app.definition.HealthCheck.Command, " "),
		"check that the image has this program and that it exits with status 0 (ECS keeps nothing of its output), or set app.health instead of app.healthCommand"}
}

// sidecarEnded recognises settings that NGINX does not accept.
func sidecarEnded(e evidence) *finding {
	sidecar := e.container(sidecarName)
	if !sidecar.hasFailed() {
		return nil
	}
	cause := "the sidecar ended with " + strings.TrimPrefix(sidecar.describe(), sidecarName+": ")
	if lines := telling(sidecar.lines, linesShown); len(lines) > 0 {
		cause += ": " + shortened(lines[len(lines)-1])
	}

	return &finding{cause, "correct the setting that it names"}
}

// targetUnhealthy recognises the load balancer's health check, which NGINX answers itself.
func targetUnhealthy(e evidence) *finding {
	if !strings.Contains(e.stoppedReason(), "ELB health checks") {
		return nil
	}
	details := ""
	if i := slices.IndexFunc(e.events, func(event string) bool { return strings.Contains(event, "is unhealthy in") }); i >= 0 {
		_, details, _ = strings.Cut(e.events[i], "due to ")
	}

	return &finding{"the load balancer's health check does not pass " + details,
		"raise app.startTime if the app needs longer to start; otherwise check that its security group may reach the tasks (with network.vpc: the network's rules, too)"}
}

// onAlarm recognises a rollback because of an alarm.
func onAlarm(e evidence) *finding {
	if e.deployment == nil || e.deployment.Alarms == nil || len(e.deployment.Alarms.TriggeredAlarmNames) == 0 {
		return nil
	}

	return &finding{"an alarm fired during the deployment: " + strings.Join(e.deployment.Alarms.TriggeredAlarmNames, ", "),
		"look at what the alarm measures; the tasks themselves were healthy (monitoring.alarms: false would keep such a deployment)"}
}
