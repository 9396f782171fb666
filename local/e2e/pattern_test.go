package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// cloud is what the emulator holds of one stack, read through the ordinary AWS API.
type cloud struct {
	ecs  *ecs.Client
	elb  *elasticloadbalancingv2.Client
	ec2  *ec2.Client
	ecr  *ecr.Client
	iam  *iam.Client
	logs *cloudwatchlogs.Client
}

func (c *checkout) cloud(t *testing.T) cloud {
	t.Helper()
	current := c.current(t)
	config := emulator.Config(current.Endpoint, current.Region)
	return cloud{
		ecs:  ecs.NewFromConfig(config),
		elb:  elasticloadbalancingv2.NewFromConfig(config),
		ec2:  ec2.NewFromConfig(config),
		ecr:  ecr.NewFromConfig(config),
		iam:  iam.NewFromConfig(config),
		logs: cloudwatchlogs.NewFromConfig(config),
	}
}

// must ends the test when an AWS call fails.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// one returns the only element of a list.
func one[T any](t *testing.T, what string, list []T) T {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d %ss, want 1: %v", len(list), what, list)
	}
	return list[0]
}

// comparePattern holds every property that AWS's pattern names against what the emulator holds. Where the product
// differs from the pattern on purpose, the row says so.
// https://containersonaws.com/pattern/nginx-reverse-proxy-sidecar-ecs-fargate-task
func comparePattern(t *testing.T, c *checkout) {
	stack := readStack(t, c)
	nginx, app := stack.container(t, "nginx"), stack.container(t, "app")
	service, listener, group := stack.service, stack.listener, stack.targetGroup
	region := c.current(t).Region

	compare(t, []property{
		{"VPC: DNS support", stack.vpcAttribute(t, ec2types.VpcAttributeNameEnableDnsSupport), true},
		{"VPC: DNS host names", stack.vpcAttribute(t, ec2types.VpcAttributeNameEnableDnsHostnames), true},
		{"VPC: range", *stack.vpc.CidrBlock, "10.0.0.0/16"},
		{"VPC: subnets in the first two zones", stack.zones(), []string{region + "a", region + "b"}},
		{"VPC: default security group has no rule", stack.defaultGroupRules(t), 0},

		// AWS's default is internet-facing; the emulator leaves a scheme that was not sent empty.
		{"load balancer: internal", stack.balancer.Scheme == elbtypes.LoadBalancerSchemeEnumInternal, false},
		{"load balancer: type", stack.balancer.Type, elbtypes.LoadBalancerTypeEnumApplication},
		{"load balancer: zones", len(stack.balancer.AvailabilityZones), 2},
		{"load balancer: idle timeout, seconds", stack.balancerAttribute(t, "idle_timeout.timeout_seconds"), "60"},
		{"load balancer: drops invalid headers", stack.balancerAttribute(t, "routing.http.drop_invalid_header_fields.enabled"), "true"},
		{"load balancer: open to the internet on", stack.ingress(t, stack.balancer.SecurityGroups[0]), []string{"tcp 80-80 from 0.0.0.0/0"}},
		{"listener: port", *listener.Port, int32(80)},
		{"listener: protocol", listener.Protocol, elbtypes.ProtocolEnumHttp},
		{"listener: forwards to", stack.forwards(), *group.TargetGroupArn + " weight 100"},

		{"target group: type", group.TargetType, elbtypes.TargetTypeEnumIp},
		{"target group: protocol", group.Protocol, elbtypes.ProtocolEnumHttp},
		{"target group: port (80 in the pattern; NGINX runs without root here)", *group.Port, int32(8080)},
		{"target group: health check path", *group.HealthCheckPath, "/"},
		{"target group: health check every, seconds", *group.HealthCheckIntervalSeconds, int32(6)},
		{"target group: health check timeout, seconds", *group.HealthCheckTimeoutSeconds, int32(5)},
		{"target group: healthy after", *group.HealthyThresholdCount, int32(2)},
		{"target group: unhealthy after", *group.UnhealthyThresholdCount, int32(10)},
		{"target group: deregistration delay, seconds", stack.groupAttribute(t, "deregistration_delay.timeout_seconds"), "10"},

		{"cluster: Container Insights", stack.containerInsights(), "enabled"},
		{"service: name (the pattern's is fixed; Pulumi adds a suffix)", strings.HasPrefix(*service.ServiceName, "web-"), true},
		{"service: launch type", service.LaunchType, ecstypes.LaunchTypeFargate},
		{"service: desired count", service.DesiredCount, int32(2)},
		{"service: running count", service.RunningCount, int32(2)},
		{"service: maximum percent", *service.DeploymentConfiguration.MaximumPercent, int32(200)},
		{"service: minimum healthy percent", *service.DeploymentConfiguration.MinimumHealthyPercent, int32(75)},
		{"service: circuit breaker with rollback", *service.DeploymentConfiguration.DeploymentCircuitBreaker, ecstypes.DeploymentCircuitBreaker{Enable: true, Rollback: true}},
		{"service: balanced container", *one(t, "load balancer", service.LoadBalancers).ContainerName, "nginx"},
		{"service: tasks are open to", stack.ingress(t, service.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups[0]), []string{"tcp 8080-8080 from " + stack.balancer.SecurityGroups[0]}},

		{"task: network mode", stack.task.NetworkMode, ecstypes.NetworkModeAwsvpc},
		{"task: compatible with", stack.task.RequiresCompatibilities, []ecstypes.Compatibility{ecstypes.CompatibilityFargate}},
		{"task: CPU units", *stack.task.Cpu, "1024"},
		{"task: memory, MiB", *stack.task.Memory, "2048"},
		{"task: operating system", stack.task.RuntimePlatform.OperatingSystemFamily, ecstypes.OSFamilyLinux},
		{"task: containers", stack.containerNames(), []string{"app", "nginx"}},

		{"nginx: image is a digest of the stack's repository", stack.isDigestOf(nginx, "web-nginx"), true},
		{"app: image is a digest of the stack's repository", stack.isDigestOf(app, "web-app"), true},
		{"nginx: mapped ports", ports(nginx), []string{"8080/tcp"}},
		{"app: mapped ports", ports(app), []string{}},
		{"nginx: waits for", dependencies(nginx), []string{"app START"}},
		{"nginx: essential", *nginx.Essential, true},
		{"app: essential", *app.Essential, true},
		{"nginx: root file system is read-only", *nginx.ReadonlyRootFilesystem, true},
		{"app: root file system is read-only", *app.ReadonlyRootFilesystem, true},
		{"nginx: user", *nginx.User, "101:101"},
		{"app: user", *app.User, "1000:1000"},
		{"nginx: health check", nginx.HealthCheck.Command, []string{"CMD", "/usr/local/bin/sidecar", "health"}},
		{"nginx: health check asks the app at", variable(nginx, "NGINX_APP_HEALTH_PATH"), "/healthz"},
		{"app: no health check of its own", app.HealthCheck == nil, true},
		{"nginx: stop timeout, seconds", *nginx.StopTimeout, int32(60)},
		{"app: stop timeout, seconds", *app.StopTimeout, int32(60)},
		{"nginx: log", stack.log(t, nginx), "awslogs non-blocking 25m web/nginx, kept 30 days"},
		{"app: log", stack.log(t, app), "awslogs non-blocking 25m web/app, kept 30 days"},
		{"log groups are two", logGroup(nginx) != logGroup(app), true},

		{"execution role: who may take it", stack.trust(t), "ecs-tasks.amazonaws.com if ArnLike aws:SourceArn arn:aws:ecs:eu-central-1:123456789012:* if StringEquals aws:SourceAccount 123456789012"},
		{"execution role: actions", stack.actions(t), []string{
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
			"logs:CreateLogStream", "logs:PutLogEvents",
		}},
		{"repositories: tags", stack.mutability(), []string{"IMMUTABLE", "IMMUTABLE"}},
		{"repositories: scanned on push", stack.scanned(), []bool{true, true}},
	})
}

