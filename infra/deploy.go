package infra

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/archive"
	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/schedule"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/stack"
	"fargate-nginx-sidecar/infra/task"
	"fargate-nginx-sidecar/infra/waf"
)

// Stack is everything that is declared.
type Stack struct {
	settings *Settings

	provider           pulumi.ResourceOrInvokeOption
	partition, account pulumi.StringOutput

	app, nginx *image.Image
	archive    *archive.Archive
	network    *network.Network
	ingress    *ingress.Ingress
	traffic    *observability.Traffic
	service    *service.Service
	tasks      *observability.Tasks
}

// Deploy declares the architecture: images, network, load balancer, service, and the alarms and dashboard that watch
// them. Each step gives its component the settings of its topic and what earlier components provide.
func Deploy(ctx *pulumi.Context, settings *Settings) (*Stack, error) {
	s := &Stack{settings: settings}
	for _, declare := range []func(*pulumi.Context) error{
		s.declareProvider, s.checkClients, s.declareImages, s.declareArchive, s.declareNetwork, s.declareIngress, s.declareFirewall,
		s.declareTraffic, s.declareService, s.publish, s.declareExpiry, s.declareSchedule, s.declareTasks,
	} {
		if err := declare(ctx); err != nil {
			return nil, err
		}
	}

	return s, nil
}

// declareProvider declares the AWS provider of all resources, and looks up its partition and account.
func (s *Stack) declareProvider(ctx *pulumi.Context) error {
	args, err := providerArgs(ctx, s.settings)
	if err != nil {
		return err
	}
	provider, err := aws.NewProvider(ctx, "aws", args)
	if err != nil {
		return fmt.Errorf("AWS provider: %w", err)
	}

	s.provider = pulumi.Provider(provider)
	s.partition = aws.GetPartitionOutput(ctx, aws.GetPartitionOutputArgs{}, pulumi.Provider(provider)).Partition()
	s.account = aws.GetCallerIdentityOutput(ctx, aws.GetCallerIdentityOutputArgs{}, pulumi.Provider(provider)).AccountId()

	return nil
}

// checkClients comes before anything is built or declared.
func (s *Stack) checkClients(ctx *pulumi.Context) error {
	return s.settings.Ingress.CheckClients(ctx, s.provider)
}

func (s *Stack) declareImages(ctx *pulumi.Context) (err error) {
	args := image.Args{Info: s.info(), Settings: s.settings.App, Container: task.AppContainer, Architecture: string(s.settings.Task.Architecture)}
	if s.app, err = image.New(ctx, args, s.provider); err != nil {
		return err
	}
	args.Settings, args.Container = s.settings.Nginx, task.NginxContainer
	s.nginx, err = image.New(ctx, args, s.provider)

	return err
}

func (s *Stack) declareArchive(ctx *pulumi.Context) (err error) {
	s.archive, err = archive.New(ctx, archive.Args{
		Info:       s.info(),
		Settings:   archive.Settings{RetentionDays: s.settings.Storage.LogRetentionDays, ForceDestroy: s.settings.Storage.ForceDelete},
		AccessLogs: s.settings.Ingress.LogsToBucket(),
		FlowLogs:   s.settings.Network.HasFlowLogs(),
	}, s.provider)

	return err
}

func (s *Stack) declareNetwork(ctx *pulumi.Context) (err error) {
	s.network, err = network.New(ctx, network.Args{
		Info:             s.info(),
		Settings:         s.settings.Network,
		Services:         s.settings.Task.AWSServices(),
		Unusable:         s.settings.Ingress.Traits().Unusable,
		FlowLogBucketARN: s.archive.FlowLogBucketARN,
	}, s.provider)

	return err
}

