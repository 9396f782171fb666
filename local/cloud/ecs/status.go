package ecs

import (
	"cmp"
	"slices"
	"time"

	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ServiceStatus is what DescribeServices says of a service beyond what its creator sent.
type ServiceStatus struct {
	// Status is ACTIVE, DRAINING while the tasks of a deleted service stop, INACTIVE when they are gone.
	Status       string
	DesiredCount int
	RunningCount int
	PendingCount int
	Deployments  []Deployment // the primary one first
	Events       []Event      // newest first, at most 100
}

// Deployment is one revision of a service that runs tasks or is about to.
type Deployment struct {
	ID                 string // ecs-svc/<19 digits>
	Status             string // PRIMARY or ACTIVE
	TaskDefinition     string // ARN
	DesiredCount       int
	RunningCount       int
	PendingCount       int
	FailedTasks        int // in a row, without a healthy one between
	RolloutState       types.DeploymentRolloutState
	RolloutStateReason string // in ECS's words
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Event is one line of a service's history.
type Event struct {
	ID        string
	CreatedAt time.Time
	Message   string
}

// Service returns one service's status, false when the scheduler has not seen it.
func (s *Scheduler) Service(arn string) (ServiceStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	service, ok := s.services[arn]
	if !ok {
		return ServiceStatus{}, false
	}
	return service.report(), true
}

// Tasks returns all tasks, oldest first. Stopped ones are kept one hour.
func (s *Scheduler) Tasks() []fargate.TaskStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.stopped)
	for _, service := range s.services {
		all = append(all, service.tasks...)
	}
	var reports []fargate.TaskStatus
	for _, task := range all {
		reports = append(reports, task.Status())
	}
	slices.SortFunc(reports, func(a, b fargate.TaskStatus) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ARN, b.ARN))
	})
	return reports
}
