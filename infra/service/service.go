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

	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/task"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:service:Service" //nolint:gosec // A type, not a credential.

// Args describes a service, its tasks and its deployments.
type Args struct {
	Settings
	Task task.Settings
	// Partition, Account and Region are parts of the ARNs in policies. Region is also where logs are written.
	Partition, Account pulumi.StringInput
	Region             string
	// KMSKeyARN is the key that encrypts the logs and that secrets may need. If it is empty, AWS's own key is used.
	KMSKeyARN string

	VPCID     pulumi.StringInput
	SubnetIDs pulumi.StringArrayInput
	// PublicAddresses gives tasks public addresses, without which they could not reach ECR and CloudWatch from a public
	// subnet.
	PublicAddresses bool
	// IngressKind is a word for what sends requests to the tasks, in the names of the rules between the two, and IngressName
	// its name, in their descriptions.
	IngressKind, IngressName string
	// IngressGroupID is the security group of what sends requests, the only one that may connect to the tasks.
	IngressGroupID pulumi.StringInput
	// Target is where the tasks register. When it is replaced, a new service is created beside the old one. It is a target
	// group or a service of Cloud Map; the ARN of the other one is nil.
	Target                      pulumi.Resource
	TargetGroupARN, RegistryARN pulumi.StringInput
	// IngressRanges are the address ranges from which requests come. NGINX believes what requests from there say about the
	// client's address.
	IngressRanges pulumi.StringArrayInput
	// LoginPaths are those on which the load balancer says who has logged in.
	LoginPaths []string
	// IdleTimeout is the load balancer's. TLS makes NGINX accept HTTPS from the load balancer instead of HTTP.
	IdleTimeout time.Duration
	TLS         bool
	// RequestsLabel names load balancer and target group in the form that the metric of requests per task expects.
	RequestsLabel pulumi.StringInput

	NginxImage, AppImage pulumi.StringInput
	// RepositoryARNs are the ECR repositories from which tasks pull the two images.
	RepositoryARNs pulumi.StringArrayInput
	// RollbackAlarms are the names of CloudWatch alarms, or nil if there are none. With RollbackOnAlarms, ECS rolls a
	// deployment back if one of them goes off during it.
	RollbackAlarms   pulumi.StringArrayInput
	RollbackOnAlarms bool
	// Clients run the deployment command, wait for the end of a deployment and explain why it failed.
	deployment.Clients

	// OnSchedule says that commands also run at given times, in the task definition CommandsARN.
	OnSchedule bool

	// Protect makes the engine refuse to delete cluster, service and logs.
	Protect bool
	// After are resources that must exist before the first task starts and outlive the last one: listeners and routes.
	After []pulumi.Resource
}

// runsCommands reports whether the app's image also runs outside the service.
func (a Args) runsCommands() bool { return len(a.DeployCommand) > 0 || a.OnSchedule }

// validate reports missing arguments that the rest of the program has to provide.
func (a Args) validate() error {
	var errs []error
	if a.Partition == nil || a.Account == nil || a.Region == "" {
		errs = append(errs, errors.New("partition, account and region must be given"))
	}
	if a.VPCID == nil || a.SubnetIDs == nil || a.IngressKind == "" || a.IngressName == "" || a.IngressGroupID == nil ||
		a.IngressRanges == nil || a.IdleTimeout == 0 {
		errs = append(errs, errors.New("VPC, subnets, kind, name, security group, ranges and idle timeout of the ingress must be given"))
	}
	if a.Target == nil || (a.TargetGroupARN == nil) == (a.RegistryARN == nil) || (a.TargetGroupARN == nil) != (a.RequestsLabel == nil) {
		errs = append(errs, errors.New("a target group and its metrics label, or a registry, must be given"))
	}
	if a.NginxImage == nil || a.AppImage == nil || a.RepositoryARNs == nil {
		errs = append(errs, errors.New("both images and their repositories must be given"))
	}

	return errors.Join(errs...)
}

