package service

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Deployments is the part of the AWS SDK's ECS client that describes a service and its deployments.
type Deployments interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
}

// lookEvery is the pause between two looks at a deployment.
const lookEvery = 5 * time.Second

// running returns the task definition that runs after an update, once its deployment has ended. The AWS provider stops
// waiting as soon as the desired number of tasks is running. That is also the case after ECS has returned to the previous
// task definition, and while ECS still watches the alarms of a deployment that it may roll back. So running asks ECS how
// the deployment itself ended, and fails the update if the requested task definition does not run.
// https://github.com/pulumi/pulumi-aws/issues/4487
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
//
// A preview does not ask, because the update that follows it may be the one that repairs the service.
func running(ctx *pulumi.Context, name string, args Args, cluster, service, requested pulumi.StringOutput) pulumi.StringOutput {
	if ctx.DryRun() {
		return requested
	}

	// The service's name becomes known when the provider has stopped waiting.
	return text(pulumi.StringArray{cluster, service, requested}, func(values []string) (string, error) {
		r := rollout{
			deployments: args.Deployments, tasks: args.Tasks, logs: args.Logs,
			cluster: values[0], service: values[1], requested: values[2], region: args.Region,
		}
		within, cancel := context.WithTimeout(ctx.Context(), args.DeploymentTimeout)
		defer cancel()
		if err := r.await(within, lookEvery); err != nil {
			return "", fmt.Errorf("service %s: %w", name, err)
		}
		return r.requested, nil
	})
}

// rollout is the deployment of a task definition to a service.
type rollout struct {
	deployments                         Deployments
	tasks                               Tasks
	logs                                Logs
	cluster, service, requested, region string
}

// await returns when the requested task definition has been deployed, or with the reason why it has not.
func (r rollout) await(ctx context.Context, pause time.Duration) error {
	for {
		found, err := r.look(ctx)
		if err != nil {
			return err
		}
		ended, err := r.judge(ctx, found)
		if ended || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("deployment of %s: still in progress after deploymentTimeoutMinutes: %s",
				r.requested, r.explained(ctx, found))
		case <-time.After(pause):
		}
	}
}

// look returns the deployments of the service. The first one is the primary deployment, on which ECS is still working or
// which it has finished.
func (r rollout) look(ctx context.Context) ([]types.Deployment, error) {
	described, err := r.deployments.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(r.cluster), Services: []string{r.service},
	})
	if err != nil {
		return nil, fmt.Errorf("deployments of %s: %w", r.service, err)
	}
	if len(described.Services) != 1 {
		return nil, fmt.Errorf("deployments of %s: ECS knows no such service in cluster %s", r.service, r.cluster)
	}
	if status := aws.ToString(described.Services[0].Status); status != "ACTIVE" {
		return nil, fmt.Errorf("deployments of %s: its status is %s, so it has been deleted; for a new one, run: pulumi up --refresh", r.service, status)
	}
	all := described.Services[0].Deployments
	if len(all) == 0 {
		return nil, fmt.Errorf("deployments of %s: ECS knows none", r.service)
	}
	for i, deployment := range all {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			all[0], all[i] = all[i], all[0]
		}
	}

	return all, nil
}

// judge says whether the deployment has succeeded. It returns an error if the deployment failed or was rolled back.
func (r rollout) judge(ctx context.Context, found []types.Deployment) (ended bool, err error) {
	runs := aws.ToString(found[0].TaskDefinition)
	switch {
	case runs != r.requested:
		return false, fmt.Errorf("ECS rolled the deployment back: task definition %s was requested, %s runs: %s",
			r.requested, runs, r.explained(ctx, found))
	case found[0].RolloutState == types.DeploymentRolloutStateFailed:
		return false, fmt.Errorf("deployment of %s failed, and there is no earlier one to return to: %s",
			r.requested, r.explained(ctx, found))
	default:
		return found[0].RolloutState == types.DeploymentRolloutStateCompleted, nil
	}
}

// explained is all that is known about a deployment that failed, and what to do.
func (r rollout) explained(ctx context.Context, found []types.Deployment) string {
	return reason(found) + "\n" + r.why(ctx) + r.advice()
}

// reason is ECS's reason for the failure of a deployment or, if none has failed, for the state of the primary one.
func reason(found []types.Deployment) string {
	for _, deployment := range found {
		if deployment.RolloutState == types.DeploymentRolloutStateFailed {
			return aws.ToString(deployment.RolloutStateReason)
		}
	}
	if text := aws.ToString(found[0].RolloutStateReason); text != "" && !isCompleted.MatchString(text) {
		return text
	}

	return "ECS gives no reason"
}

// isCompleted matches ECS's reason for the state of a deployment that has succeeded. After a rollback it is that of the
// earlier deployment, and no reason for the rollback.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
var isCompleted = regexp.MustCompile(`^ECS deployment \S+ completed\.$`)

func (r rollout) advice() string {
	return fmt.Sprintf("The service's last events say more:\n"+
		"  aws ecs describe-services --region %s --cluster %s --services %s --query 'services[0].events[:10].[createdAt,message]' --output text\n"+
		"Correct the image or the setting at fault, then run: pulumi up --refresh", r.region, r.cluster, r.service)
}
