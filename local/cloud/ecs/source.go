package ecs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// describeServicesBatch is the most services one DescribeServices call takes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
const describeServicesBatch = 10

// What ECS assumes where a service says nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
const (
	defaultMinimumHealthyPercent = 100
	defaultMaximumPercent        = 200
)

// declared is a service as the emulator holds it.
type declared struct {
	arn, clusterARN, name string
	status                string
	desired               int
	minimumHealthyPercent int
	maximumPercent        int
	breaker, rollback     bool
	grace                 time.Duration // in which failing health checks stop no task
	revision              revision
	definition            *fargate.Definition // nil while it cannot be read, which is only logged: other services go on
	sent                  map[string]any      // what the overlay knows of it
	network               *types.NetworkConfiguration
	capacity              []types.CapacityProviderStrategyItem
	launchType            types.LaunchType
	subnets               []string
	targets               []fargate.Target
	registries            []fargate.Registration
}

// subnet picks one of the service's subnets for a task, in turn.
func (d declared) subnet(task int) string {
	if len(d.subnets) == 0 {
		return ""
	}
	return d.subnets[task%len(d.subnets)]
}

// revision is what makes two deployments of a service differ.
type revision struct {
	taskDefinition string // ARN
	force          string // changes with forceNewDeployment and when the service is made again
	network        string
	targets        string
	registries     string
}

// source reads the ECS API. Only the scheduler's loop calls it, where nothing else is said.
type source struct {
	ecs         *ecs.Client
	log         *slog.Logger
	overlay     func(string) map[string]any
	definitions map[string]*fargate.Definition // by ARN or family:revision
}

func newSource(o Options) *source {
	return &source{
		ecs:         ecs.NewFromConfig(emulator.Config(o.Endpoint, o.Region)),
		log:         o.Logger,
		overlay:     o.Overlay,
		definitions: map[string]*fargate.Definition{},
	}
}

// services returns every Fargate service of every cluster.
func (s *source) services(ctx context.Context) ([]declared, error) {
	var all []declared
	clusters := ecs.NewListClustersPaginator(s.ecs, &ecs.ListClustersInput{})
	for clusters.HasMorePages() {
		page, err := clusters.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		for _, cluster := range page.ClusterArns {
			found, err := s.servicesOf(ctx, cluster)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

func (s *source) servicesOf(ctx context.Context, cluster string) ([]declared, error) {
	var all []declared
	pages := ecs.NewListServicesPaginator(s.ecs, &ecs.ListServicesInput{Cluster: &cluster})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			var gone *types.ClusterNotFoundException
			if errors.As(err, &gone) {
				return nil, nil // deleted since it was listed
			}
			return nil, fmt.Errorf("list services of %s: %w", cluster, err)
		}
		for arns := range slices.Chunk(page.ServiceArns, describeServicesBatch) {
			found, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: arns})
			if err != nil {
				return nil, fmt.Errorf("describe services of %s: %w", cluster, err)
			}
			for _, service := range found.Services {
				d, err := s.declared(ctx, service)
				if err != nil {
					return nil, fmt.Errorf("service %s: %w", aws.ToString(service.ServiceName), err)
				}
				all = append(all, d)
			}
		}
	}
	return all, nil
}

// forgotten are the members of a service that the overlay may supply.
type forgotten struct {
	DeploymentConfiguration       *types.DeploymentConfiguration
	HealthCheckGracePeriodSeconds *int32
	NetworkConfiguration          *types.NetworkConfiguration
	CapacityProviderStrategy      []types.CapacityProviderStrategyItem
}

