package fargate

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// Why a task stopped.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
const (
	stopCodeFailedToStart = "TaskFailedToStart"
	stopCodeEssential     = "EssentialContainerExited"
	stopCodeUser          = "UserInitiated"
	stopCodeScheduler     = "ServiceSchedulerInitiated"
)

const (
	reasonEssential      = "Essential container in task exited"
	reasonContainerCheck = "Task failed container health checks"
)

// task is one run of a task definition.
type task struct {
	scheduler   *Scheduler
	service     *service // guarded by Scheduler.mu
	id, arn     string
	clusterARN  string
	serviceName string
	deployment  *deployment
	definition  *definition
	targets     []target
	subnets     []string
	ordinal     int
	created     time.Time

	// Guarded by Scheduler.mu.
	healthy, proven bool
	counted         bool // as a failure of its deployment
	unhealthyTarget string

	ending chan struct{} // closed by end
	dead   chan struct{} // closed when an essential container has exited
	die    sync.Once     // closes dead

	mu         sync.Mutex
	status     string
	placement  placement
	containers []*taskContainer
	pauseID    string
	volumes    map[string]string
	ports      map[int]string
	registered bool
	stopCode   string
	reason     string
	drained    bool
	pulling    [2]time.Time
	started    time.Time
	stopping   time.Time
	stoppedOn  time.Time
}

func (s *Scheduler) newTask(v *service) *task {
	primary := v.deployments[0]
	id := newID()
	t := &task{
		scheduler:   s,
		service:     v,
		id:          id,
		arn:         taskARN(v.declared.clusterARN, id),
		clusterARN:  v.declared.clusterARN,
		serviceName: v.declared.name,
		deployment:  primary,
		definition:  primary.definition,
		targets:     v.declared.targets,
		subnets:     v.declared.subnets,
		ordinal:     len(v.tasks),
		created:     time.Now(),
		ending:      make(chan struct{}),
		dead:        make(chan struct{}),
		status:      statusProvisioning,
		volumes:     map[string]string{},
		ports:       map[int]string{},
	}
	for _, c := range t.definition.ContainerDefinitions {
		t.containers = append(t.containers, newTaskContainer(t, c))
	}
	return t
}

// end asks a task to stop; the first reason given is the one it shows. It returns false when the task is already
// stopping.
func (t *task) end(code, reason string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopCode != "" {
		return false
	}
	t.stopCode, t.reason, t.stopping = code, reason, time.Now()
	close(t.ending)
	return true
}

// run takes a task through its whole life and returns when nothing of it is left in Docker.
func (t *task) run() {
	s := t.scheduler
	ctx, cancel := context.WithCancel(s.kill)
	defer cancel()
	starting, abandon := context.WithCancel(ctx)
	go func() {
		select {
		case <-t.ending:
		case <-s.kill.Done():
			t.end(stopCodeUser, "Task stopped by user")
		}
		abandon() // a task that stops while it starts pulls and waits no longer
	}()
	if err := t.start(starting); err != nil {
		t.end(stopCodeFailedToStart, err.Error())
	}
	<-t.ending
	abandon()
	t.log().Info("task stops", "code", t.stopCode, "reason", t.reason)
	t.deactivate(ctx)
	t.setStatus(statusStopping)
	t.stopContainers(ctx)
	t.setStatus(statusDeprovisioning)
	t.remove()
	t.mu.Lock()
	t.status, t.stoppedOn, t.drained = statusStopped, time.Now(), true
	t.mu.Unlock()
	s.Wake()
}

