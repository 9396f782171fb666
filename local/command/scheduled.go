package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// scheduled is a schedule of EventBridge Scheduler, as far as it says what runs.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
type scheduled struct {
	Name   string
	Target struct {
		Arn           string // of the cluster
		Input         string
		EcsParameters struct {
			TaskDefinitionArn    string
			LaunchType           ecstypes.LaunchType
			NetworkConfiguration ecstypes.NetworkConfiguration
		}
	}
}

// RunScheduled runs the command of a schedule now, as the schedule would, and prints what it wrote.
func (l *Local) RunScheduled(ctx context.Context, name string) error {
	current, err := run.Load(l.dir())
	if err != nil {
		return err
	}
	found, err := schedule(ctx, current, name)
	if err != nil {
		return err
	}
	clients := newClients(current)
	begun := time.Now()
	task, err := clients.run(ctx, found)
	if err != nil {
		return fmt.Errorf("scheduled task %s: %w", name, err)
	}
	l.Progress.Line("task      %s runs %s", path.Base(task), found.Name)
	code, err := clients.follow(ctx, found.Target.Arn, task)
	if err != nil {
		return fmt.Errorf("scheduled task %s: %w", name, err)
	}
	lines, err := clients.written(ctx, path.Base(task), begun)
	if err != nil {
		return fmt.Errorf("scheduled task %s: log: %w", name, err)
	}
	for _, line := range lines {
		l.Progress.Line("  %s", line)
	}
	if code != 0 {
		return fmt.Errorf("scheduled task %s: exit code %d", name, code)
	}
	l.Progress.Line("done      exit code 0")
	return nil
}

// suffix is what Pulumi appends to a name to make it unique.
var suffix = regexp.MustCompile(`-[0-9a-f]{7}$`)

// schedule finds a schedule by the name that the setting scheduledTasks gives it: before it stands the service's name.
func schedule(ctx context.Context, current run.Run, name string) (scheduled, error) {
	var all struct {
		Schedules []struct{ Name, GroupName string }
	}
	if err := ask(ctx, current, "/schedules", &all); err != nil {
		return scheduled{}, err
	}
	var names []string
	for _, one := range all.Schedules {
		_, own, _ := strings.Cut(suffix.ReplaceAllString(one.Name, ""), suffix.ReplaceAllString(one.GroupName, "")+"-")
		names = append(names, own)
		if own == name {
			var found scheduled
			return found, ask(ctx, current, "/schedules/"+one.Name+"?groupName="+one.GroupName, &found)
		}
	}
	if len(names) == 0 {
		return scheduled{}, errors.New("the stack has no scheduled task; see scheduledTasks in docs/settings.md")
	}
	slices.Sort(names)
	return scheduled{}, fmt.Errorf("scheduled task %q; there are: %s", name, strings.Join(names, ", "))
}

// ask makes one call of the scheduler's REST API, for which the local run needs no client of its own.
func ask(ctx context.Context, current run.Run, path string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, current.Endpoint+path, nil)
	if err != nil {
		return err
	}
	emulator.Address(request, current.Region, "scheduler")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("schedules: %s: %s", response.Status, content)
	}
	return json.Unmarshal(content, answer)
}

// run starts the schedule's task.
func (c clients) run(ctx context.Context, s scheduled) (task string, err error) {
	var overrides ecstypes.TaskOverride
	if err := json.Unmarshal([]byte(s.Target.Input), &overrides); err != nil {
		return "", fmt.Errorf("input %s: %w", s.Target.Input, err)
	}
	started, err := c.ecs.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: &s.Target.Arn, TaskDefinition: &s.Target.EcsParameters.TaskDefinitionArn, LaunchType: s.Target.EcsParameters.LaunchType,
		NetworkConfiguration: &s.Target.EcsParameters.NetworkConfiguration, Overrides: &overrides, StartedBy: aws.String("local-run"),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(started.Tasks[0].TaskArn), nil
}

// follow waits for the end of a task and returns its container's exit code.
func (c clients) follow(ctx context.Context, cluster, task string) (code int32, err error) {
	for {
		described, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{task}})
		if err != nil {
			return 0, err
		}
		if len(described.Tasks) != 1 {
			return 0, errors.New("the task is gone")
		}
		if seen := described.Tasks[0]; aws.ToString(seen.LastStatus) == "STOPPED" {
			if code := seen.Containers[0].ExitCode; code != nil {
				return *code, nil
			}
			return 0, errors.New(aws.ToString(seen.StoppedReason))
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// written returns what a task has written to its log since its start. Its last lines were shipped before it was STOPPED.
func (c clients) written(ctx context.Context, id string, since time.Time) (lines []string, err error) {
	events, err := c.logEvents(ctx, since)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		if strings.HasSuffix(aws.ToString(event.LogStreamName), "/"+id) {
			lines = append(lines, aws.ToString(event.Message))
		}
	}
	return lines, nil
}
