package service

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// executionRole declares the role with which ECS pulls the images and writes the logs, and returns the policy that a
// service has to wait for. The tasks themselves have no role: neither container calls AWS.
func (s *Service) executionRole(
	ctx *pulumi.Context, name string, args Args, logGroups ...*cloudwatch.LogGroup,
) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name+"-execution", &iam.RoleArgs{
		Description: pulumi.String("Lets ECS pull images and write logs"),
		AssumeRolePolicy: text(pulumi.StringArray{args.Partition, args.Account},
			func(values []string) (string, error) { return trustPolicy(values[0], args.Region, values[1]) }),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("execution role: %w", err)
	}

	var groups pulumi.StringArray
	for _, group := range logGroups {
		groups = append(groups, group.Arn)
	}
	rights, err := iam.NewRolePolicy(ctx, name+"-execution", &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: pulumi.All(args.RepositoryARNs.ToStringArrayOutput(), groups.ToStringArrayOutput()).ApplyT(
			func(values []any) (string, error) {
				return executionPolicy(values[0].([]string), values[1].([]string))
			}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("execution policy: %w", err)
	}

	return role, rights, nil
}

func (s *Service) taskDefinition(
	ctx *pulumi.Context, name string, args Args, role *iam.Role, nginxLogs, appLogs *cloudwatch.LogGroup,
) (*ecs.TaskDefinition, error) {
	ranges := args.BalancerRanges.ToStringArrayOutput().ApplyT(
		func(ranges []string) string { return strings.Join(ranges, ",") }).(pulumi.StringOutput)
	definitions := text(pulumi.StringArray{args.NginxImage, args.AppImage, nginxLogs.Name, appLogs.Name, ranges},
		func(values []string) (string, error) {
			rendered, err := containerDefinitions(name, args, resolved{
				nginxImage: values[0], appImage: values[1], nginxLogGroup: values[2], appLogGroup: values[3],
				balancerRanges: values[4],
			})
			if err != nil {
				return "", fmt.Errorf("service %s: task: %w", name, err)
			}
			return rendered, nil
		})

	definition, err := ecs.NewTaskDefinition(ctx, name, &ecs.TaskDefinitionArgs{
		// A family has no random suffix: its revisions number themselves. The stack keeps two services of one
		// account apart.
		Family:                  pulumi.String(fmt.Sprintf("%s-%s", name, ctx.Stack())),
		NetworkMode:             pulumi.String("awsvpc"),
		RequiresCompatibilities: pulumi.ToStringArray([]string{"FARGATE"}),
		Cpu:                     pulumi.String(strconv.Itoa(args.CPU)),
		Memory:                  pulumi.String(strconv.Itoa(args.Memory)),
		RuntimePlatform: ecs.TaskDefinitionRuntimePlatformArgs{
			OperatingSystemFamily: pulumi.String("LINUX"),
			CpuArchitecture:       pulumi.String(args.Architecture),
		},
		ExecutionRoleArn:     role.Arn,
		Volumes:              ecs.TaskDefinitionVolumeArray{ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(temporaryVolume)}},
		ContainerDefinitions: definitions,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("task definition: %w", err)
	}

	return definition, nil
}

// text renders a string from strings that other resources provide, once all of them are known.
func text(inputs pulumi.StringArray, render func([]string) (string, error)) pulumi.StringOutput {
	return inputs.ToStringArrayOutput().ApplyT(render).(pulumi.StringOutput)
}
