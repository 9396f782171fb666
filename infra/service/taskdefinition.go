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
// service has to wait for. It is not the role of the tasks themselves; see taskRole.
func (s *Service) executionRole(
	ctx *pulumi.Context, name string, args Args, secrets secretSources, logGroups ...*cloudwatch.LogGroup,
) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name+"-execution", &iam.RoleArgs{
		Description:      pulumi.String("Lets ECS pull images and write logs"),
		AssumeRolePolicy: trust(args),
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
		Policy: pulumi.All(args.Partition, args.RepositoryARNs, groups, secrets.parameters(), secrets.secrets()).ApplyT(
			func(values []any) (string, error) {
				agent := agentRepository(values[0].(string), args.Region)
				return executionPolicy(agent, values[1].([]string), values[2].([]string), secretRights{
					parameters: values[3].([]string), secrets: values[4].([]string), key: args.KMSKeyARN,
				})
			}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("execution policy: %w", err)
	}

	return role, rights, nil
}

func (s *Service) taskDefinition(
	ctx *pulumi.Context, name string, args Args, cluster *ecs.Cluster, roles roles, secrets secretSources,
	nginxLogs, appLogs *cloudwatch.LogGroup,
) (*ecs.TaskDefinition, error) {
	ranges := args.IngressRanges.ToStringArrayOutput().ApplyT(
		func(ranges []string) string { return strings.Join(ranges, ",") }).(pulumi.StringOutput)
	inputs := pulumi.StringArray{args.NginxImage, args.AppImage, nginxLogs.Name, appLogs.Name, ranges}
	definitions := text(append(inputs, secrets.values()...),
		func(values []string) (string, error) {
			rendered, err := containerDefinitions(name, args, resolved{
				nginxImage: values[0], appImage: values[1], nginxLogGroup: values[2], appLogGroup: values[3],
				ingressRanges: values[4], secrets: secrets.named(values[5:]),
			})
			if err != nil {
				return "", fmt.Errorf("service %s: task: %w", name, err)
			}
			return rendered, nil
		})

	return s.newTaskDefinition(ctx, name, args, roles, &ecs.TaskDefinitionArgs{
		// Pulumi gives a family no random suffix, because ECS numbers its revisions. The cluster's name has one, so a
		// stack of the same name from another project in this account has a family of its own.
		Family:               cluster.Name,
		Volumes:              append(volumes(args.Settings), args.Sidecar.historyVolumes()...),
		ContainerDefinitions: definitions,
	})
}

// newTaskDefinition declares a task definition and fills in what those of a service have in common.
func (s *Service) newTaskDefinition(
	ctx *pulumi.Context, name string, args Args, roles roles, definitionArgs *ecs.TaskDefinitionArgs,
) (*ecs.TaskDefinition, error) {
	definitionArgs.NetworkMode = pulumi.String("awsvpc")
	definitionArgs.RequiresCompatibilities = pulumi.ToStringArray([]string{"FARGATE"})
	definitionArgs.Cpu, definitionArgs.Memory = pulumi.String(strconv.Itoa(args.CPU)), pulumi.String(strconv.Itoa(args.Memory))
	definitionArgs.RuntimePlatform = ecs.TaskDefinitionRuntimePlatformArgs{
		OperatingSystemFamily: pulumi.String("LINUX"),
		CpuArchitecture:       pulumi.String(string(args.Architecture)),
	}
	if args.EphemeralStorageGiB > 0 {
		definitionArgs.EphemeralStorage = ecs.TaskDefinitionEphemeralStorageArgs{SizeInGib: pulumi.Int(args.EphemeralStorageGiB)}
	}
	definitionArgs.ExecutionRoleArn = roles.execution.Arn
	if roles.task != nil {
		definitionArgs.TaskRoleArn = roles.task.Arn
	}
	definition, err := ecs.NewTaskDefinition(ctx, name, definitionArgs, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("task definition: %w", err)
	}

	return definition, nil
}

// roles are the execution role, which ECS uses, and the role of the tasks themselves, if they need one.
type roles struct{ execution, task *iam.Role }

func (r roles) arns() pulumi.StringArrayOutput {
	all := pulumi.StringArray{r.execution.Arn}
	if r.task != nil {
		all = append(all, r.task.Arn)
	}

	return all.ToStringArrayOutput()
}

func trust(args Args) pulumi.StringOutput {
	return text(pulumi.StringArray{args.Partition, args.Account},
		func(values []string) (string, error) { return trustPolicy(values[0], args.Region, values[1]) })
}

// volumes are directories of the task's own: NGINX's, the socket's where there is one, and one for each path that the app
// may write to, for each directory of static files and for each path that a further container may write to. Those of file
// systems, which outlive the task, come last.
func volumes(s Settings) ecs.TaskDefinitionVolumeArray {
	all := ecs.TaskDefinitionVolumeArray{ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(temporaryVolume)}}
	if s.Sidecar.AppListen == OnSocket {
		all = append(all, ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(socketVolume)})
	}
	for i := range s.App.WritablePaths {
		all = append(all, ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(appVolume(i))})
	}
	for i := range s.Sidecar.StaticFiles {
		all = append(all, ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(staticVolume(i))})
	}

	all = append(all, furtherVolumes(s.Further)...)

	return append(all, efsVolumes(s.Volumes)...)
}

// text renders a string from strings that other resources provide, once all of them are known.
func text(inputs pulumi.StringArray, render func([]string) (string, error)) pulumi.StringOutput {
	return inputs.ToStringArrayOutput().ApplyT(render).(pulumi.StringOutput)
}
