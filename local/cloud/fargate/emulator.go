package fargate

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	moto "fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
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
	subnets               []string
	targets               []target
}

// revision is what makes two deployments of a service differ.
type revision struct {
	taskDefinition string // ARN
	force          string // changes with forceNewDeployment and when the service is made again
	network        string
	targets        string
}

// target is one of a service's load balancer entries.
type target struct {
	group     string // target group ARN
	container string
	port      int
}

// definition is a task definition together with what is derived from it once.
type definition struct {
	types.TaskDefinition
	arn string
}

// subnet is what a task's placement shows.
type subnet struct {
	zone  string
	block netip.Prefix
}

// emulator reads the AWS API.
type emulator struct {
	ecs      *ecs.Client
	logs     *cloudwatchlogs.Client
	endpoint string
	region   string
	overlay  func(string) map[string]any

	mu          sync.Mutex
	definitions map[string]*definition
	subnets     map[string]subnet
}

func newEmulator(o Options) *emulator {
	config := aws.Config{
		Region:       o.Region,
		BaseEndpoint: aws.String(o.Endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		HTTPClient: &http.Client{Timeout: 20 * time.Second},
	}
	return &emulator{
		ecs:         ecs.NewFromConfig(config),
		logs:        cloudwatchlogs.NewFromConfig(config),
		endpoint:    o.Endpoint,
		region:      o.Region,
		overlay:     o.Overlay,
		definitions: map[string]*definition{},
		subnets:     map[string]subnet{},
	}
}

// services returns every Fargate service of every cluster.
func (e *emulator) services(ctx context.Context) ([]declared, error) {
	var all []declared
	clusters := ecs.NewListClustersPaginator(e.ecs, &ecs.ListClustersInput{})
	for clusters.HasMorePages() {
		page, err := clusters.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		for _, cluster := range page.ClusterArns {
			found, err := e.servicesOf(ctx, cluster)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

func (e *emulator) servicesOf(ctx context.Context, cluster string) ([]declared, error) {
	var all []declared
	pages := ecs.NewListServicesPaginator(e.ecs, &ecs.ListServicesInput{Cluster: &cluster})
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
			found, err := e.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: arns})
			if err != nil {
				return nil, fmt.Errorf("describe services of %s: %w", cluster, err)
			}
			for _, service := range found.Services {
				d, err := e.declared(ctx, service)
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
}

func (e *emulator) declared(ctx context.Context, service types.Service) (declared, error) {
	more, err := e.remembered(service)
	if err != nil {
		return declared{}, err
	}
	d := declared{
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
		d.minimumHealthyPercent = int(aws.ToInt32(defaultInt32(c.MinimumHealthyPercent, defaultMinimumHealthyPercent)))
		d.maximumPercent = int(aws.ToInt32(defaultInt32(c.MaximumPercent, defaultMaximumPercent)))
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
		d.targets = append(d.targets, target{aws.ToString(l.TargetGroupArn), aws.ToString(l.ContainerName), int(aws.ToInt32(l.ContainerPort))})
	}
	d.revision.targets = fmt.Sprint(d.targets)
	for _, deployment := range service.Deployments {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			d.revision.force = aws.ToString(deployment.Id)
		}
	}
	if d.status == serviceActive {
		definition, err := e.definition(ctx, aws.ToString(service.TaskDefinition))
		if err != nil {
			return declared{}, err
		}
		d.revision.taskDefinition = definition.arn
	}
	return d, nil
}

// remembered is what the service's creator sent: the emulator's own answer where it has one, the overlay's before it.
func (e *emulator) remembered(service types.Service) (forgotten, error) {
	more := forgotten{service.DeploymentConfiguration, service.HealthCheckGracePeriodSeconds, service.NetworkConfiguration}
	if e.overlay == nil {
		return more, nil
	}
	raw, err := json.Marshal(e.overlay(aws.ToString(service.ServiceArn)))
	if err != nil {
		return more, fmt.Errorf("overlay: %w", err)
	}
	if err := json.Unmarshal(raw, &more); err != nil {
		return more, fmt.Errorf("overlay: %w", err)
	}
	return more, nil
}

func defaultInt32(v *int32, otherwise int32) *int32 {
	if v == nil {
		return &otherwise
	}
	return v
}

// hasRevision tells a reference to one unchangeable revision from one to a family's latest.
var hasRevision = regexp.MustCompile(`:[0-9]+$`)

// definition returns a task definition, given by ARN, family:revision or family.
func (e *emulator) definition(ctx context.Context, reference string) (*definition, error) {
	e.mu.Lock()
	known, ok := e.definitions[reference]
	e.mu.Unlock()
	if ok {
		return known, nil
	}
	found, err := e.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &reference})
	if err != nil {
		return nil, fmt.Errorf("task definition %s: %w", reference, err)
	}
	d := &definition{TaskDefinition: *found.TaskDefinition, arn: aws.ToString(found.TaskDefinition.TaskDefinitionArn)}
	if hasRevision.MatchString(reference) {
		e.mu.Lock()
		e.definitions[reference] = d
		e.mu.Unlock()
	}
	return d, nil
}

// rollBack gives a service its previous task definition, unless somebody has given it another one meanwhile.
func (e *emulator) rollBack(ctx context.Context, d declared, previous string) error {
	found, err := e.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &d.clusterARN, Services: []string{d.arn}})
	if err != nil {
		return err
	}
	if len(found.Services) != 1 {
		return errors.New("the service is gone")
	}
	now, err := e.definition(ctx, aws.ToString(found.Services[0].TaskDefinition))
	if err != nil {
		return err
	}
	if now.arn != d.revision.taskDefinition {
		return fmt.Errorf("the service has moved on to %s", now.arn)
	}
	_, err = e.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &d.clusterARN, Service: &d.arn, TaskDefinition: &previous})
	return err
}

// subnet returns a subnet's zone and address range. It speaks EC2's query protocol itself: the typed client is the
// largest package of the AWS SDK, and this is the only call.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (e *emulator) subnet(ctx context.Context, id string) (subnet, error) {
	e.mu.Lock()
	known, ok := e.subnets[id]
	e.mu.Unlock()
	if ok {
		return known, nil
	}
	form := url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}, "SubnetId.1": {id}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return subnet{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	moto.Address(request, e.region, "ec2")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return subnet{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Subnets []struct {
			Zone  string `xml:"availabilityZone"`
			Block string `xml:"cidrBlock"`
		} `xml:"subnetSet>item"`
	}
	if err := xml.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Subnets) != 1 {
		return subnet{}, fmt.Errorf("subnet %s: status %s, %d found: %w", id, response.Status, len(answer.Subnets), err)
	}
	block, err := netip.ParsePrefix(answer.Subnets[0].Block)
	if err != nil {
		return subnet{}, fmt.Errorf("subnet %s: %w", id, err)
	}
	found := subnet{zone: answer.Subnets[0].Zone, block: block}
	e.mu.Lock()
	e.subnets[id] = found
	e.mu.Unlock()
	return found, nil
}
