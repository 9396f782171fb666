// Package service declares what runs: an ECS cluster, the role and log groups of the tasks, the task definition with
// NGINX in front of the app, their security group, and the ECS service that keeps the tasks running behind a target
// group.
package service

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:service:Service" //nolint:gosec // A type, not a credential.

// Circuit breakers: what ECS does with a deployment whose tasks do not get healthy.
const (
	BreakerRollback = "rollback"
	BreakerStop     = "stop"
	BreakerOff      = "off"
)

// Args describes a service, its tasks and its deployments.
type Args struct {
	// Partition and Account complete ARNs; Region is where everything is.
	Partition, Account pulumi.StringInput
	Region             string

	VPCID     pulumi.StringInput
	SubnetIDs pulumi.StringArrayInput
	// PublicAddresses gives tasks public addresses: without NAT they reach ECR and CloudWatch in no other way.
	PublicAddresses bool
	// BalancerGroupID is the load balancer's security group, which alone may reach the tasks.
	BalancerGroupID pulumi.StringInput
	TargetGroupARN  pulumi.StringInput
	// BalancerRanges are the address ranges from which the load balancer sends; NGINX takes its word on who the
	// client is.
	BalancerRanges pulumi.StringArrayInput
	// EgressPorts are the TCP ports to which tasks may open connections.
	EgressPorts []int

	NginxImage, AppImage pulumi.StringInput
	// RepositoryARNs are the ECR repositories that tasks pull from, of both images.
	RepositoryARNs pulumi.StringArrayInput

	// CPU is in CPU units, 1024 to a vCPU; Memory in MiB.
	CPU, Memory int
	// Architecture is X86_64 or ARM64.
	Architecture           string
	ContainerPort, AppPort int
	// StopTimeout is the time from stop signal to kill signal, at most 120 s.
	StopTimeout time.Duration
	// IdleTimeout is the load balancer's, 5 s to 3600 s.
	IdleTimeout        time.Duration
	Health             ContainerHealth
	LogRetentionDays   int
	LogBufferMegabytes int

	App     App
	Sidecar Sidecar
	// TaskPolicyARNs are IAM policies that the tasks get. Without any, and without Exec, they have no role.
	TaskPolicyARNs []string
	// Exec lets people open a shell in a container. The agent behind it writes, so the root file systems can be
	// written to then. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
	Exec bool
	// KMSKeyARN is the key that encrypts the logs and that secrets may need; empty is AWS's own.
	KMSKeyARN string

	ContainerInsights             string
	DesiredCount                  int
	MaximumPercent                int
	MinimumHealthyPercent         int
	CircuitBreaker                string
	ZoneRebalancing               bool
	HealthCheckGracePeriodSeconds int
	// RollbackAlarms are names of CloudWatch alarms; a deployment during which one goes off is rolled back. Nil is none.
	RollbackAlarms pulumi.StringArrayInput
	Scaling        Scaling
	// DeploymentTimeout is how long an update waits for a steady service.
	DeploymentTimeout time.Duration

	// After must be there before the first task starts and outlive the last: listener and routes.
	After []pulumi.Resource
}

