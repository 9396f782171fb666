// Package service declares what runs: an ECS cluster, the role and log groups of the tasks, the task definition with
// NGINX in front of the app, their security group, and the ECS service that keeps the tasks running behind a target
// group.
package service

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/override"
	"fargate-nginx-sidecar/infra/stack"
	"fargate-nginx-sidecar/infra/task"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:service:Service" //nolint:gosec // A type, not a credential.

// Args describes a service, its tasks and its deployments.
type Args struct {
	stack.Info
	Settings
	Task      task.Settings
	Overrides override.Settings

	VPCID     pulumi.StringInput
	SubnetIDs pulumi.StringArrayInput
	// PublicAddresses gives tasks public addresses, without which they could not reach ECR and CloudWatch from a public
	// subnet.
	PublicAddresses bool
	Ingress         Ingress

	NginxImage, AppImage pulumi.StringInput
	// RepositoryARNs are the ECR repositories from which tasks pull their images, and GivenRepositoryARNs those of them to which
	// the stack does not push.
	RepositoryARNs, GivenRepositoryARNs pulumi.StringArrayInput
	// RollbackAlarms are the names of CloudWatch alarms, or nil if there are none. ECS rolls a deployment back if
	// one of them fires during it.
	RollbackAlarms pulumi.StringArrayInput
	// Clients run the deployment command, wait for the end of a deployment and explain why it failed.
	deployment.Clients

	// OnSchedule adds the task definition CommandsARN for commands at given times.
	OnSchedule bool
	// After are resources that must exist before the first task starts and outlive the last one: listeners and routes.
	After []pulumi.Resource
}

// Ingress is what sends requests to the tasks.
type Ingress struct {
	// Kind is a token for the names of the rules between it and the tasks, and Name its name in their descriptions.
	Kind, Name string
	// GroupID is its security group, the only one that may connect to the tasks.
	GroupID pulumi.StringInput
	// Target is where the tasks register. When it is replaced, a new service is created beside the old one. It is a target
	// group or a service of Cloud Map; the ARN of the other one is nil.
	Target                      pulumi.Resource
	TargetGroupARN, RegistryARN pulumi.StringInput
	// Ranges are the address ranges from which requests come. NGINX trusts what requests from there say about the client's
	// address.
	Ranges pulumi.StringArrayInput
	// ClientName is the name that the sidecar has for it, if it finds the client's address in another way than behind a load
	// balancer.
	ClientName string
	// Host is the name of the service, or empty.
	Host string
	// LoginPaths are those whose requests name who has logged in.
	LoginPaths []string
	// IdleTimeout is how long it waits for an answer. TLS makes NGINX accept HTTPS from it instead of HTTP.
	IdleTimeout time.Duration
	TLS         bool
	// RequestsLabel names it in the form that the metric of requests per task expects; nil if there is no such metric.
	RequestsLabel pulumi.StringInput
}

// Service is a running service.
type Service struct {
	pulumi.ResourceState

	ClusterName, ServiceName pulumi.StringOutput
	// ClusterARN and SecurityGroupID, which is the tasks', are for other stacks and for tasks outside the service.
	ClusterARN, SecurityGroupID pulumi.StringOutput
	// CommandsARN is the task definition for commands, once the service runs the same image. RoleARNs are those of all
	// roles of the tasks.
	CommandsARN                pulumi.StringOutput
	RoleARNs                   pulumi.StringArrayOutput
	NginxLogGroup, AppLogGroup pulumi.StringOutput
	// TaskDefinitionARN is the running task definition. It fails if that is not the requested one. Being an output of
	// the component is enough to make the update fail; the error of an output that nothing uses would be lost.
	TaskDefinitionARN pulumi.StringOutput
}