// start brings a task to RUNNING.
func (t *task) start(ctx context.Context) error {
	if err := t.definition.check(); err != nil {
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
	t.register()
	t.mu.Lock()
	t.started = time.Now()
	t.mu.Unlock()
	t.setStatus(statusRunning)
	return nil
}

// provision makes the task's network and volumes.
func (t *task) provision(ctx context.Context) error {
	s := t.scheduler
	place, err := s.emulator.place(ctx, t.subnets, t.ordinal)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.placement = place
	t.mu.Unlock()
	for _, v := range t.definition.Volumes {
		name := aws.ToString(v.Name)
		created, err := s.engine.VolumeCreate(ctx, volume.CreateOptions{Name: t.name(name), Labels: t.labels("")})
		if err != nil {
			return err
		}
		t.volumes[name] = created.Name
	}
	config, host := t.definition.pauseConfig(pauseImage(s.options.RunID), place.host, s.engine.networkName(), t.labels("pause"))
	created, err := s.engine.ContainerCreate(ctx, config, host, nil, nil, t.name("pause"))
	if err != nil {
		return err
	}
	t.pauseID = created.ID
	if err := s.engine.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return err
	}
	return t.readPorts(ctx)
}

// readPorts learns on which local ports Docker published the task's container ports.
func (t *task) readPorts(ctx context.Context) error {
	found, err := t.scheduler.engine.ContainerInspect(ctx, t.pauseID)
	if err != nil {
		return err
	}
	ports := map[int]string{}
	for port, bindings := range found.NetworkSettings.Ports {
		for _, b := range bindings {
			ports[port.Int()] = b.HostIP + ":" + b.HostPort
		}
	}
	for _, target := range t.targets {
		if ports[target.port] == "" {
			return fmt.Errorf("container %s: port %d of target group %s is not mapped in the task definition", target.container, target.port, target.group)
		}
	}
	t.mu.Lock()
	t.ports = ports
	t.mu.Unlock()
	return nil
}

