package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maximumCount is how many tasks one request may start.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
const maximumCount = 10

// ErrInvalidParameter is RunTask's answer to a request that ECS refuses.
var ErrInvalidParameter = errors.New("invalid parameter")

// RunTask starts tasks that belong to no service. What they do ends with them: nobody starts them again.
func (s *Scheduler) RunTask(ctx context.Context, request *ecs.RunTaskInput) ([]types.Task, error) {
	spec, err := s.spec(ctx, request)
	if err != nil {
		return nil, err
	}
	// The first look comes when the Docker engine has all that a task needs.
	if err := s.Sync(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errors.New("the run is about to end; no task starts any more")
	}
	var started []types.Task
	for range *orOne(request.Count) {
		t := &task{Task: s.runtime.Start(spec)}
		s.standalone = append(s.standalone, t)
		started = append(started, t.Describe())
	}
	return started, nil
}

func orOne(count *int32) *int32 {
	if count == nil {
		return aws.Int32(1)
	}
	return count
}

// spec checks a request and turns it into a task to run.
func (s *Scheduler) spec(ctx context.Context, request *ecs.RunTaskInput) (fargate.Spec, error) {
	definition, err := s.source.read(ctx, aws.ToString(request.TaskDefinition))
	if err != nil {
		return fargate.Spec{}, fmt.Errorf("%w: %w", ErrInvalidParameter, err)
	}
	cluster, err := s.source.cluster(ctx, aws.ToString(request.Cluster))
	if err != nil {
		return fargate.Spec{}, err
	}
	spec := fargate.Spec{
		ClusterARN: cluster, StartedBy: aws.ToString(request.StartedBy), Definition: definition, Changed: s.Wake,
	}
	var wrong []error
	if n := *orOne(request.Count); n < 1 || n > maximumCount {
		wrong = append(wrong, fmt.Errorf("count %d; allowed: 1 to %d", n, maximumCount))
	}
	if onFargate := request.LaunchType == types.LaunchTypeFargate || len(request.CapacityProviderStrategy) > 0; !onFargate {
		wrong = append(wrong, fmt.Errorf("launch type %q; allowed in the local run: FARGATE", request.LaunchType))
	}
	if n := request.NetworkConfiguration; n == nil || n.AwsvpcConfiguration == nil || len(n.AwsvpcConfiguration.Subnets) == 0 {
		wrong = append(wrong, errors.New("network configuration must be provided with the network mode awsvpc"))
	} else {
		spec.Subnet = n.AwsvpcConfiguration.Subnets[0]
	}
	if o := request.Overrides; o != nil {
		spec.Overrides = o.ContainerOverrides
		wrong = append(wrong, checkOverrides(definition, o))
	}
	if err := errors.Join(wrong...); err != nil {
		return fargate.Spec{}, fmt.Errorf("%w: %w", ErrInvalidParameter, err)
	}
	return spec, nil
}

// checkOverrides refuses what ECS refuses, and what the local run would silently leave out.
func checkOverrides(definition *fargate.Definition, o *types.TaskOverride) error {
	var wrong []error
	if o.Cpu != nil || o.Memory != nil || o.EphemeralStorage != nil || o.ExecutionRoleArn != nil || o.TaskRoleArn != nil {
		wrong = append(wrong, errors.New("overrides of the task itself: not supported by the local run"))
	}
	for _, c := range o.ContainerOverrides {
		if len(c.EnvironmentFiles) > 0 || len(c.ResourceRequirements) > 0 {
			wrong = append(wrong, errors.New("environmentFiles, resourceRequirements: not supported by the local run"))
		}
		if !slices.ContainsFunc(definition.ContainerDefinitions, func(d types.ContainerDefinition) bool {
			return aws.ToString(d.Name) == aws.ToString(c.Name)
		}) {
			wrong = append(wrong, fmt.Errorf("override for container named %s is not a container in the TaskDefinition", aws.ToString(c.Name)))
		}
	}
	return errors.Join(wrong...)
}

// collectEnded moves the stopped tasks of no service to the other stopped ones. The caller holds s.mu.
func (s *Scheduler) collectEnded() {
	s.standalone = slices.DeleteFunc(s.standalone, func(t *task) bool {
		if t.lastStatus() != statusStopped {
			return false
		}
		s.stopped = append(s.stopped, t)
		return true
	})
}

// everyTask returns the tasks that have not stopped. The caller holds s.mu.
func (s *Scheduler) everyTask() []*task {
	all := slices.Clone(s.standalone)
	for _, service := range s.services {
		all = append(all, service.tasks...)
	}
	return all
}