// New declares a service.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Service, error) {
	s := &Service{}
	if err := ctx.RegisterComponentResource(Token, args.Name, s, opts...); err != nil {
		return nil, fmt.Errorf("service %s: %w", args.Name, err)
	}
	b := &builder{Args: args, ctx: ctx, child: pulumi.Parent(s)}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("service %s: %w", args.Name, err)
	}
	b.fill(s)

	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{
		"clusterName":       s.ClusterName,
		"serviceName":       s.ServiceName,
		"nginxLogGroup":     s.NginxLogGroup,
		"appLogGroup":       s.AppLogGroup,
		"taskDefinitionArn": s.TaskDefinitionARN,
	})
}

// builder holds what the resources of a service are made of, and those that are declared already.
type builder struct {
	Args
	ctx   *pulumi.Context
	child pulumi.ResourceOrInvokeOption

	cluster            *ecs.Cluster
	nginxLogs, appLogs *cloudwatch.LogGroup
	secrets            secrets
	roles              roles
	// definition is that of the service's tasks, commands the one for commands or nil.
	definition, commands *ecs.TaskDefinition
	group                *ec2.SecurityGroup
	// before must exist before the first task starts.
	before  []pulumi.Resource
	service *ecs.Service
	// begun is the start of the deployment, or nil in a preview. running is the task definition that runs after it.
	begun   pulumi.Output
	running pulumi.StringOutput
}

// build declares the resources, each after those that it needs.
func (b *builder) build() error {
	b.before = slices.Clone(b.After)
	for _, declare := range []func() error{
		b.declareCluster, b.declareLogs, b.findSecrets, b.declareExecutionRole, b.declareTaskRole, b.declareTaskDefinition,
		b.declareCommandDefinition, b.declareSecurityGroup, b.declareCapacity, b.declareService, b.declareScaling,
	} {
		if err := declare(); err != nil {
			return err
		}
	}

	return nil
}

// fill sets the outputs of the component.
func (b *builder) fill(s *Service) {
	s.ClusterName, s.ClusterARN = b.cluster.Name, b.cluster.Arn
	s.SecurityGroupID = b.group.ID().ToStringOutput()
	s.ServiceName = b.service.Name
	s.NginxLogGroup, s.AppLogGroup = b.nginxLogs.Name, b.appLogs.Name
	s.TaskDefinitionARN = b.running
	s.RoleARNs = b.roles.arns()
	if b.commands != nil {
		s.CommandsARN = text(pulumi.StringArray{b.commands.Arn, s.TaskDefinitionARN},
			func(values []string) (string, error) { return values[0], nil })
	}
}

func (b *builder) declareCluster() (err error) {
	b.cluster, err = ecs.NewCluster(b.ctx, b.Name, &ecs.ClusterArgs{
		Settings: ecs.ClusterSettingArray{ecs.ClusterSettingArgs{
			Name:  pulumi.String("containerInsights"),
			Value: pulumi.String(cmp.Or(string(b.ContainerInsights), "disabled")),
		}},
	}, b.child, pulumi.Protect(b.Protect))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}

	return nil
}

func (b *builder) declareLogs() (err error) {
	if b.nginxLogs, err = b.LogGroup(b.ctx, b.Name+"-"+task.NginxContainer, b.child); err != nil {
		return err
	}
	b.appLogs, err = b.LogGroup(b.ctx, b.Name+"-"+task.AppContainer, b.child)

	return err
}

