package infra_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const (
	scalingTarget   = "aws:appautoscaling/target:Target"
	scalingPolicy   = "aws:appautoscaling/policy:Policy"
	scheduledAction = "aws:appautoscaling/scheduledAction:ScheduledAction"
	spotProviders   = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
)

func TestScalingTracksEveryTargetThatIsGiven(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"scale.min": "2", "scale.max": "8", "scale.cpu": "55", "scale.memory": "65",
		"scale.requests": "1200", "scale.schedules": night,
	}))
	service := graph.Outputs[one(t, graph, ecsService).URN]["name"].StringValue()
	resource := "service/" + graph.Outputs[one(t, graph, cluster).URN]["name"].StringValue() + "/" + service

	target := one(t, graph, scalingTarget)
	if at(t, target, "minCapacity") != 2.0 || at(t, target, "maxCapacity") != 8.0 {
		t.Errorf("limits: %v", target.Inputs)
	}
	label := graph.Outputs[one(t, graph, loadBalancer).URN]["arnSuffix"].StringValue() + "/" +
		graph.Outputs[one(t, graph, targetGroup).URN]["arnSuffix"].StringValue()
	want := map[any][]any{
		"ECSServiceAverageCPUUtilization":    {55.0, nil},
		"ECSServiceAverageMemoryUtilization": {65.0, nil},
		"ALBRequestCountPerTarget":           {1200.0, label},
	}
	got := map[any][]any{}
	for _, policy := range graph.OfType(scalingPolicy) {
		const tracking = "targetTrackingScalingPolicyConfiguration"
		got[at(t, policy, tracking, "predefinedMetricSpecification", "predefinedMetricType")] = []any{
			at(t, policy, tracking, "targetValue"), at(t, policy, tracking, "predefinedMetricSpecification", "resourceLabel"),
		}
		if at(t, policy, tracking, "scaleInCooldown") != 300.0 || at(t, policy, tracking, "scaleOutCooldown") != 60.0 {
			t.Errorf("%s: cooldowns of %v", policy.Name, policy.Inputs)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("targets: %v\nwant: %v", got, want)
	}

	action := one(t, graph, scheduledAction)
	if at(t, action, "schedule") != "cron(0 20 ? * MON-FRI *)" || at(t, action, "timezone") != "Europe/Berlin" ||
		!reflect.DeepEqual(at(t, action, "scalableTargetAction"), map[string]any{"minCapacity": 1.0, "maxCapacity": 2.0}) {
		t.Errorf("schedule: %v", action.Inputs)
	}
	for _, r := range slices.Concat(graph.OfType(scalingTarget), graph.OfType(scalingPolicy), graph.OfType(scheduledAction)) {
		if at(t, r, "serviceNamespace") != "ecs" || at(t, r, "scalableDimension") != "ecs:service:DesiredCount" ||
			at(t, r, "resourceId") != resource {
			t.Errorf("%s scales %v %v of %v; want the tasks of %s", r.Name, at(t, r, "serviceNamespace"),
				at(t, r, "scalableDimension"), at(t, r, "resourceId"), resource)
		}
	}
}

// Without scaling, an update must restore the number of tasks; with scaling, it must leave the number alone.
func TestTheNumberOfTasksIsLeftAloneOnlyWithScaling(t *testing.T) {
	for value, want := range map[string][]string{"2": nil, "10": {"desiredCount"}} {
		graph := run(t, defaults(t, map[string]string{"scale.max": value}))
		if got := one(t, graph, ecsService).IgnoreChanges; !slices.Equal(got, want) {
			t.Errorf("at most %s tasks: changes of %v are ignored; want %v", value, got, want)
		}
		if got := len(graph.OfType(scalingTarget)) + len(graph.OfType(scalingPolicy)); (got > 0) != (value == "10") {
			t.Errorf("at most %s tasks: %d resources for it", value, got)
		}
	}
}

