package deployment

import (
	"context"
	"errors"
	"fmt"
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

// history is ECS with one service, web-2. Each time that its deployments are listed, the next step happens first.
type history struct {
	ECS
	deployments []types.ServiceDeployment
	revisions   map[string]types.ServiceRevision
	steps       []func(*history)
	forced      []*ecs.UpdateServiceInput
	onForced    func(*history)
	gone        bool
	events      []string
	tasks       []types.Task
	refused     error
	// healthCommand is whether the app has one.
	healthCommand bool
	sidecar       []types.KeyValuePair // its environment
}

const arnOfService = "arn:aws:ecs:eu-central-1:123456789012:service/web-1/web-2"

// noon is when the deployments of these tests begin.
var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// begin adds a deployment, with a revision of the same number, of a task definition to a subnet.
func (h *history) begin(status types.ServiceDeploymentStatus, taskDefinition, subnet string) {
	number := len(h.deployments) + 1
	at := noon.Add(time.Duration(number) * time.Minute)
	if h.revisions == nil {
		h.revisions = map[string]types.ServiceRevision{}
	}
	revision := fmt.Sprintf("revision/%d", number)
	h.revisions[revision] = types.ServiceRevision{
		ServiceRevisionArn: &revision, TaskDefinition: &taskDefinition,
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: []string{subnet}, SecurityGroups: []string{"sg-1"}, AssignPublicIp: types.AssignPublicIpDisabled,
		}},
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}},
	}
	h.deployments = append(h.deployments, types.ServiceDeployment{
		ServiceDeploymentArn: aws.String(fmt.Sprintf("deployment/%d", number)), Status: status, CreatedAt: &at,
		TargetServiceRevision: &types.ServiceRevisionSummary{Arn: &revision},
	})
}

// end ends the newest deployment; if it failed and there is an earlier one, ECS returns to that.
func (h *history) end(status types.ServiceDeploymentStatus) {
	newest := &h.deployments[len(h.deployments)-1]
	newest.Status = status
	newest.FinishedAt = aws.Time(newest.CreatedAt.Add(90 * time.Second))
	const reason = "ECS deployment circuit breaker: tasks failed to start."
	if strings.HasPrefix(string(status), "ROLLBACK") {
		newest.Rollback = &types.Rollback{Reason: aws.String(reason), StartedAt: newest.FinishedAt, ServiceRevisionArn: aws.String("revision/1")}
	} else if status == types.ServiceDeploymentStatusStopped {
		newest.StatusReason = aws.String(reason)
	}
}

func (h *history) ListServices(context.Context, *ecs.ListServicesInput, ...func(*ecs.Options)) (*ecs.ListServicesOutput, error) {
	return &ecs.ListServicesOutput{ServiceArns: []string{arnOfService}}, nil
}

// ListServiceDeployments returns one on a page, in no order of time, as AWS promises none.
func (h *history) ListServiceDeployments(_ context.Context, in *ecs.ListServiceDeploymentsInput, _ ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	if nameOf(*in.Service) != "web-2" {
		return nil, errors.New("service " + *in.Service)
	}
	page := len(aws.ToString(in.NextToken))
	if page == 0 && len(h.steps) > 0 {
		h.steps[0](h)
		h.steps = h.steps[1:]
	}
	var listed []types.ServiceDeploymentBrief
	for _, d := range h.deployments {
		if in.CreatedAt == nil || in.CreatedAt.After == nil || !d.CreatedAt.Before(*in.CreatedAt.After) {
			listed = append(listed, types.ServiceDeploymentBrief{ServiceDeploymentArn: d.ServiceDeploymentArn, CreatedAt: d.CreatedAt, Status: d.Status})
		}
	}
	out := &ecs.ListServiceDeploymentsOutput{}
	if page < len(listed) {
		out.ServiceDeployments = listed[page : page+1]
	}
	if page+1 < len(listed) {
		out.NextToken = aws.String(strings.Repeat("x", page+1))
	}

	return out, nil
}

func (h *history) DescribeServiceDeployments(_ context.Context, in *ecs.DescribeServiceDeploymentsInput, _ ...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error) {
	out := &ecs.DescribeServiceDeploymentsOutput{}
	for _, d := range h.deployments {
		if slices.Contains(in.ServiceDeploymentArns, *d.ServiceDeploymentArn) {
			out.ServiceDeployments = append(out.ServiceDeployments, d)
		}
	}

	return out, nil
}

func (h *history) DescribeServiceRevisions(_ context.Context, in *ecs.DescribeServiceRevisionsInput, _ ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error) {
	return &ecs.DescribeServiceRevisionsOutput{ServiceRevisions: []types.ServiceRevision{h.revisions[in.ServiceRevisionArns[0]]}}, nil
}

