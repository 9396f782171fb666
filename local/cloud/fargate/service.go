package fargate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	rolloutInProgress = "IN_PROGRESS"
	rolloutCompleted  = "COMPLETED"
	rolloutFailed     = "FAILED"

	serviceActive   = "ACTIVE"
	serviceDraining = "DRAINING"
	serviceInactive = "INACTIVE"
)

// ECS keeps the last 100 events of a service.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html
const keptEvents = 100

// service is the scheduler's memory of one service. Scheduler.mu guards all of it.
type service struct {
	declared    declared
	status      string
	deployments []*deployment // the primary one first
	completed   *deployment   // the last one that completed: where a rollback goes
	tasks       []*task       // not STOPPED
	events      []Event       // newest first
	steady      bool
}

// deployment is one revision of a service.
type deployment struct {
	id          string
	revision    revision
	definition  *definition
	state       string
	reason      string
	failed      int // tasks in a row
	lastFailure time.Time
	impaired    bool // the event about it was sent
	created     time.Time
	updated     time.Time
}

// reconcile moves every service one step. The caller holds s.mu.
func (s *Scheduler) reconcile(ctx context.Context, all []declared, now time.Time) {
	seen := map[string]bool{}
	for _, d := range all {
		seen[d.arn] = true
		known, ok := s.services[d.arn]
		if !ok {
			if d.status != serviceActive {
				continue
			}
			known = &service{status: serviceActive}
			s.services[d.arn] = known
		}
		known.declared = d
		known.status = statusOf(known.status, d.status)
	}
	for arn, known := range s.services {
		if !seen[arn] && known.status == serviceActive {
			known.status = serviceDraining
		}
		s.step(ctx, known, now)
	}
	s.stopped = slices.DeleteFunc(s.stopped, func(t *task) bool { return now.Sub(t.stoppedAt()) > stoppedTaskKept })
}

// statusOf keeps a deleted service DRAINING until step finds no task left.
func statusOf(known, declared string) string {
	switch {
	case declared == serviceActive:
		return serviceActive
	case known == serviceInactive:
		return serviceInactive
	default:
		return serviceDraining
	}
}

// step collects what happened to a service's tasks and then starts and stops tasks.
func (s *Scheduler) step(ctx context.Context, v *service, now time.Time) {
	s.bury(v, now)
	if v.status != serviceActive {
		s.drain(v)
		return
	}
	if err := s.deploy(ctx, v, now); err != nil {
		s.log.Warn("deployment cannot begin", "service", v.declared.name, "error", err)
		return
	}
	candidates := s.candidates(v, now)
	s.breakCircuit(ctx, v, now)
	primary := v.deployments[0]
	situation := situation{
		Desired:               v.declared.desired,
		MinimumHealthyPercent: v.declared.minimumHealthyPercent,
		MaximumPercent:        v.declared.maximumPercent,
		Hold:                  s.stopping || primary.state == rolloutFailed || now.Sub(primary.lastFailure) < backoff(primary.failed),
		Scaling:               fmt.Sprintf("Scaling activity initiated by (deployment %s)", primary.id),
		Tasks:                 candidates,
	}
	for i := range situation.Tasks {
		// The breaker may just have moved the primary deployment.
		situation.Tasks[i].Primary = v.find(situation.Tasks[i].ID).deployment == primary
	}
	start, stop := plan(situation)
	s.stopTasks(v, stop, now)
	s.startTasks(v, start)
	v.settle(now, len(situation.Tasks) > 0 || v.declared.desired == 0)
}

// bury takes stopped tasks out of the service and counts those that failed.
func (s *Scheduler) bury(v *service, now time.Time) {
	v.tasks = slices.DeleteFunc(v.tasks, func(t *task) bool {
		t.countFailure(v, now)
		if t.lastStatus() != statusStopped {
			return false
		}
		s.stopped = append(s.stopped, t)
		return true
	})
}

// drain stops the tasks of a service that was deleted.
func (s *Scheduler) drain(v *service) {
	for _, t := range v.tasks {
		id := ""
		if t.deployment != nil {
			id = t.deployment.id
		}
		t.end(stopCodeScheduler, fmt.Sprintf("Scaling activity initiated by (deployment %s)", id))
	}
	v.deployments, v.completed = nil, nil
	if len(v.tasks) == 0 {
		v.status = serviceInactive
	}
}

