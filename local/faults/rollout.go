package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Rollout is what clients lost in a number of deploys in a row.
type Rollout struct {
	Name     string
	Deploys  int
	Requests Requests
	Took     []time.Duration // each deploy, from the command to its end
}

// lost counts the lost requests of one kind.
func (r Rollout) lost(kind string) int { return len(r.Requests.of(kind).lost()) }

// median is the time of the deploy in the middle.
func (r Rollout) median() time.Duration {
	sorted := slices.Sorted(slices.Values(r.Took))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// Rollouts deploys one revision after the other under load.
func (l *Lab) Rollouts(ctx context.Context, name string, deploys int) (Rollout, error) {
	rollout := Rollout{Name: name, Deploys: deploys}
	traffic := startTraffic(ctx, l.url(), l.options.Seed)
	err := pause(ctx, longest/4)
	for n := 1; n <= deploys && err == nil; n++ {
		begun := time.Now()
		if err = l.deploy(ctx); err == nil {
			rollout.Took = append(rollout.Took, time.Since(begun))
			lost := traffic.since(time.Time{}).lost()
			l.say("%s: deploy %d of %d took %s; %d requests lost so far", name, n, deploys, time.Since(begun).Round(time.Second), len(lost))
		}
	}
	rollout.Requests = traffic.Stop()
	if err == nil && len(rollout.Requests) < deploys*100 {
		err = fmt.Errorf("only %d requests were sent in %d deploys: this proves nothing", len(rollout.Requests), deploys)
	}
	return rollout, err
}

// patternSettings are those of AWS's pattern: no time for requests to finish, and ECS's own stop timeout.
// https://github.com/aws-samples/container-patterns/blob/main/pattern/nginx-reverse-proxy-sidecar-ecs-fargate-task/files/service.yml
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (stopTimeout)
var patternSettings = map[string]string{"overrides.targetGroup": `{"deregistrationDelay":0}`, "task.stopTimeout": "30s"}

// BecomePattern gives the stack the directives and settings of AWS's pattern, until back.
func (l *Lab) BecomePattern(ctx context.Context) (back func(context.Context) error, err error) {
	settings := maps.Clone(patternSettings)
	if settings["http.image"], err = l.images.patternSidecar(ctx); err != nil {
		return nil, err
	}
	return l.become(ctx, settings)
}

// become gives the stack other settings, until back.
func (l *Lab) become(ctx context.Context, settings map[string]string) (back func(context.Context) error, err error) {
	before := maps.Clone(l.base)
	maps.Copy(l.base, settings)
	return func(ctx context.Context) error { l.base = before; return l.deploy(ctx) }, l.deploy(ctx)
}
