package service

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/override"
	"fargate-nginx-sidecar/infra/task"
)

// declareTaskDefinition declares the task definition of the service. Pulumi gives a family no random suffix, because ECS
// numbers its revisions. The cluster's name has one, so a stack of the same name from another project in this account has a
// family of its own.
func (b *builder) declareTaskDefinition() (err error) {
	ranges := b.Ingress.Ranges.ToStringArrayOutput().ApplyT(
		func(ranges []string) string { return strings.Join(ranges, ",") }).(pulumi.StringOutput)
	inputs := pulumi.StringArray{b.NginxImage, b.AppImage, b.nginxLogs.Name, b.appLogs.Name, ranges}
	b.definition, err = b.newTaskDefinition(b.Name, &ecs.TaskDefinitionArgs{
		Family:  b.cluster.Name,
		Volumes: volumes(b.Task.ServiceVolumes()),
		ContainerDefinitions: text(append(inputs, b.secrets.inputs()...), func(values []string) (string, error) {
			rendered, err := task.Definitions(b.tasks(), task.Values{
				NginxImage: values[0], AppImage: values[1], NginxLogGroup: values[2], AppLogGroup: values[3],
				IngressRanges: values[4], Secrets: found(values[5:]),
			})
			if err != nil {
				return "", fmt.Errorf("service %s: task: %w", b.Name, err)
			}
			return rendered, nil
		}),
	})

	return err
}

// declareCommandDefinition declares the task definition in which commands run, if there are any.
func (b *builder) declareCommandDefinition() (err error) {
	if len(b.DeployCommand) == 0 && !b.OnSchedule {
		return nil
	}

	inputs := pulumi.StringArray{b.AppImage, b.appLogs.Name}
	b.commands, err = b.newTaskDefinition(b.Name+"-"+task.Commands, &ecs.TaskDefinitionArgs{
		Family:  pulumi.Sprintf("%s-%s", b.cluster.Name, task.Commands),
		Volumes: volumes(b.Task.CommandVolumes()),
		ContainerDefinitions: text(append(inputs, b.secrets.inputs()...), func(values []string) (string, error) {
			rendered, err := task.CommandDefinition(b.tasks(), task.Values{
				AppImage: values[0], AppLogGroup: values[1], Secrets: found(values[2:]),
			})
			if err != nil {
				return "", fmt.Errorf("service %s: commands: %w", b.Name, err)
			}
			return rendered, nil
		}),
	})

	return err
}

// tasks describes the tasks of the service.
func (b *builder) tasks() task.Args {
	return task.Args{
		Settings: b.Task, Service: b.Name, Region: b.Region, IdleTimeout: b.Ingress.IdleTimeout, TLS: b.Ingress.TLS,
		Ingress: b.Ingress.ClientName, Host: b.Ingress.Host, LoginPaths: b.Ingress.LoginPaths, Grace: b.grace(),
		Overrides: b.Overrides.Containers,
	}
}

// newTaskDefinition declares a task definition and fills in what those of a service have in common.
func (b *builder) newTaskDefinition(name string, args *ecs.TaskDefinitionArgs) (*ecs.TaskDefinition, error) {
	if b.Task.Secret {
		args.ContainerDefinitions = pulumi.ToSecret(args.ContainerDefinitions).(pulumi.StringOutput)
	}
	args.NetworkMode = pulumi.String("awsvpc")
	args.RequiresCompatibilities = pulumi.ToStringArray([]string{"FARGATE"})
	args.Cpu, args.Memory = pulumi.String(strconv.Itoa(b.Task.CPU)), pulumi.String(strconv.Itoa(b.Task.Memory))
	args.RuntimePlatform = ecs.TaskDefinitionRuntimePlatformArgs{
		OperatingSystemFamily: pulumi.String("LINUX"),
		CpuArchitecture:       pulumi.String(string(b.Task.Architecture)),
	}
	if size := b.Task.EphemeralStorageGiB; size > 0 {
		args.EphemeralStorage = ecs.TaskDefinitionEphemeralStorageArgs{SizeInGib: pulumi.Int(size)}
	}
	args.ExecutionRoleArn = b.roles.execution.Arn
	if b.roles.task != nil {
		args.TaskRoleArn = b.roles.task.Arn
	}
	if err := override.Apply(args, b.Overrides.TaskDefinition); err != nil {
		return nil, err
	}
	definition, err := ecs.NewTaskDefinition(b.ctx, name, args, b.child)
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