func (s *Stack) declareIngress(ctx *pulumi.Context) (err error) {
	s.ingress, err = ingress.New(ctx, ingress.Args{
		Info:            s.info(),
		Settings:        s.settings.Ingress,
		VPCID:           s.network.VPCID,
		SubnetIDs:       s.balancerSubnets(),
		AccessLogBucket: s.archive.AccessLogBucket,
		TargetPort:      s.settings.Task.ContainerPort,
		TaskSubnetIDs:   s.network.TaskSubnetIDs,
		HealthCheck:     s.settings.healthCheck(),
		Drain:           ingress.Drain(s.settings.Task.StopTimeout),
		Overrides:       s.settings.Overrides.TargetGroup,
	}, s.provider)

	return err
}

func (s *Stack) declareFirewall(ctx *pulumi.Context) error {
	_, err := waf.New(ctx, waf.Args{
		Info: s.info(), Settings: s.settings.WAF, LoadBalancerARN: s.ingress.LoadBalancerARN,
	}, s.provider)

	return err
}

// declareTraffic comes before the service, whose deployments are rolled back on these alarms.
func (s *Stack) declareTraffic(ctx *pulumi.Context) (err error) {
	s.traffic, err = observability.NewTraffic(ctx, observability.TrafficArgs{
		Info: s.info(), Settings: s.settings.Observability, Alarms: s.watched().Alarms,
	}, s.provider)

	return err
}

// balancerSubnets are those of the stack's own load balancer.
func (s *Stack) balancerSubnets() pulumi.StringArrayInput {
	if s.settings.Ingress.Internal {
		return s.network.TaskSubnetIDs
	}

	return s.network.PublicSubnetIDs
}

// ingressRanges are the address ranges from which requests to the tasks come, and those of proxies in prefix lists.
func (s *Stack) ingressRanges(ctx *pulumi.Context) pulumi.StringArrayInput {
	ranges := []pulumi.StringArrayOutput{s.balancerRanges()}
	for _, id := range s.settings.Task.Sidecar.TrustedLists {
		list := ec2.LookupManagedPrefixListOutput(ctx, ec2.LookupManagedPrefixListOutputArgs{Id: pulumi.String(id)}, s.provider)
		ranges = append(ranges, list.Entries().ApplyT(func(entries []ec2.GetManagedPrefixListEntryType) []string {
			var cidrs []string
			for _, entry := range entries {
				cidrs = append(cidrs, entry.Cidr)
			}
			return cidrs
		}).(pulumi.StringArrayOutput))
	}
	if len(ranges) == 1 {
		return ranges[0]
	}

	return joined(ranges...)
}

func (s *Stack) balancerRanges() pulumi.StringArrayOutput {
	if s.settings.Ingress.Traits().FromTaskSubnets || s.settings.Ingress.Internal {
		return s.network.TaskRanges
	}

	return s.network.PublicRanges
}

// watched is how the ingress measures what clients see.
func (s *Stack) watched() metric.Traffic {
	return s.ingress.Watch(metric.Limits{
		ErrorPercent: s.settings.Observability.ErrorPercent, Latency: s.settings.Observability.Latency,
	})
}

func (s *Stack) declareService(ctx *pulumi.Context) (err error) {
	var clients deployment.Clients
	if !ctx.DryRun() {
		if clients, err = newClients(ctx.Context(), s.settings); err != nil {
			return err
		}
	}
	s.service, err = service.New(ctx, service.Args{
		Info:            s.info(),
		Settings:        s.settings.Service,
		Task:            s.settings.Task,
		Overrides:       s.settings.Overrides,
		VPCID:           s.network.VPCID,
		SubnetIDs:       s.network.TaskSubnetIDs,
		PublicAddresses: s.settings.Network.PublicTasks(),
		Ingress: service.Ingress{
			Kind:           string(s.settings.Ingress.Kind),
			Name:           s.settings.Ingress.Traits().Name,
			GroupID:        s.ingress.SecurityGroupID,
			Target:         s.ingress.Target,
			TargetGroupARN: s.ingress.TargetGroupARN,
			RegistryARN:    s.ingress.RegistryARN,
			Ranges:         s.ingressRanges(ctx),
			LoginPaths:     s.settings.Ingress.LoginPaths(),
			IdleTimeout:    s.settings.Ingress.IdleTimeout,
			TLS:            s.settings.Ingress.TargetTLS,
			ClientName:     s.settings.Ingress.Traits().Client,
			Host:           s.settings.Ingress.Domain,
			RequestsLabel:  s.ingress.RequestsLabel,
		},
		NginxImage:     s.nginx.Reference,
		AppImage:       s.app.Reference,
		RepositoryARNs: joined(s.nginx.RepositoryARNs, s.app.RepositoryARNs, image.Repositories(s.partition, s.extraImages()...)),
		GivenRepositoryARNs: image.Repositories(s.partition,
			append(s.extraImages(), s.settings.App.Prebuilt, s.settings.Nginx.Prebuilt)...),
		RollbackAlarms: s.traffic.RollbackAlarms,
		Clients:        clients,
		OnSchedule:     len(s.settings.Schedule.Tasks) > 0,
		After:          slices.Concat(s.ingress.Before, s.network.Routes),
	}, s.provider)

	return err
}

