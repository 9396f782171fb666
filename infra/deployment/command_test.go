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
	// unknownRole is how many tasks ECS refuses because it does not know their role yet; every second one stops for it.
	unknownRole int
	looks       map[string]int
	started     []*ecs.RunTaskInput
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
	if c.unknownRole--; c.unknownRole >= 0 && c.unknownRole%2 == 0 {
		return nil, errors.New("ClientException: " + noRole)
	}
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
			if c.unknownRole > 0 {
				task.StoppedReason, task.Containers[0].ExitCode = aws.String(noRole), nil
				delete(c.running, arn)
			}
			c.order = append(c.order, "end "+arn[len(arn)-1:])
		}
		all = append(all, task)
	}

	return &ecs.DescribeTasksOutput{Tasks: all}, nil
}

// noRole is what ECS says of a role that it does not know, or may not assume.
const noRole = "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/web-task' that was provided for this task."

// A role that the same update has made is unknown to ECS for some seconds. Whatever else keeps a command from its start does so
// again, and a command that has begun must not run twice, whatever it writes.
func TestACommandWaitsUntilECSKnowsItsRole(t *testing.T) {
	for _, test := range []struct {
		refused, starts int
		known           time.Duration
		exit            int32
		log, want       string
	}{
		{refused: 3, starts: 4, known: time.Minute},
		{refused: 1001, starts: 1, known: 0, want: "ClientException: " + noRole},
		{refused: 1000, starts: 1, known: 0, want: "app: not started"},
		{starts: 1, known: time.Minute, exit: 1, log: noRole, want: noRole},
	} {
		c := &cluster{runs: oldRevision, exit: aws.Int32(test.exit), unknownRole: test.refused}
		err := c.command(test.log).run(t.Context(), time.Millisecond, test.known)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d refused: error %v; want %s", test.refused, err, test.want)
		}
		if len(c.started) != test.starts {
			t.Errorf("%d refused: started %d times; want %d", test.refused, len(c.started), test.starts)
		}
	}
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
			if err := test.cluster.command().run(t.Context(), time.Millisecond, 0); err != nil {
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
			`deployment.command ["npm", "run", "migrate"]: it ended with exit code 3
Remedy: correct the command, or what the app is given in app.environment and app.secrets; the lines below say more
  app: exit code 3
    migrating
    no such table
When that is done, run: pulumi up; the service has not been changed`,
		},
		"a cause that is known": {
			&cluster{exit: aws.Int32(1)}, []string{"Error: DATABASE_URL is not set"},
			`deployment.command ["npm", "run", "migrate"]: the app misses the variable DATABASE_URL
Remedy: set app.environment: {DATABASE_URL: …}, or app.secrets if its value is secret
  app: exit code 1
    Error: DATABASE_URL is not set
When that is done, run: pulumi up; the service has not been changed`,
		},
		"no log": {
			&cluster{exit: aws.Int32(1)}, nil,
			`deployment.command ["npm", "run", "migrate"]: it ended with exit code 1
Remedy: correct the command, or what the app is given in app.environment and app.secrets; the lines below say more
  app: exit code 1
    its log could not be read or is empty: stream web/commands/app/0000000000000001 of group app-logs
When that is done, run: pulumi up; the service has not been changed`,
		},
		"no start": {
			&cluster{reason: "CannotPullContainerError: not found"}, nil,
			`deployment.command ["npm", "run", "migrate"]: an image does not exist any more or never did
Remedy: set app.image, or the image in containers, to one that exists; an image that this stack builds is pushed again by: pulumi up --refresh
Task 0000000000000001 stopped: CannotPullContainerError: not found
  app: not started
When that is done, run: pulumi up; the service has not been changed`,
		},
		"refused": {&cluster{failure: "RESOURCE:ENI"}, nil, "start: RESOURCE:ENI "},
	} {
		t.Run(name, func(t *testing.T) {
			test.cluster.runs = oldRevision
			err := test.cluster.command(test.lines...).run(t.Context(), time.Millisecond, 0)
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
	err := command.run(within, time.Hour, 0)
	if err == nil || !strings.Contains(err.Error(), "has not ended within deployment.timeout and goes on") ||
		!strings.Contains(err.Error(), "aws ecs stop-task --region eu-central-1 --cluster web-1 --task "+startedTask) {
		t.Errorf("error: %v", err)
	}
}
