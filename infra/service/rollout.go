package service

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/task"
)

// start is the beginning of a deployment: the revision that the service gets, the deployments before it, and the end of the
// time that it has, the deployment command included.
type start struct {
	revision string
	before   deployment.History
	deadline time.Time
}

// beginRollout returns the revision that the service gets, once the deployment command has succeeded. If the command fails,
// so does the output, and the engine leaves the service as it is.
//
// This is an output and not one of the engine's resource hooks, because a hook sees only what the engine does: it would
// run the command again when a service is replaced without a new task definition, and not when ECS has rolled back the
// deployment for which it ran. What counts is the revision that ECS runs.
func (b *builder) beginRollout() pulumi.StringOutput {
	if b.ctx.DryRun() {
		return b.definition.Arn
	}
	commands := b.definition.Arn // there is no other without a command
	if b.commands != nil {
		commands = b.commands.Arn
	}
	values := []any{b.definition.Arn, commands, b.cluster.Arn, b.group.ID().ToStringOutput(), b.appLogs.Name, b.SubnetIDs}
	if len(b.DeployCommand) > 0 { // it runs as a task, which needs what the service's tasks need
		for _, resource := range b.before {
			values = append(values, resource.URN())
		}
	}
	b.begun = pulumi.All(values...).ApplyT(func(values []any) (start, error) {
		begun := start{revision: values[0].(string), deadline: time.Now().Add(b.DeploymentTimeout)}
		within, cancel := context.WithDeadline(b.ctx.Context(), begun.deadline)
		defer cancel()
		var err error
		if begun.before, err = b.Last(within, values[2].(string)); err != nil || len(b.DeployCommand) == 0 {
			return begun, err
		}
		c := deployment.Command{
			Clients: b.Clients, Words: b.DeployCommand, Region: b.Region, Container: task.AppContainer,
			Revision: begun.revision, Definition: values[1].(string), Cluster: values[2].(string),
			Network:  b.network(values[5].([]string), values[3].(string)),
			LogGroup: values[4].(string), LogPrefix: b.Name + "/" + task.Commands,
		}
		if err := c.Run(within); err != nil {
			return begun, deployment.In(b.Name, err)
		}
		return begun, nil
	})

	return b.begun.ApplyT(func(begun any) string { return begun.(start).revision }).(pulumi.StringOutput)
}

// awaitRollout returns the task definition that runs after an update, once its deployment has ended, and fails the update if
// the deployment fails. The AWS provider could wait, too, but only for the number of tasks: it returns while ECS still
// watches alarms, takes a rollback for a success, and explains nothing.
// https://github.com/pulumi/pulumi-aws/issues/4487
//
// A preview does not wait, because the update that follows it may be the one that repairs the service.
func (b *builder) awaitRollout() pulumi.StringOutput {
	if b.ctx.DryRun() {
		return b.definition.Arn
	}

	// The service's name becomes known when the provider has changed the service.
	values := pulumi.All(b.begun, b.cluster.Name, b.service.Name, b.SubnetIDs, b.group.ID().ToStringOutput())

	return values.ApplyT(func(values []any) (string, error) {
		begun := values[0].(start)
		r := deployment.Rollout{
			Clients: b.Clients, Cluster: values[1].(string), Service: values[2].(string), Region: b.Region, Before: begun.before,
			Requested: deployment.Revision{TaskDefinition: begun.revision, Network: b.network(values[3].([]string), values[4].(string))},
		}
		within, cancel := context.WithDeadline(b.ctx.Context(), begun.deadline)
		defer cancel()
		if err := r.Await(within); err != nil {
			return "", deployment.In(b.Name, err)
		}
		return begun.revision, nil
	}).(pulumi.StringOutput)
}

// network is where tasks run.
func (b *builder) network(subnets []string, group string) types.AwsVpcConfiguration {
	return types.AwsVpcConfiguration{Subnets: subnets, SecurityGroups: []string{group}, AssignPublicIp: assign(b.PublicAddresses)}
}

func assign(public bool) types.AssignPublicIp {
	if public {
		return types.AssignPublicIpEnabled
	}

	return types.AssignPublicIpDisabled
}
