package infra

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/archive"
	"fargate-nginx-sidecar/infra/config"
	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/waf"
)

// This file turns settings and other components' outputs into the arguments of each component. Nothing is decided here.

func imageArgs(cfg *config.Config, in *account, source config.Image) image.Args {
	return image.Args{
		Prebuilt:     source.Prebuilt,
		Partition:    in.partition,
		Context:      source.Context,
		Dockerfile:   source.Dockerfile,
		Target:       source.Target,
		BuildArgs:    source.BuildArgs,
		Architecture: cfg.Task.Architecture,
		KMSKeyARN:    cfg.Rights.KMSKeyARN,
		Keep:         cfg.Images.Keep,
		ForceDelete:  cfg.Images.ForceDelete,
	}
}

func archiveArgs(cfg *config.Config, in *account) archive.Args {
	return archive.Args{
		AccessLogs:    cfg.Edge.AccessLogs,
		FlowLogs:      cfg.Network.FlowLogs && cfg.Network.Mode != "existing",
		Partition:     in.partition,
		Account:       in.id,
		Region:        pulumi.String(cfg.Region),
		RetentionDays: cfg.Edge.TrafficLogDays,
		ForceDestroy:  cfg.Edge.ForceDeleteTrafficLogs,
	}
}

func networkArgs(cfg *config.Config, logs *archive.Archive) network.Args {
	return network.Args{
		Mode:             network.Mode(cfg.Network.Mode),
		CIDR:             cfg.Network.CIDR,
		Egress:           network.Egress(cfg.Network.Egress),
		Region:           cfg.Region,
		Services:         services(cfg),
		FlowLogBucketARN: logs.FlowLogBucketARN,
		VPCID:            cfg.Network.VPCID,
		PublicSubnetIDs:  cfg.Network.PublicSubnetIDs,
		PrivateSubnetIDs: cfg.Network.PrivateSubnetIDs,
	}
}

func wafArgs(cfg *config.Config, front *ingress.Ingress) waf.Args {
	args := waf.Args{
		BalancerARN:      front.BalancerARN,
		RateLimit:        cfg.Edge.WAFRateLimit,
		LogRetentionDays: cfg.Task.LogRetentionDays,
		LogKeyARN:        cfg.Rights.KMSKeyARN,
	}
	if cfg.Edge.WAF != "managed" {
		args.WebACLARN = cfg.Edge.WAF
	}

	return args
}

// services are those that tasks without a way out need: for images and logs, for parameters, and what the settings add.
func services(cfg *config.Config) []string {
	needed := []string{"ecr.api", "ecr.dkr", "logs", "ssm"}
	for _, secret := range cfg.App.Secrets {
		if secret.Store == config.StoreSecret {
			needed = append(needed, "secretsmanager")
			break
		}
	}
	if cfg.Rights.Exec {
		needed = append(needed, "ssmmessages")
	}

	return needed
}

func ingressArgs(cfg *config.Config, net *network.Network, logs *archive.Archive) ingress.Args {
	args := ingress.Args{
		VPCID:              net.VPCID,
		SubnetIDs:          net.PublicSubnetIDs,
		ClientCIDRs:        cfg.Edge.ClientCIDRs,
		ClientPrefixListID: cfg.Edge.ClientPrefixListID,
		AccessLogBucket:    logs.AccessLogBucket,
		TargetPort:         cfg.Task.ContainerPort,
		TargetTLS:          cfg.Edge.TargetTLS,
		HealthCheck: ingress.HealthCheck{
			Path:      cfg.LoadBalancer.HealthCheckPath,
			Interval:  cfg.LoadBalancer.HealthCheckInterval,
			Timeout:   cfg.LoadBalancer.HealthCheckTimeout,
			Healthy:   cfg.LoadBalancer.HealthyThreshold,
			Unhealthy: cfg.LoadBalancer.UnhealthyThreshold,
		},
		DeregistrationDelay: cfg.LoadBalancer.DeregistrationDelay,
		IdleTimeout:         cfg.LoadBalancer.IdleTimeout,
		DeletionProtection:  cfg.LoadBalancer.DeletionProtection,
	}
	if cfg.Edge.TLS() {
		args.TLS = &ingress.TLS{
			Domain:         cfg.Edge.Domain,
			HostedZoneID:   cfg.Edge.HostedZoneID,
			CertificateARN: cfg.Edge.CertificateARN,
			Policy:         cfg.Edge.TLSPolicy,
			Redirect:       cfg.Edge.HTTP == "redirect",
		}
	}

	return args
}