func (h *history) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	service := types.Service{Status: aws.String("ACTIVE")}
	if h.gone {
		service.Status = aws.String("INACTIVE")
	}
	for _, event := range h.events {
		service.Events = append(service.Events, types.ServiceEvent{Message: &event, CreatedAt: aws.Time(noon.Add(time.Hour))})
	}

	return &ecs.DescribeServicesOutput{Services: []types.Service{service}}, nil
}

func (h *history) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	h.forced = append(h.forced, in)
	h.begin(types.ServiceDeploymentStatusInProgress, *in.TaskDefinition, in.NetworkConfiguration.AwsvpcConfiguration.Subnets[0])
	if h.onForced != nil {
		h.steps = append(h.steps, h.onForced)
	}

	return &ecs.UpdateServiceOutput{}, nil
}

// ListTasks returns the stopped tasks of the service, two on a page.
func (h *history) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	if h.refused != nil {
		return nil, h.refused
	}
	var arns []string
	for _, task := range h.tasks {
		if (task.StoppedReason != nil) == (in.DesiredStatus == types.DesiredStatusStopped) {
			arns = append(arns, *task.TaskArn)
		}
	}
	from := len(aws.ToString(in.NextToken))
	out := &ecs.ListTasksOutput{TaskArns: arns[min(from, len(arns)):min(from+2, len(arns))]}
	if from+2 < len(arns) {
		out.NextToken = aws.String(strings.Repeat("x", from+2))
	}

	return out, nil
}

func (h *history) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	out := &ecs.DescribeTasksOutput{}
	for _, task := range h.tasks {
		if slices.Contains(in.Tasks, *task.TaskArn) {
			out.Tasks = append(out.Tasks, task)
		}
	}

	return out, nil
}

func (h *history) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	var containers []types.ContainerDefinition
	for _, name := range []string{"nginx", "app", "extra"} {
		containers = append(containers, types.ContainerDefinition{Name: &name, LogConfiguration: &types.LogConfiguration{
			Options: map[string]string{"awslogs-group": name + "-logs", "awslogs-stream-prefix": "web/" + name},
		}})
	}
	containers[0].Environment = h.sidecar
	if h.healthCommand {
		containers[1].HealthCheck = &types.HealthCheck{Command: []string{"CMD", "curl", "localhost"}}
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

// requested is the new task definition in subnet-a.
var requested = Revision{TaskDefinition: newRevision, Network: types.AwsVpcConfiguration{
	Subnets: []string{"subnet-a"}, SecurityGroups: []string{"sg-1"}, AssignPublicIp: types.AssignPublicIpDisabled,
}}

// update runs an update that changes the service: began is what is there before it.
func update(t *testing.T, h *history, appears time.Duration, change func(*history)) error {
	t.Helper()
	clients := Clients{ECS: h, Logs: streams{}}
	before, err := clients.Last(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(h)
	}
	r := Rollout{Clients: clients, Cluster: "web-1", Service: "web-2", Region: "eu-central-1", Requested: requested, Before: before}

	return r.await(t.Context(), time.Millisecond, appears)
}

func TestAnUpdateSucceedsWhenTheDeploymentThatItStartedDoes(t *testing.T) {
	for name, steps := range map[string][]func(*history){
		"at once": {func(h *history) { h.end(types.ServiceDeploymentStatusSuccessful) }},
		"later":   {func(*history) {}, func(*history) {}, func(h *history) { h.end(types.ServiceDeploymentStatusSuccessful) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{}
			h.begin(types.ServiceDeploymentStatusSuccessful, oldRevision, "subnet-a")
			err := update(t, h, 0, func(h *history) {
				h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
				h.steps = steps
			})
			if err != nil || len(h.steps) > 0 {
				t.Errorf("%d steps left, error: %v", len(h.steps), err)
			}
		})
	}
}

func TestAnUpdateWaitsForADeploymentThatECSListsLate(t *testing.T) {
	h := &history{}
	h.begin(types.ServiceDeploymentStatusSuccessful, oldRevision, "subnet-a")
	h.steps = []func(*history){func(*history) {}, func(*history) {}, func(h *history) {
		h.begin(types.ServiceDeploymentStatusSuccessful, newRevision, "subnet-a")
	}}
	if err := update(t, h, time.Minute, nil); err != nil {
		t.Error(err)
	}
}

// The task definition stays, and only the subnets change: the service runs the requested task definition before, during and
// after the rollback.
func TestADeploymentToOtherSubnetsThatIsRolledBackFailsTheUpdate(t *testing.T) {
	h := &history{}
	h.begin(types.ServiceDeploymentStatusSuccessful, newRevision, "subnet-old")
	err := update(t, h, 0, func(h *history) {
		h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
		h.steps = []func(*history){func(h *history) { h.end(types.ServiceDeploymentStatusRollbackInProgress) }}
	})
	if want := "ECS rolled the deployment back after 1m30s: ECS deployment circuit breaker: tasks failed to start."; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
}

func TestAFirstDeploymentThatFailsFailsTheUpdate(t *testing.T) {
	h := &history{}
	err := update(t, h, 0, func(h *history) {
		h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
		h.steps = []func(*history){func(h *history) { h.end(types.ServiceDeploymentStatusStopped) }}
	})
	if want := "The deployment failed after 1m30s, and there is none to return to: ECS deployment circuit breaker: tasks failed to start."; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
	if len(h.forced) > 0 {
		t.Error("a deployment that fails during an update is started again")
	}
}

// What made a deployment fail, such as the value of a secret, may have been corrected outside the stack.
func TestAnUpdateThatChangesNothingStartsAFailedDeploymentAgain(t *testing.T) {
	for name, status := range map[string]types.ServiceDeploymentStatus{
		"the first one": types.ServiceDeploymentStatusStopped, "one that was rolled back": types.ServiceDeploymentStatusRollbackSuccessful,
	} {
		for _, again := range []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusStopped} {
			t.Run(name+", then "+string(again), func(t *testing.T) {
				h := &history{onForced: func(h *history) { h.end(again) }}
				if status != types.ServiceDeploymentStatusStopped {
					h.begin(types.ServiceDeploymentStatusSuccessful, oldRevision, "subnet-a")
				}
				h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
				h.end(status)
				err := update(t, h, 0, nil)
				if (err == nil) != (again == types.ServiceDeploymentStatusSuccessful) {
					t.Errorf("error: %v", err)
				}
				if len(h.forced) != 1 || !h.forced[0].ForceNewDeployment || *h.forced[0].TaskDefinition != newRevision || len(h.forced[0].CapacityProviderStrategy) != 1 {
					t.Errorf("new deployments: %+v", h.forced)
				}
			})
		}
	}
}

