package deployment

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ended is ECS after a deployment: the stopped tasks of its service, two on a page.
type ended struct {
	ECS
	tasks   []types.Task
	refused error
}

func (e *ended) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []types.Service{{Status: aws.String("ACTIVE"), Deployments: []types.Deployment{
		{Status: aws.String("PRIMARY"), TaskDefinition: aws.String(oldRevision), RolloutStateReason: aws.String("ECS rolls back.")},
	}}}}, nil
}

func (e *ended) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	if e.refused != nil {
		return nil, e.refused
	}
	if *in.Cluster != "web-1" || *in.ServiceName != "web-2" || in.DesiredStatus != types.DesiredStatusStopped {
		return nil, errors.New("other tasks are listed than the stopped ones of the service")
	}
	from := len(aws.ToString(in.NextToken))
	out := &ecs.ListTasksOutput{}
	for _, task := range e.tasks[from:min(from+2, len(e.tasks))] {
		out.TaskArns = append(out.TaskArns, *task.TaskArn)
	}
	if from+2 < len(e.tasks) {
		out.NextToken = aws.String(strings.Repeat("x", from+2))
	}

	return out, nil
}

func (e *ended) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	out := &ecs.DescribeTasksOutput{}
	for _, arn := range in.Tasks {
		for _, task := range e.tasks {
			if *task.TaskArn == arn {
				out.Tasks = append(out.Tasks, task)
			}
		}
	}

	return out, nil
}

func (e *ended) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	var containers []types.ContainerDefinition
	for _, name := range []string{"nginx", "app"} {
		containers = append(containers, types.ContainerDefinition{Name: &name, LogConfiguration: &types.LogConfiguration{
			Options: map[string]string{"awslogs-group": name + "-logs", "awslogs-stream-prefix": "web/" + name},
		}})
	}

	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{TaskDefinitionArn: in.TaskDefinition, ContainerDefinitions: containers}}, nil
}

// streams are the lines of log streams, by group and stream.
type streams map[string][]string

func (s streams) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	lines, ok := s[*in.LogGroupName+" "+*in.LogStreamName]
	if !ok {
		return nil, &logtypes.ResourceNotFoundException{}
	}
	out := &cloudwatchlogs.GetLogEventsOutput{}
	for _, line := range lines[max(0, len(lines)-int(*in.Limit)):] {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: &line})
	}

	return out, nil
}

// stoppedTask is a task that stopped a number of minutes after some moment.
func stoppedTask(id, revision, reason string, minutes int, containers ...types.Container) types.Task {
	return types.Task{
		TaskArn: aws.String("arn:aws:ecs:eu-central-1:123456789012:task/web-1/" + id), TaskDefinitionArn: &revision, StoppedReason: &reason,
		LastStatus: aws.String("STOPPED"), StoppingAt: aws.Time(time.Unix(0, 0).Add(time.Duration(minutes) * time.Minute)), Containers: containers,
	}
}

func stopping(task types.Task) types.Task {
	task.LastStatus = aws.String("STOPPING")

	return task
}

func exited(name string, code int32) types.Container {
	return types.Container{Name: &name, ExitCode: &code}
}

