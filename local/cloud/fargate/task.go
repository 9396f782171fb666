package fargate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/cloudmap"
	"fargate-nginx-sidecar/local/cloud/engine"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
)

// The states of a task, in their order.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
const (
	statusProvisioning   = "PROVISIONING"
	statusPending        = "PENDING"
	statusActivating     = "ACTIVATING"
	statusRunning        = "RUNNING"
	statusDeactivating   = "DEACTIVATING"
	statusStopping       = "STOPPING"
	statusDeprovisioning = "DEPROVISIONING"
	statusStopped        = "STOPPED"
)

const reasonEssential = "Essential container in task exited"

// Spec is a task to run.
type Spec struct {
	ClusterARN string
	Service    string // its name, "" for a task of its own
	StartedBy  string // the deployment's id, or whatever the client of RunTask says
	Definition *Definition
	Overrides  []types.ContainerOverride // of the definition's containers, by name
	Targets    []Target
	Registries []Registration
	Subnet     string // "" where the service names none

	Event   func(format string, args ...any) // adds a line to the service's history
	Changed func()                           // the task's status has changed
}

// Target is one of a service's load balancer entries.
type Target struct {
	Group     string // target group ARN
	Container string
	Port      int
}

// Registration is one of a service's service discovery entries.
type Registration struct {
	Service   string // Cloud Map service ARN
	Container string
	Port      int
}

// Task is one run of a task definition.
type Task struct {
	Spec
	ID, ARN string
	Created time.Time
	runtime *Runtime

	ending chan struct{} // closed by Stop
	dead   chan struct{} // closed when an essential container has exited
	die    sync.Once     // closes dead

	mu         sync.Mutex
	described  types.Task // without what Description fills in
	placement  placement
	containers []*taskContainer
	pauseID    string
	volumes    map[string]string
	// fileSystems are the Docker volumes in place of EFS, which outlive the task.
	fileSystems map[string]string
	ports       map[int]string
	registered  bool
	drained     bool // no request can reach it any more
	lost        bool // the Docker engine ended meanwhile
}

func newTask(r *Runtime, spec Spec) *Task {
	id, now := NewID(), time.Now()
	spec.Definition = spec.Definition.withoutLogRouter()
	t := &Task{
		Spec:    spec,
		ID:      id,
		ARN:     taskARN(spec.ClusterARN, id),
		Created: now,
		runtime: r,
		ending:  make(chan struct{}),
		dead:    make(chan struct{}),
		described: types.Task{
			ClusterArn:        &spec.ClusterARN,
			Group:             aws.String(spec.group()),
			StartedBy:         &spec.StartedBy,
			TaskDefinitionArn: spec.Definition.TaskDefinitionArn,
			LaunchType:        types.LaunchTypeFargate,
			Cpu:               spec.Definition.Cpu,
			Memory:            spec.Definition.Memory,
			LastStatus:        aws.String(statusProvisioning),
			DesiredStatus:     aws.String(statusRunning),
			CreatedAt:         &now,
		},
		volumes: map[string]string{}, fileSystems: map[string]string{},
		ports: map[int]string{},
	}
	if len(spec.Overrides) > 0 {
		t.described.Overrides = &types.TaskOverride{ContainerOverrides: spec.Overrides}
	}
	for _, c := range t.Definition.ContainerDefinitions {
		t.containers = append(t.containers, newTaskContainer(t, overridden(c, spec.Overrides)))
	}
	return t
}

// group is what ECS calls the tasks of one service, or of one family.
func (s Spec) group() string {
	if s.Service == "" {
		return "family:" + aws.ToString(s.Definition.Family)
	}
	return "service:" + s.Service
}

// owner is a short name for what the task belongs to.
func (s Spec) owner() string { return cmp.Or(s.Service, aws.ToString(s.Definition.Family)) }

// Stop asks a task to stop; the first reason given is the one it shows. It returns false when the task is already
// stopping.
func (t *Task) Stop(code types.TaskStopCode, reason string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.described.StopCode != "" {
		return false
	}
	t.described.StopCode, t.described.StoppedReason = code, &reason
	t.described.DesiredStatus, t.described.StoppingAt = aws.String(statusStopped), aws.Time(time.Now())
	close(t.ending)
	return true
}

// run starts a task, waits until it is asked to stop, stops it, and returns when nothing of it is left in Docker.
func (t *Task) run() {
	ctx, cancel := context.WithCancel(t.runtime.kill)
	defer cancel()
	starting, abandon := context.WithCancel(ctx)
	go func() {
		select {
		case <-t.ending:
		case <-ctx.Done():
			t.Stop(types.TaskStopCodeUserInitiated, "Task stopped by user")
		}
		abandon() // a task that stops while it starts pulls and waits no longer
	}()
	if err := t.start(starting); err != nil {
		if t.runtime.Answers(ctx) != nil {
			t.lose()
		}
		t.Stop(types.TaskStopCodeTaskFailedToStart, err.Error())
	}
	<-t.ending
	abandon()
	t.log().Info("task stops", "code", t.described.StopCode, "reason", *t.described.StoppedReason)
	t.deactivate(ctx)
	t.setStatus(statusStopping)
	t.stopContainers(ctx)
	t.setStatus(statusDeprovisioning)
	t.remove()
	t.mu.Lock()
	t.described.LastStatus, t.described.StoppedAt, t.drained = aws.String(statusStopped), aws.Time(time.Now()), true
	t.mu.Unlock()
	t.Changed()
}

