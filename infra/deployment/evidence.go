package deployment

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// evidence is all that a failed deployment leaves.
type evidence struct {
	deployment *types.ServiceDeployment
	outOfTime  bool
	// task is the one that failed last, or nil; containers are its.
	task       *types.Task
	containers []container
	// events are the service's, the newest first.
	events []string
}

// container is a container of a task that failed.
type container struct {
	name       string
	definition types.ContainerDefinition
	seen       types.Container
	lines      []string
}

// The names of the two containers that each task has.
const (
	sidecarName = "nginx"
	appName     = "app"
)

func (e evidence) container(name string) container {
	for _, c := range e.containers {
		if c.name == name {
			return c
		}
	}

	return container{name: name}
}

// stoppedReason is ECS's reason for the end of the task, followed by those of its containers.
func (e evidence) stoppedReason() string {
	if e.task == nil {
		return ""
	}
	all := []string{aws.ToString(e.task.StoppedReason)}
	for _, c := range e.containers {
		if c.seen.Reason != nil {
			all = append(all, *c.seen.Reason)
		}
	}

	return strings.Join(all, "\n")
}

func (c container) isUnhealthy() bool { return c.seen.HealthStatus == types.HealthStatusUnhealthy }

// ended reports whether the container ended by itself: with a code, and not because ECS stopped it.
func (c container) endedWith(code int32) bool {
	return c.seen.ExitCode != nil && *c.seen.ExitCode == code
}

// variable is the value of a variable that the task definition gives the container.
func (c container) variable(name string) string {
	for _, v := range c.definition.Environment {
		if aws.ToString(v.Name) == name {
			return aws.ToString(v.Value)
		}
	}

	return ""
}

// match returns what a pattern finds in the container's lines, in the last line that has it.
func (c container) match(pattern *regexp.Regexp) []string {
	for _, line := range slices.Backward(c.lines) {
		if found := pattern.FindStringSubmatch(line); found != nil {
			return found
		}
	}

	return nil
}

// exitMeaning says what the codes mean that programs do not choose by themselves.
// https://tldp.org/LDP/abs/html/exitcodes.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var exitMeaning = map[int32]string{
	0:   "it ended by itself, without an error",
	126: "its command cannot be executed",
	127: "its command was not found",
	134: "it aborted itself: SIGABRT",
	137: "it was killed: out of memory, or still running after task.stopTimeout",
	139: "it crashed: SIGSEGV",
	143: "ECS stopped it: SIGTERM",
}

// describe is what ECS reports about the end of a container.
func (c container) describe() string {
	var known []string
	if code := c.seen.ExitCode; code != nil {
		text := fmt.Sprintf("exit code %d", *code)
		if meaning := exitMeaning[*code]; meaning != "" {
			text += " (" + meaning + ")"
		}
		known = append(known, text)
	}
	if c.isUnhealthy() {
		known = append(known, "unhealthy")
	}
	if c.seen.Reason != nil {
		known = append(known, shortened(*c.seen.Reason))
	}
	if len(known) == 0 && aws.ToString(c.seen.LastStatus) == "RUNNING" {
		known = append(known, "running")
	}

	return c.name + ": " + cmp.Or(strings.Join(known, ", "), "not started")
}

// details are what the cause was taken from.
func (e evidence) details() []string {
	lines := []string{e.outcome()}
	if e.task == nil {
		if len(e.events) > 0 {
			lines = append(lines, "Last event: "+shortened(e.events[0]))
		}
		return lines
	}
	lines = append(lines, e.ofTask()...)
	if unchecked := e.unchecked(); unchecked != "" {
		lines = append(lines, unchecked)
	}

	return lines
}

// ofTask are the end of the task and of its containers, and what those wrote last.
func (e evidence) ofTask() (lines []string) {
	if reason := aws.ToString(e.task.StoppedReason); reason != "" {
		lines = append(lines, fmt.Sprintf("Task %s stopped: %s", taskID(*e.task), shortened(reason)))
	}
	shown := e.shown()
	writers := 0
	for _, c := range shown {
		if c.name != sidecarName {
			writers++
		}
	}
	for _, c := range shown {
		lines = append(lines, "  "+c.describe())
		if c.name == sidecarName {
			continue // what it says about the app is in the cause
		}
		for _, line := range telling(c.lines, linesShown/writers) {
			lines = append(lines, "    "+line)
		}
	}

	return lines
}

// unchecked is what an app that failed before it answered anything has to meet next, so that its user corrects both at once. An
// app that was deployed before has met it.
func (e evidence) unchecked() string {
	sidecar := e.container(sidecarName)
	path := sidecar.variable("NGINX_APP_HEALTH_PATH")
	seen := e.container(appName).seen
	hasStarted := seen.ExitCode != nil || aws.ToString(seen.LastStatus) == "RUNNING"
	if path == "" || !hasStarted || e.deployment != nil && e.deployment.Rollback != nil {
		return ""
	}
	if line := sidecar.match(healthLine); line != nil && strings.HasPrefix(line[2], "status ") {
		return ""
	}

	return fmt.Sprintf("Not reached yet: GET http://127.0.0.1:%s%s must answer with a status from 200 to 399 (app.port, app.health)", e.appPort(), path)
}

// shown are the app and the containers that ended with an error.
func (e evidence) shown() []container {
	shown := slices.DeleteFunc(slices.Clone(e.containers), func(c container) bool {
		return c.name != appName && c.seen.Reason == nil && !c.isUnhealthy() && (!c.hasFailed() || c.name == sidecarName && c.endedWith(137))
	})

	return shown[:min(len(shown), 3)]
}

// outcome says what became of the deployment.
func (e evidence) outcome() string {
	switch d := e.deployment; {
	case d == nil:
		return "ECS lists no deployment"
	case e.outOfTime:
		return "The deployment was still in progress after deployment.timeout"
	case d.Rollback != nil:
		return fmt.Sprintf("ECS rolled the deployment back after %s: %s", e.took(), cmp.Or(shortened(aws.ToString(d.Rollback.Reason)), "it gives no reason"))
	default:
		return fmt.Sprintf("The deployment failed after %s, and there is none to return to: %s",
			e.took(), cmp.Or(shortened(aws.ToString(d.StatusReason)), "ECS gives no reason"))
	}
}

// took is the time from the start of the deployment to its failure, in seconds.
func (e evidence) took() time.Duration {
	d := e.deployment
	end := cmp.Or(d.FinishedAt, d.StoppedAt, d.UpdatedAt)
	if d.Rollback != nil && d.Rollback.StartedAt != nil {
		end = d.Rollback.StartedAt
	}
	if d.CreatedAt == nil || end == nil {
		return 0
	}

	return end.Sub(*d.CreatedAt).Round(time.Second)
}

// shortened is a text on one line of a limited length. AWS's reasons may have a whole answer in them.
func shortened(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}

	return text
}