// Whoever reads that a deployment was rolled back wants to know what was wrong with it. ECS's own reason is only that tasks
// failed.
func TestARollbackSaysWhyTheLastTaskFailed(t *testing.T) {
	const exit = "Essential container in task exited"
	unhealthy := types.Container{Name: aws.String("nginx"), ExitCode: aws.Int32(0), HealthStatus: types.HealthStatusUnhealthy}
	notPulled := "CannotPullContainerError: pull image manifest: not found"
	for name, test := range map[string]struct {
		tasks []types.Task
		logs  streams
		want  string
	}{
		"the app crashes": {
			tasks: []types.Task{
				stoppedTask("1", newRevision, exit, 1, exited("app", 9)),
				stoppedTask("3", newRevision, exit, 3, exited("nginx", 0), exited("app", 1)),
				stoppedTask("2", newRevision, exit, 2, exited("app", 9)),
				stoppedTask("4", newRevision, "Scaling activity initiated by (deployment ecs-svc/1)", 4, exited("app", 9)),
				stoppedTask("5", oldRevision, exit, 5, exited("app", 9)),
			},
			logs: streams{"app-logs web/app/app/3": {"Error: Cannot find module 'express'\n", "Node.js v26"}, "nginx-logs web/nginx/nginx/3": {"stops"}},
			want: "The last of its tasks, 3, stopped: Essential container in task exited\n" +
				"  app: exit code 1; the last lines of its log:\n    Error: Cannot find module 'express'\n    Node.js v26\n",
		},
		"nobody answers the health check": {
			tasks: []types.Task{stoppedTask("1", newRevision, "Task failed container health checks", 1, unhealthy, exited("app", 0))},
			logs:  streams{"nginx-logs web/nginx/nginx/1": {"connect() failed"}},
			want: "The last of its tasks, 1, stopped: Task failed container health checks\n" +
				"  nginx: exit code 0, unhealthy; the last lines of its log:\n    connect() failed\n" +
				"  app: exit code 0\n",
		},
		"a later task is still being stopped": {
			tasks: []types.Task{
				stoppedTask("1", newRevision, exit, 1, exited("app", 1)),
				stopping(stoppedTask("2", newRevision, exit, 2, types.Container{Name: aws.String("app"), LastStatus: aws.String("RUNNING")})),
			},
			want: "The last of its tasks, 1, stopped: Essential container in task exited\n  app: exit code 1\n",
		},
		"no task has stopped altogether": {
			tasks: []types.Task{stopping(stoppedTask("1", newRevision, "Task failed ELB health checks", 1,
				types.Container{Name: aws.String("app"), LastStatus: aws.String("RUNNING")}))},
			want: "The last of its tasks, 1, stopped: Task failed ELB health checks\n  app: still running\n",
		},
		"there is no image": {
			tasks: []types.Task{stoppedTask("1", newRevision, notPulled, 1,
				types.Container{Name: aws.String("nginx")}, types.Container{Name: aws.String("app"), Reason: aws.String("CannotPullContainerError: not found")})},
			want: "The last of its tasks, 1, stopped: " + notPulled + "\n  app: CannotPullContainerError: not found\n",
		},
		"an alarm went off": {
			tasks: []types.Task{stoppedTask("1", newRevision, "Scaling activity initiated by (deployment ecs-svc/1)", 1, exited("app", 0))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := failedRollout(&ended{tasks: test.tasks})
			r.Logs = test.logs
			want := "ECS rolled the deployment back: task definition " + newRevision + " was requested, " + oldRevision + " runs: ECS rolls back.\n" +
				test.want + r.advice()
			if err := r.await(t.Context(), time.Hour); err == nil || err.Error() != want {
				t.Errorf("error: %v\nwant: %s", err, want)
			}
		})
	}
}

func TestARollbackIsReportedEvenIfItsTasksCannotBeRead(t *testing.T) {
	r := failedRollout(&ended{refused: errors.New("AccessDeniedException: ecs:ListTasks")})
	err := r.await(t.Context(), time.Hour)
	for _, want := range []string{"ECS rolled the deployment back", "Why its tasks stopped could not be read: AccessDeniedException: ecs:ListTasks\n", "aws ecs describe-services"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

// The explanation must not be cut off when the time for the deployment is.
func TestADeploymentOutOfTimeIsExplained(t *testing.T) {
	r := failedRollout(&ended{tasks: []types.Task{stoppedTask("1", oldRevision, "Essential container in task exited", 1, exited("app", 1))}})
	r.Requested, r.Logs = oldRevision, streams{}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.await(over, time.Hour)
	for _, want := range []string{"still in progress after deploymentTimeoutMinutes", "  app: exit code 1\n"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

func failedRollout(e *ended) Rollout {
	return Rollout{
		Clients: Clients{ECS: e, Logs: streams{}}, Region: "eu-central-1", Cluster: "web-1", Service: "web-2", Requested: newRevision,
	}
}
