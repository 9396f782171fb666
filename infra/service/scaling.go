package service

import (
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Scaling lets load and time decide how many tasks there are, and says on which capacity they run.
type Scaling struct {
	On       bool
	Min, Max int
	// Targets of zero are off. CPU and memory are in percent, requests are per task and minute.
	CPUPercent, MemoryPercent, RequestsPerTask int
	// InCooldown and OutCooldown are the pauses after a step down and a step up.
	InCooldown, OutCooldown time.Duration
	Schedules               []Schedule
	// RequestsLabel names load balancer and target group as the metric of requests per task does.
	RequestsLabel pulumi.StringInput

	// SpotPercent of the tasks above OnDemandBase run on Fargate Spot, which AWS takes back with two minutes' notice.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
	SpotPercent, OnDemandBase int
}

// Schedule sets the limits of scaling at given times. An empty time zone is UTC.
type Schedule struct {
	Name, Schedule, Timezone string
	Min, Max                 int
}

func (s Scaling) validate() error {
	var errs []error
	if s.On && (s.Min < 1 || s.Max < s.Min) {
		errs = append(errs, fmt.Errorf("scaling between %d and %d tasks; allowed: 1 or more, the first not above the second", s.Min, s.Max))
	}
	if s.On && s.RequestsPerTask > 0 && s.RequestsLabel == nil {
		errs = append(errs, errors.New("scaling on requests needs the label of load balancer and target group"))
	}
	// Without a task on demand, a shortage of Spot capacity would take the service down.
	if s.SpotPercent < 0 || s.SpotPercent > 100 || s.SpotPercent > 0 && s.OnDemandBase < 1 {
		errs = append(errs, fmt.Errorf("%d %% Spot above %d tasks on demand; allowed: 0 to 100 %%, above 1 or more",
			s.SpotPercent, s.OnDemandBase))
	}

	return errors.Join(errs...)
}

// placeOn sets where the tasks of a service run. A service that has a strategy needs a new deployment to change it.
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

// capacity lets the cluster use Spot, which a service has to wait for.
func (s *Service) capacity(ctx *pulumi.Context, name string, args Args, cluster *ecs.Cluster) ([]pulumi.Resource, error) {
	if args.Scaling.SpotPercent == 0 {
		return nil, nil
	}

	providers, err := ecs.NewClusterCapacityProviders(ctx, name, &ecs.ClusterCapacityProvidersArgs{
		ClusterName:       cluster.Name,
		CapacityProviders: pulumi.ToStringArray([]string{"FARGATE", "FARGATE_SPOT"}),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("capacity providers: %w", err)
	}

	return []pulumi.Resource{providers}, nil
}

// What Application Auto Scaling calls the number of a service's tasks.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
const (
	ecsNamespace = "ecs"
	taskCount    = "ecs:service:DesiredCount"
)

// scaling lets Application Auto Scaling change the number of tasks.
func (s *Service) scaling(
	ctx *pulumi.Context, name string, scaling Scaling, cluster *ecs.Cluster, service *ecs.Service,
) error {
	if !scaling.On {
		return nil
	}

	target, err := appautoscaling.NewTarget(ctx, name, &appautoscaling.TargetArgs{
		ServiceNamespace:  pulumi.String(ecsNamespace),
		ScalableDimension: pulumi.String(taskCount),
		ResourceId:        pulumi.Sprintf("service/%s/%s", cluster.Name, service.Name),
		MinCapacity:       pulumi.Int(scaling.Min),
		MaxCapacity:       pulumi.Int(scaling.Max),
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	for _, metric := range scaling.metrics() {
		if err := s.tracking(ctx, name, scaling, metric, target); err != nil {
			return err
		}
	}
	for _, schedule := range scaling.Schedules {
		if err := s.scheduled(ctx, name, schedule, target); err != nil {
			return err
		}
	}

	return nil
}

// metric is one figure that target tracking holds at a value.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
type metric struct {
	suffix, name string
	target       int
	label        pulumi.StringPtrInput
}

func (s Scaling) metrics() []metric {
	var all []metric
	if s.CPUPercent > 0 {
		all = append(all, metric{"cpu", "ECSServiceAverageCPUUtilization", s.CPUPercent, nil})
	}
	if s.MemoryPercent > 0 {
		all = append(all, metric{"memory", "ECSServiceAverageMemoryUtilization", s.MemoryPercent, nil})
	}
	if s.RequestsPerTask > 0 {
		all = append(all, metric{"requests", "ALBRequestCountPerTarget", s.RequestsPerTask, s.RequestsLabel.ToStringOutput().ToStringPtrOutput()})
	}

	return all
}

func (s *Service) tracking(
	ctx *pulumi.Context, name string, scaling Scaling, by metric, target *appautoscaling.Target,
) error {
	_, err := appautoscaling.NewPolicy(ctx, name+"-"+by.suffix, &appautoscaling.PolicyArgs{
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
			ScaleInCooldown:  pulumi.Int(int(scaling.InCooldown.Seconds())),
			ScaleOutCooldown: pulumi.Int(int(scaling.OutCooldown.Seconds())),
			DisableScaleIn:   pulumi.Bool(false),
		},
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("scaling on %s: %w", by.suffix, err)
	}

	return nil
}

func (s *Service) scheduled(ctx *pulumi.Context, name string, schedule Schedule, target *appautoscaling.Target) error {
	zone := schedule.Timezone
	if zone == "" {
		zone = "UTC"
	}
	_, err := appautoscaling.NewScheduledAction(ctx, name+"-"+schedule.Name, &appautoscaling.ScheduledActionArgs{
		ServiceNamespace:  target.ServiceNamespace,
		ScalableDimension: target.ScalableDimension,
		ResourceId:        target.ResourceId,
		Schedule:          pulumi.String(schedule.Schedule),
		Timezone:          pulumi.String(zone),
		ScalableTargetAction: appautoscaling.ScheduledActionScalableTargetActionArgs{
			MinCapacity: pulumi.Int(schedule.Min),
			MaxCapacity: pulumi.Int(schedule.Max),
		},
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("scheduled scaling %s: %w", schedule.Name, err)
	}

	return nil
}
