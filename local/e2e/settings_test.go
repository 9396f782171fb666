package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// given are the things that a stack can be told to use, and does not own.
type given struct{ key, certificate, webACL, prefixList, policy string }

// owners are things of some account.
var owners = given{
	key:         "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	certificate: "arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
	webACL:      "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/edge/a1b2c3d4-5678-90ab-cdef-111111111111",
	prefixList:  "pl-0123456789abcdef0",
	policy:      "arn:aws:iam::111122223333:policy/shop/queue",
}

// standIns are what the local run has in place of the owner's.
func standIns(t *testing.T, c *checkout) given {
	t.Helper()
	text := func(setting string) string { return c.deployed(t, setting).(string) }
	g := given{
		key: text("storage.kmsKey"), certificate: text("domain.certificate"), webACL: text("ingress.firewall"),
		prefixList: c.deployed(t, "ingress.clients").([]any)[0].(string), policy: c.deployed(t, "app.policies").([]any)[0].(string),
	}
	if g.key == owners.key || g.certificate == owners.certificate || g.webACL == owners.webACL || g.prefixList == owners.prefixList || g.policy == owners.policy {
		t.Errorf("the run uses an id that the emulator did not choose: %+v", g)
	}
	return g
}

// alarmAddress is a person's who cannot exist.
const alarmAddress = "on-call@example.test"

// settings are those that no other step uses, on top of Pulumi.staging.yaml.
func (g given) settings() string {
	return fmt.Sprintf(`
  fargate-nginx-sidecar:domain: {certificate: "%s"}
  fargate-nginx-sidecar:ingress: {http: false, clients: [%s], firewall: "%s"}
  fargate-nginx-sidecar:storage: {kmsKey: "%s"}
  fargate-nginx-sidecar:app: {policies: ["%s"], environment: {GREETING: "hello, world", LEVEL: 3}}
  fargate-nginx-sidecar:task: {exec: true}
  fargate-nginx-sidecar:scale:
    schedules:
      - {name: night, at: "cron(0 20 * * ? *)", timezone: Europe/Berlin, min: 1, max: 2}
      - {name: morning, at: "cron(0 6 * * ? *)", min: 2, max: 4}
  fargate-nginx-sidecar:monitoring: {email: %s}
`, g.certificate, g.prefixList, g.webACL, g.key, g.policy, alarmAddress)
}

// staging makes the running stack the one that Pulumi.staging.yaml describes, with a key, a certificate, a firewall, a
// list of clients and a policy that were there before, and then lets its tasks out in the other ways there are.
func staging(t *testing.T, c *checkout) given {
	t.Helper()
	file := "Pulumi." + patternStack + ".yaml"
	pattern := c.read(t, file)
	defer c.configure(t, pattern) // for the next step; destroying reads no settings
	c.configure(t, c.read(t, "Pulumi.staging.yaml")+owners.settings())

	var g given
	last := waysOut[0].egress
	for i, way := range waysOut {
		c.edit(t, file, "egress: "+last, "egress: "+way.egress)
		last = way.egress
		c.local(t, "up", "--stack", patternStack)
		assertUnchanged(t, c)
		compare(t, []property{{"egress " + way.egress, lines(readStack(t, c).wayOut(t)), lines(way.want)}})
		if i == 0 { // the others change nothing but the network
			g = standIns(t, c)
			compare(t, g.properties(t, c))
			assertOtherProcessor(t, c)
		}
	}
	return g
}

// waysOut are the settings of egress that Pulumi.prod.yaml does not use, with what each makes. S3's endpoint is free and
// always there.
var waysOut = []struct {
	egress string
	want   []string
}{
	{"nat-single", []string{
		"NAT gateway", "elastic address", "endpoint of s3 (Gateway)",
		"subnet of tasks: all to a NAT gateway", "subnet of tasks: all to a NAT gateway",
	}},
	{"endpoints", []string{
		"endpoint of ecr.api (Interface)", "endpoint of ecr.dkr (Interface)", "endpoint of logs (Interface)",
		"endpoint of s3 (Gateway)", "endpoint of ssm (Interface)", "endpoint of ssmmessages (Interface)",
	}},
	{"public", []string{
		"endpoint of s3 (Gateway)", "public addresses of tasks",
		"subnet of tasks: all to an internet gateway", "subnet of tasks: all to an internet gateway",
	}},
}