func (s *source) declared(ctx context.Context, service types.Service) (declared, error) {
	sent := s.overlay(aws.ToString(service.ServiceArn))
	more, err := remembered(service, sent)
	if err != nil {
		return declared{}, err
	}
	d := declared{
		sent:                  sent,
		network:               more.NetworkConfiguration,
		capacity:              more.CapacityProviderStrategy,
		launchType:            service.LaunchType,
		arn:                   aws.ToString(service.ServiceArn),
		clusterARN:            aws.ToString(service.ClusterArn),
		name:                  aws.ToString(service.ServiceName),
		status:                aws.ToString(service.Status),
		desired:               int(service.DesiredCount),
		minimumHealthyPercent: defaultMinimumHealthyPercent,
		maximumPercent:        defaultMaximumPercent,
		grace:                 time.Duration(aws.ToInt32(more.HealthCheckGracePeriodSeconds)) * time.Second,
	}
	if c := more.DeploymentConfiguration; c != nil {
		d.minimumHealthyPercent = int(*cmp.Or(c.MinimumHealthyPercent, aws.Int32(defaultMinimumHealthyPercent)))
		d.maximumPercent = int(*cmp.Or(c.MaximumPercent, aws.Int32(defaultMaximumPercent)))
		if b := c.DeploymentCircuitBreaker; b != nil {
			d.breaker, d.rollback = b.Enable, b.Rollback
		}
	}
	if n := more.NetworkConfiguration; n != nil && n.AwsvpcConfiguration != nil {
		d.subnets = slices.Sorted(slices.Values(n.AwsvpcConfiguration.Subnets))
		groups := slices.Sorted(slices.Values(n.AwsvpcConfiguration.SecurityGroups))
		d.revision.network = fmt.Sprint(d.subnets, groups, n.AwsvpcConfiguration.AssignPublicIp)
	}
	for _, l := range service.LoadBalancers {
		d.targets = append(d.targets, fargate.Target{
			Group: aws.ToString(l.TargetGroupArn), Container: aws.ToString(l.ContainerName), Port: int(aws.ToInt32(l.ContainerPort)),
		})
	}
	d.revision.targets = fmt.Sprint(d.targets)
	for _, r := range service.ServiceRegistries {
		d.registries = append(d.registries, fargate.Registration{
			Service: aws.ToString(r.RegistryArn), Container: aws.ToString(r.ContainerName), Port: int(aws.ToInt32(r.ContainerPort)),
		})
	}
	d.revision.registries = fmt.Sprint(d.registries)
	for _, deployment := range service.Deployments {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			d.revision.force = aws.ToString(deployment.Id)
		}
	}
	if d.status == serviceActive {
		d.revision.taskDefinition = aws.ToString(service.TaskDefinition)
		if d.definition, err = s.definition(ctx, d.revision.taskDefinition); err != nil {
			s.log.Warn("deployment cannot begin", "service", d.name, "error", err)
		} else {
			d.revision.taskDefinition = d.definition.ARN() // the service may name a family
		}
	}
	return d, nil
}

// remembered is what the service's creator sent: the emulator's own answer where it has one, the overlay's before it.
func remembered(service types.Service, sent map[string]any) (forgotten, error) {
	more := forgotten{
		service.DeploymentConfiguration, service.HealthCheckGracePeriodSeconds, service.NetworkConfiguration, service.CapacityProviderStrategy,
	}
	raw, err := json.Marshal(sent)
	if err != nil {
		return more, fmt.Errorf("overlay: %w", err)
	}
	if err := json.Unmarshal(raw, &more); err != nil {
		return more, fmt.Errorf("overlay: %w", err)
	}
	return more, nil
}

// hasRevision tells a reference to one unchangeable revision from one to a family's latest.
var hasRevision = regexp.MustCompile(`:[0-9]+$`)

// definition returns a task definition, given by ARN, family:revision or family.
func (s *source) definition(ctx context.Context, reference string) (*fargate.Definition, error) {
	if known, ok := s.definitions[reference]; ok {
		return known, nil
	}
	d, err := s.read(ctx, reference)
	if err != nil {
		return nil, err
	}
	if hasRevision.MatchString(reference) {
		s.definitions[reference] = d
	}
	return d, nil
}

// read asks the emulator for a task definition. Anybody may call it, and cluster.
func (s *source) read(ctx context.Context, reference string) (*fargate.Definition, error) {
	found, err := s.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &reference})
	if err != nil {
		return nil, fmt.Errorf("task definition %s: %w", reference, err)
	}
	return &fargate.Definition{TaskDefinition: *found.TaskDefinition}, nil
}

// cluster returns the ARN of a cluster, given by ARN or name.
func (s *source) cluster(ctx context.Context, reference string) (string, error) {
	found, err := s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{reference}})
	if err != nil {
		return "", fmt.Errorf("cluster %s: %w", reference, err)
	}
	if len(found.Clusters) != 1 {
		return "", fmt.Errorf("%w: cluster %s does not exist", ErrInvalidParameter, reference)
	}
	return aws.ToString(found.Clusters[0].ClusterArn), nil
}

// rollBack gives a service its previous task definition, unless somebody has given it another one meanwhile.
func (s *source) rollBack(ctx context.Context, d declared, previous string) error {
	found, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &d.clusterARN, Services: []string{d.arn}})
	if err != nil {
		return err
	}
	if len(found.Services) != 1 {
		return errors.New("the service is gone")
	}
	now, err := s.definition(ctx, aws.ToString(found.Services[0].TaskDefinition))
	if err != nil {
		return err
	}
	if now.ARN() != d.revision.taskDefinition {
		return fmt.Errorf("the service has moved on to %s", now.ARN())
	}
	_, err = s.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &d.clusterARN, Service: &d.arn, TaskDefinition: &previous})
	return err
}
