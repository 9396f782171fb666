package service

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/task"
)

// runDeployCommand returns the service's task definition once the deployment command has succeeded. If the command fails, so
// does the output, and the engine leaves the service as it is.
//
// This is an output and not one of the engine's resource hooks, because a hook sees only what the engine does: it would
// run the command again when a service is replaced without a new task definition, and not when ECS has rolled back the
// deployment for which it ran. What counts is the revision that ECS runs.
func (b *builder) runDeployCommand() pulumi.StringOutput {
	if len(b.DeployCommand) == 0 || b.ctx.DryRun() {
		return b.definition.Arn
	}

	values := []any{b.definition.Arn, b.commands.Arn, b.cluster.Arn, b.group.ID().ToStringOutput(), b.appLogs.Name, b.SubnetIDs}
	for _, resource := range b.before {
		values = append(values, resource.URN())
	}

	return pulumi.All(values...).ApplyT(func(values []any) (string, error) {
		c := deployment.Command{
			Clients: b.Clients, Words: b.DeployCommand, Region: b.Region, Container: task.AppContainer,
			Revision: values[0].(string), Definition: values[1].(string), Cluster: values[2].(string),
			Network: types.AwsVpcConfiguration{
				SecurityGroups: []string{values[3].(string)}, Subnets: values[5].([]string), AssignPublicIp: assign(b.PublicAddresses),
			},
			LogGroup: values[4].(string), LogPrefix: b.Name + "/" + task.Commands,
		}
		within, cancel := context.WithTimeout(b.ctx.Context(), b.DeploymentTimeout)
		defer cancel()
		if err := c.Run(within); err != nil {
			return "", fmt.Errorf("service %s: deployCommand %s: %w\nThe service has not been changed", b.Name, quoted(c.Words), err)
		}
		return c.Revision, nil
	}).(pulumi.StringOutput)
}

// awaitRollout returns the task definition that runs after an update, once its deployment has ended. The AWS provider stops
// waiting as soon as the desired number of tasks is running. That is also the case after ECS has returned to the previous
// task definition, and while ECS still watches the alarms of a deployment that it may roll back. So awaitRollout reads how
// the deployment itself ended, and fails the update if the requested task definition does not run.
// https://github.com/pulumi/pulumi-aws/issues/4487
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
//
// A preview does not, because the update that follows it may be the one that repairs the service.
func (b *builder) awaitRollout() pulumi.StringOutput {
	if b.ctx.DryRun() {
		return b.definition.Arn
	}

	// The service's name becomes known when the provider has stopped waiting.
	return text(pulumi.StringArray{b.cluster.Name, b.service.Name, b.definition.Arn}, func(values []string) (string, error) {
		r := deployment.Rollout{
			Clients: b.Clients, Cluster: values[0], Service: values[1], Requested: values[2], Region: b.Region,
		}
		within, cancel := context.WithTimeout(b.ctx.Context(), b.DeploymentTimeout)
		defer cancel()
		if err := r.Await(within); err != nil {
			return "", fmt.Errorf("service %s: %w", b.Name, err)
		}
		return r.Requested, nil
	})
}

func assign(public bool) types.AssignPublicIp {
	if public {
		return types.AssignPublicIpEnabled
	}

	return types.AssignPublicIpDisabled
}

func quoted(words []string) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = strconv.Quote(word)
	}

	return "[" + strings.Join(all, ", ") + "]"
}