// pullAndCreate fetches all images at once, as Fargate does, and creates the containers.
func (t *task) pullAndCreate(ctx context.Context) error {
	t.markPull(0)
	failed := make([]error, len(t.containers))
	var all sync.WaitGroup
	for i, c := range t.containers {
		all.Go(func() { failed[i] = c.pull(ctx) })
	}
	all.Wait()
	t.markPull(1)
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

func (t *task) markPull(end int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pulling[end] = time.Now()
}

// startContainers starts every container as soon as its dependencies allow and returns when all have started.
func (t *task) startContainers(ctx context.Context) error {
	failed := make(chan error, len(t.containers))
	for _, c := range t.containers {
		go func() { failed <- c.start(ctx) }()
	}
	var first error
	for range t.containers {
		if err := <-failed; err != nil && first == nil {
			first = err
			t.end(stopCodeFailedToStart, err.Error())
		}
	}
	return first
}

func (t *task) register() {
	balancer := t.scheduler.options.LoadBalancer
	if balancer == nil || t.isEnding() {
		return
	}
	for _, target := range t.targets {
		balancer.Register(target.group, t.placement.ip, target.port, t.ports[target.port])
		t.event("registered 1 targets in (target-group %s)", target.group)
	}
	t.registered = len(t.targets) > 0
}

// event adds a line to the service's history.
func (t *task) event(format string, args ...any) {
	t.scheduler.mu.Lock()
	defer t.scheduler.mu.Unlock()
	t.service.event(time.Now(), format, args...)
}

// deactivate takes the task out of its target groups. It waits until they are drained, unless the task can no
// longer answer anyway.
func (t *task) deactivate(ctx context.Context) {
	t.setStatus(statusDeactivating)
	if t.registered {
		t.event("has begun draining connections on 1 tasks.")
		for _, target := range t.targets {
			t.event("deregistered 1 targets in (target-group %s)", target.group)
			select {
			case <-t.scheduler.options.LoadBalancer.Deregister(ctx, target.group, t.placement.ip, target.port):
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
func (t *task) stopContainers(ctx context.Context) {
	dependants := dependantsOf(t.definition.ContainerDefinitions)
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
func (t *task) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	engine := t.scheduler.engine
	for _, c := range t.containers {
		c.finish(ctx)
		if c.id != "" {
			t.complain(removeContainer(ctx, engine, c.id))
		}
	}
	if t.pauseID != "" {
		t.complain(removeContainer(ctx, engine, t.pauseID))
	}
	for _, name := range t.volumes {
		t.complain(engine.VolumeRemove(ctx, name, true))
	}
}

func (t *task) complain(err error) {
	if err != nil {
		t.log().Warn("left behind", "error", err)
	}
}

// name is the Docker name of one part of the task.
func (t *task) name(part string) string {
	return fmt.Sprintf("%s%s-%s-%s-%s", namePrefix, t.scheduler.options.RunID, t.serviceName, t.id[:8], part)
}

func (t *task) labels(container string) map[string]string {
	return map[string]string{labelRun: t.scheduler.options.RunID, labelTask: t.id, labelContainer: container}
}

func (t *task) log() *slog.Logger {
	return t.scheduler.log.With("service", t.serviceName, "task", t.id[:8])
}

func (t *task) setStatus(status string) {
	t.mu.Lock()
	t.status = status
	t.mu.Unlock()
	t.log().Debug("task", "status", status)
	t.scheduler.Wake()
}

func (t *task) lastStatus() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

func (t *task) isEnding() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopCode != ""
}

// isDrained says that no request can reach the task any more.
func (t *task) isDrained() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drained
}

func (t *task) stoppedAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stoppedOn
}

// condition is what the scheduler judges a task by. Only essential containers count for its health.
func (t *task) condition() (status string, started time.Time, health string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status, t.started, t.health()
}

// health is UNHEALTHY when one essential container is, HEALTHY when all with a check are, else UNKNOWN.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
func (t *task) health() string {
	checked, healthy := 0, 0
	for _, c := range t.containers {
		if !c.essential || !c.checked {
			continue
		}
		checked++
		switch c.health {
		case healthUnhealthy:
			return healthUnhealthy
		case healthHealthy:
			healthy++
		}
	}
	if checked > 0 && checked == healthy {
		return healthHealthy
	}
	return healthUnknown
}

func (t *task) hasChecks() bool {
	return slices.ContainsFunc(t.containers, func(c *taskContainer) bool { return c.essential && c.checked })
}

// countFailure counts a task that stops, or is being stopped for a failed check, before it ever was healthy.
// A task that the scheduler or a person wanted gone is no failure.
func (t *task) countFailure(v *service, now time.Time) {
	t.mu.Lock()
	code, reason := t.stopCode, t.reason
	t.mu.Unlock()
	if code == "" || t.counted || t.proven || !isFailure(code, reason) {
		return
	}
	t.counted = true
	t.deployment.failed++
	t.deployment.lastFailure = now
	if t.deployment.failed >= 3 && !t.deployment.impaired {
		t.deployment.impaired = true
		v.event(now, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	}
}

func (t *task) report() Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Task{
		ARN: t.arn, ClusterARN: t.clusterARN, ServiceName: t.serviceName,
		Group: "service:" + t.serviceName, StartedBy: t.deployment.id,
		TaskDefinition: t.definition.arn, LastStatus: t.status, DesiredStatus: statusRunning,
		HealthStatus: t.health(), StopCode: t.stopCode, StoppedReason: t.reason,
		CPU: aws.ToString(t.definition.Cpu), Memory: aws.ToString(t.definition.Memory),
		AvailabilityZone: t.placement.zone, SubnetID: t.placement.subnetID, PrivateIP: t.placement.ip,
		CreatedAt: t.created, PullStartedAt: t.pulling[0], PullStoppedAt: t.pulling[1],
		StartedAt: t.started, StoppingAt: t.stopping, StoppedAt: t.stoppedOn,
	}
	if t.stopCode != "" {
		r.DesiredStatus = statusStopped
	}
	for _, c := range t.containers {
		r.Containers = append(r.Containers, c.report())
	}
	return r
}
