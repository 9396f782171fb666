package service

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// Scaling says how load and time change the number of tasks, and on which capacity the tasks run.
type Scaling struct {
	// Min is the number of tasks, or the lowest number with On; a new service starts with it.
	Min, Max int
	// On lets the number change.
	On bool
	// A target of zero is off. CPU and memory are in percent, requests are per task and minute.
	CPUPercent, MemoryPercent, RequestsPerTask int
	Schedules                                  []Schedule
	// SpotPercent is the share of the tasks beyond the first that run on Fargate Spot, which AWS may stop with two
	// minutes' notice.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
	SpotPercent int
}

// Schedule sets the limits of scaling at given times. An empty time zone is UTC.
type Schedule struct {
	Name, Schedule, Timezone string
	Min, Max                 int
}

// The pauses after tasks have been removed and after tasks have been added. Tasks are added fast, because clients wait, and
// removed slowly, because a load that has gone often comes back. 300 s is AWS's default for both.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
const (
	inCooldown  = 300
	outCooldown = 60
)

// onDemandTasks is the number of tasks that never run on Spot: without one, a shortage of Spot capacity would take the service
// down, and with more of them, scale.spot would no longer be the share that it says.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
const onDemandTasks = 1

// mostTasks is the quota of a service.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const mostTasks = 5000

func readScaling(g settings.Group) Scaling {
	const source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html"
	s := Scaling{
		Min: g.Int("min", 2, 1, mostTasks, "tasks",
			"Number of tasks; if `scale.max` is higher, the fewest. A new service starts with it. With two, one keeps running when a zone fails.",
			"https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html"),
		Max: g.InProd(10).Else("scale.min").Int("max", 0, 1, mostTasks, "tasks",
			"Most tasks. If it is higher than `scale.min`, the number of tasks follows the load, and updates do not change it. It limits what a high load can cost.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html"),
		CPUPercent: g.OrFalse().Int("cpu", 60, 1, 100, "percent",
			"Average CPU use at which scaling keeps the tasks, in percent of `task.cpu`.", source),
		MemoryPercent: g.OrFalse().Int("memory", 75, 1, 100, "percent",
			"Average memory use at which scaling keeps the tasks, in percent of `task.memory`.", source),
		RequestsPerTask: g.OrFalse().Else("false").Int("requests", 0, 1, 10_000_000, "requests a minute",
			"Requests per task and minute at which scaling keeps the tasks. It reacts before the CPU target does; measure first how many requests a task can serve. Not with `ingress.kind: api-gateway`.",
			"https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html"),
		Schedules: readSchedules(g),
		SpotPercent: g.OrFalse().Else("false").Int("spot", 0, 1, 100, "percent",
			"Share of the tasks that run on Fargate Spot, except for the first, which never does. Spot is cheaper, but AWS may stop a task with two minutes' notice. Setting or removing it replaces the ECS service: the new one takes over before the old one is removed.",
			"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html"),
	}
	if s.Max == 0 {
		s.Max = s.Min
	}
	s.On = s.Max > s.Min || len(s.Schedules) > 0

	return s
}

func readSchedules(g settings.Group) []Schedule {
	const source = "https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html"
	all := settings.List(g, "schedules",
		"Changes of `scale.min` and `scale.max` at given times, as in `{name: night, at: \"cron(0 20 * * ? *)\", min: 1, max: 2}`; keep the quotes. The limits stay until the next action changes them, through updates and refreshes, too. A changed `scale.min` or `scale.max` applies at once, and until the next action.",
		source, func(g settings.Group) Schedule {
			return Schedule{
				Name:     g.Required("name", settings.Name, "Name of the action.", source),
				Schedule: g.Required("at", settings.Schedule, "When the limits change.", source),
				Timezone: g.Else("UTC").Text("timezone", "", settings.Timezone, "Time zone of the schedule.", source),
				Min:      g.RequiredInt("min", 0, mostTasks, "tasks", "Fewest tasks from then on.", source),
				Max:      g.RequiredInt("max", 0, mostTasks, "tasks", "Most tasks from then on; with 0 there are none, and clients get 503 until another action.", source),
			}
		})
	for i, schedule := range all {
		at := fmt.Sprintf("schedules[%d]", i)
		if slices.ContainsFunc(all[:i], func(earlier Schedule) bool { return earlier.Name == schedule.Name }) {
			g.Fail(at+".name", schedule.Name+" twice", "each name once")
		}
		if schedule.Min > schedule.Max && !g.Wrong(at) {
			g.Fail(at+".min", fmt.Sprintf("%d and max %d", schedule.Min, schedule.Max), "a min that is not above max")
		}
	}

	return all
}