// Service is a running service.
type Service struct {
	pulumi.ResourceState

	ClusterName, ServiceName pulumi.StringOutput
	// ClusterARN and SecurityGroupID, which is the tasks', are for other stacks and for tasks outside the service.
	ClusterARN, SecurityGroupID pulumi.StringOutput
	// CommandsARN is the task definition for commands, once the service runs the same image. RoleARNs are those of all
	// tasks.
	CommandsARN                pulumi.StringOutput
	RoleARNs                   pulumi.StringArrayOutput
	NginxLogGroup, AppLogGroup pulumi.StringOutput
	// TaskDefinitionARN is the running task definition. It fails if that is not the requested one. Being an output of
	// the component is enough to make the update fail; the error of an output that nothing uses would be lost.
	TaskDefinitionARN pulumi.StringOutput
}

// New declares a service.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Service, error) {
	if err := args.validate(); err != nil {
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
	nginxLogs, err := s.logGroup(ctx, name+"-"+task.NginxContainer, args)
	if err != nil {
		return err
	}
	appLogs, err := s.logGroup(ctx, name+"-"+task.AppContainer, args)
	if err != nil {
		return err
	}
	secrets := s.findSecrets(ctx, args)
	role, rights, err := s.executionRole(ctx, name, args, secrets, nginxLogs, appLogs)
	if err != nil {
		return err
	}
	own, ownRights, err := s.taskRole(ctx, name, args)
	if err != nil {
		return err
	}
	definition, err := s.taskDefinition(ctx, name, args, cluster, roles{role, own}, secrets, nginxLogs, appLogs)
	if err != nil {
		return err
	}
	var commands *ecs.TaskDefinition
	if args.runsCommands() {
		if commands, err = s.commandDefinition(ctx, name, args, cluster, roles{role, own}, secrets, appLogs); err != nil {
			return err
		}
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
	revision := s.deployed(ctx, name, args, cluster, definition, commands, group, appLogs, after)
	service, err := s.service(ctx, name, args, cluster, revision, group, after)
	if err != nil {
		return err
	}
	if err := s.scaling(ctx, name, args, cluster, service); err != nil {
		return err
	}

	s.ClusterName, s.ClusterARN = cluster.Name, cluster.Arn
	s.SecurityGroupID = group.ID().ToStringOutput()
	s.ServiceName = service.Name
	s.NginxLogGroup = nginxLogs.Name
	s.AppLogGroup = appLogs.Name
	s.TaskDefinitionARN = running(ctx, name, args, cluster.Name, service.Name, definition.Arn)
	s.RoleARNs = roles{role, own}.arns()
	if commands != nil {
		s.CommandsARN = text(pulumi.StringArray{commands.Arn, s.TaskDefinitionARN}, func(values []string) (string, error) { return values[0], nil })
	}

	return nil
}

func (s *Service) cluster(ctx *pulumi.Context, name string, args Args) (*ecs.Cluster, error) {
	cluster, err := ecs.NewCluster(ctx, name, &ecs.ClusterArgs{
		Settings: ecs.ClusterSettingArray{ecs.ClusterSettingArgs{
			Name:  pulumi.String("containerInsights"),
			Value: pulumi.String(string(args.ContainerInsights)),
		}},
	}, pulumi.Parent(s), pulumi.Protect(args.Protect))
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
	group, err := cloudwatch.NewLogGroup(ctx, name, groupArgs, pulumi.Parent(s), pulumi.Protect(args.Protect))
	if err != nil {
		return nil, fmt.Errorf("log group %s: %w", name, err)
	}

	return group, nil
}

func (s *Service) service(
	ctx *pulumi.Context, name string, args Args,
	cluster *ecs.Cluster, revision pulumi.StringOutput, group *ec2.SecurityGroup, after []pulumi.Resource,
) (*ecs.Service, error) {
	minutes := fmt.Sprintf("%dm", int(args.DeploymentTimeout.Minutes()))

	serviceArgs := &ecs.ServiceArgs{
		Cluster:                         cluster.Arn,
		TaskDefinition:                  revision,
		PlatformVersion:                 pulumi.String("LATEST"),
		SchedulingStrategy:              pulumi.String("REPLICA"),
		DesiredCount:                    startCount(ctx, name, args, cluster),
		DeploymentController:            ecs.ServiceDeploymentControllerArgs{Type: pulumi.String("ECS")},
		DeploymentMaximumPercent:        pulumi.Int(args.MaximumPercent),
		DeploymentMinimumHealthyPercent: pulumi.Int(args.MinimumHealthyPercent),
		DeploymentCircuitBreaker: ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable:   pulumi.Bool(args.CircuitBreaker != BreakerOff),
			Rollback: pulumi.Bool(args.CircuitBreaker == BreakerRollback),
		},
		AvailabilityZoneRebalancing: pulumi.String(rebalancing(args.ZoneRebalancing)),
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets:        args.SubnetIDs,
			SecurityGroups: pulumi.StringArray{group.ID()},
			AssignPublicIp: pulumi.Bool(args.PublicAddresses),
		},
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
		WaitForSteadyState:   pulumi.Bool(true),
	}
	args.registerIn(serviceArgs)
	args.Scaling.placeOn(serviceArgs)
	if args.Task.Exec {
		serviceArgs.EnableExecuteCommand = pulumi.Bool(true)
	}
	if args.RollbackAlarms != nil {
		serviceArgs.Alarms = ecs.ServiceAlarmsArgs{
			AlarmNames: args.RollbackAlarms,
			Enable:     pulumi.Bool(args.RollbackOnAlarms),
			Rollback:   pulumi.Bool(args.RollbackOnAlarms),
		}
	}
	options := []pulumi.ResourceOption{
		pulumi.Parent(s),
		pulumi.Protect(args.Protect),
		pulumi.DependsOn(after),
		pulumi.Timeouts(&pulumi.CustomTimeouts{Create: minutes, Update: minutes}),
		// Both groups are replaced when the VPC changes, and the target group also when its port or protocol changes. A
		// new service is then created beside the old one and takes over.
		pulumi.ReplaceWith([]pulumi.Resource{group, args.Target}),
	}
	// A stack that changes its ingress also gets a new service beside the old one.
	replace := []string{"loadBalancers", "serviceRegistries"}
	if args.RollbackAlarms == nil {
		// The provider cannot remove the alarms of a service: if there are none, it sends nothing, and ECS keeps the
		// names of alarms that no longer exist. So the service is replaced.
		replace = append(replace, "alarms")
	}
	options = append(options, pulumi.ReplaceOnChanges(replace))
	if args.Scaling.On {
		// From now on load decides the number of tasks, and an update must not reset it.
		options = append(options, pulumi.IgnoreChanges([]string{"desiredCount"}))
	}

	service, err := ecs.NewService(ctx, name, serviceArgs, options...)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}

	return service, nil
}

// registerIn says where the tasks register. ECS has a grace period for health checks only with a load balancer.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
func (a Args) registerIn(service *ecs.ServiceArgs) {
	if a.RegistryARN != nil {
		service.ServiceRegistries = ecs.ServiceServiceRegistriesArgs{
			RegistryArn:   a.RegistryARN.ToStringOutput(),
			ContainerName: pulumi.String(task.NginxContainer),
			ContainerPort: pulumi.Int(a.Task.ContainerPort),
		}
		return
	}

	service.HealthCheckGracePeriodSeconds = pulumi.Int(a.HealthCheckGracePeriodSeconds)
	service.LoadBalancers = ecs.ServiceLoadBalancerArray{ecs.ServiceLoadBalancerArgs{
		TargetGroupArn: a.TargetGroupARN,
		ContainerName:  pulumi.String(task.NginxContainer),
		ContainerPort:  pulumi.Int(a.Task.ContainerPort),
	}}
}

func rebalancing(on bool) string {
	if on {
		return "ENABLED"
	}

	return "DISABLED"
}
