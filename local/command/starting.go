package command

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/machine"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// While a service starts, its user wants to know what it waits for. lookEvery is between two looks; a new answer is printed after
// patience, because most tasks are healthy by then.
const (
	lookEvery = 2 * time.Second
	patience  = 20 * time.Second
)

// longestLine is how much is shown of a line of a container's log, in bytes.
const longestLine = 200

// explainStart prints, until the context ends, why tasks that run for a while are not healthy yet: each reason once, and not too
// often. Tasks that ended before it began are those of another deploy.
func explainStart(ctx context.Context, client clients, printer *machine.Printer) {
	begun := time.Now()
	var last string
	var when time.Time
	for ticker := time.NewTicker(lookEvery); ; {
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
		}
		services, err := client.services(ctx)
		if err != nil {
			continue // there is no cluster yet, or the run is ending
		}
		for _, service := range services {
			why := client.notHealthy(ctx, service, begun, time.Now().Add(-patience))
			if why != "" && why != last && time.Since(when) > patience {
				last, when = why, time.Now()
				printer.Line("  waiting for service %s: %s", aws.ToString(service.ServiceName), why)
			}
		}
	}
}

// notHealthy is why the newest tasks of a service are not healthy, or "" if they are, ended before since, or started after before.
func (c clients) notHealthy(ctx context.Context, service ecstypes.Service, since, before time.Time) string {
	for _, status := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		tasks, err := c.tasks(ctx, service, status)
		if err != nil {
			return ""
		}
		slices.SortFunc(tasks, func(a, b ecstypes.Task) int { return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt)) })
		for _, task := range tasks {
			if task.StoppingAt != nil && task.StoppingAt.Before(since) {
				continue
			}
			if why := c.why(ctx, service, task, before); why != "" {
				return why
			}
		}
	}
	return ""
}

// why is what is wrong with one task of the definition that a service is to run.
func (c clients) why(ctx context.Context, service ecstypes.Service, task ecstypes.Task, before time.Time) string {
	stopped := task.StoppedReason != nil
	switch {
	case aws.ToString(task.TaskDefinitionArn) != aws.ToString(service.TaskDefinition),
		!stopped && (task.HealthStatus == ecstypes.HealthStatusHealthy || aws.ToTime(task.CreatedAt).After(before)),
		stopped && !strings.HasPrefix(aws.ToString(task.StoppedReason), "Essential") && !strings.HasPrefix(aws.ToString(task.StoppedReason), "Task failed"):
		return ""
	}
	parts := []string{"a task is not healthy yet"}
	if stopped {
		parts = []string{"a task stopped: " + *task.StoppedReason}
	}
	for _, container := range task.Containers {
		parts = append(parts, c.described(ctx, task, container))
	}
	return strings.Join(parts, "\n    ")
}

// described is the state of a container, and what it wrote last.
func (c clients) described(ctx context.Context, task ecstypes.Task, container ecstypes.Container) string {
	text := fmt.Sprintf("%s: %s", aws.ToString(container.Name), strings.ToLower(aws.ToString(container.LastStatus)))
	if container.ExitCode != nil {
		text = fmt.Sprintf("%s: exit code %d", aws.ToString(container.Name), *container.ExitCode)
	}
	if container.HealthStatus == ecstypes.HealthStatusUnhealthy {
		text += ", unhealthy"
	}
	if container.Reason != nil {
		text += ", " + *container.Reason
	}
	if line := c.lastLine(ctx, task, aws.ToString(container.Name)); line != "" {
		text += "; it wrote last: " + line
	}
	return text
}

// lastLine is what a container of a task wrote last. Streams are named <prefix>/<container>/<task id>.
func (c clients) lastLine(ctx context.Context, task ecstypes.Task, container string) string {
	found, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: task.TaskDefinitionArn})
	if err != nil {
		return ""
	}
	for _, definition := range found.TaskDefinition.ContainerDefinitions {
		if aws.ToString(definition.Name) != container || definition.LogConfiguration == nil {
			continue
		}
		options := definition.LogConfiguration.Options
		stream := options["awslogs-stream-prefix"] + "/" + container + "/" + path.Base(aws.ToString(task.TaskArn))
		events, err := c.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(options["awslogs-group"]), LogStreamName: &stream, Limit: aws.Int32(1),
		})
		if err != nil || len(events.Events) == 0 {
			return ""
		}
		line := strings.TrimSpace(aws.ToString(events.Events[len(events.Events)-1].Message))
		return line[:min(len(line), longestLine)]
	}
	return ""
}