// property is one thing that AWS holds, and what it should be.
type property struct {
	name      string
	got, want any
}

func compare(t *testing.T, properties []property) {
	t.Helper()
	for _, p := range properties {
		got, want := fmt.Sprintf("%v", p.got), fmt.Sprintf("%v", p.want)
		if got != want {
			t.Errorf("%s: %s, want %s", p.name, got, want)
		}
	}
	t.Logf("%d properties compared", len(properties))
}

// stack is everything that the table asks about, read once.
type stack struct {
	cloud

	vpc          ec2types.Vpc
	subnets      []ec2types.Subnet
	balancer     elbtypes.LoadBalancer
	listener     elbtypes.Listener
	targetGroup  elbtypes.TargetGroup
	cluster      ecstypes.Cluster
	service      ecstypes.Service
	task         ecstypes.TaskDefinition
	repositories map[string]bool // URI → scanned on push
	mutable      []string
}

func readStack(t *testing.T, c *checkout) stack {
	t.Helper()
	ctx := context.Background()
	s := readService(t, c)

	s.balancer = one(t, "load balancer", must[*elasticloadbalancingv2.DescribeLoadBalancersOutput](t)(s.elb.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{})).LoadBalancers)
	s.listener = one(t, "listener", must[*elasticloadbalancingv2.DescribeListenersOutput](t)(s.elb.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: s.balancer.LoadBalancerArn})).Listeners)
	s.targetGroup = one(t, "target group", must[*elasticloadbalancingv2.DescribeTargetGroupsOutput](t)(s.elb.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{})).TargetGroups)

	s.vpc = one(t, "VPC", must[*ec2.DescribeVpcsOutput](t)(s.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*s.balancer.VpcId}})).Vpcs)
	s.subnets = must[*ec2.DescribeSubnetsOutput](t)(s.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{*s.vpc.VpcId}}}})).Subnets

	for _, repository := range must[*ecr.DescribeRepositoriesOutput](t)(s.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})).Repositories {
		s.repositories[*repository.RepositoryUri] = repository.ImageScanningConfiguration.ScanOnPush
		s.mutable = append(s.mutable, string(repository.ImageTagMutability))
	}
	return s
}

