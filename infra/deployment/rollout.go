package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Revision is the part of a service that ECS deploys and that an update requests.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
type Revision struct {
	// TaskDefinition is an ARN.
	TaskDefinition string
	Network        types.AwsVpcConfiguration
}

// Rollout is an update's change of a service, and the deployment with which ECS carries it out.
type Rollout struct {
	Clients
	Cluster, Service, Region string
	Requested                Revision
	// Before are the deployments that were there when the update began.
	Before History
}

// History holds the last deployment of each service of a cluster, by the service's name.
type History map[string]types.ServiceDeploymentBrief

// Last returns the last deployments of the services of a cluster. An update needs them as they were before it changed
// anything: whatever is newer is its own.
func (c Clients) Last(ctx context.Context, cluster string) (History, error) {
	last := History{}
	pages := ecs.NewListServicesPaginator(c.ECS, &ecs.ListServicesInput{Cluster: &cluster})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("services of %s: %w", cluster, err)
		}
		for _, arn := range page.ServiceArns {
			newest, err := c.newest(ctx, cluster, arn, nil)
			if err != nil {
				return nil, err
			}
			if newest != nil {
				last[nameOf(arn)] = *newest
			}
		}
	}

	return last, nil
}

// newest returns the newest deployment of a service that is not older than after, or nil.
func (c Clients) newest(ctx context.Context, cluster, service string, after *time.Time) (*types.ServiceDeploymentBrief, error) {
	input := &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &service}
	if after != nil {
		input.CreatedAt = &types.CreatedAt{After: after}
	}
	var newest *types.ServiceDeploymentBrief
	for {
		page, err := c.ECS.ListServiceDeployments(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("deployments of %s: %w", nameOf(service), err)
		}
		for _, listed := range page.ServiceDeployments {
			if newest == nil || listed.CreatedAt.After(*newest.CreatedAt) {
				newest = &listed
			}
		}
		if input.NextToken = page.NextToken; input.NextToken == nil {
			return newest, nil
		}
	}
}

// appearsWithin is how long ECS may take to list a deployment that it has just started.
const appearsWithin = 15 * time.Second

// Await returns when ECS has deployed what the update requests, or with the reason why it has not.
//
// It waits for the deployment that the update has started: a new task definition starts one, and so does another network
// or capacity. ECS ends it as SUCCESSFUL or returns to the revision before; the service as a whole looks well in both cases.
// An update that starts none, because nothing has changed since a deployment failed, starts that deployment again.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
func (r Rollout) Await(ctx context.Context) error { return r.await(ctx, pollInterval, appearsWithin) }

func (r Rollout) await(ctx context.Context, pause, appears time.Duration) error {
	for begun, restarted := time.Now(), false; ; {
		last, err := r.look(ctx)
		if err != nil {
			return r.unlessOver(ctx, last, err)
		}
		isOld := last != nil && r.isOld(*last)
		expectsMore := last == nil || isOld && time.Since(begun) < appears
		switch {
		case last != nil && last.Status == types.ServiceDeploymentStatusSuccessful:
			if differs := r.compare(ctx, last.TargetServiceRevision); differs == nil || !expectsMore {
				return differs
			}
		case expectsMore || isUnderWay(last.Status) || isOld && isEnding(last.Status):
		case !isOld || isUnderWay(r.Before[r.Service].Status):
			return r.failure(ctx, last)
		case r.returnedTo(ctx, last):
			return nil
		case !restarted:
			if err := r.restart(ctx, last); err != nil {
				return err
			}
			restarted = true
		}
		select {
		case <-ctx.Done():
			return r.unlessOver(ctx, last, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// unlessOver is an error of a request, or the end of the time for the deployment, during which requests fail, too.
func (r Rollout) unlessOver(ctx context.Context, last *types.ServiceDeployment, err error) error {
	if ctx.Err() == nil {
		return err
	}

	return r.failure(ctx, last)
}

// look returns the newest deployment of the service, or nil if ECS lists none yet.
func (r Rollout) look(ctx context.Context) (*types.ServiceDeployment, error) {
	if err := r.exists(ctx); err != nil {
		return nil, err
	}
	var arn *string
	var after *time.Time
	if before, ok := r.Before[r.Service]; ok {
		arn, after = before.ServiceDeploymentArn, before.CreatedAt
	}
	newest, err := r.newest(ctx, r.Cluster, r.Service, after)
	if err != nil {
		return nil, err
	}
	if newest != nil {
		arn = newest.ServiceDeploymentArn
	}
	if arn == nil {
		return nil, nil //nolint:nilnil // There is none, and that is no error.
	}
	described, err := r.ECS.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*arn}})
	if err != nil {
		return nil, fmt.Errorf("deployment %s: %w", *arn, err)
	}
	if len(described.ServiceDeployments) != 1 {
		return nil, nil //nolint:nilnil // ECS has listed it before it can describe it.
	}

	return &described.ServiceDeployments[0], nil
}

func (r Rollout) exists(ctx context.Context) error {
	described, err := r.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &r.Cluster, Services: []string{r.Service}})
	if err != nil {
		return fmt.Errorf("service %s: %w", r.Service, err)
	}
	if len(described.Services) != 1 {
		return fmt.Errorf("service %s not found in cluster %s; for a new one, run: pulumi up --refresh", r.Service, r.Cluster)
	}
	if status := aws.ToString(described.Services[0].Status); status != "ACTIVE" {
		return fmt.Errorf("service %s has been deleted: its status is %s; for a new one, run: pulumi up --refresh", r.Service, status)
	}

	return nil
}

