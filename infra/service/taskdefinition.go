package service

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/task"
)

func (s *Service) taskDefinition(
	ctx *pulumi.Context, name string, args Args, cluster *ecs.Cluster, roles roles, secrets secretARNs,
	nginxLogs, appLogs *cloudwatch.LogGroup,
) (*ecs.TaskDefinition, error) {
	ranges := args.IngressRanges.ToStringArrayOutput().ApplyT(
		func(ranges []string) string { return strings.Join(ranges, ",") }).(pulumi.StringOutput)
	inputs := pulumi.StringArray{args.NginxImage, args.AppImage, nginxLogs.Name, appLogs.Name, ranges}
	definitions := text(append(inputs, secrets...), func(values []string) (string, error) {
		rendered, err := task.Definitions(args.tasks(name), task.Values{
			NginxImage: values[0], AppImage: values[1], NginxLogGroup: values[2], AppLogGroup: values[3],
			IngressRanges: values[4], SecretARNs: values[5:],
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
		Volumes:              volumes(args.Task.ServiceVolumes()),
		ContainerDefinitions: definitions,
	})
}

// commandDefinition declares the task definition in which commands run.
func (s *Service) commandDefinition(
	ctx *pulumi.Context, name string, args Args, cluster *ecs.Cluster, roles roles, secrets secretARNs, appLogs *cloudwatch.LogGroup,
) (*ecs.TaskDefinition, error) {
	inputs := pulumi.StringArray{args.AppImage, appLogs.Name}
	definitions := text(append(inputs, secrets...), func(values []string) (string, error) {
		rendered, err := task.CommandDefinition(args.tasks(name), task.Values{
			AppImage: values[0], AppLogGroup: values[1], SecretARNs: values[2:],
		})
		if err != nil {
			return "", fmt.Errorf("service %s: commands: %w", name, err)
		}
		return rendered, nil
	})
	definition, err := s.newTaskDefinition(ctx, name+"-"+task.Commands, args, roles, &ecs.TaskDefinitionArgs{
		Family:               pulumi.Sprintf("%s-%s", cluster.Name, task.Commands),
		Volumes:              volumes(args.Task.CommandVolumes()),
		ContainerDefinitions: definitions,
	})
	if err != nil {
		return nil, fmt.Errorf("commands: %w", err)
	}

	return definition, nil
}

// tasks describes the tasks of the service.
func (a Args) tasks(service string) task.Args {
	return task.Args{
		Settings: a.Task, Service: service, Region: a.Region, IdleTimeout: a.IdleTimeout, TLS: a.TLS,
		FromAPI: a.RegistryARN != nil, LoginPaths: a.LoginPaths,
	}
}

// newTaskDefinition declares a task definition and fills in what those of a service have in common.
func (s *Service) newTaskDefinition(
	ctx *pulumi.Context, name string, args Args, roles roles, definitionArgs *ecs.TaskDefinitionArgs,
) (*ecs.TaskDefinition, error) {
	definitionArgs.NetworkMode = pulumi.String("awsvpc")
	definitionArgs.RequiresCompatibilities = pulumi.ToStringArray([]string{"FARGATE"})
	definitionArgs.Cpu, definitionArgs.Memory = pulumi.String(strconv.Itoa(args.Task.CPU)), pulumi.String(strconv.Itoa(args.Task.Memory))
	definitionArgs.RuntimePlatform = ecs.TaskDefinitionRuntimePlatformArgs{
		OperatingSystemFamily: pulumi.String("LINUX"),
		CpuArchitecture:       pulumi.String(string(args.Task.Architecture)),
	}
	if args.Task.EphemeralStorageGiB > 0 {
		definitionArgs.EphemeralStorage = ecs.TaskDefinitionEphemeralStorageArgs{SizeInGib: pulumi.Int(args.Task.EphemeralStorageGiB)}
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

func volumes(all []task.VolumeDefinition) ecs.TaskDefinitionVolumeArray {
	var volumes ecs.TaskDefinitionVolumeArray
	for _, definition := range all {
		volume := ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(definition.Name)}
		if !definition.IsOwn() {
			volume.EfsVolumeConfiguration = mount(definition.FileSystem)
		}
		volumes = append(volumes, volume)
	}

	return volumes
}

// mount mounts a file system by its access point, encrypted in transit.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-efs-config.html
func mount(point task.AccessPoint) ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs {
	iam := "DISABLED"
	if point.IAM {
		iam = "ENABLED"
	}

	return ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs{
		FileSystemId:      pulumi.String(point.FileSystemID),
		RootDirectory:     pulumi.String("/"), // of the access point
		TransitEncryption: pulumi.String("ENABLED"),
		AuthorizationConfig: ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs{
			AccessPointId: pulumi.String(point.AccessPointID),
			Iam:           pulumi.String(iam),
		},
	}
}

// text renders a string from strings that other resources provide, once all of them are known.
func text(inputs pulumi.StringArray, render func([]string) (string, error)) pulumi.StringOutput {
	return inputs.ToStringArrayOutput().ApplyT(render).(pulumi.StringOutput)
}