// info is what every topic needs.
func (s *Stack) info() stack.Info {
	return stack.Info{
		Name: s.settings.ServiceName, Partition: s.partition, Account: s.account, Region: s.settings.Region,
		KMSKeyARN: s.settings.Storage.KMSKeyARN, BoundaryARN: s.settings.Task.BoundaryARN, Protect: s.settings.DeletionProtection,
		LogRetentionDays: s.settings.Storage.LogRetentionDays,
	}
}

func (s *Stack) extraImages() []string {
	return slices.Sorted(maps.Values(s.settings.Task.ExtraImages()))
}

// publish comes after the service, so that clients are sent only to tasks that are ready.
func (s *Stack) publish(*pulumi.Context) error {
	return s.ingress.Publish(s.service.TaskDefinitionARN)
}

// declareExpiry comes after the service: the images that it runs are the ones that must not expire.
func (s *Stack) declareExpiry(*pulumi.Context) error {
	running := s.service.TaskDefinitionARN

	return errors.Join(
		s.app.Expire(running, s.provider),
		s.nginx.Expire(running, s.provider),
	)
}

// declareSchedule comes after the service: a scheduled command runs with a new image once the service runs that image.
func (s *Stack) declareSchedule(ctx *pulumi.Context) error {
	return schedule.New(ctx, schedule.Args{
		Info:            s.info(),
		Settings:        s.settings.Schedule,
		Cluster:         s.service.ClusterARN,
		TaskDefinition:  s.service.CommandsARN,
		Container:       task.AppContainer,
		RoleARNs:        s.service.RoleARNs,
		SubnetIDs:       s.network.TaskSubnetIDs,
		SecurityGroupID: s.service.SecurityGroupID,
		PublicAddresses: s.settings.Network.PublicTasks(),
		Topic:           s.traffic.Topic,
	}, s.provider)
}

func (s *Stack) declareTasks(ctx *pulumi.Context) (err error) {
	s.tasks, err = observability.NewTasks(ctx, observability.TasksArgs{
		Info:          s.info(),
		Settings:      s.settings.Observability,
		Topic:         s.traffic.Topic,
		AlarmARNs:     s.traffic.AlarmARNs,
		Cluster:       s.service.ClusterName,
		Service:       s.service.ServiceName,
		Traffic:       s.watched(),
		NginxLogGroup: s.service.NginxLogGroup,
		AppLogGroup:   s.service.AppLogGroup,
		TaskCounts:    s.settings.Service.ContainerInsights != service.InsightsOff,

		ConnectionCounts: s.settings.Task.Sidecar.LogsConnections(),
		LogsElsewhere:    s.settings.Task.RoutesLogs(),
	}, s.provider)

	return err
}

func joined(lists ...pulumi.StringArrayOutput) pulumi.StringArrayOutput {
	all := make([]any, len(lists))
	for i, list := range lists {
		all[i] = list
	}

	return pulumi.All(all...).ApplyT(func(values []any) []string {
		var joined []string
		for _, value := range values {
			joined = append(joined, value.([]string)...)
		}
		return joined
	}).(pulumi.StringArrayOutput)
}
