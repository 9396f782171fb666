package ecs

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	serviceActive   = "ACTIVE"
	serviceDraining = "DRAINING"
	serviceInactive = "INACTIVE"

	statusRunning = "RUNNING" // of a task
	statusStopped = "STOPPED"
)

// Why the scheduler stops a task, in ECS's words.
const (
	reasonContainerCheck = "Task failed container health checks"
	reasonTargetCheck    = "Task failed ELB health checks"
	reasonScaling        = "Scaling activity initiated by (deployment %s)"
)

// ECS keeps the last 100 events of a service.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html
const keptEvents = 100

// service is the scheduler's memory of one service. Scheduler.mu guards all of it.
type service struct {
	declared    declared
	status      string
	deployments []*deployment        // the primary one first
	completed   *deployment          // the last one that completed: where a rollback goes
	history     []*deployment        // all of them, oldest first
	rollingBack *deployment          // the one that failed, while the service returns to the completed one
	tasks       []*task              // not STOPPED
	events      []types.ServiceEvent // newest first
	steady      bool
}

// deployment is one revision of a service.
type deployment struct {
	id          string
	revision    revision
	definition  *fargate.Definition // nil until it could be read; no task starts before
	state       types.DeploymentRolloutState
	reason      string
	failed      int // tasks in a row
	lastFailure time.Time
	impaired    bool // the event about it was sent
	created     time.Time
	updated     time.Time

	declared declared // what was to be deployed
	source   *deployment
	status   types.ServiceDeploymentStatus
	// What the ARNs of the service deployment and of the service revision end in.
	deploymentID, revisionID string
	returnedTo               *deployment // by a rollback
	finished                 time.Time
}

// reconcile moves every service one step. The caller holds s.mu.
func (s *Scheduler) reconcile(all []declared, now time.Time) {
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
		s.step(known, now)
	}
	s.collectEnded()
	s.stopped = slices.DeleteFunc(s.stopped, func(t *task) bool { return now.Sub(*t.Describe().StoppedAt) > stoppedTaskKept })
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

// step notes what happened to a service's tasks, and then starts and stops tasks.
func (s *Scheduler) step(v *service, now time.Time) {
	s.collectStopped(v, now)
	if v.status != serviceActive {
		s.drain(v)
		return
	}
	v.deploy(now)
	if s.silent {
		return // nobody can tell how the tasks are, and none can take the place of another
	}
	candidates := s.candidates(v, now)
	s.tellHealth(v)
	rollingBack := s.breakCircuit(v, now)
	primary := v.deployments[0]
	situation := situation{
		Desired:               v.declared.desired,
		MinimumHealthyPercent: v.declared.minimumHealthyPercent,
		MaximumPercent:        v.declared.maximumPercent,
		Hold: s.stopping || rollingBack || primary.definition == nil || primary.state == types.DeploymentRolloutStateFailed ||
			now.Sub(primary.lastFailure) < backoff(primary.failed),
		Scaling: fmt.Sprintf(reasonScaling, primary.id),
		Tasks:   candidates,
	}
	start, stop := plan(situation)
	s.stopTasks(v, stop, now)
	s.startTasks(v, start)
	v.settle(now, len(situation.Tasks) > 0 || v.declared.desired == 0)
}

// collectStopped moves stopped tasks out of the service, and counts those that failed.
func (s *Scheduler) collectStopped(v *service, now time.Time) {
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
		t.Stop(types.TaskStopCodeServiceSchedulerInitiated, fmt.Sprintf(reasonScaling, t.deployment.id))
	}
	v.deployments, v.completed = nil, nil
	if len(v.tasks) == 0 {
		v.status = serviceInactive
	}
}

// deploy makes a new primary deployment when the service's revision changed. It exists even while its task definition
// cannot be read: a client that waits for it would otherwise take the end of the one before for its own.
func (v *service) deploy(now time.Time) {
	if len(v.deployments) > 0 && v.deployments[0].revision == v.declared.revision {
		v.deployments[0].definition = cmp.Or(v.deployments[0].definition, v.declared.definition)
		return
	}
	number := newNumber()
	fresh := &deployment{
		id:           "ecs-svc/" + number,
		revision:     v.declared.revision,
		definition:   v.declared.definition,
		state:        types.DeploymentRolloutStateInProgress,
		created:      now,
		updated:      now,
		declared:     v.declared,
		source:       v.completed,
		status:       types.ServiceDeploymentStatusInProgress,
		deploymentID: fargate.NewID(),
		revisionID:   number,
	}
	v.supersede(now)
	v.history = append(v.history, fresh)
	fresh.reason = fmt.Sprintf("ECS deployment %s in progress.", fresh.id)
	v.deployments = append([]*deployment{fresh}, v.deployments...)
	v.steady = false
}

// newNumber looks like those in ECS's names of deployments and revisions, which have 19 digits.
func newNumber() string {
	return strconv.FormatInt(1_000_000_000_000_000_000+rand.Int64N(8_000_000_000_000_000_000), 10) //nolint:gosec // a name, not a secret
}

