package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// commands is part of the names of what commands run in and write to.
const commands = "run"

// How long a command's end is waited for after it has been stopped: the longest time that ECS gives a container, and a while for ECS
// itself. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html (stopTimeout)
const stopWait = 150 * time.Second

// taskPause is the time between two requests for the state of a command.
const taskPause = time.Second

// Run runs a command in a task of its own: with the app's image, variables, secrets, role and network, as they run now. It writes
// what the command logs, and returns its exit code. When ctx ends, the command is stopped.
func (s *Service) Run(ctx context.Context, out io.Writer, words []string) (code int, err error) {
	service, err := s.describe(ctx)
	if err != nil {
		return 0, err
	}
	running, err := s.definition(ctx, aws.ToString(service.TaskDefinition))
	if err != nil {
		return 0, err
	}
	definition, err := s.register(ctx, running, words)
	if err != nil {
		return 0, err
	}
	always := context.WithoutCancel(ctx)
	defer func() {
		// A task that runs keeps a definition that is not active.
		_, deregistered := s.ecs.DeregisterTaskDefinition(always, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: definition.TaskDefinitionArn})
		err = errors.Join(err, deregistered)
	}()
	task, err := s.start(ctx, service, definition)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "task %s runs %q with %s\n", taskID(task), words, path.Base(aws.ToString(running.TaskDefinitionArn)))

	return s.follow(ctx, out, task, s.streamOf(task))
}

// register registers the app's container alone: NGINX would wait for an app that answers. For the same reason there is no health
// check, which would fail. infra/task renders the command before a deployment likewise.
func (s *Service) register(ctx context.Context, running *types.TaskDefinition, words []string) (*types.TaskDefinition, error) {
	i := slices.IndexFunc(running.ContainerDefinitions, func(c types.ContainerDefinition) bool { return aws.ToString(c.Name) == appContainer })
	if i < 0 {
		return nil, fmt.Errorf("task definition %s has no container %s", path.Base(aws.ToString(running.TaskDefinitionArn)), appContainer)
	}
	app := running.ContainerDefinitions[i]
	app.Command, app.Essential = words, aws.Bool(true)
	app.HealthCheck, app.RestartPolicy, app.DependsOn, app.VolumesFrom, app.FirelensConfiguration = nil, nil, nil, nil, nil
	app.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
		"awslogs-group": s.AppLogs, "awslogs-region": s.Region, "awslogs-stream-prefix": commands,
	}}
	registered, err := s.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family:               aws.String(aws.ToString(running.Family) + "-" + commands),
		ContainerDefinitions: []types.ContainerDefinition{app},
		Cpu:                  running.Cpu, Memory: running.Memory, EphemeralStorage: running.EphemeralStorage,
		ExecutionRoleArn: running.ExecutionRoleArn, TaskRoleArn: running.TaskRoleArn,
		NetworkMode: running.NetworkMode, RequiresCompatibilities: running.RequiresCompatibilities, RuntimePlatform: running.RuntimePlatform,
		Volumes: running.Volumes,
	})
	if err != nil {
		return nil, fmt.Errorf("task definition of the command: %w", err)
	}

	return registered.TaskDefinition, nil
}

func (s *Service) start(ctx context.Context, service types.Service, definition *types.TaskDefinition) (task *string, err error) {
	started, err := s.ecs.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: &s.Cluster, TaskDefinition: definition.TaskDefinitionArn, LaunchType: types.LaunchTypeFargate,
		NetworkConfiguration: service.NetworkConfiguration, StartedBy: aws.String(commands), EnableECSManagedTags: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	for _, failure := range started.Failures {
		err = errors.Join(err, fmt.Errorf("start: %s %s", aws.ToString(failure.Reason), aws.ToString(failure.Detail)))
	}
	if err == nil && len(started.Tasks) != 1 {
		err = fmt.Errorf("start: ECS started %d tasks; want 1", len(started.Tasks))
	}
	if err != nil {
		return nil, err
	}

	return started.Tasks[0].TaskArn, nil
}

func (s *Service) streamOf(task *string) *stream {
	return &stream{logs: s.logs, group: s.AppLogs, name: path.Join(commands, appContainer, taskID(task))}
}

// ErrInterrupted is returned when a command was stopped because its caller did not want to wait any longer.
var ErrInterrupted = errors.New("interrupted; the command has been stopped")

// follow writes the command's log until it has ended.
func (s *Service) follow(ctx context.Context, out io.Writer, task *string, log *stream) (code int, err error) {
	interrupted := ctx.Done()
	always := context.WithoutCancel(ctx)
	for {
		seen, err := s.look(always, task)
		if err != nil {
			return 0, err
		}
		if err := log.copy(always, out); err != nil {
			return 0, err
		}
		if aws.ToString(seen.LastStatus) == "STOPPED" {
			if err := log.rest(always, out); err != nil {
				return 0, err
			}
			if ctx.Err() != nil {
				return 0, ErrInterrupted
			}
			return exitCode(seen)
		}
		select {
		case <-interrupted:
			interrupted = nil
			if _, err := s.ecs.StopTask(always, &ecs.StopTaskInput{Cluster: &s.Cluster, Task: task, Reason: aws.String("interrupted")}); err != nil {
				return 0, fmt.Errorf("stop task %s: %w", taskID(task), err)
			}
			var cancel func()
			always, cancel = context.WithTimeout(always, stopWait)
			defer cancel()
		case <-time.After(taskPause):
		}
	}
}

// look returns a task. One that has just been started may not be listed yet.
func (s *Service) look(ctx context.Context, task *string) (types.Task, error) {
	described, err := s.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &s.Cluster, Tasks: []string{*task}})
	if err != nil {
		return types.Task{}, fmt.Errorf("task %s: %w", taskID(task), err)
	}
	if len(described.Tasks) == 0 {
		return types.Task{}, nil
	}

	return described.Tasks[0], nil
}

func exitCode(task types.Task) (int, error) {
	for _, container := range task.Containers {
		if aws.ToString(container.Name) != appContainer {
			continue
		}
		if container.ExitCode != nil {
			return int(*container.ExitCode), nil
		}
		return 0, fmt.Errorf("the command was not started: %s %s", aws.ToString(task.StoppedReason), aws.ToString(container.Reason))
	}

	return 0, fmt.Errorf("the command was not started: %s", aws.ToString(task.StoppedReason))
}

// stream reads one log stream line by line.
type stream struct {
	logs        *cloudwatchlogs.Client
	group, name string
	next        *string
}

// copy writes what is new. The stream begins to exist with the first line.
func (l *stream) copy(ctx context.Context, out io.Writer) error {
	for {
		read, err := l.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: &l.group, LogStreamName: &l.name, StartFromHead: aws.Bool(true), NextToken: l.next,
		})
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("log stream %s: %w", l.name, err)
		}
		for _, event := range read.Events {
			fmt.Fprintln(out, trimmed(event.Message))
		}
		// The end of a stream has the token with which it was read.
		// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
		if len(read.Events) == 0 || aws.ToString(read.NextForwardToken) == aws.ToString(l.next) {
			l.next = read.NextForwardToken
			return nil
		}
		l.next = read.NextForwardToken
	}
}

// rest writes the last lines, which reach CloudWatch some seconds after they were written.
func (l *stream) rest(ctx context.Context, out io.Writer) error {
	for range 3 {
		if err := l.copy(ctx, out); err != nil {
			return err
		}
		time.Sleep(taskPause)
	}

	return l.copy(ctx, out)
}
