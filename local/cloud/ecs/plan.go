package ecs

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// situation is all that the planner looks at: a service's numbers and its tasks that are not being stopped.
type situation struct {
	Desired               int
	MinimumHealthyPercent int
	MaximumPercent        int
	Hold                  bool // start nothing: the deployment failed, or its tasks fail too fast
	Scaling               string
	Tasks                 []candidate
}

// candidate is one task as the planner sees it.
type candidate struct {
	ID        string
	Created   time.Time
	Primary   bool   // of the primary deployment
	Healthy   bool   // running, and every check that exists passes: counts towards the minimum
	Proven    bool   // was healthy once
	Unhealthy string // a check failed for good: ECS's words for it
}

// order is one task to stop and the reason it will show.
type order struct{ ID, Reason string }

// plan says how many tasks of the primary deployment to start and which tasks to stop now.
//
// At most maximumPercent of the desired count (rounded down) may be pending or running, at least
// minimumHealthyPercent (rounded up) stay healthy:
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
// A task that was healthy and no longer is keeps running until its replacement is healthy, unless there is no room:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
func plan(s situation) (start int, stop []order) {
	lower := (s.Desired*s.MinimumHealthyPercent + 99) / 100
	upper := s.Desired * s.MaximumPercent / 100

	hopeless, rest := split(s.Tasks, func(c candidate) bool { return c.Unhealthy != "" && !c.Proven })
	ill, rest := split(rest, func(c candidate) bool { return c.Unhealthy != "" && c.Primary })
	primary, old := split(rest, func(c candidate) bool { return c.Primary })

	missing := max(0, s.Desired-len(primary))
	if !s.Hold {
		start = min(missing, max(0, upper-len(ill)-len(primary)-len(old)))
	}
	noRoom := start < missing && !s.Hold

	for _, c := range hopeless {
		stop = append(stop, order{c.ID, c.Unhealthy})
	}
	for _, c := range ill[:replaced(len(ill), healthy(primary), s.Desired, noRoom)] {
		stop = append(stop, order{c.ID, c.Unhealthy})
	}
	for _, c := range surplus(primary, s.Desired) {
		stop = append(stop, order{c.ID, s.Scaling})
	}
	keep := max(lower, s.Desired)
	if noRoom {
		keep = lower
	}
	for _, c := range outdated(old, healthy(primary)+healthy(old)-keep) {
		stop = append(stop, order{c.ID, s.Scaling})
	}
	return start, stop
}

// replaced is how many once healthy tasks may go: as many as have a healthy replacement, or one to make room.
func replaced(ill, healthy, desired int, noRoom bool) int {
	done := min(ill, max(0, ill+healthy-desired))
	if done == 0 && ill > 0 && noRoom {
		return 1
	}
	return done
}

// surplus is what exceeds the desired count: tasks that are not healthy yet first, then the youngest.
func surplus(primary []candidate, desired int) []candidate {
	byWorth := slices.Clone(primary)
	slices.SortStableFunc(byWorth, func(a, b candidate) int {
		if a.Healthy != b.Healthy {
			if a.Healthy {
				return -1
			}
			return 1
		}
		return a.Created.Compare(b.Created)
	})
	return byWorth[min(desired, len(byWorth)):]
}

// outdated is what may go of earlier deployments: all that serves nobody, and as many healthy ones as can be spared.
func outdated(old []candidate, spare int) []candidate {
	serving, idle := split(old, func(c candidate) bool { return c.Healthy })
	return append(idle, serving[:min(len(serving), max(0, spare))]...)
}

func healthy(tasks []candidate) int {
	n := 0
	for _, c := range tasks {
		if c.Healthy {
			n++
		}
	}
	return n
}

func split(tasks []candidate, is func(candidate) bool) (yes, no []candidate) {
	for _, c := range tasks {
		if is(c) {
			yes = append(yes, c)
		} else {
			no = append(no, c)
		}
	}
	return yes, no
}

// breakerThreshold is the number of failed tasks in a row that fails a deployment: half the desired count, rounded
// up, never below 3 nor above 200.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func breakerThreshold(desired int) int { return min(200, max(3, (desired+1)/2)) }

// backoff is the pause before the next task of a deployment whose last n tasks failed. ECS slows a service down in
// the same way without publishing its steps, except that it waits up to 27 minutes:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(30*time.Second, time.Second<<min(failures-1, 10))
}

// isFailure tells a task that went down by itself, or failed a check, from one that was wanted gone.
func isFailure(code types.TaskStopCode, reason string) bool {
	switch code {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	case types.TaskStopCodeServiceSchedulerInitiated:
		return reason == reasonContainerCheck || strings.HasPrefix(reason, reasonTargetCheck)
	}
	return false
}