// start brings a task to RUNNING.
func (t *Task) start(ctx context.Context) error {
	if reason := t.Definition.stopReason(); reason != "" {
		t.Event("%s", reason)
		return errors.New(reason)
	}
	if err := t.Definition.check(); err != nil {
		return fmt.Errorf("ResourceInitializationError: %w", err)
	}
	if err := t.provision(ctx); err != nil {
		return fmt.Errorf("ResourceInitializationError: %w", err)
	}
	t.setStatus(statusPending)
	if err := t.pullAndCreate(ctx); err != nil {
		return err
	}
	t.setStatus(statusActivating)
	if err := t.startContainers(ctx); err != nil {
		return err
	}
	t.register(ctx)
	t.note(&t.described.StartedAt)
	t.setStatus(statusRunning)
	return nil
}

// provision makes the task's network and volumes.
func (t *Task) provision(ctx context.Context) error {
	docker := t.runtime.docker
	place, err := t.runtime.subnets.place(ctx, t.Subnet)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.placement, t.described.AvailabilityZone = place, &place.zone
	t.mu.Unlock()
	for _, v := range t.Definition.Volumes {
		name := aws.ToString(v.Name)
		if efs := v.EfsVolumeConfiguration; efs != nil {
			kept, err := t.runtime.fileSystem(ctx, efs)
			if err != nil {
				return err
			}
			t.fileSystems[name] = kept
			continue
		}
		created, err := docker.VolumeCreate(ctx, volume.CreateOptions{Name: t.name(name), Labels: t.labels("")})
		if err != nil {
			return err
		}
		t.volumes[name] = created.Name
	}
	config, host := t.Definition.pauseConfig(pauseImage(docker.runID), place.host, docker.networkName(), t.labels("pause"))
	created, err := docker.ContainerCreate(ctx, config, host, nil, nil, t.name("pause"))
	if err != nil {
		return err
	}
	t.pauseID = created.ID
	if err := docker.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return err
	}
	return t.readPorts(ctx)
}

// readPorts learns on which local ports Docker published the task's container ports.
func (t *Task) readPorts(ctx context.Context) error {
	found, err := t.runtime.docker.ContainerInspect(ctx, t.pauseID)
	if err != nil {
		return err
	}
	ports := map[int]string{}
	for port, bindings := range found.NetworkSettings.Ports {
		for _, b := range bindings {
			ports[port.Int()] = b.HostIP + ":" + b.HostPort
		}
	}
	for _, target := range t.Targets {
		if ports[target.Port] == "" {
			return fmt.Errorf("container %s: port %d of target group %s is not mapped in the task definition", target.Container, target.Port, target.Group)
		}
	}
	for _, r := range t.Registries {
		if ports[r.Port] == "" {
			return fmt.Errorf("container %s: port %d of service registry %s is not mapped in the task definition", r.Container, r.Port, r.Service)
		}
	}
	t.mu.Lock()
	t.ports = ports
	t.mu.Unlock()
	return nil
}

// pullAndCreate fetches all images at once, as Fargate does, and creates the containers.
func (t *Task) pullAndCreate(ctx context.Context) error {
	t.note(&t.described.PullStartedAt)
	failed := make([]error, len(t.containers))
	var all sync.WaitGroup
	for i, c := range t.containers {
		all.Go(func() { failed[i] = c.pull(ctx) })
	}
	all.Wait()
	t.note(&t.described.PullStoppedAt)
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	for _, c := range t.containers {
		if err := c.create(ctx); err != nil {
			return err
		}
	}
	return nil
}

// note keeps the present time.
func (t *Task) note(at **time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*at = aws.Time(time.Now())
}

// startContainers starts every container as soon as its dependencies allow and returns when all have started.
func (t *Task) startContainers(ctx context.Context) error {
	failed := make(chan error, len(t.containers))
	for _, c := range t.containers {
		go func() { failed <- c.start(ctx) }()
	}
	var first error
	for range t.containers {
		if err := <-failed; err != nil && first == nil {
			first = err
			t.Stop(types.TaskStopCodeTaskFailedToStart, err.Error())
		}
	}
	return first
}

// register makes the task known to whoever sends it requests. In Cloud Map a task with health checks of its own begins
// unhealthy, and the scheduler tells when that changes.
func (t *Task) register(ctx context.Context) {
	if t.Ending() {
		return
	}
	for _, target := range t.Targets {
		t.runtime.options.LoadBalancer.Register(target.Group, t.placement.ip, target.Port, t.ports[target.Port])
		t.Event("registered 1 targets in (target-group %s)", target.Group)
	}
	t.registered = len(t.Targets) > 0
	for _, r := range t.Registries {
		t.runtime.options.Registry.Register(ctx, r.Service, cloudmap.Instance{
			ID: t.ID, IP: t.placement.ip, Port: r.Port, Address: t.ports[r.Port], Healthy: !t.HasChecks(),
			Attributes: map[string]string{
				"ECS_CLUSTER_NAME": path.Base(t.ClusterARN), "ECS_SERVICE_NAME": t.Service, "ECS_TASK_DEFINITION_FAMILY": aws.ToString(t.Definition.Family),
				"AVAILABILITY_ZONE": t.placement.zone, "REGION": t.runtime.options.Region,
			},
		})
	}
}

