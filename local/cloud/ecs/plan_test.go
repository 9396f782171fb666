package ecs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// tasks builds candidates from a sketch: upper case is the primary deployment, lower case an earlier one;
// h healthy, p pending, u unhealthy after it was healthy, f failed before it ever was.
func tasks(sketch string) []candidate {
	var all []candidate
	for i, r := range sketch {
		c := candidate{ID: fmt.Sprintf("%c%d", r, i), Created: time.Unix(int64(i), 0)}
		switch r {
		case 'H', 'h':
			c.Healthy, c.Proven = true, true
		case 'U', 'u':
			c.Proven, c.Unhealthy = true, "ill"
		case 'F', 'f':
			c.Unhealthy = "failed"
		}
		c.Primary = r < 'a'
		all = append(all, c)
	}
	return all
}

func TestPlanKeepsWithinTheDeploymentsPercentages(t *testing.T) {
	for _, c := range []struct {
		name              string
		desired, min, max int
		hold              bool
		tasks             string
		start             int
		stop              []string
	}{
		{"first start", 2, 75, 200, false, "", 2, nil},
		{"at rest", 2, 75, 200, false, "HH", 0, nil},
		{"update begins beside the old tasks", 2, 75, 200, false, "hh", 2, nil},
		{"old tasks stay until new ones are healthy", 2, 75, 200, false, "hhPP", 0, nil},
		{"one new one healthy, one old one goes", 2, 75, 200, false, "hhHP", 0, []string{"h0"}},
		{"all new ones healthy, all old ones go", 2, 75, 200, false, "hhHH", 0, []string{"h0", "h1"}},
		{"no room: an old one makes it, as far as the minimum allows", 4, 50, 100, false, "hhhh", 0, []string{"h0", "h1"}},
		{"no room and no slack: stuck, as in ECS", 2, 100, 100, false, "hh", 0, nil},
		{"maximum rounds down", 3, 100, 150, false, "hhh", 1, nil},
		{"minimum rounds up", 3, 50, 100, false, "hhh", 0, []string{"h0"}},
		{"superseded before it was healthy", 2, 75, 200, false, "pp", 2, []string{"p0", "p1"}},
		{"never healthy: stopped at once", 2, 75, 200, false, "HF", 1, []string{"F1"}},
		{"once healthy: replaced first", 2, 75, 200, false, "HU", 1, nil},
		{"once healthy: goes when the replacement is healthy", 2, 75, 200, false, "HUH", 0, []string{"U1"}},
		{"once healthy, no room: goes to make it", 2, 50, 100, false, "HU", 0, []string{"U1"}},
		{"all ill, no room: one by one", 2, 50, 100, false, "UU", 0, []string{"U0"}},
		{"held: nothing starts", 2, 75, 200, true, "hhF", 0, []string{"F2"}},
		{"scale out", 3, 75, 200, false, "HH", 1, nil},
		{"scale in: pending first, then the youngest", 1, 75, 200, false, "HPH", 0, []string{"H2", "P1"}},
		{"to zero", 0, 75, 200, false, "HhPU", 0, []string{"U3", "H0", "P2", "h1"}},
	} {
		start, stop := plan(situation{Desired: c.desired, MinimumHealthyPercent: c.min, MaximumPercent: c.max, Hold: c.hold, Tasks: tasks(c.tasks)})
		var ids []string
		for _, o := range stop {
			ids = append(ids, o.ID)
		}
		if start != c.start || !reflect.DeepEqual(ids, c.stop) {
			t.Errorf("%s: got start %d stop %v, want start %d stop %v", c.name, start, ids, c.start, c.stop)
		}
	}
}

// Plays every deployment of up to five tasks to its end, with new tasks that get healthy.
func TestPlanReachesTheNewDeploymentWithoutLeavingTheLimits(t *testing.T) {
	for desired := 1; desired <= 5; desired++ {
		for _, limits := range [][2]int{{0, 100}, {50, 100}, {50, 200}, {75, 200}, {100, 150}, {100, 200}} {
			lower, upper := (desired*limits[0]+99)/100, desired*limits[1]/100
			if upper <= lower && upper <= desired {
				continue // cannot move, in ECS either
			}
			now := tasks(strings.Repeat("h", desired))
			for round := 0; ; round++ {
				if round > 50 {
					t.Fatalf("desired %d, %v: no end", desired, limits)
				}
				start, stop := plan(situation{Desired: desired, MinimumHealthyPercent: limits[0], MaximumPercent: limits[1], Tasks: now})
				now = slices.DeleteFunc(now, func(c candidate) bool {
					return slices.ContainsFunc(stop, func(o order) bool { return o.ID == c.ID })
				})
				if healthy(now) < min(lower, desired) {
					t.Fatalf("desired %d, %v: %d healthy, want at least %d", desired, limits, healthy(now), lower)
				}
				for i := range start {
					now = append(now, candidate{ID: fmt.Sprint(round, "-", i), Primary: true, Created: time.Unix(int64(100+round), 0)})
				}
				if len(now) > upper {
					t.Fatalf("desired %d, %v: %d tasks, want at most %d", desired, limits, len(now), upper)
				}
				if start > 0 || len(stop) > 0 {
					continue
				}
				if healthy(now) == len(now) {
					break
				}
				for i := range now {
					now[i].Healthy, now[i].Proven = true, true
				}
			}
			if len(now) != desired || !now[0].Primary {
				t.Errorf("desired %d, %v: ended with %v", desired, limits, now)
			}
		}
	}
}

func TestBreakerThresholdIsHalfTheDesiredCountWithinItsBounds(t *testing.T) {
	for desired, want := range map[int]int{1: 3, 2: 3, 6: 3, 7: 4, 10: 5, 25: 13, 400: 200, 1000: 200} {
		if got := breakerThreshold(desired); got != want {
			t.Errorf("desired %d: got %d, want %d", desired, got, want)
		}
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 9: 30 * time.Second, 1000: 30 * time.Second} {
		if got := backoff(n); got != want {
			t.Errorf("%d failures: got %s, want %s", n, got, want)
		}
	}
}

func TestFailureIsWhatTheTaskDidNotWhatSomebodyWanted(t *testing.T) {
	for _, c := range []struct {
		code   types.TaskStopCode
		reason string
		want   bool
	}{
		{types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: x", true},
		{types.TaskStopCodeEssentialContainerExited, "Essential container in task exited", true},
		{types.TaskStopCodeServiceSchedulerInitiated, reasonContainerCheck, true},
		{types.TaskStopCodeServiceSchedulerInitiated, "Task failed ELB health checks in (target-group x)", true},
		{types.TaskStopCodeServiceSchedulerInitiated, "Scaling activity initiated by (deployment ecs-svc/1)", false},
		{types.TaskStopCodeUserInitiated, "Task stopped by user", false},
	} {
		if got := isFailure(c.code, c.reason); got != c.want {
			t.Errorf("%s %s: got %t", c.code, c.reason, got)
		}
	}
}