// ContainerHealth is the health check that ECS runs inside each container, in whole seconds.
type ContainerHealth struct {
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// Validate reports what New would refuse.
func (a Args) Validate() error {
	var errs []error
	if a.Partition == nil || a.Account == nil || a.Region == "" {
		errs = append(errs, errors.New("partition, account and region must be given"))
	}
	if a.VPCID == nil || a.SubnetIDs == nil || a.BalancerGroupID == nil || a.TargetGroupARN == nil ||
		a.BalancerRanges == nil {
		errs = append(errs, errors.New("VPC, subnets, target group, load balancer's security group and ranges must be given"))
	}
	if a.NginxImage == nil || a.AppImage == nil || a.RepositoryARNs == nil {
		errs = append(errs, errors.New("both images and their repositories must be given"))
	}
	if a.ContainerPort == a.AppPort {
		errs = append(errs, fmt.Errorf("port %d for both containers; allowed: two ports", a.AppPort))
	}
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout
	if a.StopTimeout < 2*time.Second || a.StopTimeout > 120*time.Second {
		errs = append(errs, fmt.Errorf("stop timeout %s; allowed: 2 s to 120 s", a.StopTimeout))
	}
	if a.IdleTimeout < 5*time.Second || a.IdleTimeout > 3600*time.Second {
		errs = append(errs, fmt.Errorf("idle timeout %s; allowed: 5 s to 3600 s", a.IdleTimeout))
	}
	switch a.CircuitBreaker {
	case BreakerRollback, BreakerStop, BreakerOff:
	default:
		errs = append(errs, fmt.Errorf("circuit breaker %q; allowed: %s, %s, %s",
			a.CircuitBreaker, BreakerRollback, BreakerStop, BreakerOff))
	}

	errs = append(errs, a.App.validate(), a.Sidecar.validate(a.IdleTimeout), a.Scaling.validate())

	return errors.Join(errs...)
}

// Service is a running service.
type Service struct {
	pulumi.ResourceState

	ClusterName, ServiceName   pulumi.StringOutput
	NginxLogGroup, AppLogGroup pulumi.StringOutput
	// TaskDefinitionARN is the task definition that runs. It fails when that is not the one asked for. It is an output
	// of the component, which is enough to make the update fail: an error of an output that goes nowhere is lost.
	TaskDefinitionARN pulumi.StringOutput
}

// New declares a service.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Service, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}

	s := &Service{}
	if err := ctx.RegisterComponentResource(Token, name, s, opts...); err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}
	if err := s.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}

	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{
		"clusterName":       s.ClusterName,
		"serviceName":       s.ServiceName,
		"nginxLogGroup":     s.NginxLogGroup,
		"appLogGroup":       s.AppLogGroup,
		"taskDefinitionArn": s.TaskDefinitionARN,
	})
}

func (s *Service) build(ctx *pulumi.Context, name string, args Args) error {
	cluster, err := s.cluster(ctx, name, args)
	if err != nil {
		return err
	}
	nginxLogs, err := s.logGroup(ctx, name+"-"+nginxName, args)
	if err != nil {
		return err
	}
	appLogs, err := s.logGroup(ctx, name+"-"+appName, args)
	if err != nil {
		return err
	}
	secrets := s.secretSources(ctx, args)
	role, rights, err := s.executionRole(ctx, name, args, secrets, nginxLogs, appLogs)
	if err != nil {
		return err
	}
	own, ownRights, err := s.taskRole(ctx, name, args)
	if err != nil {
		return err
	}
	definition, err := s.taskDefinition(ctx, name, args, roles{role, own}, secrets, nginxLogs, appLogs)
	if err != nil {
		return err
	}
	group, rules, err := s.securityGroup(ctx, name, args)
	if err != nil {
		return err
	}
	after := slices.Concat([]pulumi.Resource{rights}, ownRights, rules, args.After)
	capacity, err := s.capacity(ctx, name, args, cluster)
	if err != nil {
		return err
	}
	after = append(after, capacity...)
	service, err := s.service(ctx, name, args, cluster, definition, group, after)
	if err != nil {
		return err
	}
	if err := s.scaling(ctx, name, args.Scaling, cluster, service); err != nil {
		return err
	}

	s.ClusterName = cluster.Name
	s.ServiceName = service.Name
	s.NginxLogGroup = nginxLogs.Name
	s.AppLogGroup = appLogs.Name
	s.TaskDefinitionARN = s.running(ctx, name, args, cluster, service, definition)

	return nil
}