// candidates looks at every task that is not being stopped and notes the first time one is healthy.
func (s *Scheduler) candidates(v *service, now time.Time) []candidate {
	var all []candidate
	for _, t := range v.tasks {
		if t.Ending() {
			continue
		}
		c := s.judge(v, t, now)
		c.Primary = t.deployment == v.deployments[0]
		t.healthy = c.Healthy
		if c.Healthy && !t.proven {
			t.proven, c.Proven = true, true
			t.deployment.failed = 0
		}
		all = append(all, c)
	}
	return all
}

// tellHealth gives service discovery the results of the containers' checks, before any task is stopped for a healthier one.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
func (s *Scheduler) tellHealth(v *service) {
	for _, t := range v.tasks {
		for _, r := range t.Registries {
			healthy := !t.HasChecks() || t.Describe().HealthStatus == types.HealthStatusHealthy
			if s.options.Registry.SetHealth(r.Service, t.ID, healthy) {
				s.afterwards = append(s.afterwards, func(ctx context.Context) { s.options.Registry.Publish(ctx, r.Service, t.ID) })
			}
		}
	}
}

// judge tells a task's health from its containers' checks and its targets' states.
func (s *Scheduler) judge(v *service, t *task, now time.Time) candidate {
	seen := t.Describe()
	c := candidate{ID: t.ID, Created: t.Created, Proven: t.proven}
	started := *cmp.Or(seen.StartedAt, &t.Created)
	grace := now.Sub(started) < v.declared.grace
	if seen.HealthStatus == types.HealthStatusUnhealthy && !grace {
		c.Unhealthy = reasonContainerCheck
	}
	if *seen.LastStatus != statusRunning {
		return c
	}
	c.Healthy = true
	switch {
	case t.HasChecks():
		c.Healthy = seen.HealthStatus == types.HealthStatusHealthy
	case len(t.Targets) == 0:
		c.Healthy = now.Sub(started) >= s.options.SettleTime
	}
	for _, target := range t.Targets {
		state, description := s.options.LoadBalancer.TargetState(target.Group, t.Address(), target.Port)
		switch {
		case state == elbtypes.TargetHealthStateEnumHealthy:
		case state == elbtypes.TargetHealthStateEnumUnhealthy && !grace:
			c.Unhealthy = fmt.Sprintf(reasonTargetCheck+" in (target-group %s)", target.Group)
			t.unhealthyTarget = fmt.Sprintf("(port %d) is unhealthy in (target-group %s) due to (reason %s)", target.Port, target.Group, description)
			fallthrough
		default:
			c.Healthy = false
		}
	}
	return c
}

// breakCircuit fails the primary deployment when too many of its tasks failed. If a rollback is wanted, the deployment fails
// with it, after this look.
func (s *Scheduler) breakCircuit(v *service, now time.Time) (rollingBack bool) {
	primary := v.deployments[0]
	if primary.state != types.DeploymentRolloutStateInProgress || !v.declared.breaker || primary.failed < breakerThreshold(v.declared.desired) {
		return false
	}
	if !v.declared.rollback || v.completed == nil || v.completed == primary {
		v.fail(primary, now)
		primary.end(types.ServiceDeploymentStatusStopped, now)
		return false
	}
	wanted, previous := v.declared, v.completed
	s.afterwards = append(s.afterwards, func(ctx context.Context) { s.rollBack(ctx, v, wanted, previous) })
	return true
}

func (v *service) fail(d *deployment, now time.Time) {
	d.state, d.updated = types.DeploymentRolloutStateFailed, now
	d.reason = "ECS deployment circuit breaker: tasks failed to start."
	v.event(now, "(deployment %s) deployment failed: tasks failed to start.", d.id)
}

// rollBack gives the service its previous revision, and then makes the previous deployment the primary one.
func (s *Scheduler) rollBack(ctx context.Context, v *service, wanted declared, previous *deployment) {
	if err := s.source.rollBack(ctx, wanted, previous.revision.taskDefinition); err != nil {
		s.log.Warn("rollback failed, will be tried again", "service", wanted.name, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.Changed() // what was read before names the definition that failed
	now := time.Now()
	failed := v.deployments[0]
	v.fail(failed, now)
	failed.status, failed.returnedTo, v.rollingBack = types.ServiceDeploymentStatusRollbackInProgress, previous, failed
	s.options.Restore(wanted.arn, previous.declared.sent)
	// What the emulator holds now is the previous revision, under the present targets.
	network := previous.revision.network
	previous.revision = v.declared.revision
	previous.revision.taskDefinition, previous.revision.network = previous.definition.ARN(), network
	previous.state, previous.updated, previous.failed = types.DeploymentRolloutStateInProgress, now, 0
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
			v.event(now, "(task %s) failed container health checks.", t.ID)
		} else if t.unhealthyTarget != "" && strings.HasPrefix(o.Reason, reasonTargetCheck) {
			v.event(now, "(task %s) %s", t.ID, t.unhealthyTarget)
		}
		if t.Stop(types.TaskStopCodeServiceSchedulerInitiated, o.Reason) {
			names = append(names, fmt.Sprintf("(task %s)", t.ID))
		}
		t.countFailure(v, now)
	}
	if len(names) > 0 {
		v.event(now, "has stopped %d running tasks: %s.", len(names), strings.Join(names, " "))
	}
}