// readService reads the ECS part of a stack: cluster, service, task definition.
func readService(t *testing.T, c *checkout) stack {
	t.Helper()
	ctx := context.Background()
	s := stack{cloud: c.cloud(t), repositories: map[string]bool{}}
	clusterName := c.outputs(t)["clusterName"]
	s.cluster = one(t, "cluster", must[*ecs.DescribeClustersOutput](t)(s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{clusterName}, Include: []ecstypes.ClusterField{ecstypes.ClusterFieldSettings}})).Clusters)
	clusterARN := *s.cluster.ClusterArn
	listed := must[*ecs.ListServicesOutput](t)(s.ecs.ListServices(ctx, &ecs.ListServicesInput{Cluster: &clusterARN})).ServiceArns
	services := must[*ecs.DescribeServicesOutput](t)(s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &clusterARN, Services: listed})).Services
	// The emulator goes on listing a service that another one has replaced.
	s.service = one(t, "service", slices.DeleteFunc(services, func(service ecstypes.Service) bool { return *service.Status == "INACTIVE" }))
	s.task = *must[*ecs.DescribeTaskDefinitionOutput](t)(s.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: s.service.TaskDefinition})).TaskDefinition
	return s
}

func (s stack) vpcAttribute(t *testing.T, name ec2types.VpcAttributeName) bool {
	t.Helper()
	attribute := must[*ec2.DescribeVpcAttributeOutput](t)(s.ec2.DescribeVpcAttribute(context.Background(), &ec2.DescribeVpcAttributeInput{VpcId: s.vpc.VpcId, Attribute: name}))
	if name == ec2types.VpcAttributeNameEnableDnsSupport {
		return *attribute.EnableDnsSupport.Value
	}
	return *attribute.EnableDnsHostnames.Value
}

