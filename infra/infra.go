// Package infra puts the components together: which there are, and what they tell each other.
package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/archive"
	"fargate-nginx-sidecar/infra/config"
	"fargate-nginx-sidecar/infra/cost"
	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/waf"
)

// Stack is what was deployed.
type Stack struct {
	config               *config.Config
	ingress              *ingress.Ingress
	service              *service.Service
	appImage, nginxImage *image.Image
	traffic              *observability.Traffic
	watch                *observability.Tasks
}

// Deploy declares the architecture: images, network, load balancer, service, and what watches them.
func Deploy(ctx *pulumi.Context, cfg *config.Config) (*Stack, error) {
	account, err := newAccount(ctx, cfg)
	if err != nil {
		return nil, err
	}
	in := pulumi.Provider(account.provider)

	appImage, err := image.New(ctx, cfg.ServiceName+"-app", imageArgs(cfg, account, cfg.Images.App), in)
	if err != nil {
		return nil, err
	}
	nginxImage, err := image.New(ctx, cfg.ServiceName+"-nginx", imageArgs(cfg, account, cfg.Images.Nginx), in)
	if err != nil {
		return nil, err
	}
	logs, err := archive.New(ctx, cfg.ServiceName, archiveArgs(cfg, account), in)
	if err != nil {
		return nil, err
	}
	net, err := network.New(ctx, cfg.ServiceName, networkArgs(cfg, logs), in)
	if err != nil {
		return nil, err
	}
	front, err := ingress.New(ctx, cfg.ServiceName, ingressArgs(cfg, net, logs), in)
	if err != nil {
		return nil, err
	}
	if cfg.Edge.WAF != "off" {
		if _, err := waf.New(ctx, cfg.ServiceName, wafArgs(cfg, front), in); err != nil {
			return nil, err
		}
	}
	traffic, err := observability.NewTraffic(ctx, cfg.ServiceName, trafficArgs(cfg, account, front), in)
	if err != nil {
		return nil, err
	}
	tasks, err := service.New(ctx, cfg.ServiceName, serviceArgs(cfg, account, net, front, traffic, nginxImage, appImage), in)
	if err != nil {
		return nil, err
	}

	watch, err := observability.NewTasks(ctx, cfg.ServiceName, watchArgs(cfg, account, front, traffic, tasks), in)
	if err != nil {
		return nil, err
	}

	return &Stack{
		config: cfg, ingress: front, service: tasks, appImage: appImage, nginxImage: nginxImage,
		traffic: traffic, watch: watch,
	}, nil
}

// account is where everything goes: the provider, and what it says about the account behind it.
type account struct {
	provider      *aws.Provider
	partition, id pulumi.StringOutput
}

func newAccount(ctx *pulumi.Context, cfg *config.Config) (*account, error) {
	args := &aws.ProviderArgs{
		// Stated, because the SDK would else take it from the environment of whoever runs the update.
		Region: pulumi.String(cfg.Region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.StringMap{
			"Project":   pulumi.String(ctx.Project()),
			"Stack":     pulumi.String(ctx.Stack()),
			"Service":   pulumi.String(cfg.ServiceName),
			"ManagedBy": pulumi.String("pulumi"),
		}},
	}
	if cfg.AWSProfile != "" {
		args.Profile = pulumi.String(cfg.AWSProfile)
	}
	provider, err := aws.NewProvider(ctx, "aws", args)
	if err != nil {
		return nil, fmt.Errorf("AWS provider: %w", err)
	}

	in := pulumi.Provider(provider)

	return &account{
		provider:  provider,
		partition: aws.GetPartitionOutput(ctx, aws.GetPartitionOutputArgs{}, in).Partition(),
		id:        aws.GetCallerIdentityOutput(ctx, aws.GetCallerIdentityOutputArgs{}, in).AccountId(),
	}, nil
}

// Outputs are what people and scripts need to reach the service. What may fail after a deployment is not among them:
// one failing output makes the engine forget all, and whoever looks into a failed deployment needs the others.
func (s *Stack) Outputs() pulumi.Map {
	url, region := s.ingress.URL, s.config.Region
	clusterName, serviceName := s.service.ClusterName, s.service.ServiceName

	outputs := pulumi.Map{
		"url":                  url,
		"healthUrl":            pulumi.Sprintf("%s%s", url, s.config.LoadBalancer.HealthCheckPath),
		"clusterName":          clusterName,
		"serviceName":          serviceName,
		"appImage":             s.appImage.Reference,
		"nginxImage":           s.nginxImage.Reference,
		"appLogGroup":          s.service.AppLogGroup,
		"nginxLogGroup":        s.service.NginxLogGroup,
		"tailAppLogsCommand":   tail(s.service.AppLogGroup, region),
		"tailNginxLogsCommand": tail(s.service.NginxLogGroup, region),
		"listTasksCommand": pulumi.Sprintf("aws ecs list-tasks --cluster %s --service-name %s --region %s",
			clusterName, serviceName, region),
		"monthlyEstimate": pulumi.String(cost.Sentence(cost.Estimate(Priced(s.config)))),
	}
	if s.traffic.Topic != nil {
		outputs["alarmTopicArn"] = s.traffic.Topic
	}
	if s.watch.DashboardURL != nil {
		outputs["dashboardUrl"] = s.watch.DashboardURL
	}

	return outputs
}

func tail(group pulumi.StringOutput, region string) pulumi.StringOutput {
	return pulumi.Sprintf("aws logs tail %s --follow --region %s", group, region)
}

// Export publishes the outputs as the stack's.
func (s *Stack) Export(ctx *pulumi.Context) {
	for name, value := range s.Outputs() {
		ctx.Export(name, value)
	}
}
