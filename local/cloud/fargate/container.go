package fargate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// taskContainer is one container of a task. task.mu guards what changes.
type taskContainer struct {
	task       *Task
	definition types.ContainerDefinition
	name       string
	arnID      string
	essential  bool
	check      healthCheck
	checked    bool // has a health check
	image      image.InspectResponse
	stream     *stream
	followed   sync.WaitGroup // until the output of the present run is read
	id         string

	running sync.Mutex // held while it is started again or stopped

	started chan struct{} // closed when it runs
	exited  chan struct{} // closed when it has run and ended
	gone    chan struct{} // closed when stopContainers is done with it
	changed chan struct{} // closed and replaced on every change

	status   string
	health   types.HealthStatus
	exitCode *int32
	reason   *string
}

func newTaskContainer(t *Task, c types.ContainerDefinition) *taskContainer {
	check, checked := newHealthCheck(c.HealthCheck)
	return &taskContainer{
		task: t, definition: c, name: aws.ToString(c.Name), arnID: NewID(), essential: c.Essential == nil || *c.Essential,
		check: check, checked: checked,
		started: make(chan struct{}), exited: make(chan struct{}), gone: make(chan struct{}), changed: make(chan struct{}),
		status: statusPending, health: types.HealthStatusUnknown,
	}
}

func (c *taskContainer) pull(ctx context.Context) error {
	found, err := c.task.runtime.docker.pull(ctx, aws.ToString(c.definition.Image), c.task.Definition.arch())
	if err != nil {
		c.explain(err.Error())
		return err
	}
	c.task.mu.Lock()
	c.image = found
	c.task.mu.Unlock()
	return nil
}

// create makes the container and its log stream.
func (c *taskContainer) create(ctx context.Context) error {
	t := c.task
	secrets, err := c.secrets(ctx)
	if err != nil {
		return err
	}
	config, host, err := t.Definition.containerConfig(c.definition, surroundings{
		pauseID: t.pauseID, volumes: t.volumes, efs: t.fileSystems, declared: c.image.Config.Volumes, labels: t.labels(c.name),
		secrets: secrets, region: t.runtime.options.Region, gateway: t.runtime.docker.gateway, cpus: t.runtime.docker.cpus, setsNofile: t.runtime.docker.setsNofile,
	})
	if err != nil {
		return fmt.Errorf("ResourceInitializationError: %w", err)
	}
	if l := c.definition.LogConfiguration; l != nil {
		stream, err := newStream(ctx, t.runtime.logs, l.Options, c.name, t.ID)
		if err != nil {
			return err
		}
		t.mu.Lock()
		c.stream = stream
		t.mu.Unlock()
	}
	created, err := t.runtime.docker.ContainerCreate(ctx, config, host, nil, nil, t.name(c.name))
	if err != nil {
		reason := "CannotCreateContainerError: " + engineWords(err)
		c.explain(reason)
		return errors.New(reason)
	}
	t.mu.Lock()
	c.id = created.ID
	t.mu.Unlock()
	return nil
}

func (c *taskContainer) secrets(ctx context.Context) (map[string]string, error) {
	values := map[string]string{}
	for _, secret := range c.definition.Secrets {
		value, err := c.task.runtime.options.Secret(ctx, aws.ToString(secret.ValueFrom))
		if err != nil {
			return nil, fmt.Errorf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: %w", err)
		}
		values[aws.ToString(secret.Name)] = value
	}
	return values, nil
}

// start waits for the container's dependencies and runs it.
func (c *taskContainer) start(ctx context.Context) error {
	for _, d := range c.definition.DependsOn {
		if err := c.await(ctx, d); err != nil {
			return err
		}
	}
	// Attached before the start, so that no line is missed.
	if err := c.attach(); err != nil {
		return fmt.Errorf("CannotStartContainerError: %s", engineWords(err))
	}
	// Not ctx: after a start that is cut off half way, nobody could tell whether the container runs.
	if err := c.task.runtime.docker.ContainerStart(c.task.runtime.kill, c.id, container.StartOptions{}); err != nil {
		reason := "CannotStartContainerError: " + engineWords(err)
		c.explain(reason)
		return errors.New(reason)
	}
	c.task.mu.Lock()
	c.status = statusRunning
	c.notify()
	c.task.mu.Unlock()
	close(c.started)
	go c.watch()
	return ctx.Err()
}

