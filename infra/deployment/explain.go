package deployment

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
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

// failure explains why a deployment has failed, or has not ended in time; last is nil if ECS has listed none.
func (r Rollout) failure(ctx context.Context, last *types.ServiceDeployment) *Failure {
	outOfTime := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainWithin)
	defer cancel()

	e := evidence{deployment: last, outOfTime: outOfTime}
	err := r.collect(ctx, &e)
	found := e.diagnose()
	f := &Failure{Cause: found.cause, Remedy: found.remedy, Details: e.details()}
	if err != nil {
		f.Details = append(f.Details, fmt.Sprintf("More could not be read: %v", err))
	}
	f.Details = append(f.Details, fmt.Sprintf(
		"All events: aws ecs describe-services --region %s --cluster %s --services %s --query 'services[0].events[:20].message'",
		r.Region, r.Cluster, r.Service), "When that is done, run: pulumi up")

	return f
}

// collect reads what explains a failure: the task of the deployment that failed last, what its containers are and what they
// wrote, and the events of the service.
func (r Rollout) collect(ctx context.Context, e *evidence) error {
	described, err := r.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &r.Cluster, Services: []string{r.Service}})
	if err != nil {
		return err
	}
	for _, service := range described.Services {
		e.events = eventsSince(service.Events, e.deployment)
	}
	if e.task, err = r.lastFailed(ctx, e.deployment); err != nil || e.task == nil {
		return err
	}
	definition, err := r.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: e.task.TaskDefinitionArn})
	if err != nil {
		return err
	}
	for _, defined := range definition.TaskDefinition.ContainerDefinitions {
		c := container{definition: defined, name: aws.ToString(defined.Name)}
		for _, seen := range e.task.Containers {
			if aws.ToString(seen.Name) == c.name {
				c.seen = seen
			}
		}
		c.lines = r.written(ctx, *e.task, defined)
		e.containers = append(e.containers, c)
	}

	return nil
}

// eventsSince are the messages of a service since a deployment began, the newest first.
func eventsSince(events []types.ServiceEvent, d *types.ServiceDeployment) []string {
	var messages []string
	for _, event := range events {
		if d == nil || d.CreatedAt == nil || event.CreatedAt == nil || !event.CreatedAt.Before(*d.CreatedAt) {
			messages = append(messages, aws.ToString(event.Message))
		}
	}

	return messages
}

// ECS stops tasks of a deployment that it gives up with this reason; they did nothing wrong.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
const stoppedByRollback = "Scaling activity initiated by"

// tasksAtOnce is how many tasks ECS lists on a page and describes at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const tasksAtOnce = 100

// lastFailed returns the task of a deployment that failed last. If none has failed, it returns one that does not become
// healthy, or nil. ECS lists tasks for at least an hour after they have stopped.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (r Rollout) lastFailed(ctx context.Context, d *types.ServiceDeployment) (*types.Task, error) {
	for _, status := range []types.DesiredStatus{types.DesiredStatusStopped, types.DesiredStatusRunning} {
		tasks, err := r.tasks(ctx, status)
		if err != nil {
			return nil, err
		}
		var last *types.Task
		for _, task := range tasks {
			if r.isInnocent(task, d) {
				continue
			}
			if last == nil || saysMore(task, *last) {
				last = &task
			}
		}
		if last != nil {
			return last, nil
		}
	}

	return nil, nil //nolint:nilnil // ECS may fail a deployment without any task.
}

func (r Rollout) tasks(ctx context.Context, status types.DesiredStatus) ([]types.Task, error) {
	var all []types.Task
	pages := ecs.NewListTasksPaginator(r.ECS, &ecs.ListTasksInput{
		Cluster: &r.Cluster, ServiceName: &r.Service, DesiredStatus: status, MaxResults: aws.Int32(tasksAtOnce),
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
		all = append(all, described.Tasks...)
	}

	return all, nil
}

// isInnocent reports whether a task is not of the deployment, or did not make it fail.
func (r Rollout) isInnocent(task types.Task, d *types.ServiceDeployment) bool {
	return aws.ToString(task.TaskDefinitionArn) != r.Requested.TaskDefinition ||
		d != nil && d.CreatedAt != nil && task.CreatedAt != nil && task.CreatedAt.Before(*d.CreatedAt) ||
		strings.HasPrefix(aws.ToString(task.StoppedReason), stoppedByRollback) ||
		task.HealthStatus == types.HealthStatusHealthy && task.StoppedReason == nil
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

// nameOf is the last part of an ARN, or a name itself.
func nameOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func taskID(task types.Task) string { return nameOf(aws.ToString(task.TaskArn)) }

// written returns the last lines of a task's container. The task definition says where they are.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html (awslogs-stream-prefix)
func (r Rollout) written(ctx context.Context, task types.Task, defined types.ContainerDefinition) []string {
	if defined.LogConfiguration == nil {
		return nil
	}
	options := defined.LogConfiguration.Options
	stream := options["awslogs-stream-prefix"] + "/" + aws.ToString(defined.Name) + "/" + taskID(task)

	return lastLines(ctx, r.Logs, options["awslogs-group"], stream)
}

// linesRead are the last lines of a container, of which the explanation shows those that say most.
const linesRead = 60

// lastLines returns the last lines that a container has written, or none if there are none or they cannot be read.
func lastLines(ctx context.Context, logs Logs, group, stream string) []string {
	read, err := logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream, Limit: aws.Int32(linesRead),
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

// The explanation as a whole stays below 15 lines. The containers that it shows share linesShown.
const (
	linesShown = 5
	lineLength = 200
)

// noise are lines without a word of the error: empty ones, brackets, and what Node prints around a stack.
var noise = regexp.MustCompile(`^(?:[\s{}\[\](),;]*|node:\S+:\d+|Node\.js v.*|Emitted 'error' event on .*)$`)

// telling are the last lines, at most as many as given, that say most: without noise and, if others are there, without indented
// ones, which are mostly the frames of a stack.
func telling(lines []string, most int) []string {
	flush := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return noise.MatchString(line) || line[0] == ' ' || line[0] == '\t'
	})
	if len(flush) == 0 {
		flush = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.TrimSpace(line) == "" })
	}
	shown := flush[max(0, len(flush)-most):]
	for i, line := range shown {
		if len(line) > lineLength {
			shown[i] = strings.ToValidUTF8(line[:lineLength], "") + "…"
		}
	}

	return shown
}