func (b *builder) declareService() (err error) {
	args := &ecs.ServiceArgs{
		Cluster:                         b.cluster.Arn,
		TaskDefinition:                  b.beginRollout(),
		PlatformVersion:                 pulumi.String("LATEST"),
		SchedulingStrategy:              pulumi.String("REPLICA"),
		DesiredCount:                    b.startCount(),
		DeploymentController:            ecs.ServiceDeploymentControllerArgs{Type: pulumi.String("ECS")},
		DeploymentMaximumPercent:        pulumi.Int(maximumPercent),
		DeploymentMinimumHealthyPercent: pulumi.Int(minimumHealthyPercent),
		DeploymentCircuitBreaker: ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable:   pulumi.Bool(circuitBreaker),
			Rollback: pulumi.Bool(circuitBreaker),
		},
		AvailabilityZoneRebalancing: pulumi.String(zoneRebalancing),
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets:        b.SubnetIDs,
			SecurityGroups: pulumi.StringArray{stack.OwnRulesOnly(b.ctx, b.group, b.child)},
			AssignPublicIp: pulumi.Bool(b.PublicAddresses),
		},
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
		WaitForSteadyState:   pulumi.Bool(false), // awaitRollout does
	}
	b.registerIn(args)
	b.Scaling.placeOn(args)
	if b.Task.Exec {
		args.EnableExecuteCommand = pulumi.Bool(true)
	}
	if b.RollbackAlarms != nil {
		args.Alarms = ecs.ServiceAlarmsArgs{
			AlarmNames: b.RollbackAlarms,
			Enable:     pulumi.Bool(true),
			Rollback:   pulumi.Bool(true),
		}
	}
	if err := override.Apply(args, b.Overrides.Service); err != nil {
		return err
	}
	if b.service, err = ecs.NewService(b.ctx, b.Name, args, b.serviceOptions()...); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	b.running = b.awaitRollout()

	return nil
}

func (b *builder) serviceOptions() []pulumi.ResourceOption {
	// A stack that changes its ingress gets a new service beside the old one.
	replace := []string{"loadBalancers", "serviceRegistries"}
	if b.RollbackAlarms == nil {
		// The provider cannot remove the alarms of a service: if there are none, it sends nothing, and ECS keeps the
		// names of alarms that no longer exist. So the service is replaced.
		replace = append(replace, "alarms")
	}
	options := []pulumi.ResourceOption{
		b.child,
		pulumi.Protect(b.Protect),
		pulumi.DependsOn(b.before),
		// Both groups are replaced when the VPC changes, and the target group also when its port or protocol changes. A
		// new service is then created beside the old one and takes over.
		pulumi.ReplaceWith([]pulumi.Resource{b.group, b.Ingress.Target}),
		pulumi.ReplaceOnChanges(replace),
	}
	if b.Scaling.On {
		// From now on load decides the number of tasks, and an update must not reset it.
		options = append(options, pulumi.IgnoreChanges([]string{"desiredCount"}))
	}

	return options
}

// graceBeyondStart is what a task needs before the load balancer can find it healthy, beside the start of the app: the start of
// its containers, its registration, and two checks.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
const graceBeyondStart = 50 * time.Second

func (b *builder) grace() time.Duration {
	if b.Ingress.RegistryARN == nil {
		return 0
	}

	return graceBeyondStart
}

// registerIn says where the tasks register. The provider documents ECS's grace period only for services with a load balancer;
// without one, grace lengthens the start period of the containers' checks.
// https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/ecs_service#health_check_grace_period_seconds-1
func (b *builder) registerIn(service *ecs.ServiceArgs) {
	if b.Ingress.RegistryARN != nil {
		service.ServiceRegistries = ecs.ServiceServiceRegistriesArgs{
			RegistryArn:   b.Ingress.RegistryARN.ToStringOutput(),
			ContainerName: pulumi.String(task.NginxContainer),
			ContainerPort: pulumi.Int(b.Task.ContainerPort),
		}
		return
	}

	service.HealthCheckGracePeriodSeconds = pulumi.Int(int((b.Task.Health.StartPeriod + graceBeyondStart).Seconds()))
	service.LoadBalancers = ecs.ServiceLoadBalancerArray{ecs.ServiceLoadBalancerArgs{
		TargetGroupArn: b.Ingress.TargetGroupARN,
		ContainerName:  pulumi.String(task.NginxContainer),
		ContainerPort:  pulumi.Int(b.Task.ContainerPort),
	}}
}