func (s stack) zones() []string {
	var zones []string
	for _, subnet := range s.subnets {
		zones = append(zones, *subnet.AvailabilityZone)
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

func (s stack) defaultGroupRules(t *testing.T) int {
	t.Helper()
	groups := must[*ec2.DescribeSecurityGroupsOutput](t)(s.ec2.DescribeSecurityGroups(context.Background(), &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{*s.vpc.VpcId}},
		{Name: aws.String("group-name"), Values: []string{"default"}},
	}}))
	group := one(t, "default security group", groups.SecurityGroups)
	return len(group.IpPermissions) + len(group.IpPermissionsEgress)
}

// ingress lists who may reach a security group's members, a line per rule.
func (s stack) ingress(t *testing.T, id string) []string {
	t.Helper()
	groups := must[*ec2.DescribeSecurityGroupsOutput](t)(s.ec2.DescribeSecurityGroups(context.Background(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}}))
	var rules []string
	for _, permission := range one(t, "security group", groups.SecurityGroups).IpPermissions {
		rule := fmt.Sprintf("%s %d-%d from ", *permission.IpProtocol, aws.ToInt32(permission.FromPort), aws.ToInt32(permission.ToPort))
		for _, source := range permission.IpRanges {
			rules = append(rules, rule+*source.CidrIp)
		}
		for _, source := range permission.UserIdGroupPairs {
			rules = append(rules, rule+*source.GroupId)
		}
		for _, source := range permission.PrefixListIds {
			rules = append(rules, rule+*source.PrefixListId)
		}
	}
	slices.Sort(rules)
	return rules
}

func (s stack) balancerAttribute(t *testing.T, key string) string {
	t.Helper()
	attributes := must[*elasticloadbalancingv2.DescribeLoadBalancerAttributesOutput](t)(s.elb.DescribeLoadBalancerAttributes(context.Background(), &elasticloadbalancingv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: s.balancer.LoadBalancerArn}))
	for _, attribute := range attributes.Attributes {
		if *attribute.Key == key {
			return *attribute.Value
		}
	}
	return "not set"
}

func (s stack) groupAttribute(t *testing.T, key string) string {
	t.Helper()
	attributes := must[*elasticloadbalancingv2.DescribeTargetGroupAttributesOutput](t)(s.elb.DescribeTargetGroupAttributes(context.Background(), &elasticloadbalancingv2.DescribeTargetGroupAttributesInput{TargetGroupArn: s.targetGroup.TargetGroupArn}))
	for _, attribute := range attributes.Attributes {
		if *attribute.Key == key {
			return *attribute.Value
		}
	}
	return "not set"
}

// forwards names the target group of the listener's only action and its weight.
func (s stack) forwards() string {
	var targets []string
	for _, action := range s.listener.DefaultActions {
		if action.ForwardConfig == nil {
			continue
		}
		for _, target := range action.ForwardConfig.TargetGroups {
			targets = append(targets, fmt.Sprintf("%s weight %d", *target.TargetGroupArn, aws.ToInt32(target.Weight)))
		}
	}
	return strings.Join(targets, ", ")
}

func (s stack) containerInsights() string {
	for _, setting := range s.cluster.Settings {
		if setting.Name == ecstypes.ClusterSettingNameContainerInsights {
			return *setting.Value
		}
	}
	return "not set"
}

func (s stack) container(t *testing.T, name string) ecstypes.ContainerDefinition {
	t.Helper()
	for _, container := range s.task.ContainerDefinitions {
		if *container.Name == name {
			return container
		}
	}
	t.Fatalf("the task has no container %s", name)
	return ecstypes.ContainerDefinition{}
}

