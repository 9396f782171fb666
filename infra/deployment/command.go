package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Command is a command that has to succeed before a service gets a new revision of its task definition.
type Command struct {
	Clients
	Words []string
	// Container is the name of the container that runs the command.
	Cluster, Container string
	// Revision is the ARN of the task definition that the service is about to get; Definition is the one for commands.
	Revision, Definition string
	Network              types.AwsVpcConfiguration
	LogGroup, LogPrefix  string
	Region               string
}

// startedByDeployment is how the tasks of deployments are told from those that somebody else has started. ECS keeps it
// with a task; at most 128 letters, digits, hyphens, slashes and underscores are allowed.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
const startedByDeployment = "deploy/"

// startedBy names the deployment, so that an update that follows an interrupted one finds the task that runs already.
func (c Command) startedBy() string {
	_, family, _ := strings.Cut(c.Revision, ":task-definition/")

	return startedByDeployment + strings.ReplaceAll(family, ":", "/")
}

// Run runs the command once and returns when it has ended, with an error unless it exited with 0. It does nothing when a
// service of the cluster has the revision already, because then there is no deployment.
func (c Command) Run(ctx context.Context) error { return c.run(ctx, pollInterval, roleKnownWithin) }

// roleKnownWithin is how long ECS may take to know a role that the same update has made: IAM copies it to all regions first.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
const roleKnownWithin = time.Minute

// unknownRole is how ECS begins to say that it does not know a role yet, or may not assume it: either when the task is started,
// or as the reason why it has stopped.
// https://github.com/pulumi/pulumi-awsx/issues/927
const unknownRole = "ECS was unable to assume the role"

func (c Command) run(ctx context.Context, pause, known time.Duration) error {
	if deployed, err := c.isDeployed(ctx); deployed || err != nil {
		return err
	}
	for begun := time.Now(); ; {
		again, err := c.attempt(ctx, pause)
		if !again || time.Since(begun) >= known {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// attempt runs the command, or waits for one that runs already. again is true if the command has not begun because ECS does not
// know its role: only then may it be started again.
func (c Command) attempt(ctx context.Context, pause time.Duration) (again bool, err error) {
	task, err := c.find(ctx, pause)
	if err != nil {
		return false, err
	}
	if task == "" {
		if task, err = c.start(ctx); err != nil {
			return strings.Contains(err.Error(), unknownRole), err
		}
	}
	ended, err := c.await(ctx, task, pause)
	if err != nil {
		return false, err
	}
	begun := slices.ContainsFunc(ended.Containers, func(seen types.Container) bool { return seen.ExitCode != nil })

	return !begun && strings.Contains(aws.ToString(ended.StoppedReason), unknownRole), c.judge(ctx, ended, pause)
}

// describeLimit is how many services ECS describes at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
const describeLimit = 10

// isDeployed asks all services of the cluster, because the program does not know the name of a service that is about to
// be replaced: its replacement gets the same revision.
func (c Command) isDeployed(ctx context.Context) (bool, error) {
	input := &ecs.ListServicesInput{Cluster: &c.Cluster}
	for pages := ecs.NewListServicesPaginator(c.ECS, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fmt.Errorf("services of %s: %w", c.Cluster, err)
		}
		for arns := range slices.Chunk(page.ServiceArns, describeLimit) {
			described, err := c.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &c.Cluster, Services: arns})
			if err != nil {
				return false, fmt.Errorf("services of %s: %w", c.Cluster, err)
			}
			if slices.ContainsFunc(described.Services, func(s types.Service) bool {
				return aws.ToString(s.Status) == "ACTIVE" && aws.ToString(s.TaskDefinition) == c.Revision
			}) {
				return true, nil
			}
		}
	}

	return false, nil
}

// find returns the task of an earlier update for the same revision if it still runs. It waits for one of another
// revision, so that never two run at once.
func (c Command) find(ctx context.Context, pause time.Duration) (string, error) {
	_, family, _ := strings.Cut(c.Definition, ":task-definition/")
	family, _, _ = strings.Cut(family, ":")
	listed, err := c.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &c.Cluster, Family: &family})
	if err != nil {
		return "", fmt.Errorf("tasks of %s: %w", family, err)
	}
	if len(listed.TaskArns) == 0 {
		return "", nil
	}
	described, err := c.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &c.Cluster, Tasks: listed.TaskArns})
	if err != nil {
		return "", fmt.Errorf("tasks of %s: %w", family, err)
	}
	for _, task := range described.Tasks {
		switch by := aws.ToString(task.StartedBy); {
		case by == c.startedBy():
			return aws.ToString(task.TaskArn), nil
		case strings.HasPrefix(by, startedByDeployment):
			if _, err := c.await(ctx, aws.ToString(task.TaskArn), pause); err != nil {
				return "", err
			}
		}
	}

	return "", nil
}