func checkScaling(r *settings.Reader, s Settings) {
	scaling := s.Scaling
	if scaling.Min > scaling.Max {
		r.Conflict([]string{"scale.min", "scale.max"}, fmt.Sprintf("%d is more than %d", scaling.Min, scaling.Max))
	}
	for _, target := range []string{"scale.cpu", "scale.memory", "scale.requests"} {
		if !scaling.On && r.Given(target) {
			r.Conflict([]string{target, "scale.max"}, "set, but the number of tasks is fixed; allowed with: a scale.max above scale.min")
		}
	}
	if scaling.On && scaling.CPUPercent == 0 && scaling.MemoryPercent == 0 && scaling.RequestsPerTask == 0 && len(scaling.Schedules) == 0 {
		r.Conflict([]string{"scale.max", "scale.cpu", "scale.memory", "scale.requests", "scale.schedules"},
			"the number of tasks may change, but there is nothing to scale on; allowed: one target, or a schedule")
	}
	if scaling.SpotPercent > 0 && scaling.Max <= onDemandTasks {
		r.Conflict([]string{"scale.spot", "scale.max"},
			fmt.Sprintf("there is at most %d task, which runs on demand, so %d %% Spot would have no effect; allowed with: two tasks or more",
				onDemandTasks, scaling.SpotPercent))
	}
}

// placeOn sets the capacity on which the tasks of a service run. ECS applies a changed capacity provider strategy only
// with a new deployment.
func (s Scaling) placeOn(args *ecs.ServiceArgs) {
	if s.SpotPercent == 0 {
		args.LaunchType = pulumi.String("FARGATE")
		return
	}

	args.ForceNewDeployment = pulumi.Bool(true)
	args.CapacityProviderStrategies = ecs.ServiceCapacityProviderStrategyArray{
		ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE"),
			Base:             pulumi.Int(onDemandTasks),
			Weight:           pulumi.Int(100 - s.SpotPercent),
		},
		ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE_SPOT"),
			Base:             pulumi.Int(0),
			Weight:           pulumi.Int(s.SpotPercent),
		},
	}
}

// declareCapacity lets the cluster use Spot, for which a service has to wait.
func (b *builder) declareCapacity() error {
	if b.Scaling.SpotPercent == 0 {
		return nil
	}

	providers, err := ecs.NewClusterCapacityProviders(b.ctx, b.Name, &ecs.ClusterCapacityProvidersArgs{
		ClusterName:       b.cluster.Name,
		CapacityProviders: pulumi.ToStringArray([]string{"FARGATE", "FARGATE_SPOT"}),
	}, b.child)
	if err != nil {
		return fmt.Errorf("capacity providers: %w", err)
	}
	b.before = append(b.before, providers)

	return nil
}

// The names that Application Auto Scaling has for the number of a service's tasks.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
const (
	ecsNamespace = "ecs"
	taskCount    = "ecs:service:DesiredCount"
)

// declareScaling lets Application Auto Scaling change the number of tasks.
func (b *builder) declareScaling() error {
	if !b.Scaling.On {
		return nil
	}

	// The number of tasks must not change while the deployment is judged.
	stable := b.running.ApplyT(func(string) []pulumi.Resource { return []pulumi.Resource{b.service} }).(pulumi.ResourceArrayOutput)
	target, err := appautoscaling.NewTarget(b.ctx, b.Name, &appautoscaling.TargetArgs{
		ServiceNamespace:  pulumi.String(ecsNamespace),
		ScalableDimension: pulumi.String(taskCount),
		ResourceId:        pulumi.Sprintf("service/%s/%s", b.cluster.Name, b.service.Name),
		MinCapacity:       pulumi.Int(b.Scaling.Min),
		MaxCapacity:       pulumi.Int(b.Scaling.Max),
	}, append(b.Scaling.keepScheduledLimits(), b.child, pulumi.DependsOnInputs(stable))...)
	if err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	for _, metric := range b.metrics() {
		if err := b.declareTracking(metric, target); err != nil {
			return err
		}
	}
	for _, schedule := range b.Scaling.Schedules {
		if err := b.declareSchedule(schedule, target); err != nil {
			return err
		}
	}

	return nil
}