// deploy makes a new primary deployment when the service's revision changed.
func (s *Scheduler) deploy(ctx context.Context, v *service, now time.Time) error {
	if len(v.deployments) > 0 && v.deployments[0].revision == v.declared.revision {
		return nil
	}
	definition, err := s.emulator.definition(ctx, v.declared.revision.taskDefinition)
	if err != nil {
		return err
	}
	fresh := &deployment{
		id:         newDeploymentID(),
		revision:   v.declared.revision,
		definition: definition,
		state:      rolloutInProgress,
		created:    now,
		updated:    now,
	}
	fresh.reason = fmt.Sprintf("ECS deployment %s in progress.", fresh.id)
	v.deployments = append([]*deployment{fresh}, v.deployments...)
	v.steady = false
	return nil
}

// newDeploymentID looks like ECS's: ecs-svc/ and 19 digits.
func newDeploymentID() string {
	return fmt.Sprintf("ecs-svc/%d", 1_000_000_000_000_000_000+rand.Int64N(8_000_000_000_000_000_000)) //nolint:gosec // a name, not a secret
}

// candidates looks at every task that is not being stopped and notes the first time one is healthy.
func (s *Scheduler) candidates(v *service, now time.Time) []candidate {
	var all []candidate
	for _, t := range v.tasks {
		if t.isEnding() {
			continue
		}
		c := s.judge(v, t, now)
		t.healthy = c.Healthy
		if c.Healthy && !t.proven {
			t.proven, c.Proven = true, true
			t.deployment.failed = 0
		}
		all = append(all, c)
	}
	return all
}

// judge tells a task's health from its containers' checks and its targets' states.
func (s *Scheduler) judge(v *service, t *task, now time.Time) candidate {
	status, started, health := t.condition()
	c := candidate{ID: t.id, Created: t.created, Proven: t.proven}
	if started.IsZero() {
		started = t.created
	}
	grace := now.Sub(started) < v.declared.grace
	if health == healthUnhealthy && !grace {
		c.Unhealthy = reasonContainerCheck
	}
	if status != statusRunning {
		return c
	}
	c.Healthy = true
	switch {
	case t.hasChecks():
		c.Healthy = health == healthHealthy
	case len(t.targets) == 0:
		c.Healthy = now.Sub(started) >= s.options.SettleTime
	}
	for _, target := range t.targets {
		state, _, description := s.targetState(t, target)
		switch {
		case state == "healthy":
		case state == "unhealthy" && !grace:
			c.Unhealthy = fmt.Sprintf("Task failed ELB health checks in (target-group %s)", target.group)
			t.unhealthyTarget = fmt.Sprintf("(port %d) is unhealthy in (target-group %s) due to (reason %s)", target.port, target.group, description)
			fallthrough
		default:
			c.Healthy = false
		}
	}
	return c
}

func (s *Scheduler) targetState(t *task, target target) (state, reason, description string) {
	if s.options.LoadBalancer == nil {
		return "healthy", "", ""
	}
	return s.options.LoadBalancer.TargetState(target.group, t.placement.ip, target.port)
}

// breakCircuit fails the primary deployment when too many of its tasks failed, and rolls back if that is wanted.
func (s *Scheduler) breakCircuit(ctx context.Context, v *service, now time.Time) {
	primary := v.deployments[0]
	if primary.state != rolloutInProgress || !v.declared.breaker || primary.failed < breakerThreshold(v.declared.desired) {
		return
	}
	previous := v.completed
	if v.declared.rollback && previous != nil && previous != primary {
		if err := s.emulator.rollBack(ctx, v.declared, previous.revision.taskDefinition); err != nil {
			s.log.Warn("rollback failed, will be tried again", "service", v.declared.name, "error", err)
			return
		}
	} else {
		previous = nil
	}
	primary.state, primary.updated = rolloutFailed, now
	primary.reason = "ECS deployment circuit breaker: tasks failed to start."
	v.event(now, "(deployment %s) deployment failed: tasks failed to start.", primary.id)
	if previous == nil {
		return
	}
	// What the emulator holds now is the previous task definition under the present settings.
	previous.revision = v.declared.revision
	previous.revision.taskDefinition = previous.definition.arn
	previous.state, previous.updated, previous.failed = rolloutInProgress, now, 0
	previous.reason = fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", previous.id)
	v.event(now, "rolling back to deployment %s.", previous.id)
	v.deployments = slices.DeleteFunc(v.deployments, func(d *deployment) bool { return d == previous })
	v.deployments = append([]*deployment{previous}, v.deployments...)
	v.declared.revision = previous.revision
}

