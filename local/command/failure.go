package command

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// errGaveUp says that no waiting will help: ECS has stopped trying, and there is no earlier deployment to go back to.
var errGaveUp = errors.New("the first deployment of the service failed, and ECS has stopped trying: no task became healthy")

// watchEvery is how often a deployment is looked at while the engine waits for it.
const watchEvery = 2 * time.Second

// stoppedShown is how many stopped tasks are explained after a failed deployment.
const stoppedShown = 3

// watch returns a context that ends with errGaveUp as soon as ECS gives up on a service's first deployment. The AWS
// provider would go on waiting for a steady state until its own time limit, in AWS as here.
func (c clients) watch(ctx context.Context) (watched context.Context, done func()) {
	watched, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-ticker.C:
			}
			services, err := c.services(watched)
			if err != nil {
				continue // there is no cluster yet, or the run is ending
			}
			for _, service := range services {
				if gaveUp(service) {
					cancel(errGaveUp)
					return
				}
			}
		}
	}()
	return watched, func() { cancel(nil) }
}

func gaveUp(service ecstypes.Service) bool {
	return len(service.Deployments) == 1 && service.Deployments[0].RolloutState == ecstypes.DeploymentRolloutStateFailed && service.RunningCount == 0
}

// printFailure prints why ECS could not do what was asked: the services' events and what became of the newest tasks.
func (l *Local) printFailure(ctx context.Context, client clients) {
	services, err := client.services(ctx)
	if err != nil {
		l.Progress.Line("events: %v", err)
		return
	}
	l.printEvents(services)
	for _, service := range services {
		for _, task := range client.stoppedTasks(ctx, service) {
			l.Progress.Line("  task %s stopped: %s", path.Base(*task.TaskArn), aws.ToString(task.StoppedReason))
			for _, container := range task.Containers {
				if container.Reason != nil {
					l.Progress.Line("    %s: %s", *container.Name, *container.Reason)
				}
			}
		}
	}
}

// stoppedTasks returns the newest tasks of a service that stopped. It only helps to explain a failure, so an error here is ignored.
func (c clients) stoppedTasks(ctx context.Context, service ecstypes.Service) []ecstypes.Task {
	listed, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: service.ClusterArn, ServiceName: service.ServiceName, DesiredStatus: ecstypes.DesiredStatusStopped})
	if err != nil || len(listed.TaskArns) == 0 {
		return nil
	}
	newest := listed.TaskArns[max(0, len(listed.TaskArns)-stoppedShown):]
	described, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: service.ClusterArn, Tasks: newest})
	if err != nil {
		return nil
	}
	return described.Tasks
}
