package fargate

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestHealthCheckDefaultsAreECSs(t *testing.T) {
	got, ok := newHealthCheck(&types.HealthCheck{Command: []string{"CMD-SHELL", "exit 0"}})
	if !ok || got.interval != 30*time.Second || got.timeout != 5*time.Second || got.retries != 3 || got.startPeriod != 0 {
		t.Errorf("got %+v", got)
	}
	if len(got.command) != 3 || got.command[0] != "/bin/sh" || got.command[2] != "exit 0" {
		t.Errorf("CMD-SHELL: got %q, want it run by /bin/sh -c", got.command)
	}
	if got, _ := newHealthCheck(&types.HealthCheck{Command: []string{"CMD", "/check", "-q"}}); len(got.command) != 2 {
		t.Errorf("CMD: got %q, want the program and its argument", got.command)
	}
	for _, none := range []*types.HealthCheck{nil, {Command: []string{"NONE"}}, {Command: []string{"CMD"}}} {
		if _, ok := newHealthCheck(none); ok {
			t.Errorf("%v: taken for a health check", none)
		}
	}
}

func TestVerdictCountsRetriesAndSparesTheStartPeriod(t *testing.T) {
	check := healthCheck{interval: 5 * time.Second, retries: 3, startPeriod: 20 * time.Second}
	type probe struct {
		ok   bool
		at   time.Duration
		want types.HealthStatus
	}
	for name, probes := range map[string][]probe{
		"early success counts": {{true, 0, types.HealthStatusHealthy}},
		"early failures do not": {
			{false, 0, types.HealthStatusUnknown}, {false, 1, types.HealthStatusUnknown}, {false, 2, types.HealthStatusUnknown}, {false, 3, types.HealthStatusUnknown}, {true, 4, types.HealthStatusHealthy}},
		"failures in the start period do not": {
			{false, 6, types.HealthStatusUnknown}, {false, 11, types.HealthStatusUnknown}, {false, 16, types.HealthStatusUnknown}, {false, 19, types.HealthStatusUnknown}, {false, 21, types.HealthStatusUnknown}, {false, 26, types.HealthStatusUnknown}, {false, 31, types.HealthStatusUnhealthy}},
		"after a success in the start period they do": {
			{true, 1, types.HealthStatusHealthy}, {false, 6, types.HealthStatusHealthy}, {false, 11, types.HealthStatusHealthy}, {false, 16, types.HealthStatusUnhealthy}},
		"a success between starts the count again": {
			{true, 1, types.HealthStatusHealthy}, {false, 6, types.HealthStatusHealthy}, {false, 11, types.HealthStatusHealthy}, {true, 16, types.HealthStatusHealthy}, {false, 21, types.HealthStatusHealthy}},
		"an unhealthy container recovers": {
			{true, 1, types.HealthStatusHealthy}, {false, 6, types.HealthStatusHealthy}, {false, 11, types.HealthStatusHealthy}, {false, 16, types.HealthStatusUnhealthy}, {true, 21, types.HealthStatusHealthy}},
	} {
		v := newVerdict(check)
		for i, p := range probes {
			if got := v.observe(p.ok, p.at*time.Second); got != p.want {
				t.Errorf("%s: probe %d: got %s, want %s", name, i, got, p.want)
			}
		}
	}
}

func TestDependencyConditions(t *testing.T) {
	zero, one := aws.Int32(0), aws.Int32(1)
	for _, c := range []struct {
		condition     types.ContainerCondition
		status        string
		health        types.HealthStatus
		exit          *int32
		met, hopeless bool
	}{
		{types.ContainerConditionStart, statusPending, types.HealthStatusUnknown, nil, false, false},
		{types.ContainerConditionStart, statusRunning, types.HealthStatusUnknown, nil, true, false},
		{types.ContainerConditionStart, statusStopped, types.HealthStatusUnknown, one, true, false},
		{types.ContainerConditionStart, statusStopped, types.HealthStatusUnknown, nil, false, true},
		{types.ContainerConditionComplete, statusRunning, types.HealthStatusUnknown, nil, false, false},
		{types.ContainerConditionComplete, statusStopped, types.HealthStatusUnknown, one, true, false},
		{types.ContainerConditionSuccess, statusStopped, types.HealthStatusUnknown, zero, true, false},
		{types.ContainerConditionSuccess, statusStopped, types.HealthStatusUnknown, one, false, true},
		{types.ContainerConditionHealthy, statusRunning, types.HealthStatusUnknown, nil, false, false},
		{types.ContainerConditionHealthy, statusRunning, types.HealthStatusHealthy, nil, true, false},
		{types.ContainerConditionHealthy, statusStopped, types.HealthStatusHealthy, zero, false, true},
	} {
		if met, hopeless := dependencyMet(c.condition, c.status, c.health, c.exit); met != c.met || hopeless != c.hopeless {
			t.Errorf("%s while %s %s: got met %t hopeless %t", c.condition, c.status, c.health, met, hopeless)
		}
	}
}