func (s *Scheduler) stopTasks(v *service, orders []order, now time.Time) {
	var names []string
	for _, o := range orders {
		t := v.find(o.ID)
		if o.Reason == reasonContainerCheck {
			v.event(now, "(task %s) failed container health checks.", t.id)
		} else if t.unhealthyTarget != "" && strings.HasPrefix(o.Reason, "Task failed ELB") {
			v.event(now, "(task %s) %s", t.id, t.unhealthyTarget)
		}
		if t.end(stopCodeScheduler, o.Reason) {
			names = append(names, fmt.Sprintf("(task %s)", t.id))
		}
		t.countFailure(v, now)
	}
	if len(names) > 0 {
		v.event(now, "has stopped %d running tasks: %s.", len(names), strings.Join(names, " "))
	}
}

func (s *Scheduler) startTasks(v *service, n int) {
	var names []string
	for range n {
		t := s.newTask(v)
		v.tasks = append(v.tasks, t)
		s.finished.Add(1)
		go func() {
			defer s.finished.Done()
			t.run()
		}()
		names = append(names, fmt.Sprintf("(task %s)", t.id))
	}
	if n > 0 {
		v.event(time.Now(), "has started %d tasks: %s.", n, strings.Join(names, " "))
	}
}

// settle drops deployments without tasks and notes when a rollout, and the whole service, has come to rest.
func (v *service) settle(now time.Time, looked bool) {
	primary := v.deployments[0]
	v.deployments = slices.DeleteFunc(v.deployments, func(d *deployment) bool {
		return d != primary && v.undrained(d) == 0
	})
	healthy, others := 0, 0
	for _, t := range v.tasks {
		switch {
		case t.deployment == primary && t.healthy && !t.isEnding():
			healthy++
		case !t.isDrained():
			others++
		}
	}
	atRest := looked && healthy == v.declared.desired && others == 0 && len(v.deployments) == 1
	if atRest && primary.state == rolloutInProgress {
		primary.state, primary.updated, v.completed = rolloutCompleted, now, primary
		primary.reason = fmt.Sprintf("ECS deployment %s completed.", primary.id)
		v.event(now, "(deployment %s) deployment completed.", primary.id)
	}
	if steady := atRest && primary.state == rolloutCompleted; steady != v.steady {
		v.steady = steady
		if steady {
			v.event(now, "has reached a steady state.")
		}
	}
}

// undrained counts a deployment's tasks that may still serve a request.
func (v *service) undrained(d *deployment) int {
	n := 0
	for _, t := range v.tasks {
		if t.deployment == d && !t.isDrained() {
			n++
		}
	}
	return n
}

func (v *service) find(taskID string) *task {
	for _, t := range v.tasks {
		if t.id == taskID {
			return t
		}
	}
	return nil
}

func (v *service) event(now time.Time, format string, args ...any) {
	message := fmt.Sprintf("(service %s) ", v.declared.name) + fmt.Sprintf(format, args...)
	v.events = append([]Event{{ID: newID(), CreatedAt: now, Message: message}}, v.events...)
	v.events = v.events[:min(len(v.events), keptEvents)]
}

func (v *service) report() ServiceStatus {
	r := ServiceStatus{
		ARN:            v.declared.arn,
		ClusterARN:     v.declared.clusterARN,
		Name:           v.declared.name,
		Status:         v.status,
		TaskDefinition: v.declared.revision.taskDefinition,
		DesiredCount:   v.declared.desired,
		Events:         slices.Clone(v.events),
	}
	if v.status != serviceActive {
		r.DesiredCount = 0
	}
	running, pending := map[*deployment]int{}, map[*deployment]int{}
	for _, t := range v.tasks {
		switch {
		case t.isEnding():
		case t.lastStatus() == statusRunning:
			running[t.deployment]++
			r.RunningCount++
		default:
			pending[t.deployment]++
			r.PendingCount++
		}
	}
	for i, d := range v.deployments {
		status, desired := "ACTIVE", 0
		if i == 0 {
			status, desired = "PRIMARY", v.declared.desired
		}
		r.Deployments = append(r.Deployments, Deployment{
			ID: d.id, Status: status, TaskDefinition: d.definition.arn, DesiredCount: desired,
			RunningCount: running[d], PendingCount: pending[d], FailedTasks: d.failed,
			RolloutState: d.state, RolloutStateReason: d.reason, CreatedAt: d.created, UpdatedAt: d.updated,
		})
	}
	return r
}