// ECS starts no deployment for a change that takes back what it has rolled back itself.
func TestAnUpdateToWhatECSReturnedToIsDone(t *testing.T) {
	h := &history{}
	h.begin(types.ServiceDeploymentStatusSuccessful, newRevision, "subnet-a")
	h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-bad")
	h.end(types.ServiceDeploymentStatusRollbackInProgress)
	h.steps = []func(*history){func(*history) {}, func(*history) {}, func(h *history) { h.end(types.ServiceDeploymentStatusRollbackSuccessful) }}
	if err := update(t, h, 0, nil); err != nil || len(h.forced) > 0 {
		t.Errorf("%d new deployments, error: %v", len(h.forced), err)
	}
}

func TestADeploymentUnderWayBeforeTheUpdateIsJudgedAndNotStartedAgain(t *testing.T) {
	h := &history{}
	h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
	h.steps = []func(*history){func(*history) {}, func(*history) {}, func(h *history) { h.end(types.ServiceDeploymentStatusStopped) }}
	if err := update(t, h, 0, nil); err == nil || len(h.forced) > 0 {
		t.Errorf("%d new deployments, error: %v", len(h.forced), err)
	}
}

func TestWhatSomethingElseHasDeployedIsNoSuccess(t *testing.T) {
	for want, deployed := range map[string][2]string{
		"web-2 runs " + oldRevision + "; requested: " + newRevision:     {oldRevision, "subnet-a"},
		"runs in other subnets or security groups than requested; some": {newRevision, "subnet-other"},
	} {
		h := &history{}
		h.begin(types.ServiceDeploymentStatusSuccessful, deployed[0], deployed[1])
		if err := update(t, h, 0, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "pulumi up --refresh") {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

func TestADeploymentToADeletedServiceFails(t *testing.T) {
	h := &history{gone: true}
	h.begin(types.ServiceDeploymentStatusSuccessful, newRevision, "subnet-a")
	if err := update(t, h, 0, nil); err == nil || !strings.Contains(err.Error(), "has been deleted: its status is INACTIVE; for a new one, run: pulumi up --refresh") {
		t.Errorf("error: %v", err)
	}
}

// The explanation must not be cut off when the time for the deployment is.
func TestADeploymentOutOfTimeIsExplained(t *testing.T) {
	h := &history{tasks: []types.Task{stoppedTask("1", newRevision, "Essential container in task exited", 1, exited("nginx", 0), exited("app", 3))}}
	h.begin(types.ServiceDeploymentStatusInProgress, newRevision, "subnet-a")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r := Rollout{Clients: Clients{ECS: h, Logs: streams{}}, Cluster: "web-1", Service: "web-2", Region: "eu-central-1", Requested: requested}
	err := r.await(over, time.Hour, 0)
	for _, want := range []string{"the app ended with exit code 3", "still in progress after deployment.timeout", "  app: exit code 3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}
