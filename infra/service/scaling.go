package service

import (
	"fmt"
	"regexp"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// Scaling says how load and time change the number of tasks, and on which capacity the tasks run.
type Scaling struct {
	On       bool
	Min, Max int
	// A target of zero is off. CPU and memory are in percent, requests are per task and minute.
	CPUPercent, MemoryPercent, RequestsPerTask int
	// InCooldown and OutCooldown are the pauses after tasks have been removed and after tasks have been added.
	InCooldown, OutCooldown time.Duration
	Schedules               []Schedule
	// SpotPercent is the share of the tasks beyond OnDemandBase that run on Fargate Spot, which AWS may stop with two
	// minutes' notice.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
	SpotPercent, OnDemandBase int
}

// Schedule sets the limits of scaling at given times. An empty time zone is UTC.
type Schedule struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Timezone string `json:"timezone"`
	Min      int    `json:"min"`
	Max      int    `json:"max"`
}

func readScaling(r *settings.Reader) Scaling {
	return Scaling{
		On:              r.Switch("autoscaling", "off", "on"),
		Min:             r.Between("minCount", 1, 5000, "tasks"),
		Max:             r.Between("maxCount", 1, 5000, "tasks"),
		CPUPercent:      r.Between("scaleOnCpuPercent", 0, 100, "percent"),
		MemoryPercent:   r.Between("scaleOnMemoryPercent", 0, 100, "percent"),
		RequestsPerTask: r.Between("scaleOnRequestsPerTask", 0, 10_000_000, "requests a minute"),
		InCooldown:      r.Seconds("scaleInCooldownSeconds", 0, 3600),
		OutCooldown:     r.Seconds("scaleOutCooldownSeconds", 0, 3600),
		Schedules:       readSchedules(r),
		SpotPercent:     r.Between("spotPercent", 0, 100, "percent"),
		// Without a task on demand, a shortage of Spot capacity would take the service down.
		OnDemandBase: r.Between("onDemandBase", 1, 5000, "tasks"),
	}
}

var (
	scheduleNamePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	// The three forms that Application Auto Scaling takes; it checks the fields of cron itself.
	// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
	schedulePattern = regexp.MustCompile(`^(at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$`)
)

func readSchedules(r *settings.Reader) []Schedule {
	const key = "scheduledScaling"

	all := settings.Objects[Schedule](r, key, "name, schedule, timezone, min, max")
	seen := map[string]bool{}
	for i, schedule := range all {
		one := func(field string) string { return fmt.Sprintf("%s[%d].%s", key, i, field) }
		if !scheduleNamePattern.MatchString(schedule.Name) || seen[schedule.Name] {
			r.FailIn(key, one("name"), fmt.Sprintf("%q", schedule.Name), "1 to 20 of a-z, 0-9 and hyphens, beginning with a letter, and each name once")
		}
		seen[schedule.Name] = true
		if !schedulePattern.MatchString(schedule.Schedule) {
			r.FailIn(key, one("schedule"), fmt.Sprintf("%q", schedule.Schedule),
				"at(2030-01-31T08:00:00), rate(5 minutes) or cron(0 8 ? * MON-FRI *)")
		}
		if !knownZone(schedule.Timezone) {
			r.FailIn(key, one("timezone"), fmt.Sprintf("%q", schedule.Timezone), "empty (UTC), or a name such as Europe/Berlin")
		}
		if schedule.Min < 0 || schedule.Max < max(1, schedule.Min) || schedule.Max > 5000 {
			r.FailIn(key, one("min"), fmt.Sprintf("%d and max %d", schedule.Min, schedule.Max), "0 <= min <= max <= 5000, max at least 1")
		}
	}

	return all
}

var zonePattern = regexp.MustCompile(`^([A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2})?$`)

// knownZone checks only the form of a time zone's name. Machines differ in the time zones that they know, and whether a
// stack's settings are accepted must not depend on the machine.
func knownZone(name string) bool {
	return zonePattern.MatchString(name)
}

func checkScaling(r *settings.Reader, s Settings) {
	scaling := s.Scaling
	if !scaling.On {
		if len(scaling.Schedules) > 0 {
			r.Conflict([]string{"scheduledScaling", "autoscaling"}, "schedules are given, but autoscaling is off; allowed with: on")
		}
		checkSpot(r, scaling, s.DesiredCount, "desiredCount")
		return
	}

	if scaling.Min > scaling.Max {
		r.Conflict([]string{"minCount", "maxCount"}, fmt.Sprintf("%d is more than %d", scaling.Min, scaling.Max))
	} else if s.DesiredCount < scaling.Min || s.DesiredCount > scaling.Max {
		r.Conflict([]string{"desiredCount", "minCount", "maxCount"},
			fmt.Sprintf("%d is not between %d and %d; autoscaling would change it at once", s.DesiredCount, scaling.Min, scaling.Max))
	}
	if scaling.CPUPercent == 0 && scaling.MemoryPercent == 0 && scaling.RequestsPerTask == 0 && len(scaling.Schedules) == 0 {
		r.Conflict([]string{"autoscaling", "scaleOnCpuPercent", "scaleOnMemoryPercent", "scaleOnRequestsPerTask", "scheduledScaling"},
			"autoscaling is on, but there is nothing to scale on; allowed: one target above 0, or a schedule")
	}
	checkSpot(r, scaling, scaling.Max, "maxCount")
}

func checkSpot(r *settings.Reader, scaling Scaling, most int, key string) {
	if scaling.SpotPercent > 0 && scaling.OnDemandBase >= most {
		r.Conflict([]string{"spotPercent", "onDemandBase", key},
			fmt.Sprintf("%d of at most %d tasks run on demand, so %d %% Spot would have no effect",
				scaling.OnDemandBase, most, scaling.SpotPercent))
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
			Base:             pulumi.Int(s.OnDemandBase),
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
			ScaleInCooldown:  pulumi.Int(int(b.Scaling.InCooldown.Seconds())),
			ScaleOutCooldown: pulumi.Int(int(b.Scaling.OutCooldown.Seconds())),
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
