package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/ops/stack"
)

// Return is a way back to the revision that served before.
type Return struct {
	// From is the task definition that runs, and To the one before it.
	From, To *types.TaskDefinition
	copied   *string // ARN of a copy of To, if that was not active any more
}

// historyAtOnce is how many deployments ECS lists on a page.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
const historyAtOnce = 100

// Previous finds the last revision that was deployed successfully before the one that runs.
func (s *Service) Previous(ctx context.Context) (*Return, error) {
	service, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	runs := aws.ToString(service.TaskDefinition)
	listed, err := s.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{
		Cluster: &s.Cluster, Service: &s.Name, MaxResults: aws.Int32(historyAtOnce),
		Status: []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful},
	})
	if err != nil {
		return nil, fmt.Errorf("deployments of %s: %w", s.Name, err)
	}
	newestFirst := slices.SortedFunc(slices.Values(listed.ServiceDeployments), func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
	for _, d := range newestFirst {
		revision, err := s.ecs.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{aws.ToString(d.TargetServiceRevisionArn)}})
		if err != nil {
			return nil, fmt.Errorf("revision %s: %w", path.Base(aws.ToString(d.TargetServiceRevisionArn)), err)
		}
		if len(revision.ServiceRevisions) != 1 {
			continue
		}
		if to := aws.ToString(revision.ServiceRevisions[0].TaskDefinition); to != runs {
			return s.between(ctx, runs, to)
		}
	}

	return nil, fmt.Errorf("service %s: no earlier revision than %s was deployed successfully", s.Name, path.Base(runs))
}

func (s *Service) between(ctx context.Context, from, to string) (*Return, error) {
	r := &Return{}
	var err error
	if r.From, err = s.definition(ctx, from); err != nil {
		return nil, err
	}
	r.To, err = s.definition(ctx, to)

	return r, err
}

// Serve makes the service run the earlier revision, and returns when it does, with the time that took.
func (s *Service) Serve(ctx context.Context, r *Return) (time.Duration, error) {
	begun := time.Now()
	target, err := s.active(ctx, r)
	if err != nil {
		return 0, err
	}
	clients := deployment.Clients{ECS: s.ecs, Logs: s.logs}
	before, err := clients.Last(ctx, s.Cluster)
	if err != nil {
		return 0, err
	}
	service, err := s.describe(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := s.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &s.Cluster, Service: &s.Name, TaskDefinition: &target}); err != nil {
		return 0, fmt.Errorf("service %s: %w", s.Name, err)
	}
	err = deployment.Rollout{
		Clients: clients, Cluster: s.Cluster, Service: s.Name, Region: s.Region, Before: before,
		Requested: deployment.Revision{TaskDefinition: target, Network: *service.NetworkConfiguration.AwsvpcConfiguration},
	}.Await(ctx)

	return time.Since(begun), err
}

// active returns the earlier task definition, or a copy of it. Pulumi deregisters what it has replaced: ECS starts nothing from it,
// but still has all that is in it.
func (s *Service) active(ctx context.Context, r *Return) (string, error) {
	if r.To.Status == types.TaskDefinitionStatusActive {
		return aws.ToString(r.To.TaskDefinitionArn), nil
	}
	registered, err := s.ecs.RegisterTaskDefinition(ctx, again(r.To))
	if err != nil {
		return "", fmt.Errorf("task definition %s: %w", path.Base(aws.ToString(r.To.TaskDefinitionArn)), err)
	}
	r.copied = registered.TaskDefinition.TaskDefinitionArn

	return *r.copied, nil
}

// again registers what a task definition has.
func again(d *types.TaskDefinition) *ecs.RegisterTaskDefinitionInput {
	return &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory, EphemeralStorage: d.EphemeralStorage,
		ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn, NetworkMode: d.NetworkMode,
		RequiresCompatibilities: d.RequiresCompatibilities, RuntimePlatform: d.RuntimePlatform, Volumes: d.Volumes,
		PidMode: d.PidMode, IpcMode: d.IpcMode, ProxyConfiguration: d.ProxyConfiguration, EnableFaultInjection: d.EnableFaultInjection,
	}
}

// Finish deregisters the copy that served in the meantime, once the stack runs a revision of its own.
func (s *Service) Finish(ctx context.Context, r *Return) error {
	if r.copied == nil {
		return nil
	}
	_, err := s.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: r.copied})

	return err
}

// Images are those of the earlier revision.
func (r *Return) Images() (stack.Images, error) {
	var images stack.Images
	for _, c := range r.To.ContainerDefinitions {
		switch aws.ToString(c.Name) {
		case appContainer:
			images.App = aws.ToString(c.Image)
		case "nginx":
			images.Nginx = aws.ToString(c.Image)
		}
	}

	return images, images.ByDigest()
}

// errRendering is not expected: the SDK's types have nothing that JSON lacks.
var errRendering = errors.New("containers cannot be compared")

// SameButImages reports whether the two revisions differ in images alone. Then the stack's file agrees with the earlier one as soon as
// it has its images.
func (r *Return) SameButImages() (bool, error) {
	text := func(d *types.TaskDefinition) (string, error) {
		input := again(d)
		input.ContainerDefinitions = slices.Clone(d.ContainerDefinitions)
		for i := range input.ContainerDefinitions {
			input.ContainerDefinitions[i].Image = nil
		}
		content, err := json.Marshal(input)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errRendering, err)
		}
		return string(content), nil
	}
	from, err := text(r.From)
	if err != nil {
		return false, err
	}
	to, err := text(r.To)

	return from == to, err
}