// deactivate takes the task out of service discovery, for which there is nothing to wait, and out of its target groups. It
// waits until those are drained, unless the task can no longer answer anyway.
//
// AWS names only load balancers among the steps of this state. Users want ECS to wait after a task has left Cloud Map, so
// nothing here waits either.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
// https://github.com/aws/containers-roadmap/issues/473
func (t *Task) deactivate(ctx context.Context) {
	t.setStatus(statusDeactivating)
	for _, r := range t.Registries {
		t.runtime.options.Registry.Deregister(ctx, r.Service, t.ID)
	}
	if t.registered {
		t.Event("has begun draining connections on 1 tasks.")
		for _, target := range t.Targets {
			t.Event("deregistered 1 targets in (target-group %s)", target.Group)
			select {
			case <-t.runtime.options.LoadBalancer.Deregister(ctx, target.Group, t.placement.ip, target.Port):
			case <-t.dead:
			case <-ctx.Done():
			}
		}
	}
	t.mu.Lock()
	t.drained = true
	t.mu.Unlock()
}

// stopContainers stops all containers, each one after those that depend on it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_dependson
func (t *Task) stopContainers(ctx context.Context) {
	dependants := dependantsOf(t.Definition.ContainerDefinitions)
	var all sync.WaitGroup
	for _, c := range t.containers {
		all.Go(func() {
			for _, other := range t.containers {
				if slices.Contains(dependants[c.name], other.name) {
					<-other.gone
				}
			}
			c.stop(ctx)
			close(c.gone)
		})
	}
	all.Wait()
}

// remove deletes the task's containers, network and volumes; what fails here is left to Cleanup.
func (t *Task) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	docker := t.runtime.docker
	for _, c := range t.containers {
		c.finish(ctx)
		if c.id != "" {
			t.complain(removeContainer(ctx, docker, c.id))
		}
	}
	if t.pauseID != "" {
		t.complain(removeContainer(ctx, docker, t.pauseID))
	}
	for _, name := range t.volumes {
		t.complain(docker.VolumeRemove(ctx, name, true))
	}
	t.runtime.subnets.release(t.placement)
}

func (t *Task) complain(err error) {
	if err != nil {
		t.log().Warn("left behind", "error", err)
	}
}

// name is the Docker name of one part of the task.
func (t *Task) name(part string) string {
	return fmt.Sprintf("%s%s-%s-%s-%s", engine.NamePrefix, t.runtime.options.RunID, t.owner(), t.ID[:8], part)
}

func (t *Task) labels(container string) map[string]string {
	return map[string]string{engine.LabelRun: t.runtime.options.RunID, labelTask: t.ID, labelContainer: container}
}

func (t *Task) log() *slog.Logger {
	return t.runtime.options.Logger.With("service", t.owner(), "task", t.ID[:8])
}

func (t *Task) setStatus(status string) {
	t.mu.Lock()
	t.described.LastStatus = &status
	t.mu.Unlock()
	t.log().Debug("task", "status", status)
	t.Changed()
}

// Ending says that the task was asked to stop.
func (t *Task) Ending() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.described.StopCode != ""
}

// lose notes that the Docker engine has ended, before anybody can learn what became of the task.
func (t *Task) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
}

// Lost says that the Docker engine ended while the task started or ran: if it stops, that says nothing of the task itself.
func (t *Task) Lost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// Drained says that no request can reach the task any more.
func (t *Task) Drained() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drained
}

// health is UNHEALTHY when one essential container is, HEALTHY when all with a check are, else UNKNOWN.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
func (t *Task) health() types.HealthStatus {
	checked, healthy := 0, 0
	for _, c := range t.containers {
		if !c.essential || !c.checked {
			continue
		}
		checked++
		switch c.health {
		case types.HealthStatusUnhealthy:
			return types.HealthStatusUnhealthy
		case types.HealthStatusHealthy:
			healthy++
		}
	}
	if checked > 0 && checked == healthy {
		return types.HealthStatusHealthy
	}
	return types.HealthStatusUnknown
}

// HasChecks says whether a health check of the task's own counts for its health.
func (t *Task) HasChecks() bool {
	return slices.ContainsFunc(t.containers, func(c *taskContainer) bool { return c.essential && c.checked })
}

// Address is where the task would be in its subnet, and the name under which the load balancer knows it.
func (t *Task) Address() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.placement.ip
}

// Describe is the task as DescribeTasks shows it.
func (t *Task) Describe() types.Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	described := t.described
	described.TaskArn, described.HealthStatus = &t.ARN, t.health()
	for _, c := range t.containers {
		described.Containers = append(described.Containers, c.describe())
	}
	return described
}