// keepScheduledLimits keeps an update from undoing what a schedule has set, which is not what the settings say for most of
// the time. A change of the settings themselves replaces the target, so that it is neither ignored nor mistaken for the
// schedule's. The old target goes first: both have the same id, and the end of one would be the end of the other.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (s Scaling) keepScheduledLimits() []pulumi.ResourceOption {
	if len(s.Schedules) == 0 {
		return nil
	}

	return []pulumi.ResourceOption{
		pulumi.IgnoreChanges([]string{"minCapacity", "maxCapacity"}),
		pulumi.ReplacementTrigger(pulumi.Sprintf("%d to %d tasks", s.Min, s.Max)),
		pulumi.DeleteBeforeReplace(true),
	}
}

// metric is a metric that target tracking keeps near a target value.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
type metric struct {
	suffix, name string
	target       int
	label        pulumi.StringPtrInput
}

func (b *builder) metrics() []metric {
	s := b.Scaling
	var all []metric
	if s.CPUPercent > 0 {
		all = append(all, metric{"cpu", "ECSServiceAverageCPUUtilization", s.CPUPercent, nil})
	}
	if s.MemoryPercent > 0 {
		all = append(all, metric{"memory", "ECSServiceAverageMemoryUtilization", s.MemoryPercent, nil})
	}
	if s.RequestsPerTask > 0 {
		all = append(all, metric{"requests", "ALBRequestCountPerTarget", s.RequestsPerTask, b.Ingress.RequestsLabel.ToStringOutput().ToStringPtrOutput()})
	}

	return all
}

func (b *builder) declareTracking(by metric, target *appautoscaling.Target) error {
	_, err := appautoscaling.NewPolicy(b.ctx, b.Name+"-"+by.suffix, &appautoscaling.PolicyArgs{
		PolicyType:        pulumi.String("TargetTrackingScaling"),
		ServiceNamespace:  target.ServiceNamespace,
		ScalableDimension: target.ScalableDimension,
		ResourceId:        target.ResourceId,
		TargetTrackingScalingPolicyConfiguration: appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs{
			PredefinedMetricSpecification: appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs{
				PredefinedMetricType: pulumi.String(by.name),
				ResourceLabel:        by.label,
			},
			TargetValue:      pulumi.Float64(by.target),
			ScaleInCooldown:  pulumi.Int(inCooldown),
			ScaleOutCooldown: pulumi.Int(outCooldown),
			DisableScaleIn:   pulumi.Bool(false),
		},
	}, b.child)
	if err != nil {
		return fmt.Errorf("scaling on %s: %w", by.suffix, err)
	}

	return nil
}

func (b *builder) declareSchedule(schedule Schedule, target *appautoscaling.Target) error {
	zone := schedule.Timezone
	if zone == "" {
		zone = "UTC"
	}
	_, err := appautoscaling.NewScheduledAction(b.ctx, b.Name+"-"+schedule.Name, &appautoscaling.ScheduledActionArgs{
		ServiceNamespace:  target.ServiceNamespace,
		ScalableDimension: target.ScalableDimension,
		ResourceId:        target.ResourceId,
		Schedule:          pulumi.String(schedule.Schedule),
		Timezone:          pulumi.String(zone),
		ScalableTargetAction: appautoscaling.ScheduledActionScalableTargetActionArgs{
			MinCapacity: pulumi.Int(schedule.Min),
			MaxCapacity: pulumi.Int(schedule.Max),
		},
	}, b.child)
	if err != nil {
		return fmt.Errorf("scheduled scaling %s: %w", schedule.Name, err)
	}

	return nil
}