// isOld reports whether a deployment was there before the update.
func (r Rollout) isOld(d types.ServiceDeployment) bool {
	before, ok := r.Before[r.Service]

	return ok && aws.ToString(before.ServiceDeploymentArn) == aws.ToString(d.ServiceDeploymentArn)
}

// isUnderWay reports whether a deployment may still succeed. As soon as it stops or rolls back, its end is certain.
func isUnderWay(status types.ServiceDeploymentStatus) bool {
	return status == types.ServiceDeploymentStatusPending || status == types.ServiceDeploymentStatusInProgress
}

// isEnding reports whether ECS still works on the end of a deployment that has failed.
func isEnding(status types.ServiceDeploymentStatus) bool {
	return status == types.ServiceDeploymentStatusStopRequested || status == types.ServiceDeploymentStatusRollbackRequested ||
		status == types.ServiceDeploymentStatusRollbackInProgress
}

// compare returns an error unless a revision is the requested one. Something else has deployed it then.
func (r Rollout) compare(ctx context.Context, summary *types.ServiceRevisionSummary) error {
	if summary == nil {
		return errors.New("the last deployment has no revision; for another one, run: pulumi up --refresh")
	}
	revision, err := r.revision(ctx, *summary.Arn)
	if err != nil {
		return err
	}
	switch runs := aws.ToString(revision.TaskDefinition); {
	case runs != r.Requested.TaskDefinition:
		return fmt.Errorf("%s runs %s; requested: %s; something other than this stack has deployed it; to deploy over it, run: pulumi up --refresh",
			r.Service, runs, r.Requested.TaskDefinition)
	case !r.hasRequestedNetwork(revision):
		return fmt.Errorf("%s runs in other subnets or security groups than requested; something other than this stack has deployed it; "+
			"to deploy over it, run: pulumi up --refresh", r.Service)
	}

	return nil
}

func (r Rollout) revision(ctx context.Context, arn string) (types.ServiceRevision, error) {
	described, err := r.ECS.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{arn}})
	if err != nil {
		return types.ServiceRevision{}, fmt.Errorf("revision %s: %w", arn, err)
	}
	if len(described.ServiceRevisions) != 1 {
		return types.ServiceRevision{}, fmt.Errorf("revision %s: not found", arn)
	}

	return described.ServiceRevisions[0], nil
}

func (r Rollout) hasRequestedNetwork(revision types.ServiceRevision) bool {
	if revision.NetworkConfiguration == nil || revision.NetworkConfiguration.AwsvpcConfiguration == nil {
		return false
	}
	runs, want := revision.NetworkConfiguration.AwsvpcConfiguration, r.Requested.Network

	return sameSet(runs.Subnets, want.Subnets) && sameSet(runs.SecurityGroups, want.SecurityGroups) && runs.AssignPublicIp == want.AssignPublicIp
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// returnedTo reports whether ECS has returned from a failed deployment to what is requested now: an update that takes back
// what failed changes nothing for ECS.
func (r Rollout) returnedTo(ctx context.Context, failed *types.ServiceDeployment) bool {
	return failed.Status == types.ServiceDeploymentStatusRollbackSuccessful && failed.Rollback != nil &&
		r.compare(ctx, &types.ServiceRevisionSummary{Arn: failed.Rollback.ServiceRevisionArn}) == nil
}

// restart starts a failed deployment again. What made it fail may lie outside the service, such as the value of a secret.
func (r Rollout) restart(ctx context.Context, failed *types.ServiceDeployment) error {
	if err := r.compare(ctx, failed.TargetServiceRevision); err != nil {
		return err
	}
	revision, err := r.revision(ctx, *failed.TargetServiceRevision.Arn)
	if err != nil {
		return err
	}
	_, err = r.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: &r.Cluster, Service: &r.Service, ForceNewDeployment: true,
		TaskDefinition: revision.TaskDefinition, NetworkConfiguration: revision.NetworkConfiguration,
		CapacityProviderStrategy: revision.CapacityProviderStrategy,
	})
	if err != nil {
		return fmt.Errorf("service %s: new deployment after one that failed: %w", r.Service, err)
	}

	return nil
}
