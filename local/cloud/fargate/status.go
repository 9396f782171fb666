package fargate

import (
	"slices"
	"strings"
	"time"
)

// ServiceStatus is what DescribeServices says of a service beyond what its creator sent.
type ServiceStatus struct {
	ARN, ClusterARN, Name string
	// Status is ACTIVE, DRAINING while the tasks of a deleted service stop, INACTIVE when they are gone.
	Status         string
	TaskDefinition string // ARN, of the primary deployment
	DesiredCount   int
	RunningCount   int
	PendingCount   int
	Deployments    []Deployment // the primary one first
	Events         []Event      // newest first, at most 100
}

// Deployment is one revision of a service that runs tasks or is about to.
type Deployment struct {
	ID             string // ecs-svc/<19 digits>
	Status         string // PRIMARY or ACTIVE
	TaskDefinition string // ARN
	DesiredCount   int
	RunningCount   int
	PendingCount   int
	FailedTasks    int    // in a row, without a healthy one between
	RolloutState   string // IN_PROGRESS, COMPLETED, FAILED
	// RolloutStateReason says why, in ECS's words.
	RolloutStateReason string
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// Event is one line of a service's history.
type Event struct {
	ID        string
	CreatedAt time.Time
	Message   string
}

// Task is what DescribeTasks says of a task. Times that have not come are zero.
type Task struct {
	ARN, ClusterARN, ServiceName string
	Group, StartedBy             string // "service:<name>" and the deployment's id
	TaskDefinition               string // ARN
	LastStatus, DesiredStatus    string
	HealthStatus                 string // HEALTHY, UNHEALTHY, UNKNOWN
	StopCode, StoppedReason      string
	CPU, Memory                  string // of the task, CPU units and MiB
	AvailabilityZone, SubnetID   string
	PrivateIP                    string // a label from the subnet's range; nothing listens there
	CreatedAt, PullStartedAt     time.Time
	PullStoppedAt, StartedAt     time.Time
	StoppingAt, StoppedAt        time.Time
	Containers                   []Container
}

// Container is one container of a Task.
type Container struct {
	ARN, Name          string
	Image, ImageDigest string
	RuntimeID          string // Docker's container id
	LastStatus         string // PENDING, RUNNING, STOPPED
	HealthStatus       string // HEALTHY, UNHEALTHY, UNKNOWN; "" without a health check
	Reason             string
	ExitCode           *int
	Ports              map[int]string // container port to the local address that reaches it
	LogsDropped        int            // log lines lost to a full non-blocking buffer
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

// Services returns the status of every service of a cluster, by name; "" means every cluster.
func (s *Scheduler) Services(clusterARN string) []ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reports []ServiceStatus
	for _, service := range s.services {
		if clusterARN == "" || service.declared.clusterARN == clusterARN {
			reports = append(reports, service.report())
		}
	}
	slices.SortFunc(reports, func(a, b ServiceStatus) int { return strings.Compare(a.ARN, b.ARN) })
	return reports
}

// Tasks returns the tasks of a cluster, oldest first; "" means every cluster. Stopped ones are kept one hour.
func (s *Scheduler) Tasks(clusterARN string) []Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.stopped)
	for _, service := range s.services {
		all = append(all, service.tasks...)
	}
	var reports []Task
	for _, task := range all {
		if clusterARN == "" || task.clusterARN == clusterARN {
			reports = append(reports, task.report())
		}
	}
	slices.SortFunc(reports, func(a, b Task) int {
		if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
			return order
		}
		return strings.Compare(a.ARN, b.ARN)
	})
	return reports
}