// await blocks until one dependency's condition holds, its startTimeout is over, or it can no longer hold.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (c *taskContainer) await(ctx context.Context, d types.ContainerDependency) error {
	other := c.task.find(aws.ToString(d.ContainerName))
	if other == nil {
		return fmt.Errorf("ResourceInitializationError: container %s: dependsOn: no container %q", c.name, aws.ToString(d.ContainerName))
	}
	timeout := time.After(time.Duration(startTimeout(other.definition)) * time.Second)
	for {
		c.task.mu.Lock()
		changed := other.changed
		met, hopeless := dependencyMet(d.Condition, other.status, other.health, other.exitCode)
		c.task.mu.Unlock()
		if met {
			return nil
		}
		if hopeless {
			return fmt.Errorf("dependency graph: container %s: dependsOn %s %s can no longer be met", c.name, other.name, d.Condition)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("dependency graph: container %s: dependsOn %s %s was not met within %d s", c.name, other.name, d.Condition, startTimeout(other.definition))
		case <-changed:
		}
	}
}

// dependencyMet says whether a condition holds, or never will.
func dependencyMet(condition types.ContainerCondition, status string, health types.HealthStatus, exitCode *int32) (met, hopeless bool) {
	ended := status == statusStopped
	switch condition {
	case types.ContainerConditionStart:
		return status == statusRunning || ended && exitCode != nil, ended && exitCode == nil
	case types.ContainerConditionComplete:
		return ended && exitCode != nil, ended && exitCode == nil
	case types.ContainerConditionSuccess:
		ok := exitCode != nil && *exitCode == 0
		return ended && ok, ended && !ok
	case types.ContainerConditionHealthy:
		return status == statusRunning && health == types.HealthStatusHealthy, ended
	}
	return false, true
}

// dependantsOf lists, for every container, those that must stop before it.
func dependantsOf(containers []types.ContainerDefinition) map[string][]string {
	dependants := map[string][]string{}
	for _, c := range containers {
		for _, d := range c.DependsOn {
			on := aws.ToString(d.ContainerName)
			dependants[on] = append(dependants[on], aws.ToString(c.Name))
		}
	}
	return dependants
}

// attach follows the container's output into its log stream.
func (c *taskContainer) attach() error {
	if c.stream == nil {
		return nil
	}
	output, err := c.task.runtime.docker.ContainerAttach(context.Background(), c.id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return err
	}
	c.followed.Go(func() {
		defer output.Close()
		c.stream.copyFrom(output.Reader, aws.ToBool(c.definition.PseudoTerminal))
	})
	return nil
}

// watch follows a running container until it exits for good.
func (c *taskContainer) watch() {
	for {
		began := time.Now()
		code, killed := c.attend()
		if !c.restart(code, time.Since(began)) {
			c.end(code, killed)
			return
		}
	}
}

// attend follows one run of the container.
func (c *taskContainer) attend() (code int32, killed bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.checked {
		go c.task.runtime.docker.watchHealth(ctx, c.id, c.check, c.setHealth)
	}
	code = c.wait(ctx)
	return code, c.outOfMemory(ctx)
}

// end announces that the container does not run any more.
func (c *taskContainer) end(code int32, killed bool) {
	if c.essential {
		// Before the exit is announced: a container that waits for this one would otherwise give its own reason first.
		c.task.Stop(types.TaskStopCodeEssentialContainerExited, reasonEssential)
		c.task.die.Do(func() { close(c.task.dead) })
	}
	c.task.mu.Lock()
	c.status, c.exitCode = statusStopped, &code
	if killed {
		c.reason = aws.String("OutOfMemoryError: Container killed due to memory usage")
	}
	c.notify()
	c.task.mu.Unlock()
	close(c.exited)
	if c.stream != nil {
		go func() { c.followed.Wait(); c.stream.abandon() }()
	}
	c.task.Changed()
}