func (s stack) containerNames() []string {
	var names []string
	for _, container := range s.task.ContainerDefinitions {
		names = append(names, *container.Name)
	}
	slices.Sort(names)
	return names
}

// isDigestOf says whether a container's image is named by digest in the repository with this name.
func (s stack) isDigestOf(container ecstypes.ContainerDefinition, name string) bool {
	repository, digest, _ := strings.Cut(*container.Image, "@")
	_, known := s.repositories[repository]
	return known && strings.HasPrefix(path.Base(repository), name) && strings.HasPrefix(digest, "sha256:")
}

func ports(container ecstypes.ContainerDefinition) []string {
	mapped := []string{}
	for _, mapping := range container.PortMappings {
		mapped = append(mapped, fmt.Sprintf("%d/%s", *mapping.ContainerPort, mapping.Protocol))
	}
	return mapped
}

func dependencies(container ecstypes.ContainerDefinition) []string {
	var all []string
	for _, dependency := range container.DependsOn {
		all = append(all, *dependency.ContainerName+" "+string(dependency.Condition))
	}
	return all
}

func logGroup(container ecstypes.ContainerDefinition) string {
	return container.LogConfiguration.Options["awslogs-group"]
}

// log sums up where a container logs to, and how long that is kept.
func (s stack) log(t *testing.T, container ecstypes.ContainerDefinition) string {
	t.Helper()
	options := container.LogConfiguration.Options
	groups := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(s.logs.DescribeLogGroups(context.Background(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(logGroup(container))}))
	group := one[logstypes.LogGroup](t, "log group", groups.LogGroups)
	return fmt.Sprintf("%s %s %s %s, kept %d days", container.LogConfiguration.LogDriver, options["mode"], options["max-buffer-size"], options["awslogs-stream-prefix"], aws.ToInt32(group.RetentionInDays))
}

// policy is the part of an IAM policy document that the table asks about.
type policy struct {
	Statement []struct {
		Action    any
		Principal map[string]any
		Condition map[string]map[string]any
	}
}

func decodePolicy(t *testing.T, escaped string) policy {
	t.Helper()
	text, err := url.QueryUnescape(escaped)
	if err != nil {
		t.Fatal(err)
	}
	var document policy
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return document
}

func (s stack) executionRole(t *testing.T) iamtypes.Role {
	t.Helper()
	name := path.Base(*s.task.ExecutionRoleArn)
	return *must[*iam.GetRoleOutput](t)(s.iam.GetRole(context.Background(), &iam.GetRoleInput{RoleName: &name})).Role
}

// trust sums up who may take the execution role.
func (s stack) trust(t *testing.T) string {
	t.Helper()
	statement := one(t, "statement", decodePolicy(t, *s.executionRole(t).AssumeRolePolicyDocument).Statement)
	text := fmt.Sprint(statement.Principal["Service"])
	var conditions []string
	for operator, condition := range statement.Condition {
		for key, value := range condition {
			conditions = append(conditions, fmt.Sprintf(" if %s %s %v", operator, key, value))
		}
	}
	slices.Sort(conditions)
	return text + strings.Join(conditions, "")
}

// actions lists what the execution role may do, over all its inline policies; it has no other.
func (s stack) actions(t *testing.T) []string {
	t.Helper()
	ctx := context.Background()
	role := s.executionRole(t).RoleName
	attached := must[*iam.ListAttachedRolePoliciesOutput](t)(s.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role})).AttachedPolicies
	if len(attached) > 0 {
		t.Errorf("the execution role has attached policies: %v", attached)
	}
	return s.inlineActions(t, *role)
}

