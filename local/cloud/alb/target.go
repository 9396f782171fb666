package alb

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// key names a target within its group.
type key struct {
	target string
	port   int
}

// group is a target group's targets and their health.
type group struct {
	arn string
	log *slog.Logger

	mu       sync.Mutex
	settings groupSettings
	known    bool // the emulator has told the settings
	targets  []*target
	turn     int // round robin
	ready    chan struct{}
}

// target is one registered target. group.mu guards what changes.
type target struct {
	key
	address  string
	standing standing
	draining bool
	inFlight int
	idle     chan struct{} // closed when draining and nothing is in flight
	stop     context.CancelFunc

	// removed ends when the target is no longer part of the group, with the requests that are still in flight.
	removed context.Context
	remove  context.CancelFunc
}

func newGroup(arn string, log *slog.Logger) *group {
	return &group{arn: arn, log: log, ready: make(chan struct{})}
}

func (g *group) configure(s groupSettings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settings = s
	if !g.known {
		g.known = true
		close(g.ready)
	}
}

func (g *group) register(k key, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.index(k); i >= 0 {
		if !g.targets[i].draining && g.targets[i].address == address {
			return
		}
		g.targets[i].stop()
		g.targets = slices.Delete(g.targets, i, i+1)
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &target{key: k, address: address, standing: newStanding(), idle: make(chan struct{}), stop: stop}
	t.removed, t.remove = context.WithCancel(context.Background())
	g.targets = append(g.targets, t)
	go g.watch(ctx, t)
}

// watch checks a target's health until ctx ends.
func (g *group) watch(ctx context.Context, t *target) {
	select {
	case <-ctx.Done():
		return
	case <-g.ready:
	}
	began := time.Now()
	for first := true; ; first = false {
		g.mu.Lock()
		check := g.settings.check
		g.mu.Unlock()
		wait := check.interval
		if check.enabled {
			r := check.check(ctx, t.address)
			if ctx.Err() != nil {
				return
			}
			early := time.Since(began) < check.interval && g.stateOf(t) == types.TargetHealthStateEnumInitial
			if r.ok || first || !early {
				g.observe(t, r, check)
			}
			if early && !r.ok {
				wait = earlyInterval
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (g *group) stateOf(t *target) types.TargetHealthStateEnum {
	g.mu.Lock()
	defer g.mu.Unlock()
	return t.standing.state
}

func (g *group) observe(t *target, r result, check checkSettings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := t.standing.state
	t.standing = t.standing.observe(r, check)
	if t.standing.state != before {
		g.log.Info("target", "target", t.target, "port", t.port, "state", t.standing.state, "description", t.standing.description)
	}
}

// deregister takes a target out of the rotation. ELB waits the deregistration delay, or less when the target has no
// request in flight and no active connection; here idle connections do not count, so that a drain usually ends sooner. A
// request that is in flight when the delay is over gets 502.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-502-issues
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay
func (g *group) deregister(ctx context.Context, k key) <-chan struct{} {
	done := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.index(k)
	if i < 0 {
		close(done)
		return done
	}
	t := g.targets[i]
	if !t.draining {
		t.draining = true
		t.stop()
		if t.inFlight == 0 {
			close(t.idle)
		}
	}
	delay := g.settings.delay
	go func() {
		defer close(done)
		select {
		case <-t.idle:
		case <-time.After(delay):
		case <-ctx.Done():
		}
		g.forget(t)
	}()
	return done
}

func (g *group) forget(t *target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.targets = slices.DeleteFunc(g.targets, func(other *target) bool { return other == t })
	t.remove()
}

// pick chooses the target of one request and counts the request; release must follow. nil means no target.
//
// Requests go round robin over the healthy targets. When there is none, they go to all unhealthy ones: ELB fails
// open. Targets whose first check is still to come get nothing.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
//
// A client that has been with a target before stays there if the group is sticky: its cookie names the target.
func (g *group) pick(cookie string) *target {
	g.mu.Lock()
	defer g.mu.Unlock()
	candidates := g.inState(types.TargetHealthStateEnumHealthy)
	if len(candidates) == 0 {
		candidates = g.inState(types.TargetHealthStateEnumUnhealthy)
	}
	if len(candidates) == 0 {
		return nil
	}
	g.turn++
	chosen := candidates[g.turn%len(candidates)]
	if g.settings.sticky > 0 && cookie != "" {
		if i := slices.IndexFunc(candidates, func(t *target) bool { return t.cookie() == cookie }); i >= 0 {
			chosen = candidates[i]
		}
	}
	chosen.inFlight++
	return chosen
}

func (g *group) release(t *target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.inFlight--
	if t.draining && t.inFlight == 0 {
		close(t.idle)
	}
}

// inState lists the targets in rotation that have a state. Without health checks every target counts as healthy.
func (g *group) inState(state types.TargetHealthStateEnum) []*target {
	var found []*target
	for _, t := range g.targets {
		if !t.draining && (t.standing.state == state || !g.settings.check.enabled && state == types.TargetHealthStateEnumHealthy) {
			found = append(found, t)
		}
	}
	return found
}

// health is the health of every target, in the order they were registered.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
func (g *group) health() []types.TargetHealthDescription {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []types.TargetHealthDescription
	for _, t := range g.targets {
		state, reason, description := t.standing.state, t.standing.reason, t.standing.description
		switch {
		case t.draining:
			state, reason, description = types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress, "Target deregistration is in progress"
		case !g.known:
			state, reason, description = types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumRegistrationInProgress, "Target registration is in progress"
		case !g.settings.used:
			state, reason, description = types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotInUse, "Target group is not configured to receive traffic from the load balancer"
		case !g.settings.check.enabled:
			state, reason, description = types.TargetHealthStateEnumUnavailable, types.TargetHealthReasonEnumHealthCheckDisabled, "Health checks are disabled for this target group"
		}
		all = append(all, types.TargetHealthDescription{
			Target:          &types.TargetDescription{Id: aws.String(t.target), Port: aws.Int32(int32(t.port))}, //nolint:gosec // a port
			HealthCheckPort: aws.String(g.settings.check.port),
			TargetHealth:    &types.TargetHealth{State: state, Reason: reason, Description: &description},
		})
	}
	return all
}

func (g *group) index(k key) int {
	return slices.IndexFunc(g.targets, func(t *target) bool { return t.key == k })
}

// close ends all health checks.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.targets {
		t.stop()
	}
}
