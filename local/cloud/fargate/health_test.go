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
		want string
	}
	for name, probes := range map[string][]probe{
		"early success counts": {{true, 0, healthHealthy}},
		"early failures do not": {
			{false, 0, healthUnknown}, {false, 1, healthUnknown}, {false, 2, healthUnknown}, {false, 3, healthUnknown}, {true, 4, healthHealthy}},
		"failures in the start period do not": {
			{false, 6, healthUnknown}, {false, 11, healthUnknown}, {false, 16, healthUnknown}, {false, 19, healthUnknown}, {false, 21, healthUnknown}, {false, 26, healthUnknown}, {false, 31, healthUnhealthy}},
		"after a success in the start period they do": {
			{true, 1, healthHealthy}, {false, 6, healthHealthy}, {false, 11, healthHealthy}, {false, 16, healthUnhealthy}},
		"a success between starts the count again": {
			{true, 1, healthHealthy}, {false, 6, healthHealthy}, {false, 11, healthHealthy}, {true, 16, healthHealthy}, {false, 21, healthHealthy}},
		"an unhealthy container recovers": {
			{true, 1, healthHealthy}, {false, 6, healthHealthy}, {false, 11, healthHealthy}, {false, 16, healthUnhealthy}, {true, 21, healthHealthy}},
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
	zero, one := aws.Int(0), aws.Int(1)
	for _, c := range []struct {
		condition      types.ContainerCondition
		status, health string
		exit           *int
		met, hopeless  bool
	}{
		{types.ContainerConditionStart, statusPending, healthUnknown, nil, false, false},
		{types.ContainerConditionStart, statusRunning, healthUnknown, nil, true, false},
		{types.ContainerConditionStart, statusStopped, healthUnknown, one, true, false},
		{types.ContainerConditionStart, statusStopped, healthUnknown, nil, false, true},
		{types.ContainerConditionComplete, statusRunning, healthUnknown, nil, false, false},
		{types.ContainerConditionComplete, statusStopped, healthUnknown, one, true, false},
		{types.ContainerConditionSuccess, statusStopped, healthUnknown, zero, true, false},
		{types.ContainerConditionSuccess, statusStopped, healthUnknown, one, false, true},
		{types.ContainerConditionHealthy, statusRunning, healthUnknown, nil, false, false},
		{types.ContainerConditionHealthy, statusRunning, healthHealthy, nil, true, false},
		{types.ContainerConditionHealthy, statusStopped, healthHealthy, zero, false, true},
	} {
		if met, hopeless := dependencyMet(c.condition, c.status, c.health, c.exit); met != c.met || hopeless != c.hopeless {
			t.Errorf("%s while %s %s: got met %t hopeless %t", c.condition, c.status, c.health, met, hopeless)
		}
	}
}