// inlineActions lists what a role's own policies allow.
func (s stack) inlineActions(t *testing.T, role string) []string {
	t.Helper()
	ctx := context.Background()
	var actions []string
	for _, name := range must[*iam.ListRolePoliciesOutput](t)(s.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &role})).PolicyNames {
		found := must[*iam.GetRolePolicyOutput](t)(s.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name}))
		for _, statement := range decodePolicy(t, *found.PolicyDocument).Statement {
			switch action := statement.Action.(type) {
			case string:
				actions = append(actions, action)
			case []any:
				for _, one := range action {
					actions = append(actions, one.(string))
				}
			}
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

func (s stack) mutability() []string { return s.mutable }

func (s stack) scanned() []bool {
	var all []bool
	for _, scanned := range s.repositories {
		all = append(all, scanned)
	}
	return all
}

// ofOwner are the ids of what stands in the emulator for things of the owner's account. They outlast a stack.
func (c *checkout) ofOwner(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(run.Dir(c.root), "existing.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	standIns := map[string]string{}
	if err := errors.Join(err, json.Unmarshal(content, &standIns)); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(maps.Values(standIns))
}

// assertNothingInAWS looks for every kind of resource that the program declares. The emulator is born with a default
// VPC; everything else in it came from the stack, or stands for what its settings name.
func assertNothingInAWS(t *testing.T, c *checkout) {
	t.Helper()
	ctx := context.Background()
	s := c.cloud(t)
	var left []string
	owners := c.ofOwner(t)
	note := func(kind string, names ...string) {
		for _, name := range names {
			if !slices.Contains(owners, name) {
				left = append(left, kind+" "+name)
			}
		}
	}
	// A deleted cluster stays listed for a while, as INACTIVE, in ECS as in the emulator.
	listed := must[*ecs.ListClustersOutput](t)(s.ecs.ListClusters(ctx, &ecs.ListClustersInput{})).ClusterArns
	for _, cluster := range must[*ecs.DescribeClustersOutput](t)(s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: listed})).Clusters {
		if *cluster.Status == "ACTIVE" {
			note("cluster", *cluster.ClusterArn)
		}
	}
	note("task definition", must[*ecs.ListTaskDefinitionsOutput](t)(s.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{Status: ecstypes.TaskDefinitionStatusActive})).TaskDefinitionArns...)
	for _, balancer := range must[*elasticloadbalancingv2.DescribeLoadBalancersOutput](t)(s.elb.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{})).LoadBalancers {
		note("load balancer", *balancer.LoadBalancerArn)
	}
	for _, group := range must[*elasticloadbalancingv2.DescribeTargetGroupsOutput](t)(s.elb.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{})).TargetGroups {
		note("target group", *group.TargetGroupArn)
	}
	for _, vpc := range must[*ec2.DescribeVpcsOutput](t)(s.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})).Vpcs {
		if !aws.ToBool(vpc.IsDefault) {
			note("VPC", *vpc.VpcId)
		}
	}
	for _, group := range must[*ec2.DescribeSecurityGroupsOutput](t)(s.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})).SecurityGroups {
		if *group.GroupName != "default" {
			note("security group", *group.GroupId)
		}
	}
	for _, address := range must[*ec2.DescribeAddressesOutput](t)(s.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})).Addresses {
		note("elastic address", *address.PublicIp)
	}
	for _, repository := range must[*ecr.DescribeRepositoriesOutput](t)(s.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})).Repositories {
		note("repository", *repository.RepositoryName)
	}
	for _, group := range must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(s.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})).LogGroups {
		note("log group", *group.LogGroupName)
	}
	for _, role := range must[*iam.ListRolesOutput](t)(s.iam.ListRoles(ctx, &iam.ListRolesInput{})).Roles {
		note("role", *role.RoleName)
	}
	if len(left) > 0 {
		t.Errorf("left in AWS after destroy:\n%s", strings.Join(left, "\n"))
	}
	response, err := http.Get(c.url())
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("the load balancer still answers: %s", response.Status)
	}
}
