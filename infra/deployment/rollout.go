package deployment

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Rollout is the deployment of a task definition to a service.
type Rollout struct {
	Clients
	// Requested is the ARN of the task definition.
	Cluster, Service, Requested, Region string
}

// Await returns when the requested task definition has been deployed, or with the reason why it has not.
func (r Rollout) Await(ctx context.Context) error { return r.await(ctx, pollInterval) }

func (r Rollout) await(ctx context.Context, pause time.Duration) error {
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
				r.Requested, r.explained(ctx, found))
		case <-time.After(pause):
		}
	}
}

// look returns the deployments of the service. The first one is the primary deployment, on which ECS is still working or
// which it has finished.
func (r Rollout) look(ctx context.Context) ([]types.Deployment, error) {
	described, err := r.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(r.Cluster), Services: []string{r.Service},
	})
	if err != nil {
		return nil, fmt.Errorf("deployments of %s: %w", r.Service, err)
	}
	if len(described.Services) != 1 {
		return nil, fmt.Errorf("deployments of %s: ECS knows no such service in cluster %s", r.Service, r.Cluster)
	}
	if status := aws.ToString(described.Services[0].Status); status != "ACTIVE" {
		return nil, fmt.Errorf("deployments of %s: its status is %s, so it has been deleted; for a new one, run: pulumi up --refresh", r.Service, status)
	}
	all := described.Services[0].Deployments
	if len(all) == 0 {
		return nil, fmt.Errorf("deployments of %s: ECS knows none", r.Service)
	}
	for i, deployment := range all {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			all[0], all[i] = all[i], all[0]
		}
	}

	return all, nil
}

// judge says whether the deployment has succeeded. It returns an error if the deployment failed or was rolled back.
func (r Rollout) judge(ctx context.Context, found []types.Deployment) (ended bool, err error) {
	runs := aws.ToString(found[0].TaskDefinition)
	switch {
	case runs != r.Requested:
		return false, fmt.Errorf("ECS rolled the deployment back: task definition %s was requested, %s runs: %s",
			r.Requested, runs, r.explained(ctx, found))
	case found[0].RolloutState == types.DeploymentRolloutStateFailed:
		return false, fmt.Errorf("deployment of %s failed, and there is no earlier one to return to: %s",
			r.Requested, r.explained(ctx, found))
	default:
		return found[0].RolloutState == types.DeploymentRolloutStateCompleted, nil
	}
}

// explained is all that is known about a deployment that failed, and what to do.
func (r Rollout) explained(ctx context.Context, found []types.Deployment) string {
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

func (r Rollout) advice() string {
	return fmt.Sprintf("The service's last events say more:\n"+
		"  aws ecs describe-services --region %s --cluster %s --services %s --query 'services[0].events[:10].[createdAt,message]' --output text\n"+
		"Correct the image or the setting at fault, then run: pulumi up --refresh", r.Region, r.Cluster, r.Service)
}