func (s *Service) cluster(ctx *pulumi.Context, name string, args Args) (*ecs.Cluster, error) {
	cluster, err := ecs.NewCluster(ctx, name, &ecs.ClusterArgs{
		Settings: ecs.ClusterSettingArray{ecs.ClusterSettingArgs{
			Name:  pulumi.String("containerInsights"),
			Value: pulumi.String(args.ContainerInsights),
		}},
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}

	return cluster, nil
}

func (s *Service) logGroup(ctx *pulumi.Context, name string, args Args) (*cloudwatch.LogGroup, error) {
	groupArgs := &cloudwatch.LogGroupArgs{RetentionInDays: pulumi.Int(args.LogRetentionDays)}
	if args.KMSKeyARN != "" {
		groupArgs.KmsKeyId = pulumi.String(args.KMSKeyARN)
	}
	group, err := cloudwatch.NewLogGroup(ctx, name, groupArgs, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("log group %s: %w", name, err)
	}

	return group, nil
}

func (s *Service) service(
	ctx *pulumi.Context, name string, args Args,
	cluster *ecs.Cluster, definition *ecs.TaskDefinition, group *ec2.SecurityGroup, after []pulumi.Resource,
) (*ecs.Service, error) {
	minutes := fmt.Sprintf("%dm", int(args.DeploymentTimeout.Minutes()))

	serviceArgs := &ecs.ServiceArgs{
		Cluster:                         cluster.Arn,
		TaskDefinition:                  definition.Arn,
		PlatformVersion:                 pulumi.String("LATEST"),
		SchedulingStrategy:              pulumi.String("REPLICA"),
		DesiredCount:                    pulumi.Int(args.DesiredCount),
		DeploymentController:            ecs.ServiceDeploymentControllerArgs{Type: pulumi.String("ECS")},
		DeploymentMaximumPercent:        pulumi.Int(args.MaximumPercent),
		DeploymentMinimumHealthyPercent: pulumi.Int(args.MinimumHealthyPercent),
		DeploymentCircuitBreaker: ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable:   pulumi.Bool(args.CircuitBreaker != BreakerOff),
			Rollback: pulumi.Bool(args.CircuitBreaker == BreakerRollback),
		},
		AvailabilityZoneRebalancing:   pulumi.String(rebalancing(args.ZoneRebalancing)),
		HealthCheckGracePeriodSeconds: pulumi.Int(args.HealthCheckGracePeriodSeconds),
		LoadBalancers: ecs.ServiceLoadBalancerArray{ecs.ServiceLoadBalancerArgs{
			TargetGroupArn: args.TargetGroupARN,
			ContainerName:  pulumi.String(nginxName),
			ContainerPort:  pulumi.Int(args.ContainerPort),
		}},
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets:        args.SubnetIDs,
			SecurityGroups: pulumi.StringArray{group.ID()},
			AssignPublicIp: pulumi.Bool(args.PublicAddresses),
		},
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
		WaitForSteadyState:   pulumi.Bool(true),
	}
	args.Scaling.placeOn(serviceArgs)
	if args.Exec {
		serviceArgs.EnableExecuteCommand = pulumi.Bool(true)
	}
	if args.RollbackAlarms != nil {
		serviceArgs.Alarms = ecs.ServiceAlarmsArgs{
			AlarmNames: args.RollbackAlarms, Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true),
		}
	}
	options := []pulumi.ResourceOption{
		pulumi.Parent(s),
		pulumi.DependsOn(after),
		pulumi.Timeouts(&pulumi.CustomTimeouts{Create: minutes, Update: minutes}),
		// The group is replaced when the VPC is another one; a service beside the old one then takes over.
		pulumi.ReplaceWith([]pulumi.Resource{group}),
		// The provider cannot take alarms away from a service: it sends nothing where there are none, and ECS keeps
		// the names of alarms that are gone. A new service has none.
		pulumi.ReplaceOnChanges([]string{"alarms"}),
	}
	if args.Scaling.On {
		// The load decides the number from now on; an update must not put it back.
		options = append(options, pulumi.IgnoreChanges([]string{"desiredCount"}))
	}

	service, err := ecs.NewService(ctx, name, serviceArgs, options...)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}

	return service, nil
}

func rebalancing(on bool) string {
	if on {
		return "ENABLED"
	}

	return "DISABLED"
}