func (s *Scheduler) startTasks(v *service, n int) {
	primary := v.deployments[0]
	var names []string
	for range n {
		t := s.runtime.Start(fargate.Spec{
			ClusterARN: v.declared.clusterARN,
			Service:    v.declared.name,
			StartedBy:  primary.id,
			Definition: primary.definition,
			Targets:    v.declared.targets,
			Registries: v.declared.registries,
			Subnet:     v.declared.subnet(len(v.tasks)),
			Event: func(format string, args ...any) {
				s.mu.Lock()
				defer s.mu.Unlock()
				v.event(time.Now(), format, args...)
			},
			Changed: s.Wake,
		})
		v.tasks = append(v.tasks, &task{Task: t, deployment: primary})
		names = append(names, fmt.Sprintf("(task %s)", t.ID))
	}
	if n > 0 {
		v.event(time.Now(), "has started %d tasks: %s.", n, strings.Join(names, " "))
	}
}

// countFailure counts a task that stops, or is being stopped for a failed check, before it ever was healthy.
// A task that the scheduler or a person wanted gone is no failure, nor is one that the Docker engine took along.
func (t *task) countFailure(v *service, now time.Time) {
	seen := t.Describe()
	if seen.StopCode == "" || t.counted || t.proven || t.Lost() || !isFailure(seen.StopCode, *seen.StoppedReason) {
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

// settle drops deployments without tasks and notes when a rollout, and the whole service, has come to rest.
func (v *service) settle(now time.Time, looked bool) {
	primary := v.deployments[0]
	v.deployments = slices.DeleteFunc(v.deployments, func(d *deployment) bool {
		return d != primary && v.undrained(d) == 0
	})
	healthy, others := 0, 0
	for _, t := range v.tasks {
		switch {
		case t.deployment == primary && t.healthy && !t.Ending():
			healthy++
		case !t.Drained():
			others++
		}
	}
	atRest := looked && healthy == v.declared.desired && others == 0 && len(v.deployments) == 1
	if atRest && primary.state == types.DeploymentRolloutStateInProgress {
		primary.state, primary.updated, v.completed = types.DeploymentRolloutStateCompleted, now, primary
		primary.reason = fmt.Sprintf("ECS deployment %s completed.", primary.id)
		v.complete(primary, now)
		v.event(now, "(deployment %s) deployment completed.", primary.id)
	}
	if steady := atRest && primary.state == types.DeploymentRolloutStateCompleted; steady != v.steady {
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
		if t.deployment == d && !t.Drained() {
			n++
		}
	}
	return n
}

func (v *service) find(taskID string) *task {
	for _, t := range v.tasks {
		if t.ID == taskID {
			return t
		}
	}
	return nil
}

func (v *service) event(now time.Time, format string, args ...any) {
	message := fmt.Sprintf("(service %s) ", v.declared.name) + fmt.Sprintf(format, args...)
	v.events = append([]types.ServiceEvent{{Id: aws.String(fargate.NewID()), CreatedAt: &now, Message: &message}}, v.events...)
	v.events = v.events[:min(len(v.events), keptEvents)]
}

// describe is the part of a service's description that the scheduler decides.
func (v *service) describe() types.Service {
	described := types.Service{
		Status:       aws.String(v.status),
		DesiredCount: int32(v.declared.desired), //nolint:gosec // it came as one
		Events:       slices.Clone(v.events),
	}
	if v.status != serviceActive {
		described.DesiredCount = 0
	}
	running, pending := map[*deployment]int32{}, map[*deployment]int32{}
	for _, t := range v.tasks {
		switch {
		case t.Ending():
		case t.lastStatus() == statusRunning:
			running[t.deployment]++
			described.RunningCount++
		default:
			pending[t.deployment]++
			described.PendingCount++
		}
	}
	for i, d := range v.deployments {
		status, desired := "ACTIVE", int32(0)
		if i == 0 {
			status, desired = "PRIMARY", described.DesiredCount
		}
		described.Deployments = append(described.Deployments, types.Deployment{
			Id: &d.id, Status: &status, TaskDefinition: &d.revision.taskDefinition, DesiredCount: desired,
			RunningCount: running[d], PendingCount: pending[d], FailedTasks: int32(d.failed), //nolint:gosec // a few
			RolloutState: d.state, RolloutStateReason: aws.String(d.reason), CreatedAt: &d.created, UpdatedAt: aws.Time(d.updated),
		})
	}
	return described
}
