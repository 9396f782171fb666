package fargate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
)

// defaultRestartPeriod is in seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerRestartPolicy.html
const defaultRestartPeriod = 300

// mayRestart says whether ECS starts a container again that has ended with an exit code after some time. The time counts
// from the container's last start, so a container that keeps ending soon is started again only once.
// https://github.com/aws/amazon-ecs-agent/blob/master/ecs-agent/api/container/restart/restart_tracker.go
func mayRestart(p *types.ContainerRestartPolicy, exitCode int32, ran time.Duration) bool {
	if p == nil || !aws.ToBool(p.Enabled) || slices.Contains(p.IgnoredExitCodes, exitCode) {
		return false
	}
	period := *cmp.Or(p.RestartAttemptPeriod, aws.Int32(defaultRestartPeriod))
	return ran >= time.Duration(period)*time.Second
}

// restart starts the container again if its policy says so and nobody stops the task. It keeps the container's files,
// network and log stream; what the container's dependants and the task itself see is that it goes on running.
func (c *taskContainer) restart(exitCode int32, ran time.Duration) bool {
	if !mayRestart(c.definition.RestartPolicy, exitCode, ran) {
		return false
	}
	c.running.Lock() // either the task stops first, or it stops what is started here
	defer c.running.Unlock()
	if c.task.Ending() {
		return false
	}
	if c.checked {
		c.setHealth(types.HealthStatusUnknown)
	}
	if err := c.startAgain(); err != nil {
		c.task.log().Warn("container does not start again", "container", c.name, "error", err)
		return false
	}
	c.task.log().Info("container started again", "container", c.name, "exit", exitCode, "ran", ran.Round(time.Second))
	return true
}

func (c *taskContainer) startAgain() error {
	c.followed.Wait() // the last lines of the run before come first
	if err := c.attach(); err != nil {
		return fmt.Errorf("log: %s", engineWords(err))
	}
	return c.task.runtime.docker.ContainerStart(c.task.runtime.kill, c.id, container.StartOptions{})
}