// wait returns the exit code. It asks again when the connection to the engine breaks.
func (c *taskContainer) wait(ctx context.Context) int32 {
	docker := c.task.runtime.docker
	for {
		result, failed := docker.ContainerWait(ctx, c.id, container.WaitConditionNotRunning)
		select {
		case r := <-result:
			return int32(r.StatusCode) //nolint:gosec // an exit code is a byte
		case err := <-failed:
			if _, gone := docker.ContainerInspect(ctx, c.id); errdefs.IsNotFound(gone) {
				c.task.log().Warn("container is gone", "container", c.name, "error", err)
				return 137 // removed by somebody else, which kills it
			}
			c.task.lose()
			time.Sleep(time.Second)
		}
	}
}

func (c *taskContainer) outOfMemory(ctx context.Context) bool {
	found, err := c.task.runtime.docker.ContainerInspect(ctx, c.id)
	return err == nil && found.State.OOMKilled
}

func (c *taskContainer) setHealth(status types.HealthStatus) {
	c.task.mu.Lock()
	c.health = status
	c.notify()
	c.task.mu.Unlock()
	c.task.log().Info("container health", "container", c.name, "health", status)
	c.task.Changed()
}

// notify wakes whoever waits for a change. The caller holds task.mu.
func (c *taskContainer) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// stop sends the image's stop signal and, after stopTimeout, SIGKILL. When ctx ends it kills at once.
func (c *taskContainer) stop(ctx context.Context) {
	select {
	case <-c.started:
	default:
		c.task.mu.Lock()
		c.status = statusStopped
		c.notify()
		c.task.mu.Unlock()
		return
	}
	if !c.hasExited() {
		c.interrupt(ctx)
	}
	select {
	case <-c.exited:
	case <-time.After(10 * time.Second): // the engine said it stopped; remove forces it anyway
	}
}

func (c *taskContainer) interrupt(ctx context.Context) {
	c.running.Lock()
	defer c.running.Unlock()
	timeout := stopTimeout(c.definition)
	err := c.task.runtime.docker.ContainerStop(ctx, c.id, container.StopOptions{Timeout: &timeout})
	if ctx.Err() != nil {
		err = c.task.runtime.docker.ContainerKill(context.Background(), c.id, "KILL")
	}
	if err != nil {
		c.task.log().Warn("container does not stop", "container", c.name, "error", err)
	}
}

// finish waits until the container's last lines are shipped.
func (c *taskContainer) finish(ctx context.Context) {
	if c.stream == nil {
		return
	}
	if !c.hasExited() { // it never ran, or no engine answers that could tell how it ended
		c.stream.abandon()
	}
	select {
	case <-c.stream.done:
	case <-ctx.Done():
	}
	if lost := c.stream.lost(); lost > 0 {
		c.task.log().Warn("log lines lost", "container", c.name, "lines", lost)
	}
}

func (c *taskContainer) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// explain keeps the reason a container shows.
func (c *taskContainer) explain(reason string) {
	c.task.mu.Lock()
	defer c.task.mu.Unlock()
	c.reason = &reason
}

func (t *Task) find(name string) *taskContainer {
	if i := slices.IndexFunc(t.containers, func(c *taskContainer) bool { return c.name == name }); i >= 0 {
		return t.containers[i]
	}
	return nil
}

// describe is the container's entry in its task's description. The caller holds task.mu; what the description points to never
// changes.
func (c *taskContainer) describe() types.Container {
	described := types.Container{
		ContainerArn:      aws.String(containerARN(c.task.ClusterARN, c.task.ID, c.arnID)),
		TaskArn:           &c.task.ARN,
		Name:              &c.name,
		Image:             c.definition.Image,
		RuntimeId:         aws.String(c.id),
		LastStatus:        aws.String(c.status),
		Reason:            c.reason,
		ExitCode:          c.exitCode,
		NetworkInterfaces: []types.NetworkInterface{{PrivateIpv4Address: aws.String(c.task.placement.ip)}},
	}
	if _, digest, ok := strings.Cut(aws.ToString(c.definition.Image), "@"); ok {
		described.ImageDigest = &digest
	} else if len(c.image.RepoDigests) > 0 {
		_, digest, _ := strings.Cut(c.image.RepoDigests[0], "@")
		described.ImageDigest = &digest
	}
	if c.checked {
		described.HealthStatus = c.health
	}
	return described
}