// wayOut lists by what the tasks reach anything outside.
func (s stack) wayOut(t *testing.T) []string {
	t.Helper()
	ctx := context.Background()
	inVPC := []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{*s.vpc.VpcId}}}
	var all []string
	for _, gateway := range must[*ec2.DescribeNatGatewaysOutput](t)(s.ec2.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: inVPC})).NatGateways {
		if gateway.State == ec2types.NatGatewayStateAvailable {
			all = append(all, "NAT gateway")
		}
	}
	for range must[*ec2.DescribeAddressesOutput](t)(s.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})).Addresses {
		all = append(all, "elastic address")
	}
	for _, endpoint := range must[*ec2.DescribeVpcEndpointsOutput](t)(s.ec2.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: inVPC})).VpcEndpoints {
		if !strings.EqualFold(string(endpoint.State), "available") { // the emulator goes on listing deleted ones
			continue
		}
		service := strings.SplitN(*endpoint.ServiceName, ".", 4) // com.amazonaws.<region>.<service>
		if endpoint.VpcEndpointType == ec2types.VpcEndpointTypeInterface && !aws.ToBool(endpoint.PrivateDnsEnabled) {
			t.Errorf("%s has an endpoint that its name does not lead to", *endpoint.ServiceName)
		}
		all = append(all, fmt.Sprintf("endpoint of %s (%s)", service[3], endpoint.VpcEndpointType))
	}
	network := s.service.NetworkConfiguration.AwsvpcConfiguration
	if network.AssignPublicIp == ecstypes.AssignPublicIpEnabled {
		all = append(all, "public addresses of tasks")
	}
	for _, subnet := range network.Subnets {
		tables := must[*ec2.DescribeRouteTablesOutput](t)(s.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{
			{Name: aws.String("association.subnet-id"), Values: []string{subnet}},
		}}))
		for _, route := range one(t, "route table", tables.RouteTables).Routes {
			if aws.ToString(route.DestinationCidrBlock) == "0.0.0.0/0" {
				all = append(all, "subnet of tasks: all to "+target(route))
			}
		}
	}
	return all
}

func target(route ec2types.Route) string {
	switch {
	case route.NatGatewayId != nil:
		return "a NAT gateway"
	case strings.HasPrefix(aws.ToString(route.GatewayId), "igw-"):
		return "an internet gateway"
	}
	return fmt.Sprintf("%+v", route)
}

// properties are what the settings have made of the stack.
func (g given) properties(t *testing.T, c *checkout) []property {
	t.Helper()
	stack := readStack(t, c)
	nginx, app := stack.container(t, "nginx"), stack.container(t, "app")

	return []property{
		{"target group: protocol", stack.targetGroup.Protocol, "HTTPS"},
		{"listener: port", *stack.listener.Port, int32(443)},
		{"listener: certificate", *one(t, "certificate", stack.listener.Certificates).CertificateArn, g.certificate},
		{"load balancer: open to", stack.ingress(t, stack.balancer.SecurityGroups[0]), []string{"tcp 443-443 from " + g.prefixList}},
		{"load balancer: web ACL", c.webACL(t, *stack.balancer.LoadBalancerArn), g.webACL},

		{"log groups: keys", stack.logKeys(t), []string{"web-app " + g.key, "web-nginx " + g.key}},
		{"repositories: keys", stack.imageKeys(t), []string{"web-app KMS " + g.key, "web-nginx KMS " + g.key}},

		{"cluster: capacity", slices.Sorted(slices.Values(stack.cluster.CapacityProviders)), []string{"FARGATE", "FARGATE_SPOT"}},
		{"service: launch type", stack.service.LaunchType, ""},
		{"service: capacity", capacity(stack.service), []string{"FARGATE base 2 weight 0", "FARGATE_SPOT base 0 weight 100"}},
		{"service: exec", stack.service.EnableExecuteCommand, true},
		{"service: scheduled scaling", c.schedules(t, stack), []string{
			"cron(0 20 * * ? *) Europe/Berlin: 1 to 2", "cron(0 6 * * ? *) UTC: 2 to 4",
		}},

		{"nginx: root file system is read-only (with exec it cannot be)", *nginx.ReadonlyRootFilesystem, false},
		{"app: root file system is read-only (with exec it cannot be)", *app.ReadonlyRootFilesystem, false},
		{"app: variables", []string{variable(app, "GREETING"), variable(app, "LEVEL")}, []string{"hello, world", "3"}},
		{"task role: policies", stack.taskPolicies(t), []string{g.policy}},
		{"task role: actions", stack.inlineActions(t, path.Base(*stack.task.TaskRoleArn)), []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		}},
		{"alarm topic: subscriptions", c.subscriptions(t, c.outputs(t)["alarmTopicArn"]), []string{"email " + alarmAddress}},
	}
}

