// Package service looks at the running service of a stack and works on it through the AWS SDK: its tasks, logs, commands and
// revisions. It works alike on AWS and, with the variables of .local/env, on the local run.
package service

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"fargate-nginx-sidecar/ops/stack"
)

// Service is the service of one stack.
type Service struct {
	ecs  *ecs.Client
	logs *cloudwatchlogs.Client

	Cluster, Name, Region string
	// AppLogs and NginxLogs are the names of its log groups.
	AppLogs, NginxLogs string
}

// Open returns the service that a stack's outputs name. Credentials and endpoints are those of the shell.
func Open(ctx context.Context, o stack.Outputs) (*Service, error) {
	cluster, err := arn.Parse(o.ClusterARN)
	if err != nil {
		return nil, fmt.Errorf("output clusterArn %q: %w", o.ClusterARN, err)
	}
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(cluster.Region))
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}

	return &Service{
		ecs: ecs.NewFromConfig(loaded), logs: cloudwatchlogs.NewFromConfig(loaded),
		Cluster: o.ClusterARN, Name: o.ServiceName, Region: cluster.Region, AppLogs: o.AppLogGroup, NginxLogs: o.NginxLogGroup,
	}, nil
}

// appContainer is the app's; infra/task names it.
const appContainer = "app"

func (s *Service) describe(ctx context.Context) (types.Service, error) {
	described, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.Cluster, Services: []string{s.Name}})
	if err != nil {
		return types.Service{}, fmt.Errorf("service %s: %w", s.Name, err)
	}
	if len(described.Services) != 1 || aws.ToString(described.Services[0].Status) != "ACTIVE" {
		return types.Service{}, fmt.Errorf("service %s: not found in cluster %s; the stack's outputs are those of an earlier update: pulumi refresh", s.Name, path.Base(s.Cluster))
	}

	return described.Services[0], nil
}

func (s *Service) definition(ctx context.Context, arn string) (*types.TaskDefinition, error) {
	described, err := s.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
	if err != nil {
		return nil, fmt.Errorf("task definition %s: %w", path.Base(arn), err)
	}

	return described.TaskDefinition, nil
}

// Tasks returns the service's tasks that run.
func (s *Service) Tasks(ctx context.Context) ([]types.Task, error) {
	var all []types.Task
	pages := ecs.NewListTasksPaginator(s.ecs, &ecs.ListTasksInput{Cluster: &s.Cluster, ServiceName: &s.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("tasks of %s: %w", s.Name, err)
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		described, err := s.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &s.Cluster, Tasks: page.TaskArns})
		if err != nil {
			return nil, fmt.Errorf("tasks of %s: %w", s.Name, err)
		}
		all = append(all, described.Tasks...)
	}

	return all, nil
}

// SidecarVariables are what the running task definition sets for NGINX.
func (s *Service) SidecarVariables(ctx context.Context) (map[string]string, error) {
	running, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	definition, err := s.definition(ctx, aws.ToString(running.TaskDefinition))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(definition.ContainerDefinitions, func(c types.ContainerDefinition) bool { return aws.ToString(c.Name) == "nginx" })
	if i < 0 {
		return nil, fmt.Errorf("task definition %s has no container nginx", path.Base(aws.ToString(running.TaskDefinition)))
	}
	variables := map[string]string{}
	for _, variable := range definition.ContainerDefinitions[i].Environment {
		variables[aws.ToString(variable.Name)] = aws.ToString(variable.Value)
	}

	return variables, nil
}

func taskID(arn *string) string { return path.Base(aws.ToString(arn)) }

func trimmed(message *string) string { return strings.TrimRight(aws.ToString(message), "\r\n") }
