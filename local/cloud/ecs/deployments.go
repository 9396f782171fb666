package ecs

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// supersede ends what is under way because another deployment begins.
func (v *service) supersede(now time.Time) {
	for _, d := range v.history {
		if d.finished.IsZero() {
			d.end(types.ServiceDeploymentStatusStopped, now)
		}
	}
	v.rollingBack = nil
}

// complete ends the primary deployment, or the one from which the service has returned to it.
func (v *service) complete(primary *deployment, now time.Time) {
	if v.rollingBack != nil {
		v.rollingBack.end(types.ServiceDeploymentStatusRollbackSuccessful, now)
		v.rollingBack = nil
		return
	}
	primary.end(types.ServiceDeploymentStatusSuccessful, now)
}

func (d *deployment) end(status types.ServiceDeploymentStatus, now time.Time) {
	d.status, d.finished = status, now
}

// ServiceDeployments returns the deployments of all services, oldest first. A deployment without rollback that fails is
// STOPPED, and one that is rolled back stays what it is: a rollback is no deployment of its own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
func (s *Scheduler) ServiceDeployments() []types.ServiceDeployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []types.ServiceDeployment
	for _, v := range s.services {
		for _, d := range v.history {
			all = append(all, d.describeDeployment())
		}
	}
	slices.SortStableFunc(all, func(a, b types.ServiceDeployment) int { return a.CreatedAt.Compare(*b.CreatedAt) })
	return all
}

// ServiceRevisions returns the revisions of all services. Each deployment makes one; a rollback uses one that exists.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
func (s *Scheduler) ServiceRevisions() []types.ServiceRevision {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []types.ServiceRevision
	for _, v := range s.services {
		for _, d := range v.history {
			all = append(all, d.describeRevision())
		}
	}
	return all
}

// named is the ARN of something of a service. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
func (d *deployment) named(kind, id string) *string {
	return aws.String(strings.Replace(d.declared.arn, ":service/", ":"+kind+"/", 1) + "/" + id)
}

func (d *deployment) revisionARN() *string { return d.named("service-revision", d.revisionID) }

func (d *deployment) describeDeployment() types.ServiceDeployment {
	described := types.ServiceDeployment{
		ServiceDeploymentArn: d.named("service-deployment", d.deploymentID), ServiceArn: &d.declared.arn, ClusterArn: &d.declared.clusterARN,
		CreatedAt: &d.created, StartedAt: &d.created, UpdatedAt: aws.Time(d.updated), Status: d.status,
		TargetServiceRevision: &types.ServiceRevisionSummary{Arn: d.revisionARN()},
		DeploymentCircuitBreaker: &types.ServiceDeploymentCircuitBreaker{
			Status: d.breakerStatus(), FailureCount: int32(d.failed), Threshold: int32(breakerThreshold(d.declared.desired)), //nolint:gosec // a few
		},
	}
	if d.source != nil {
		described.SourceServiceRevisions = []types.ServiceRevisionSummary{{Arn: d.source.revisionARN()}}
	}
	if d.state == types.DeploymentRolloutStateFailed {
		described.StatusReason = aws.String(d.reason)
	}
	if d.returnedTo != nil {
		described.Rollback = &types.Rollback{Reason: aws.String(d.reason), ServiceRevisionArn: d.returnedTo.revisionARN(), StartedAt: aws.Time(d.updated)}
	}
	if !d.finished.IsZero() {
		described.FinishedAt = aws.Time(d.finished)
	}
	return described
}

func (d *deployment) breakerStatus() types.ServiceDeploymentRollbackMonitorsStatus {
	switch {
	case !d.declared.breaker:
		return types.ServiceDeploymentRollbackMonitorsStatusDisabled
	case d.state == types.DeploymentRolloutStateFailed:
		return types.ServiceDeploymentRollbackMonitorsStatusTriggered
	case d.finished.IsZero():
		return types.ServiceDeploymentRollbackMonitorsStatusMonitoring
	}
	return types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
}

func (d *deployment) describeRevision() types.ServiceRevision {
	return types.ServiceRevision{
		ServiceRevisionArn: d.revisionARN(), ServiceArn: &d.declared.arn, ClusterArn: &d.declared.clusterARN, CreatedAt: &d.created,
		TaskDefinition: aws.String(d.declared.revision.taskDefinition), NetworkConfiguration: d.declared.network,
		CapacityProviderStrategy: d.declared.capacity, LaunchType: d.declared.launchType,
	}
}