func serviceArgs(
	cfg *config.Config, in *account, net *network.Network, front *ingress.Ingress, traffic *observability.Traffic,
	nginxImage, appImage *image.Image,
) service.Args {
	return service.Args{
		Partition: in.partition,
		Account:   in.id,
		Region:    cfg.Region,

		VPCID:           net.VPCID,
		BalancerRanges:  net.BalancerRanges,
		SubnetIDs:       net.TaskSubnetIDs,
		PublicAddresses: net.PublicTasks,
		BalancerGroupID: front.SecurityGroupID,
		TargetGroupARN:  front.TargetGroupARN,
		EgressPorts:     cfg.Task.EgressPorts,

		NginxImage:     nginxImage.Reference,
		AppImage:       appImage.Reference,
		RepositoryARNs: together(nginxImage.RepositoryARNs, appImage.RepositoryARNs),

		CPU:                cfg.Task.CPU,
		Memory:             cfg.Task.Memory,
		Architecture:       cfg.Task.Architecture,
		ContainerPort:      cfg.Task.ContainerPort,
		AppPort:            cfg.Task.AppPort,
		StopTimeout:        cfg.Task.StopTimeout,
		IdleTimeout:        cfg.LoadBalancer.IdleTimeout,
		Health:             service.ContainerHealth(cfg.Task.Health),
		LogRetentionDays:   cfg.Task.LogRetentionDays,
		LogBufferMegabytes: cfg.Task.LogBufferMegabytes,

		App:            appArgs(cfg.App),
		Sidecar:        sidecarArgs(cfg),
		TaskPolicyARNs: cfg.Rights.TaskPolicyARNs,
		Exec:           cfg.Rights.Exec,
		KMSKeyARN:      cfg.Rights.KMSKeyARN,

		ContainerInsights:             cfg.Service.ContainerInsights,
		DesiredCount:                  cfg.Service.DesiredCount,
		MaximumPercent:                cfg.Service.MaximumPercent,
		MinimumHealthyPercent:         cfg.Service.MinimumHealthyPercent,
		CircuitBreaker:                cfg.Service.CircuitBreaker,
		ZoneRebalancing:               cfg.Service.ZoneRebalancing,
		HealthCheckGracePeriodSeconds: cfg.Service.HealthCheckGracePeriodSeconds,
		DeploymentTimeout:             cfg.Service.DeploymentTimeout,
		RollbackAlarms:                rollbackAlarms(cfg, traffic),

		Scaling: scaling(cfg.Scaling, front),

		After: slices.Concat(front.Listeners, net.Routes),
	}
}

func appArgs(cfg config.App) service.App {
	secrets := map[string]service.Secret{}
	for name, secret := range cfg.Secrets {
		secrets[name] = service.Secret(secret)
	}

	return service.App{
		Command:       cfg.Command,
		HealthCommand: cfg.HealthCommand,
		User:          cfg.User,
		WritablePaths: cfg.WritablePaths,
		Environment:   cfg.Environment,
		Secrets:       secrets,
	}
}

func sidecarArgs(all *config.Config) service.Sidecar {
	cfg := all.Sidecar

	return service.Sidecar{
		PathPrefixes:       cfg.PathPrefixes,
		Methods:            cfg.Methods,
		BodyLimitKilobytes: cfg.BodyLimitKilobytes,
		RatePerSecond:      cfg.RatePerSecond,
		RateBurst:          cfg.RateBurst,
		ReadTimeout:        cfg.ReadTimeout,
		ClientTimeout:      cfg.ClientTimeout,
		AppKeepAlive:       cfg.AppKeepAlive,
		GzipLevel:          cfg.GzipLevel,
		CacheSeconds:       cfg.CacheSeconds,
		AccessLog:          cfg.AccessLog,
		LogHealthChecks:    cfg.LogHealthChecks,
		TrustedProxies:     cfg.TrustedProxies,
		Workers:            cfg.Workers,
		TLS:                all.Edge.TargetTLS,
	}
}

func scaling(cfg config.Scaling, front *ingress.Ingress) service.Scaling {
	schedules := make([]service.Schedule, len(cfg.Schedules))
	for i, schedule := range cfg.Schedules {
		schedules[i] = service.Schedule(schedule)
	}

	return service.Scaling{
		On:              cfg.On,
		Min:             cfg.Min,
		Max:             cfg.Max,
		CPUPercent:      cfg.CPUPercent,
		MemoryPercent:   cfg.MemoryPercent,
		RequestsPerTask: cfg.RequestsPerTask,
		InCooldown:      cfg.InCooldown,
		OutCooldown:     cfg.OutCooldown,
		Schedules:       schedules,
		RequestsLabel:   pulumi.Sprintf("%s/%s", front.BalancerSuffix, front.TargetGroupSuffix),
		SpotPercent:     cfg.SpotPercent,
		OnDemandBase:    cfg.OnDemandBase,
	}
}

// rollbackAlarms are none where there are none, which the service tells from an empty list.
func rollbackAlarms(cfg *config.Config, traffic *observability.Traffic) pulumi.StringArrayInput {
	if !cfg.Operations.RollbackOnAlarms || len(traffic.DeploymentAlarms) == 0 {
		return nil
	}

	return traffic.DeploymentAlarms
}

func trafficArgs(cfg *config.Config, in *account, front *ingress.Ingress) observability.TrafficArgs {
	return observability.TrafficArgs{
		Partition:    in.partition,
		Account:      in.id,
		Region:       cfg.Region,
		Alarms:       cfg.Operations.Alarms,
		Email:        cfg.Operations.AlarmEmail,
		Balancer:     front.BalancerSuffix,
		TargetGroup:  front.TargetGroupSuffix,
		ErrorPercent: cfg.Operations.AlarmErrorPercent,
		Latency:      cfg.Operations.AlarmLatency,
	}
}

func watchArgs(
	cfg *config.Config, in *account, front *ingress.Ingress, traffic *observability.Traffic, tasks *service.Service,
) observability.TasksArgs {
	return observability.TasksArgs{
		Partition:          in.partition,
		Region:             cfg.Region,
		Topic:              traffic.Topic,
		AlarmARNs:          traffic.AlarmARNs,
		Cluster:            tasks.ClusterName,
		Service:            tasks.ServiceName,
		Balancer:           front.BalancerSuffix,
		TargetGroup:        front.TargetGroupSuffix,
		NginxLogGroup:      tasks.NginxLogGroup,
		AppLogGroup:        tasks.AppLogGroup,
		TaskCounts:         cfg.Service.ContainerInsights != "disabled",
		UtilizationPercent: cfg.Operations.AlarmUtilizationPercent,
		LogMetrics:         cfg.Operations.LogMetrics,
		Dashboard:          cfg.Operations.Dashboard,
	}
}

func together(lists ...pulumi.StringArrayOutput) pulumi.StringArrayOutput {
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
