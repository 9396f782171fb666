package command

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// errGaveUp says that no waiting will help: ECS has stopped trying, and there is no earlier deployment to go back to.
var errGaveUp = errors.New("the first deployment of the service failed, and ECS has stopped trying: no task became healthy")

// watchEvery is how often a deployment is looked at while the engine waits for it.
const watchEvery = 2 * time.Second

// enginePatience is how long a deployment waits for a Docker engine that has stopped answering. Whoever looks after the
// engine starts it again within seconds.
const enginePatience = 30 * time.Second

// stoppedShown is how many stopped tasks are explained after a failed deployment.
const stoppedShown = 3

// watch returns a context that ends with errGaveUp as soon as ECS gives up on a service's first deployment, and with
// engine.ErrSilent when no Docker engine is left to start a task. The AWS provider would go on waiting for a steady state until
// its own time limit, in AWS as here.
func (c clients) watch(ctx context.Context) (watched context.Context, done func()) {
	watched, cancel := context.WithCancelCause(ctx)
	go watchEngine(watched, enginePatience, cancel)
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

// watchEngine gives up when the Docker engine has not answered for as long as patience lasts.
func watchEngine(ctx context.Context, patience time.Duration, giveUp context.CancelCauseFunc) {
	for answered := time.Now(); ctx.Err() == nil; {
		err := engineAnswers(ctx)
		switch {
		case err == nil:
			answered = time.Now()
		case time.Since(answered) >= patience:
			giveUp(startIt(err))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(watchEvery, patience)):
		}
	}
}

// engineAnswers is engine.ErrSilent unless the Docker engine answers.
func engineAnswers(ctx context.Context) error {
	docker, err := engine.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = docker.Close() }()
	return engine.Answers(ctx, docker)
}

// startIt says what to do about an engine that does not answer.
func startIt(silent error) error {
	return fmt.Errorf("%w; start it, and run the command again", silent)
}

// cause is why something failed, where that says more than its own error: ECS has given up, or there is no Docker engine any
// more.
func cause(watched context.Context, err error) error {
	if given := context.Cause(watched); errors.Is(given, errGaveUp) || errors.Is(given, engine.ErrSilent) {
		return given
	}
	if silent := engineAnswers(context.WithoutCancel(watched)); silent != nil {
		return startIt(silent)
	}
	return err
}

// together is what a command failed for, and what its clean-up did. An engine that does not answer is the reason for both, and
// is named once.
func together(failed, cleaned error) error {
	if errors.Is(failed, engine.ErrSilent) && errors.Is(cleaned, engine.ErrSilent) {
		return cleaned
	}
	return errors.Join(failed, cleaned)
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