// A service that replaces another must not start with fewer tasks than the load needs. Scheduled commands and services of
// other stacks in the cluster say nothing about the load.
func TestAReplacedServiceStartsWithAsManyTasksAsTheOldOneRuns(t *testing.T) {
	for _, test := range []struct {
		most    string
		running map[string]int
		want    float64
	}{
		{"10", nil, 2},
		{"10", map[string]int{"web-1234567": 7}, 7},
		{"10", map[string]int{"web-1234567": 99}, 10},
		{"10", map[string]int{"web-1234567": 3, "web-7654321": 5}, 5},
		{"10", map[string]int{"billing-1234567": 7}, 2},
		{"2", map[string]int{"web-1234567": 7}, 2},
	} {
		settings := options(defaults(t, map[string]string{"scale.max": test.most}))
		settings.Running = test.running
		graph, err := infratest.Run(infra.Program, settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := at(t, one(t, graph, ecsService), "desiredCount"); got != test.want {
			t.Errorf("at most %s, %v run: starts with %v; want %g", test.most, test.running, got, test.want)
		}
	}
}

// A schedule changes the limits of the target, and neither a refresh nor another change may change them back. A changed
// setting still has its effect: it replaces the target.
func TestLimitsThatAScheduleChangesAreLeftAlone(t *testing.T) {
	plain := one(t, run(t, defaults(t, map[string]string{"scale.max": "10"})), scalingTarget)
	if len(plain.IgnoreChanges) > 0 || plain.ReplacementTrigger != "" {
		t.Errorf("without a schedule: changes of %v are ignored, replaced when %q changes", plain.IgnoreChanges, plain.ReplacementTrigger)
	}

	triggers := map[string]bool{}
	for _, limits := range []map[string]string{{}, {"scale.min": "1"}, {"scale.max": "4"}} {
		settings := map[string]string{"scale.max": "10", "scale.schedules": night}
		maps.Copy(settings, limits)
		target := one(t, run(t, defaults(t, settings)), scalingTarget)
		if want := []string{"minCapacity", "maxCapacity"}; !slices.Equal(target.IgnoreChanges, want) || !target.DeleteBeforeReplace {
			t.Errorf("%v: changes of %v are ignored, deleted before its replacement: %t; want %v, true",
				limits, target.IgnoreChanges, target.DeleteBeforeReplace, want)
		}
		triggers[target.ReplacementTrigger] = true
	}
	if len(triggers) != 3 {
		t.Errorf("other limits do not replace the target: %v", triggers)
	}
}

func TestSpotNeverCarriesTheWholeService(t *testing.T) {
	for percent, want := range map[string][]any{
		"false": nil,
		"70": {
			map[string]any{"capacityProvider": "FARGATE", "base": 1.0, "weight": 30.0},
			map[string]any{"capacityProvider": "FARGATE_SPOT", "base": 0.0, "weight": 70.0},
		},
		"100": {
			map[string]any{"capacityProvider": "FARGATE", "base": 1.0, "weight": 0.0},
			map[string]any{"capacityProvider": "FARGATE_SPOT", "base": 0.0, "weight": 100.0},
		},
	} {
		graph := run(t, defaults(t, map[string]string{"scale.spot": percent}))
		service := one(t, graph, ecsService)
		got, _ := at(t, service, "capacityProviderStrategies").([]any)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s %% Spot: %v; want %v", percent, got, want)
		}
		// ECS takes either a launch type or a strategy.
		if launchType := at(t, service, "launchType"); (launchType == "FARGATE") != (want == nil) {
			t.Errorf("%s %% Spot: launch type %v", percent, launchType)
		}
		if want == nil {
			continue
		}
		providers := one(t, graph, spotProviders)
		if !slices.Contains(service.DependsOn, providers.URN) {
			t.Error("the service does not wait until the cluster may use Spot")
		}
		if got := at(t, providers, "capacityProviders"); !reflect.DeepEqual(got, []any{"FARGATE", "FARGATE_SPOT"}) {
			t.Errorf("capacity providers: %v", got)
		}
	}
}