// start starts the task. The SDK adds a client token, so that ECS starts no second task if the SDK repeats the request.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
func (c Command) start(ctx context.Context) (string, error) {
	started, err := c.ECS.RunTask(ctx, &ecs.RunTaskInput{
		Cluster:              &c.Cluster,
		TaskDefinition:       &c.Definition,
		LaunchType:           types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &c.Network},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{
			{Name: &c.Container, Command: c.Words},
		}},
		StartedBy:            aws.String(c.startedBy()),
		EnableECSManagedTags: true,
		PropagateTags:        types.PropagateTagsTaskDefinition,
	})
	if err != nil {
		return "", fmt.Errorf("start: %w", err)
	}
	for _, failure := range started.Failures {
		err = errors.Join(err, fmt.Errorf("start: %s %s", aws.ToString(failure.Reason), aws.ToString(failure.Detail)))
	}
	if err != nil {
		return "", err
	}
	if len(started.Tasks) != 1 {
		return "", fmt.Errorf("start: ECS started %d tasks; want 1", len(started.Tasks))
	}

	return aws.ToString(started.Tasks[0].TaskArn), nil
}

// await returns a task when it has stopped. ECS shows a stopped task for at least an hour.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (c Command) await(ctx context.Context, arn string, pause time.Duration) (types.Task, error) {
	for {
		described, err := c.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &c.Cluster, Tasks: []string{arn}})
		if err != nil && ctx.Err() == nil {
			return types.Task{}, fmt.Errorf("task %s: %w", arn, err)
		}
		// A task that has just been started may not be known yet.
		if err == nil && len(described.Tasks) == 1 && aws.ToString(described.Tasks[0].LastStatus) == "STOPPED" {
			return described.Tasks[0], nil
		}
		select {
		case <-ctx.Done():
			return types.Task{}, fmt.Errorf("task %s has not ended within deployment.timeout and goes on; the next update waits for it.\n"+
				"To end it: aws ecs stop-task --region %s --cluster %s --task %s", arn, c.Region, c.Cluster, arn)
		case <-time.After(pause):
		}
	}
}

// judge returns an error that explains the end of the command, unless it exited with 0.
func (c Command) judge(ctx context.Context, ended types.Task, pause time.Duration) error {
	e := evidence{task: &ended}
	command := container{name: c.Container, definition: types.ContainerDefinition{Command: c.Words}}
	for _, seen := range ended.Containers {
		if aws.ToString(seen.Name) != c.Container {
			continue
		}
		command.seen = seen
		switch {
		case seen.ExitCode == nil:
		case *seen.ExitCode == 0:
			return nil
		default:
			command.lines = c.written(ctx, ended, pause)
		}
	}
	e.containers = []container{command}
	found := e.recognise(ofAnyTask)
	if found == nil {
		found = &finding{"it ended with " + strings.TrimPrefix(command.describe(), c.Container+": "),
			"correct the command, or what the app is given in app.environment and app.secrets; the lines below say more"}
	}

	return &Failure{
		Cause: "deployment.command " + quoted(c.Words) + ": " + found.cause, Remedy: found.remedy,
		Details: append(e.ofTask(), "When that is done, run: pulumi up; the service has not been changed"),
	}
}

func quoted(words []string) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = strconv.Quote(word)
	}

	return "[" + strings.Join(all, ", ") + "]"
}

// written returns the last lines that the command has written. They reach CloudWatch some seconds after the command has written
// them.
func (c Command) written(ctx context.Context, ended types.Task, pause time.Duration) []string {
	stream := fmt.Sprintf("%s/%s/%s", c.LogPrefix, c.Container, taskID(ended))
	for range 3 {
		if lines := lastLines(ctx, c.Logs, c.LogGroup, stream); len(lines) > 0 {
			return lines
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}

	return []string{fmt.Sprintf("its log could not be read or is empty: stream %s of group %s", stream, c.LogGroup)}
}
