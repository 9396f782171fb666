package deployment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// explainWithin bounds the requests for an explanation. The time for the deployment itself may be over by then.
const explainWithin = 30 * time.Second

// why says, in whole lines, why the tasks of a failed deployment stopped: ECS's reason for the last of them, and what its
// containers wrote last. A deployment's own reason is only that tasks failed. There is nothing to say if no task failed, as
// after a rollback because of an alarm.
func (r Rollout) why(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainWithin)
	defer cancel()
	task, err := r.lastFailed(ctx)
	if err != nil {
		return fmt.Sprintf("Why its tasks stopped could not be read: %v\n", err)
	}
	if task == nil {
		return ""
	}

	text := fmt.Sprintf("The last of its tasks, %s, stopped: %s\n", taskID(*task), aws.ToString(task.StoppedReason))
	written := r.written(ctx, *task)
	for _, container := range atFault(task.Containers) {
		text += "  " + describe(container)
		if lines := written(aws.ToString(container.Name)); len(lines) > 0 {
			text += "; the last lines of its log:\n    " + strings.Join(lines, "\n    ")
		}
		text += "\n"
	}

	return text
}

// ECS stops tasks of a deployment that it gives up with this reason; they did nothing wrong.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
const stoppedByRollback = "Scaling activity initiated by"

// tasksAtOnce is how many tasks ECS lists on a page and describes at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const tasksAtOnce = 100

// lastFailed returns the task of the requested revision that failed last, or nil. ECS lists tasks for at least an hour
// after they have stopped.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (r Rollout) lastFailed(ctx context.Context) (*types.Task, error) {
	var last *types.Task
	pages := ecs.NewListTasksPaginator(r.ECS, &ecs.ListTasksInput{
		Cluster: &r.Cluster, ServiceName: &r.Service, DesiredStatus: types.DesiredStatusStopped, MaxResults: aws.Int32(tasksAtOnce),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		described, err := r.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &r.Cluster, Tasks: page.TaskArns})
		if err != nil {
			return nil, err
		}
		for _, task := range described.Tasks {
			if aws.ToString(task.TaskDefinitionArn) != r.Requested || strings.HasPrefix(aws.ToString(task.StoppedReason), stoppedByRollback) {
				continue
			}
			if last == nil || saysMore(task, *last) {
				last = &task
			}
		}
	}

	return last, nil
}

// saysMore prefers a task that has stopped altogether, whose exit codes are known, and then the later one.
func saysMore(task, other types.Task) bool {
	if hasStopped(task) != hasStopped(other) {
		return hasStopped(task)
	}

	return stopTime(task).After(stopTime(other))
}

func hasStopped(task types.Task) bool { return aws.ToString(task.LastStatus) == "STOPPED" }

// stopTime is when ECS began to stop a task.
func stopTime(task types.Task) time.Time {
	return *cmp.Or(task.StoppingAt, task.StoppedAt, task.CreatedAt, &time.Time{})
}

func taskID(task types.Task) string {
	arn := aws.ToString(task.TaskArn)

	return arn[strings.LastIndex(arn, "/")+1:]
}

// atFault are the containers that ended with an error. If none did, as after failed health checks, they are all of them.
func atFault(containers []types.Container) []types.Container {
	failed := slices.DeleteFunc(slices.Clone(containers), func(c types.Container) bool {
		return c.Reason == nil && aws.ToInt32(c.ExitCode) == 0
	})
	if len(failed) > 0 {
		return failed
	}

	return containers
}

// describe is what ECS knows of the end of a container.
func describe(container types.Container) string {
	var known []string
	if container.ExitCode != nil {
		known = append(known, fmt.Sprintf("exit code %d", *container.ExitCode))
	}
	if container.HealthStatus == types.HealthStatusUnhealthy {
		known = append(known, "unhealthy")
	}
	if container.Reason != nil {
		known = append(known, *container.Reason)
	}
	if len(known) == 0 && aws.ToString(container.LastStatus) == "RUNNING" {
		known = append(known, "still running")
	}

	return aws.ToString(container.Name) + ": " + cmp.Or(strings.Join(known, ", "), "it was not started")
}

// written returns a function for the last lines of a task's container. The task definition says where they are.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html (awslogs-stream-prefix)
func (r Rollout) written(ctx context.Context, task types.Task) func(container string) []string {
	described, err := r.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &r.Requested})
	if err != nil {
		return func(string) []string { return []string{fmt.Sprintf("(not found: %v)", err)} }
	}

	return func(container string) []string {
		for _, definition := range described.TaskDefinition.ContainerDefinitions {
			if aws.ToString(definition.Name) == container && definition.LogConfiguration != nil {
				options := definition.LogConfiguration.Options
				stream := options["awslogs-stream-prefix"] + "/" + container + "/" + taskID(task)
				return lastLines(ctx, r.Logs, options["awslogs-group"], stream)
			}
		}
		return nil
	}
}

// linesShown are the last lines of a container that failed.
const linesShown = 20

// lastLines returns the last lines that a container has written, or none if there are none or they cannot be read.
func lastLines(ctx context.Context, logs Logs, group, stream string) []string {
	read, err := logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream, Limit: aws.Int32(linesShown),
	})
	if err != nil {
		return nil
	}
	var lines []string
	for _, event := range read.Events {
		lines = append(lines, strings.TrimRight(aws.ToString(event.Message), "\r\n"))
	}

	return lines
}