func (s stack) logKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, group := range must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(s.logs.DescribeLogGroups(context.Background(), &cloudwatchlogs.DescribeLogGroupsInput{})).LogGroups {
		keys = append(keys, withoutSuffix(*group.LogGroupName)+" "+aws.ToString(group.KmsKeyId))
	}
	slices.Sort(keys)
	return keys
}

func (s stack) imageKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, repository := range must[*ecr.DescribeRepositoriesOutput](t)(s.ecr.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{})).Repositories {
		by := repository.EncryptionConfiguration
		keys = append(keys, fmt.Sprintf("%s %s %s", withoutSuffix(*repository.RepositoryName), by.EncryptionType, aws.ToString(by.KmsKey)))
	}
	slices.Sort(keys)
	return keys
}

// withoutSuffix takes the random end off a name that Pulumi made.
func withoutSuffix(name string) string { return name[:strings.LastIndex(name, "-")] }

func capacity(service ecstypes.Service) []string {
	var all []string
	for _, item := range service.CapacityProviderStrategy {
		all = append(all, fmt.Sprintf("%s base %d weight %d", *item.CapacityProvider, item.Base, item.Weight))
	}
	slices.Sort(all)
	return all
}

func variable(container ecstypes.ContainerDefinition, name string) string {
	for _, pair := range container.Environment {
		if *pair.Name == name {
			return *pair.Value
		}
	}
	return "not set"
}

func (s stack) taskPolicies(t *testing.T) []string {
	t.Helper()
	role := path.Base(*s.task.TaskRoleArn)
	var arns []string
	for _, policy := range must[*iam.ListAttachedRolePoliciesOutput](t)(s.iam.ListAttachedRolePolicies(context.Background(), &iam.ListAttachedRolePoliciesInput{RoleName: &role})).AttachedPolicies {
		arns = append(arns, *policy.PolicyArn)
	}
	return arns
}

func lines(all []string) string {
	return strings.Join(slices.Sorted(slices.Values(all)), "\n")
}

// assertOtherProcessor previews the stack for the processor that this machine has not. Tasks for it could not run here.
func assertOtherProcessor(t *testing.T, c *checkout) {
	t.Helper()
	other := map[any]string{"X86_64": "ARM64", "ARM64": "X86_64"}[c.deployed(t, "task.architecture")]

	var kinds []string
	for _, change := range c.changes(t, "--config-path", "--config", "task.architecture="+other) {
		kind := strings.Split(change.URN, "::")[2]
		kinds = append(kinds, change.Operation+" "+kind[strings.LastIndex(kind, "$")+1:])
		if _, platform := change.DetailedDiff["build.platform"]; platform {
			kinds = append(kinds, "platform of an image")
		}
	}
	compare(t, []property{{"for another processor", lines(kinds), lines([]string{
		"replace aws:ecr/lifecyclePolicy:LifecyclePolicy", "replace aws:ecr/lifecyclePolicy:LifecyclePolicy", // they keep that tag
		"replace docker:index/image:Image", "platform of an image", "replace docker:index/image:Image", "platform of an image",
		"replace aws:ecs/taskDefinition:TaskDefinition", "update aws:ecs/service:Service",
	})}})
}

