package deployment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	newRevision  = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web-1:8"
	oldRevision  = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web-1:7"
	commandsARN  = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web-1-commands:3"
	startedTask  = "arn:aws:ecs:eu-central-1:123456789012:task/web-1/0000000000000001"
	earlierTask  = "arn:aws:ecs:eu-central-1:123456789012:task/web-1/0000000000000002"
	byNew, byOld = "deploy/web-1/8", "deploy/web-1/7"
)

// cluster is ECS with one service and its tasks. A task that is asked about for the second time has stopped.
type cluster struct {
	ECS
	runs    string            // the service's revision
	running map[string]string // tasks of the commands' family, and who has started them
	exit    *int32
	reason  string
	failure string
	looks   map[string]int
	started []*ecs.RunTaskInput
	// order is what happened: "start", and "end" with a task's last digit.
	order []string
}

func (c *cluster) ListServices(context.Context, *ecs.ListServicesInput, ...func(*ecs.Options)) (*ecs.ListServicesOutput, error) {
	return &ecs.ListServicesOutput{ServiceArns: []string{"service"}}, nil
}

func (c *cluster) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []types.Service{{Status: aws.String("ACTIVE"), TaskDefinition: &c.runs}}}, nil
}

func (c *cluster) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	if aws.ToString(in.Family) != "web-1-commands" {
		return nil, errors.New("family " + aws.ToString(in.Family))
	}
	var arns []string
	for arn := range c.running {
		arns = append(arns, arn)
	}

	return &ecs.ListTasksOutput{TaskArns: arns}, nil
}

func (c *cluster) RunTask(_ context.Context, in *ecs.RunTaskInput, _ ...func(*ecs.Options)) (*ecs.RunTaskOutput, error) {
	c.started, c.order = append(c.started, in), append(c.order, "start")
	if c.failure != "" {
		return &ecs.RunTaskOutput{Failures: []types.Failure{{Reason: &c.failure}}}, nil
	}
	c.running = map[string]string{startedTask: aws.ToString(in.StartedBy)}

	return &ecs.RunTaskOutput{Tasks: []types.Task{{TaskArn: aws.String(startedTask)}}}, nil
}

func (c *cluster) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	var all []types.Task
	for _, arn := range in.Tasks {
		task := types.Task{
			TaskArn: &arn, StartedBy: aws.String(c.running[arn]), LastStatus: aws.String("RUNNING"),
			Containers: []types.Container{{Name: aws.String("app")}},
		}
		if c.looks[arn]++; c.looks[arn] > 1 {
			task.LastStatus, task.StoppedReason = aws.String("STOPPED"), &c.reason
			task.Containers[0].ExitCode = c.exit
			c.order = append(c.order, "end "+arn[len(arn)-1:])
		}
		all = append(all, task)
	}

	return &ecs.DescribeTasksOutput{Tasks: all}, nil
}

// written is what the command has written.
type written []string

func (w written) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	if got := aws.ToString(in.LogGroupName) + " " + aws.ToString(in.LogStreamName); got != "app-logs web/commands/app/0000000000000001" {
		return nil, errors.New("stream " + got)
	}
	out := &cloudwatchlogs.GetLogEventsOutput{}
	for _, line := range w {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: &line})
	}

	return out, nil
}

func (c *cluster) command(lines ...string) Command {
	c.looks = map[string]int{}

	return Command{
		Clients: Clients{ECS: c, Logs: written(lines)}, Words: []string{"npm", "run", "migrate"}, Cluster: "web-1", Container: "app", Region: "eu-central-1",
		Revision: newRevision, Definition: commandsARN, LogGroup: "app-logs", LogPrefix: "web/commands",
	}
}

func TestACommandRunsOnceBeforeANewRevision(t *testing.T) {
	for name, test := range map[string]struct {
		cluster *cluster
		want    []string
	}{
		"a new revision":                      {&cluster{runs: oldRevision}, []string{"start", "end 1"}},
		"nothing new":                         {&cluster{runs: newRevision}, nil},
		"this one runs since an interruption": {&cluster{runs: oldRevision, running: map[string]string{startedTask: byNew}}, []string{"end 1"}},
		"another one runs since an interruption": {
			&cluster{runs: oldRevision, running: map[string]string{earlierTask: byOld}}, []string{"end 2", "start", "end 1"},
		},
		"one on a schedule runs": {&cluster{runs: oldRevision, running: map[string]string{earlierTask: "chron"}}, []string{"start", "end 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.cluster.exit = aws.Int32(0)
			if err := test.cluster.command().run(t.Context(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(test.cluster.order, test.want) {
				t.Errorf("happened: %v; want %v", test.cluster.order, test.want)
			}
		})
	}
}

func TestACommandThatFailsIsAnError(t *testing.T) {
	for name, test := range map[string]struct {
		cluster *cluster
		lines   []string
		want    string
	}{
		"exit code": {
			&cluster{exit: aws.Int32(3)}, []string{"migrating\n", "no such table"},
			"exit code 3; the last lines of its log:\n  migrating\n  no such table",
		},
		"no log": {
			&cluster{exit: aws.Int32(1)}, nil,
			"exit code 1; its log could not be read or is empty: stream web/commands/app/0000000000000001 of group app-logs",
		},
		"no start": {
			&cluster{reason: "CannotPullContainerError: not found"}, nil,
			"the command was not started: CannotPullContainerError: not found ",
		},
		"refused": {&cluster{failure: "RESOURCE:ENI"}, nil, "start: RESOURCE:ENI "},
	} {
		t.Run(name, func(t *testing.T) {
			test.cluster.runs = oldRevision
			err := test.cluster.command(test.lines...).run(t.Context(), time.Millisecond)
			if err == nil || err.Error() != test.want {
				t.Errorf("error: %v\nwant: %s", err, test.want)
			}
		})
	}
}

func TestACommandWithoutEndIsLeftRunning(t *testing.T) {
	c := &cluster{runs: oldRevision}
	command := c.command()
	c.looks[startedTask] = -1 << 30 // it never stops
	within, cancel := context.WithCancel(t.Context())
	cancel()
	err := command.run(within, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "has not ended within deployment.timeout and goes on") ||
		!strings.Contains(err.Error(), "aws ecs stop-task --region eu-central-1 --cluster web-1 --task "+startedTask) {
		t.Errorf("error: %v", err)
	}
}
