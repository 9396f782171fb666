package fargate

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TaskStatus is what DescribeTasks says of a task. Times that have not come are zero.
type TaskStatus struct {
	ARN, ClusterARN, ServiceName string
	Group, StartedBy             string // "service:<name>" and the deployment's id
	TaskDefinition               string // ARN
	LastStatus, DesiredStatus    string
	HealthStatus                 types.HealthStatus
	StopCode                     types.TaskStopCode
	StoppedReason                string
	CPU, Memory                  string // of the task, CPU units and MiB
	AvailabilityZone             string
	PrivateIP                    string // a label from the subnet's range; nothing listens there
	CreatedAt, PullStartedAt     time.Time
	PullStoppedAt, StartedAt     time.Time
	StoppingAt, StoppedAt        time.Time
	Containers                   []ContainerStatus
}

// ContainerStatus is one container of a TaskStatus.
type ContainerStatus struct {
	ARN, Name          string
	Image, ImageDigest string
	RuntimeID          string             // Docker's container id
	LastStatus         string             // PENDING, RUNNING, STOPPED
	HealthStatus       types.HealthStatus // "" without a health check
	Reason             string
	ExitCode           *int
	Ports              map[int]string // container port to the local address that reaches it
}