// assertFree looks whether what was given is still there after the stack.
func (g given) assertFree(t *testing.T, c *checkout) {
	t.Helper()
	ctx := context.Background()
	var key struct{ KeyMetadata struct{ KeyState string } }
	c.ask(t, "kms", "TrentService.DescribeKey", map[string]any{"KeyId": g.key}, &key)
	var certificate struct{ Certificate struct{ Status string } }
	c.ask(t, "acm", "CertificateManager.DescribeCertificate", map[string]any{"CertificateArn": g.certificate}, &certificate)
	var acls struct{ WebACLs []struct{ ARN string } }
	c.ask(t, "wafv2", "AWSWAF_20190729.ListWebACLs", map[string]any{"Scope": "REGIONAL"}, &acls)
	lists := must[*ec2.DescribeManagedPrefixListsOutput](t)(c.cloud(t).ec2.DescribeManagedPrefixLists(ctx, &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{g.prefixList}}))
	policy := must[*iam.GetPolicyOutput](t)(c.cloud(t).iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &g.policy}))
	compare(t, []property{
		{"key", key.KeyMetadata.KeyState, "Enabled"},
		{"certificate", certificate.Certificate.Status, "ISSUED"},
		{"web ACL", one(t, "web ACL", acls.WebACLs).ARN, g.webACL},
		{"prefix list", *one(t, "prefix list", lists.PrefixLists).PrefixListId, g.prefixList},
		{"policy: roles", *policy.Policy.AttachmentCount, int32(0)},
	})
}

func (c *checkout) webACL(t *testing.T, balancer string) string {
	t.Helper()
	var found struct{ WebACL struct{ ARN string } }
	c.ask(t, "wafv2", "AWSWAF_20190729.GetWebACLForResource", map[string]any{"ResourceArn": balancer}, &found)
	return found.WebACL.ARN
}

// schedules lists when which limits begin to hold for the stack's service.
func (c *checkout) schedules(t *testing.T, s stack) []string {
	t.Helper()
	var found struct {
		ScheduledActions []struct {
			Schedule, Timezone   string
			ScalableTargetAction struct{ MinCapacity, MaxCapacity int }
		}
	}
	c.ask(t, "application-autoscaling", "AnyScaleFrontendService.DescribeScheduledActions", map[string]any{
		"ServiceNamespace": "ecs", "ResourceId": "service/" + *s.cluster.ClusterName + "/" + *s.service.ServiceName,
	}, &found)
	var all []string
	for _, action := range found.ScheduledActions {
		limits := action.ScalableTargetAction
		all = append(all, fmt.Sprintf("%s %s: %d to %d", action.Schedule, action.Timezone, limits.MinCapacity, limits.MaxCapacity))
	}
	slices.Sort(all)
	return all
}

// subscriptions lists who hears of what a topic is told.
func (c *checkout) subscriptions(t *testing.T, topic string) []string {
	t.Helper()
	var found struct {
		Members []struct {
			Protocol string `xml:"Protocol"`
			Endpoint string `xml:"Endpoint"`
		} `xml:"ListSubscriptionsByTopicResult>Subscriptions>member"`
	}
	if err := c.caller(t).Query(t.Context(), "sns", "2010-03-31", "ListSubscriptionsByTopic", url.Values{"TopicArn": {topic}}, &found); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, member := range found.Members {
		all = append(all, member.Protocol+" "+member.Endpoint)
	}
	return all
}

// ask sends one request to a service that speaks JSON. The typed clients of five more services for eight requests
// would take longer to compile than all tests here.
func (c *checkout) ask(t *testing.T, service, action string, input, output any) {
	t.Helper()
	if err := c.caller(t).JSON(t.Context(), service, action, input, output); err != nil {
		t.Fatal(err)
	}
}

func (c *checkout) caller(t *testing.T) emulator.Caller {
	t.Helper()
	current := c.current(t)
	return emulator.Caller{URL: current.Endpoint, Region: current.Region}
}
