package infra_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/deployment"
	"fargate-nginx-sidecar/infra/infratest"
)

var update = flag.Bool("update", false, "write the golden graphs and the generated parts of the documents anew")

// goToProject goes to the directory of Pulumi.yaml, where the engine runs the program. It happens inside a test and not
// before all of them, because go test looks for the files that a test opened, to know whether its cached result still
// counts, and it follows only a change of directory that it has seen.
var goToProject = sync.OnceValue(func() error { return os.Chdir("..") })

// readFile reads a file of the project.
func readFile(t *testing.T, name string) ([]byte, error) {
	t.Helper()
	if err := goToProject(); err != nil {
		t.Fatal(err)
	}

	return os.ReadFile(name)
}

// stackSettings are the settings of an environment, with changes; without an environment, the defaults with changes.
func stackSettings(t *testing.T, stack string, changes map[string]string) map[string]string {
	t.Helper()
	if err := goToProject(); err != nil {
		t.Fatal(err)
	}

	return infratest.Settings(t, ".", stack, changes)
}

// Shapes that a stack can have. Every property of the graph is checked on all of them.
var existing = map[string]string{
	"network.egress":         "null",
	"network.kind":           "existing",
	"network.vpc":            infratest.ExistingVPC,
	"network.publicSubnets":  `["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]`,
	"network.privateSubnets": `["subnet-0123456789abcdef2"]`,
}

// dualstack is a load balancer with IPv6, in somebody's network that has it.
var dualstack = with(existing, with(encrypted, map[string]string{
	"ingress.ipv6": "true", "ingress.clients": `["0.0.0.0/0","2001:db8::/32"]`, "domain.aliases": `["example.com"]`,
}))

// behindAnother is a stack on the load balancer of another one.
var behindAnother = map[string]string{
	"ingress.kind": "shared",
	"ingress.shared": `{"listener":"` + infratest.SharedListener + `","hosts":["*.example.com","shop.example.com"],` +
		`"paths":["/api/*"],"priority":10}`,
	"network.kind": "existing", "network.vpc": infratest.ExistingVPC, "network.publicSubnets": existing["network.publicSubnets"],
	"network.privateSubnets": existing["network.privateSubnets"],
}

// behindAPI is a stack without a load balancer.
var behindAPI = map[string]string{"ingress.kind": "api-gateway", "ingress.health": "null"}

var prebuilt = map[string]string{
	"app.image":  "public.ecr.aws/team/app:1.2.3",
	"http.image": infratest.Account + ".dkr.ecr.eu-west-1.amazonaws.com/team/nginx@sha256:" + strings.Repeat("a", 64),
}

// ownApp is an app that uses every setting of its own.
var ownApp = map[string]string{
	"app.command":       `["/app","--verbose"]`,
	"app.healthCommand": `["CMD","/app","--healthy"]`,
	"app.user":          "65532:65532",
	"app.writablePaths": `["/tmp","/var/cache/app"]`,
	"app.buildArgs":     `{"VERSION":"2"}`,
	"app.target":        "dependencies",
	"app.environment":   `{"LOG_LEVEL":"debug","WORKERS":4,"TRACE":true,"NODE_ENV":"staging"}`,
	"app.secrets": `{"DATABASE_URL":"ssm:/shop/database","TOKEN":"ssm:token","STRIPE":"secretsmanager:shop/stripe",
		"STRIPE_KEY":"secretsmanager:shop/stripe#key"}`,
	"app.policies":   `["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess","arn:aws:iam::123456789012:policy/team/queue"]`,
	"task.exec":      "true",
	"storage.kmsKey": someKey,
}

const certificateARN = "arn:aws:acm:eu-central-1:" + infratest.Account + ":certificate/12345678-1234-1234-1234-123456789012"

const webACLARN = "arn:aws:wafv2:eu-central-1:" + infratest.Account + ":regional/webacl/shop/12345678-1234-1234-1234-123456789012"

var encrypted = map[string]string{"domain.name": "www.example.com", "domain.zone": "Z0123456789ABCDEFGHIJ"}

// stacks are the environments that have a file.
var stacks = []string{"dev", "staging", "prod"}

func shapes(t *testing.T) map[string]map[string]string {
	t.Helper()

	return map[string]map[string]string{
		"dev":       stackSettings(t, "dev", nil),
		"staging":   stackSettings(t, "staging", nil),
		"prod":      stackSettings(t, "prod", nil),
		"existing":  stackSettings(t, "prod", existing),
		"prebuilt":  stackSettings(t, "dev", prebuilt),
		"endpoints": stackSettings(t, "prod", map[string]string{"network.egress": "endpoints"}),
		"https":     stackSettings(t, "prod", encrypted),
		"dualstack": stackSettings(t, "prod", dualstack),
		"restricted": stackSettings(t, "prod", map[string]string{
			"domain.certificate": certificateARN, "ingress.http": "false", "ingress.firewall": webACLARN,
			"ingress.clients": `["198.51.100.0/24","203.0.113.0/24","pl-0123456789abcdef0"]`,
		}),
		"odd": stackSettings(t, "prod", map[string]string{
			"app.name": "a-name-of-20-letters", "http.port": "8443", "app.port": "4000",
			"network.ports": "[443,5432]", "task.architecture": "ARM64", "task.storage": "50GiB",
		}),
		"database": stackSettings(t, "prod", map[string]string{
			"network.groups": `[{"port":5432,"id":"` + databaseGroup + `","addIngressRule":true},` +
				`{"port":6379,"id":"` + cacheGroup + `"}]`,
		}),
		"commands": stackSettings(t, "prod", map[string]string{"deployment.command": `["migrate"]`, "schedule": nightly}),
		"rights":   stackSettings(t, "prod", ownApp),
		"further":  stackSettings(t, "prod", map[string]string{"containers": "{" + agent + "}"}),
		"shared":   stackSettings(t, "prod", behindAnother),
		"login": stackSettings(t, "prod", with(encrypted, map[string]string{
			"login": login(`,"paths":["/api/admin"]`), "http.headerLimit": "16KiB",
		})),
		"api": stackSettings(t, "prod", with(encrypted, behindAPI)),
		"scaled": stackSettings(t, "prod", map[string]string{
			"scale.max": "10", "scale.requests": "1000", "scale.schedules": night, "scale.spot": "70",
		}),
	}
}

// run runs the program and returns what it declared, with the images untagged.
func run(t *testing.T, settings map[string]string) *infratest.Graph {
	t.Helper()

	return untagged(runOnce(t, settings))
}

// runOnce runs the program and returns what it declared.
func runOnce(t *testing.T, settings map[string]string) *infratest.Graph {
	t.Helper()

	graph, err := infratest.Run(infra.Program, options(settings))
	if err != nil {
		t.Fatal(err)
	}

	return graph
}

func options(settings map[string]string) infratest.Options {
	return infratest.Options{Project: infratest.Project, Stack: "test", Settings: settings}
}

// defaults are the settings of a stack that sets nothing but the region.
func defaults(t *testing.T, changes map[string]string) map[string]string {
	t.Helper()

	settings := stackSettings(t, "", nil)
	settings["aws:region"] = "eu-central-1"

	return infratest.With(settings, changes)
}

// of is the value of a setting: that of the stack, or the default of its profile.
func of(t *testing.T, settings map[string]string, path string) string {
	t.Helper()

	if given := infratest.At(settings, path); given != "" {
		return given
	}
	declared := declared(t)[path]
	if declared.InProd != "" && infratest.At(settings, "profile") == "prod" {
		return declared.InProd
	}

	return declared.Default
}

// forEveryShape checks one property on every shape.
func forEveryShape(t *testing.T, check func(t *testing.T, settings map[string]string, graph *infratest.Graph)) {
	t.Helper()

	for name, settings := range shapes(t) {
		t.Run(name, func(t *testing.T) { check(t, settings, run(t, settings)) })
	}
}

// one returns the only resource of a type.
func one(t *testing.T, graph *infratest.Graph, token string) infratest.Resource {
	t.Helper()

	all := graph.OfType(token)
	if len(all) != 1 {
		t.Fatalf("%d resources of type %s; want one", len(all), token)
	}

	return all[0]
}

// named returns the resource of a type with the given logical name.
func named(t *testing.T, graph *infratest.Graph, token, name string) infratest.Resource {
	t.Helper()

	for _, r := range graph.OfType(token) {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no resource %s of type %s", name, token)

	return infratest.Resource{}
}

// at follows a path through nested inputs and returns what is there as plain Go.
func at(t *testing.T, r infratest.Resource, path ...any) any {
	t.Helper()

	var value any = r.Inputs.Mappable()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				t.Fatalf("%s %s: nothing at %v", r.Type, r.Name, path)
			}
			value = list[step]
		}
	}

	return value
}

// containers returns the container definitions by name.
func containers(t *testing.T, graph *infratest.Graph) map[string]map[string]any {
	t.Helper()

	return containersOf(t, serviceDefinition(t, graph))
}

// serviceDefinition is the task definition of the service, not that of its commands.
func serviceDefinition(t *testing.T, graph *infratest.Graph) infratest.Resource {
	t.Helper()

	for _, definition := range graph.OfType(taskDefinition) {
		if !strings.HasSuffix(definition.Name, "-commands") {
			return definition
		}
	}
	t.Fatal("no task definition of the service")

	return infratest.Resource{}
}

func environment(container map[string]any) map[string]string {
	values := map[string]string{}
	for _, entry := range container["environment"].([]any) {
		pair := entry.(map[string]any)
		values[pair["name"].(string)] = pair["value"].(string)
	}

	return values
}

const (
	cluster         = "aws:ecs/cluster:Cluster"
	defaultGroup    = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
	ecsService      = "aws:ecs/service:Service"
	egressRule      = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	dockerImage     = "docker:index/image:Image"
	ingressRule     = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	lifecyclePolicy = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
	listener        = "aws:lb/listener:Listener"
	loadBalancer    = "aws:lb/loadBalancer:LoadBalancer"
	logGroup        = "aws:cloudwatch/logGroup:LogGroup"
	record          = "aws:route53/record:Record"
	provider        = "pulumi:providers:aws"
	repository      = "aws:ecr/repository:Repository"
	registry        = "aws:servicediscovery/service:Service"
	role            = "aws:iam/role:Role"
	rolePolicy      = "aws:iam/rolePolicy:RolePolicy"
	securityGroup   = "aws:ec2/securityGroup:SecurityGroup"
	targetGroup     = "aws:lb/targetGroup:TargetGroup"
	taskDefinition  = "aws:ecs/taskDefinition:TaskDefinition"
	vpcEndpoint     = "aws:ec2/vpcEndpoint:VpcEndpoint"
	vpc             = "awsx:ec2:Vpc"
	getToken        = "aws:ecr/getAuthorizationToken:getAuthorizationToken"
	ownComponents   = "fargate-nginx-sidecar:" // of whatever project
)

func TestEveryResourceBelongsToAComponent(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		for _, r := range graph.Resources {
			parent, ok := graph.ByURN(r.Parent)
			switch {
			case r.Type == provider || strings.HasPrefix(r.Type, ownComponents):
				if ok {
					t.Errorf("%s is below %s; want it at the top", r.URN, r.Parent)
				}
			case !ok || !strings.HasPrefix(parent.Type, ownComponents):
				t.Errorf("%s is below %q; want it in a component", r.URN, r.Parent)
			// What belongs to the domain stays when the service gets another name.
			case r.Type == certificate || r.Type == validation || r.Type == record:
			// AWS prescribes how the name of the firewall's log group begins.
			case !strings.HasPrefix(strings.TrimPrefix(r.Name, "aws-waf-logs-"), parent.Name):
				t.Errorf("%s: name does not begin with its component's, %s", r.URN, parent.Name)
			}
		}
	})
}

// Whatever can have tags gets them from the provider, so the test checks that nothing bypasses it.
func TestEveryAWSResourceIsTaggedByTheOneProvider(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		aws := one(t, graph, provider)
		want := map[string]any{
			"Project": infratest.Project, "Stack": "test", "ManagedBy": "pulumi",
			"Service": of(t, settings, "app.name"),
		}
		if got := at(t, aws, "defaultTags", "tags"); !reflect.DeepEqual(got, want) {
			t.Errorf("default tags: %v; want %v", got, want)
		}
		if got := at(t, aws, "region"); got != "eu-central-1" {
			t.Errorf("region: %v; want the setting's", got)
		}
		for _, r := range graph.Resources {
			if strings.HasPrefix(r.Type, "aws:") && r.Provider != aws.URN {
				t.Errorf("%s has provider %q", r.URN, r.Provider)
			}
			// The engine passes a component's providers on to the components in it, including the remote one.
			if strings.HasPrefix(r.Type, ownComponents) && r.Providers["aws"] != aws.URN {
				t.Errorf("%s has providers %v", r.URN, r.Providers)
			}
		}
		for _, call := range graph.Calls {
			if call.Provider != aws.URN {
				t.Errorf("call of %s has provider %q", call.Token, call.Provider)
			}
		}
		service := one(t, graph, ecsService)
		if at(t, service, "propagateTags") != "SERVICE" || at(t, service, "enableEcsManagedTags") != true {
			t.Error("tasks do not get the service's tags")
		}
	})
}

// cacheGroup is a security group of another stack, to which its owner lets the tasks.
const cacheGroup = "sg-0123456789abcdef8"

// The test has the complete list of what the security groups allow; nothing else may come in or go out.
func TestSecurityGroupsOpenOnlyTheWayThroughTheLoadBalancer(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		groups := map[string]string{infratest.SharedGroup: "shared"}
		for _, group := range graph.OfType(securityGroup) {
			id := referenced(t, graph, group)
			groups[id] = strings.TrimPrefix(group.Name, of(t, settings, "app.name")+"-")
			if len(group.Inputs) != 2 {
				t.Errorf("%s has inputs %v; want description and VPC alone", group.URN, group.Inputs)
			}
		}

		groups[databaseGroup], groups[cacheGroup] = "database", "cache"

		var got []string
		for _, r := range slices.Concat(graph.OfType(ingressRule), graph.OfType(egressRule)) {
			direction := "in from"
			if r.Type == egressRule {
				direction = "out to"
			}
			other, _ := at(t, r, "cidrIpv4").(string)
			if range6, ok := at(t, r, "cidrIpv6").(string); ok {
				other = range6
			}
			if list, ok := at(t, r, "prefixListId").(string); ok {
				other = list
			}
			if group, ok := at(t, r, "referencedSecurityGroupId").(string); ok {
				other += groups[group]
			}
			got = append(got, fmt.Sprintf("%s %s %s: %s %v-%v", groups[at(t, r, "securityGroupId").(string)], direction, other,
				at(t, r, "ipProtocol"), at(t, r, "fromPort"), at(t, r, "toPort")))
		}
		slices.Sort(got)

		port := of(t, settings, "http.port")
		kind := strings.TrimSuffix(of(t, settings, "ingress.kind"), "-gateway")
		want := []string{kind + " out to tasks: tcp " + port + "-" + port, "tasks in from " + kind + ": tcp " + port + "-" + port}
		if kind == "alb" {
			want = append(want, clientRules(t, settings)...)
		}
		if of(t, settings, "login") != "" {
			want = append(want, "alb out to 0.0.0.0/0: tcp 443-443")
		}
		if of(t, settings, "network.egress") == "endpoints" {
			want = append(want, "endpoints in from 10.0.0.0/16: tcp 443-443")
		}
		for _, out := range numbers(t, of(t, settings, "network.ports")) {
			want = append(want, fmt.Sprintf("tasks out to 0.0.0.0/0: tcp %d-%d", out, out))
		}
		if of(t, settings, "network.groups") != "" {
			want = append(want,
				"tasks out to database: tcp 5432-5432",
				"database in from tasks: tcp 5432-5432",
				"tasks out to cache: tcp 6379-6379",
			)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("open:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// clientRules are the rules for clients that the settings ask for: one for every source and every port with a listener.
func clientRules(t *testing.T, settings map[string]string) []string {
	t.Helper()

	sources := []string{"0.0.0.0/0"}
	if given := infratest.At(settings, "ingress.clients"); given != "" {
		sources = nil
		if err := json.Unmarshal([]byte(given), &sources); err != nil {
			t.Fatal(err)
		}
	}
	var ports []int
	certified := of(t, settings, "domain.name")+of(t, settings, "domain.certificate") != ""
	if !certified || of(t, settings, "ingress.http") == "redirect" {
		ports = append(ports, 80)
	}
	if certified {
		ports = append(ports, 443)
	}

	var rules []string
	for _, source := range sources {
		for _, port := range ports {
			rules = append(rules, fmt.Sprintf("alb in from %s: tcp %d-%d", source, port, port))
		}
	}

	return rules
}

func numbers(t *testing.T, list string) []int {
	t.Helper()

	var all []int
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatal(err)
	}

	return all
}

// referenced returns the id that the recorder gave a resource.
func referenced(t *testing.T, graph *infratest.Graph, r infratest.Resource) string {
	t.Helper()

	id, ok := graph.IDs[r.URN]
	if !ok {
		t.Fatalf("%s has no id", r.URN)
	}

	return id
}

// If the port of a rule were changed in place, the old tasks would be cut off before the new ones are ready.
func TestAnotherPortIsOpenedBesideTheOldOne(t *testing.T) {
	rules := func(port string) []string {
		graph := run(t, defaults(t, map[string]string{"http.port": port}))
		var urns []string
		for _, r := range slices.Concat(graph.OfType(ingressRule), graph.OfType(egressRule)) {
			if _, between := at(t, r, "referencedSecurityGroupId").(string); between {
				urns = append(urns, r.URN)
			}
		}
		return urns
	}
	before, after := rules("8080"), rules("8081")
	if len(before) != 2 || len(after) != 2 || slices.ContainsFunc(before, func(urn string) bool { return slices.Contains(after, urn) }) {
		t.Errorf("rules for 8080: %v\nfor 8081: %v\nwant two each, all different", before, after)
	}
}

func TestDefaultSecurityGroupOfANewVPCIsEmptied(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		if of(t, settings, "network.kind") == "existing" {
			if len(graph.OfType(defaultGroup)) != 0 {
				t.Error("the default group of an existing VPC is adopted")
			}
			return
		}
		group := one(t, graph, defaultGroup)
		for _, direction := range []string{"ingress", "egress"} {
			if got := at(t, group, direction); !reflect.DeepEqual(got, []any{}) {
				t.Errorf("%s: %v; want none", direction, got)
			}
		}
		if vpcID := at(t, graph.OfType(securityGroup)[0], "vpcId"); at(t, group, "vpcId") != vpcID {
			t.Errorf("VPC %v; want the service's, %v", at(t, group, "vpcId"), vpcID)
		}
	})
}

func TestPortsAgreeEverywhere(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		port := of(t, settings, "http.port")
		appPort := of(t, settings, "app.port")
		nginx, app := containers(t, graph)["nginx"], containers(t, graph)["app"]
		service := one(t, graph, ecsService)
		mapping := nginx["portMappings"].([]any)[0].(map[string]any)
		between := slices.DeleteFunc(graph.OfType(egressRule), func(r infratest.Resource) bool { return !strings.Contains(r.Name, "-to-tasks-") })

		for what, got := range map[string]any{
			"service":          registered(t, service)["containerPort"],
			"container port":   mapping["containerPort"],
			"host port":        mapping["hostPort"],
			"NGINX's setting":  environment(nginx)["NGINX_PORT"],
			"way from the ALB": at(t, between[0], "fromPort"),
		} {
			if fmt.Sprint(got) != port {
				t.Errorf("%s: port %v; want %s", what, got, port)
			}
		}
		for _, targets := range graph.OfType(targetGroup) {
			if got := fmt.Sprint(at(t, targets, "port")); got != port {
				t.Errorf("target group: port %v; want %s", got, port)
			}
		}
		if got := registered(t, service)["containerName"]; got != "nginx" {
			t.Errorf("requests go to %v", got)
		}
		if got := environment(nginx)["APP_PORT"]; got != appPort || environment(app)["PORT"] != appPort {
			t.Errorf("app port: NGINX sends to %s, app listens on %s; want %s", got, environment(app)["PORT"], appPort)
		}
		if len(app["portMappings"].([]any)) != 0 {
			t.Error("the app is reachable without NGINX")
		}
	})
}

// registered says where a service registers its tasks.
func registered(t *testing.T, service infratest.Resource) map[string]any {
	t.Helper()

	balancers, _ := at(t, service, "loadBalancers").([]any)
	registry, inRegistry := at(t, service, "serviceRegistries").(map[string]any)
	if len(balancers)+map[bool]int{true: 1}[inRegistry] != 1 {
		t.Fatalf("registered in %v and %v; want one place", balancers, registry)
	}
	if inRegistry {
		return registry
	}

	return balancers[0].(map[string]any)
}

type policyDocument struct {
	Statement []struct {
		Effect           string
		Action, Resource []string
		Principal        map[string]string
		Condition        map[string]map[string]string
	}
}

// policies returns the documents in a property of the resources of a type, or of those with the given names.
func policies(t *testing.T, graph *infratest.Graph, token, property string, names ...string) []policyDocument {
	t.Helper()

	var all []policyDocument
	for _, r := range graph.OfType(token) {
		if len(names) > 0 && !slices.Contains(names, r.Name) {
			continue
		}
		var document policyDocument
		if err := json.Unmarshal([]byte(r.Inputs[resource.PropertyKey(property)].StringValue()), &document); err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}

	return all
}

func TestExecutionRoleMayPullTheseImagesAndWriteTheseLogsAndNothingElse(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		pull := []string{}
		want := map[string][]string{"ecr:GetAuthorizationToken": {"*"}}
		for _, r := range graph.OfType(repository) {
			pull = append(pull, graph.Outputs[r.URN]["arn"].StringValue())
		}
		if of(t, settings, "http.image") != "" {
			given := "arn:aws:ecr:eu-west-1:" + infratest.Account + ":repository/team/nginx"
			pull = append(pull, given)
			want["ecr:BatchImportUpstreamImage"] = []string{given} // it may be a pull-through cache
		}
		// AWS's own agent for GuardDuty, which may be added to any task.
		pull = append(pull, "arn:aws:ecr:eu-central-1:*:repository/aws-guardduty-agent-fargate")
		for _, action := range []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} {
			want[action] = pull
		}
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			for _, r := range graph.OfType(logGroup) {
				if !strings.HasPrefix(r.Parent, one(t, graph, ecsService).Parent) { // of the firewall, or of an API
					continue
				}
				want[action] = append(want[action], graph.Outputs[r.URN]["arn"].StringValue()+":log-stream:*")
			}
		}

		if of(t, settings, "app.secrets") != "" {
			want["ssm:GetParameters"] = []string{
				"arn:aws:ssm:eu-central-1:" + infratest.Account + ":parameter/shop/database",
				"arn:aws:ssm:eu-central-1:" + infratest.Account + ":parameter/token",
			}
			want["secretsmanager:GetSecretValue"] = []string{infratest.SecretARN("shop/stripe")}
			want["kms:Decrypt"] = []string{someKey}
		}

		got := map[string][]string{}
		for _, document := range policies(t, graph, rolePolicy, "policy", "web-execution", "a-name-of-20-letters-execution") {
			for _, statement := range document.Statement {
				for _, action := range statement.Action {
					got[action] = append(got[action], statement.Resource...)
				}
			}
		}
		for _, resources := range got {
			slices.Sort(resources)
		}
		for _, resources := range want {
			slices.Sort(resources)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rights: %v\nwant:   %v", got, want)
		}
	})
}

func TestRolesServeTasksOfThisAccountAlone(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		var want policyDocument
		text := `{"Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],
			"Principal":{"Service":"ecs-tasks.amazonaws.com"},
			"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:ecs:eu-central-1:123456789012:*"},
				"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		tasks := &infratest.Graph{Resources: slices.DeleteFunc(slices.Clone(graph.Resources), func(r infratest.Resource) bool {
			return strings.HasSuffix(r.Name, "-schedule") // TestScheduledTasksRunAsTheAppDoes checks that one.
		})}
		for _, got := range policies(t, tasks, role, "assumeRolePolicy") {
			if !reflect.DeepEqual(got, want) {
				t.Errorf("trust: %+v\nwant:  %+v", got, want)
			}
		}
	})
}

func TestNoPolicyAllowsEveryAction(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		all := slices.Concat(policies(t, graph, rolePolicy, "policy"), policies(t, graph, role, "assumeRolePolicy"))
		for _, document := range all {
			for _, statement := range document.Statement {
				if strings.Contains(strings.Join(statement.Action, " "), "*") {
					t.Errorf("actions %v", statement.Action)
				}
			}
		}
	})
}

func TestTasksRunBuiltImagesByDigest(t *testing.T) {
	digest := regexp.MustCompile(`^(.+)@sha256:[0-9a-f]{64}$`)
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		for name, container := range containers(t, graph) {
			if name != "nginx" && name != "app" {
				continue // TestFurtherContainersRunBesideNginxAndTheApp checks that they have the given image.
			}
			image := container["image"].(string)
			if given := of(t, settings, map[string]string{"nginx": "http.image", "app": "app.image"}[name]); given != "" {
				if image != given {
					t.Errorf("%s: image %s; want the given one", name, image)
				}
				continue
			}
			own := named(t, graph, repository, of(t, settings, "app.name")+"-"+name)
			part := digest.FindStringSubmatch(image)
			if part == nil || part[1] != graph.Outputs[own.URN]["repositoryUrl"].StringValue() {
				t.Errorf("%s: image %s; want a digest in the repository of %s", name, image, own.Name)
			}
		}
	})
}

func TestNamesLeaveRoomForTheSuffix(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		for _, r := range slices.Concat(graph.OfType(loadBalancer), graph.OfType(targetGroup)) {
			if len(r.Name) > 24 {
				t.Errorf("%s has %d characters; a load balancer's name may have 32, eight of them Pulumi's", r.Name, len(r.Name))
			}
		}
		for _, r := range graph.Resources {
			// A DNS record is its name, and the stage of an API is part of its address.
			if _, fixed := r.Inputs["name"]; fixed && r.Type != record && r.Type != apiStage {
				t.Errorf("%s has a fixed name; replacing it would fail", r.URN)
			}
		}
	})
}

func TestNoInputIsNullOrEmpty(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		for _, r := range graph.Resources {
			r.Walk(func(path string, value resource.PropertyValue) {
				// A load balancer without access logs has no bucket for them, and has to say so.
				if r.Type == loadBalancer && path == "accessLogs.bucket" && at(t, r, "accessLogs", "enabled") == false {
					return
				}
				if value.IsNull() || value.IsString() && value.StringValue() == "" {
					t.Errorf("%s: %s is %v", r.URN, path, value)
				}
			})
		}
	})
}

func TestASecondRunDeclaresTheSame(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, first *infratest.Graph) {
		if second := run(t, settings); !reflect.DeepEqual(first, second) {
			t.Error("two runs with the same settings declare different things")
		}
	})
}

func TestServiceWaitsForEverythingATaskNeeds(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		service := one(t, graph, ecsService)
		for _, token := range []string{vpcEndpoint, listener, rolePolicy, policyAttachment, ingressRule, egressRule, vpc, taskDefinition, cluster} {
			for _, r := range graph.OfType(token) {
				if !slices.Contains(service.DependsOn, r.URN) && !strings.Contains(r.Name, "-alb-http") && !strings.Contains(r.Name, "-alb-to-issuer") &&
					!strings.HasSuffix(r.Name, "-schedule") {
					t.Errorf("the service does not wait for %s", r.URN)
				}
			}
		}
		if at(t, service, "waitForSteadyState") != false {
			t.Error("the provider waits, too, and would explain nothing")
		}
	})
}

func TestEachContainerWritesToItsOwnLogGroup(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		service := of(t, settings, "app.name")
		for name, container := range containers(t, graph) {
			owner := name
			if name != "nginx" {
				owner = "app" // with what else is in the task
			}
			group := named(t, graph, logGroup, service+"-"+owner)
			options := container["logConfiguration"].(map[string]any)["options"].(map[string]any)
			if want := graph.Outputs[group.URN]["name"].StringValue(); options["awslogs-group"] != want {
				t.Errorf("%s writes to %v; want %s", name, options["awslogs-group"], want)
			}
			if want := service + "/" + name; options["awslogs-stream-prefix"] != want || options["awslogs-region"] != "eu-central-1" {
				t.Errorf("%s: log options %v; want the prefix %s", name, options, want)
			}
			if options["mode"] != "non-blocking" {
				t.Errorf("%s waits for CloudWatch", name)
			}
		}
	})
}

func TestRepositoriesKeepWhatRunsAndTheNewestImagesWhateverTheirTags(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, graph *infratest.Graph) {
		for _, r := range graph.OfType(lifecyclePolicy) {
			tag := strings.Split(at(t, named(t, graph, dockerImage, r.Name), "imageName").(string), ":")[1]
			content, _, _ := strings.Cut(tag, "-")
			want := fmt.Sprintf(`{"rules":[{"rulePriority":1,"description":"Keep the image that runs",`+
				`"selection":{"tagStatus":"tagged","tagPrefixList":["%s"],"countType":"imageCountMoreThan","countNumber":1},`+
				`"action":{"type":"expire"}},{"rulePriority":2,"description":"Keep the newest %[2]s images",`+
				`"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":%[2]s},"action":{"type":"expire"}}]}`,
				content, "30")
			if got := at(t, r, "policy"); got != want {
				t.Errorf("%s: %v\nwant: %s", r.Name, got, want)
			}
			own := named(t, graph, repository, r.Name)
			if got, want := at(t, r, "repository"), graph.Outputs[own.URN]["name"].StringValue(); got != want {
				t.Errorf("%s is the policy of %v; want %s", r.Name, got, want)
			}
		}
	})
}

// A target group cannot move to another load balancer, nor a load balancer to another VPC.
func TestLoadBalancerAndTargetGroupAreReplacedTogether(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		type pair struct {
			r    infratest.Resource
			with []string
		}
		target := slices.Concat(graph.OfType(targetGroup), graph.OfType(registry))[0]
		pairs := []pair{{one(t, graph, ecsService), []string{
			named(t, graph, securityGroup, one(t, graph, ecsService).Name+"-tasks").URN, target.URN,
		}}}
		for _, balancer := range graph.OfType(loadBalancer) {
			pairs = append(pairs, pair{target, []string{balancer.URN}},
				pair{balancer, []string{named(t, graph, securityGroup, balancer.Name).URN}})
		}
		for _, pair := range pairs {
			if !slices.Equal(pair.r.ReplaceWith, pair.with) {
				t.Errorf("%s is replaced with %v; want %s", pair.r.URN, pair.r.ReplaceWith, pair.with)
			}
		}
	})
}

func TestArchitectureDrivesImageAndTask(t *testing.T) {
	for architecture, platform := range map[string]string{"X86_64": "linux/amd64", "ARM64": "linux/arm64"} {
		graph := run(t, defaults(t, map[string]string{"task.architecture": architecture}))
		for _, image := range graph.OfType(dockerImage) {
			if got := at(t, image, "build", "platform"); got != platform {
				t.Errorf("%s: %s is built for %v", architecture, image.Name, got)
			}
		}
		if got := at(t, one(t, graph, taskDefinition), "runtimePlatform", "cpuArchitecture"); got != architecture {
			t.Errorf("%s: task runs on %v", architecture, got)
		}
	}
}

func TestTasksGetPublicAddressesOnlyWithoutAnotherWayOut(t *testing.T) {
	for name, test := range map[string]struct {
		settings map[string]string
		public   bool
		nat      any
	}{
		"low-cost":          {map[string]string{"network.kind": "low-cost"}, true, "None"},
		"large":             {map[string]string{"network.kind": "large"}, false, "OnePerAz"},
		"large, single NAT": {map[string]string{"network.kind": "large", "network.egress": "nat-single"}, false, "Single"},
		"large, endpoints":  {map[string]string{"network.kind": "large", "network.egress": "endpoints"}, false, "None"},
		"large, public":     {map[string]string{"network.kind": "large", "network.egress": "public"}, true, "None"},
		"existing":          {existing, false, nil},
		"existing, public": {map[string]string{
			"network.kind": "existing", "network.vpc": existing["network.vpc"], "network.publicSubnets": existing["network.publicSubnets"],
		}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, test.settings))
			service := one(t, graph, ecsService)
			if got := at(t, service, "networkConfiguration", "assignPublicIp"); got != test.public {
				t.Errorf("public addresses: %v; want %v", got, test.public)
			}
			same := reflect.DeepEqual(at(t, service, "networkConfiguration", "subnets"),
				at(t, one(t, graph, loadBalancer), "subnets"))
			if same != test.public {
				t.Errorf("tasks share the load balancer's subnets: %v; want %v", same, test.public)
			}
			if test.nat == nil {
				if len(graph.OfType(vpc)) != 0 {
					t.Error("a VPC is made")
				}
				return
			}
			if got := at(t, one(t, graph, vpc), "natGateways", "strategy"); got != test.nat {
				t.Errorf("NAT: %v; want %v", got, test.nat)
			}
		})
	}
}

// A network that grows must keep its public subnets; otherwise the load balancer would be unreachable for a while.
func TestPublicSubnetsStayWhenANetworkGrows(t *testing.T) {
	small := one(t, run(t, defaults(t, map[string]string{"network.kind": "low-cost"})), vpc)
	large := one(t, run(t, defaults(t, map[string]string{"network.kind": "large"})), vpc)
	if before, after := at(t, small, "subnetSpecs", 0), at(t, large, "subnetSpecs", 0); !reflect.DeepEqual(before, after) {
		t.Errorf("public subnets %v become %v", before, after)
	}
}

func TestPrebuiltImagesNeedNeitherRepositoryNorDocker(t *testing.T) {
	for name, test := range map[string]struct {
		settings map[string]string
		built    []string
	}{
		"both":        {prebuilt, nil},
		"app alone":   {map[string]string{"app.image": prebuilt["app.image"]}, []string{"web-nginx"}},
		"NGINX alone": {map[string]string{"http.image": prebuilt["http.image"]}, []string{"web-app"}},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, test.settings))
			for _, token := range []string{repository, lifecyclePolicy, dockerImage} {
				var names []string
				for _, r := range graph.OfType(token) {
					names = append(names, r.Name)
				}
				if !slices.Equal(names, test.built) {
					t.Errorf("%s: %v; want %v", token, names, test.built)
				}
			}
			tokens := 0
			for _, call := range graph.Calls {
				if call.Token == getToken {
					tokens++
				}
			}
			if tokens != len(test.built) {
				t.Errorf("%d registry tokens; want %d", tokens, len(test.built))
			}
		})
	}
}

func TestPublicImagesNeedNoRightsToPull(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"app.image": "public.ecr.aws/team/app:1", "http.image": "docker.io/team/nginx:1",
	}))
	for _, document := range policies(t, graph, rolePolicy, "policy") {
		for _, statement := range document.Statement {
			for _, resource := range statement.Resource {
				if strings.Contains(resource, ":repository/") && !strings.HasSuffix(resource, ":repository/aws-guardduty-agent-fargate") {
					t.Errorf("%v on %s", statement.Action, resource)
				}
			}
		}
	}
}

// ECR refuses a tag that it has, even for the same image. Content may return, and an update may be interrupted after its push:
// so every update brings a tag of its own, which counts only where something is pushed.
func TestAnImageIsPushedUnderATagThatWasNeverPushed(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, _ *infratest.Graph) {
		graph, again := runOnce(t, settings), runOnce(t, settings)
		for _, image := range graph.OfType(dockerImage) {
			name, folder := at(t, image, "imageName").(string), at(t, image, "build", "context").(string)
			where := graph.Outputs[named(t, graph, repository, image.Name).URN]["repositoryUrl"].StringValue()
			want := regexp.MustCompile("^" + regexp.QuoteMeta(where+":"+filepath.Base(folder)) + "-[0-9a-f]{8}$")
			if !want.MatchString(name) {
				t.Errorf("%s is pushed as %s; want %s", image.Name, name, want)
			}
			if at(t, named(t, again, dockerImage, image.Name), "imageName") == name {
				t.Errorf("%s: a second update brings the same tag", image.Name)
			}
			if !slices.Equal(image.IgnoreChanges, []string{"imageName"}) || !slices.Equal(image.ReplaceOnChanges, []string{"build", "registry"}) {
				t.Errorf("%s: a new tag alone pushes the image, or another build keeps the tag: %v, %v", image.Name, image.IgnoreChanges, image.ReplaceOnChanges)
			}
		}
	})
}

func TestRegistryPasswordIsSecret(t *testing.T) {
	for _, image := range run(t, defaults(t, nil)).OfType(dockerImage) {
		if password := image.Inputs["registry"].ObjectValue()["password"]; !password.IsSecret() {
			t.Errorf("%s: the password is in clear", image.Name)
		}
	}
}

func TestWrongDigestsFailBeforeATaskRunsThem(t *testing.T) {
	for name, test := range map[string]struct{ digest, want string }{
		"none": {"", `image web-app: digest "" from the Docker provider; allowed: ` +
			`123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app-`},
		"a tag": {"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app:latest",
			`image web-app: digest "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app:latest" from the Docker provider; allowed: `},
		"another repository's": {"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-nginx@sha256:" + strings.Repeat("b", 64),
			`bbbb" from the Docker provider is of another repository; allowed: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/web-app-`},
	} {
		t.Run(name, func(t *testing.T) {
			broken := options(defaults(t, nil))
			broken.Outputs = func(r infratest.Resource, outputs resource.PropertyMap) {
				if r.Type == dockerImage && r.Name == "web-app" {
					outputs["repoDigest"] = resource.NewProperty(test.digest)
				}
			}
			graph, err := infratest.Run(infra.Program, broken)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v\nwant: …%s…", err, test.want)
			}
			wayOut := "; to build and push it again: pulumi up --replace '" + named(t, graph, dockerImage, "web-app").URN + "'"
			if err == nil || !strings.Contains(err.Error(), wayOut) {
				t.Errorf("error: %v\nwant: …%s", err, wayOut)
			}
			if len(graph.OfType(taskDefinition)) != 0 || len(graph.OfType(ecsService)) != 0 {
				t.Error("a task definition with that image is declared")
			}
		})
	}
}

func TestADeploymentThatFailsOrIsRolledBackFailsTheUpdate(t *testing.T) {
	for _, status := range []string{"STOPPED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"} {
		ended := options(defaults(t, map[string]string{"scale.max": "10"}))
		ended.Deployment = func(infratest.Resource) *infratest.Deployment {
			return &infratest.Deployment{Status: status, Reason: "no task became healthy."}
		}
		graph, err := infratest.Run(infra.Program, ended)
		if err == nil {
			t.Fatalf("%s: the update succeeds", status)
		}
		failed := new(deployment.Failure)
		if !errors.As(err, &failed) || !strings.HasPrefix(failed.Error(), "service web: ") || !strings.Contains(failed.Error(), "no task became healthy.") {
			t.Errorf("%s: error: %v", status, err)
		}
		if len(graph.OfType(lifecyclePolicy)) != 0 {
			t.Error("the image that does not run is protected instead of the one that does")
		}
		if len(graph.OfType(scalingTarget)) != 0 {
			t.Error("load changes the number of tasks before the deployment has succeeded")
		}
	}
}

func TestARollbackSaysWhatItsTasksWroteLast(t *testing.T) {
	family := at(t, one(t, run(t, defaults(t, nil)), taskDefinition), "family").(string)
	requested := "arn:aws:ecs:eu-central-1:123456789012:task-definition/" + family + ":7"
	ended := options(defaults(t, nil))
	ended.Failed = requested
	ended.Deployment = func(infratest.Resource) *infratest.Deployment {
		return &infratest.Deployment{Status: "STOPPED", Reason: "tasks failed."}
	}

	graph, err := infratest.Run(infra.Program, ended)
	group := graph.Outputs[named(t, graph, logGroup, "web-app").URN]["name"].StringValue()
	want := "Task 0123456789abcdef stopped: Essential container in task exited\n  nginx: exit code 1\n  app: exit code 1\n" +
		"    a line in web/app/app/0123456789abcdef of " + group + "\n"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
}

func TestADeploymentToADeletedServiceFailsTheUpdate(t *testing.T) {
	deleted := options(defaults(t, nil))
	deleted.Deployment = func(infratest.Resource) *infratest.Deployment { return nil }

	_, err := infratest.Run(infra.Program, deleted)
	if want := "has been deleted: its status is INACTIVE; for a new one, run: pulumi up --refresh"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
}

func TestAnUpdateWaitsUntilTheDeploymentHasEnded(t *testing.T) {
	looks := 0
	slow := options(defaults(t, nil))
	slow.Deployment = func(infratest.Resource) *infratest.Deployment {
		looks++
		// Each look asks twice: whether the service exists, and for its deployment.
		return &infratest.Deployment{Status: []string{"IN_PROGRESS", "IN_PROGRESS", "SUCCESSFUL"}[min(looks-1, 2)]}
	}
	if _, err := infratest.Run(infra.Program, slow); err != nil || looks != 4 {
		t.Errorf("%d requests, error %v; want two looks with two each and no error", looks, err)
	}
}

func TestAPreviewDeclaresTheSameAsAnUpdateAndAsksForNoDeployments(t *testing.T) {
	forEveryShape(t, func(t *testing.T, settings map[string]string, updated *infratest.Graph) {
		for _, exists := range []bool{false, true} {
			preview := options(settings)
			preview.Preview, preview.Exists = true, exists
			preview.Deployment = func(infratest.Resource) *infratest.Deployment {
				t.Error("a preview asks what runs, and would fail where the update repairs the service")
				return nil
			}
			graph, err := infratest.Run(infra.Program, preview)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := graph.Types(), updated.Types(); !maps.Equal(got, want) {
				t.Errorf("stack exists: %v\npreview: %v\nupdate:  %v", exists, got, want)
			}
		}
	})
}

// A stack that sets nothing has the numbers of AWS's pattern.
func TestDefaultsAreThoseOfThePattern(t *testing.T) {
	graph := run(t, defaults(t, nil))
	for _, test := range []struct {
		token string
		path  []any
		want  any
	}{
		{cluster, []any{"settings", 0}, map[string]any{"name": "containerInsights", "value": "enabled"}},
		{ecsService, []any{"desiredCount"}, 2.0},
		{ecsService, []any{"deploymentMaximumPercent"}, 200.0},
		{ecsService, []any{"deploymentMinimumHealthyPercent"}, 75.0},
		{ecsService, []any{"deploymentCircuitBreaker"}, map[string]any{"enable": true, "rollback": true}},
		{ecsService, []any{"launchType"}, "FARGATE"},
		{ecsService, []any{"availabilityZoneRebalancing"}, "ENABLED"},
		{taskDefinition, []any{"cpu"}, "1024"},
		{taskDefinition, []any{"memory"}, "2048"},
		{taskDefinition, []any{"networkMode"}, "awsvpc"},
		{taskDefinition, []any{"requiresCompatibilities"}, []any{"FARGATE"}},
		{taskDefinition, []any{"runtimePlatform", "operatingSystemFamily"}, "LINUX"},
		{loadBalancer, []any{"internal"}, false},
		{loadBalancer, []any{"idleTimeout"}, 60.0},
		{loadBalancer, []any{"dropInvalidHeaderFields"}, true},
		{loadBalancer, []any{"desyncMitigationMode"}, "defensive"},
		{listener, []any{"port"}, 80.0},
		{listener, []any{"defaultActions", 0, "type"}, "forward"},
		{listener, []any{"defaultActions", 0, "forward", "targetGroups", 0, "weight"}, 100.0},
		{targetGroup, []any{"targetType"}, "ip"},
		{targetGroup, []any{"protocol"}, "HTTP"},
		{targetGroup, []any{"healthCheck"}, map[string]any{
			"enabled": true, "protocol": "HTTP", "port": "traffic-port", "path": "/", "matcher": "200",
			"interval": 6.0, "timeout": 5.0, "healthyThreshold": 2.0, "unhealthyThreshold": 10.0,
		}},
		{vpc, []any{"cidrBlock"}, "10.0.0.0/16"},
		{vpc, []any{"enableDnsSupport"}, true},
		{vpc, []any{"enableDnsHostnames"}, true},
		{vpc, []any{"availabilityZoneNames"}, []any{"eu-central-1a", "eu-central-1b"}},
	} {
		if got := at(t, one(t, graph, test.token), test.path...); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %v: %v; want %v", test.token, test.path, got, test.want)
		}
	}
	for _, r := range graph.OfType(repository) {
		if at(t, r, "imageTagMutability") != "IMMUTABLE" || at(t, r, "imageScanningConfiguration", "scanOnPush") != true ||
			at(t, r, "encryptionConfigurations", 0, "encryptionType") != "AES256" || at(t, r, "forceDelete") != true {
			t.Errorf("repository %s: %v", r.Name, r.Inputs)
		}
	}
	for _, r := range graph.OfType(logGroup) {
		if got := at(t, r, "retentionInDays"); got != 30.0 {
			t.Errorf("log group %s is kept %v days", r.Name, got)
		}
	}
}

// dockerfile finds what an image's Dockerfile says.
func dockerfile(t *testing.T, image, pattern string) string {
	t.Helper()

	text, err := readFile(t, filepath.Join("images", image, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?m)` + pattern).FindSubmatch(text)
	if part == nil {
		t.Fatalf("images/%s/Dockerfile has no line %s", image, pattern)
	}

	return string(part[1])
}

func TestTaskDefinitionAndDockerfilesSayTheSame(t *testing.T) {
	for name, container := range containers(t, run(t, defaults(t, nil))) {
		if want := dockerfile(t, name, `^USER (\S+)$`); container["user"] != want {
			t.Errorf("%s: user %v; the Dockerfile has %s", name, container["user"], want)
		}
		check, has := container["healthCheck"].(map[string]any)
		if !has {
			continue // NGINX asks the app
		}
		command, err := json.Marshal(check["command"].([]any)[1:])
		if err != nil {
			t.Fatal(err)
		}
		written := dockerfile(t, name, `^HEALTHCHECK .*CMD \[(.*)\]$`)
		if got, want := string(command), "["+strings.ReplaceAll(written, ", ", ",")+"]"; got != want {
			t.Errorf("%s: health command %s; the Dockerfile has %s", name, got, want)
		}
		for option, key := range map[string]string{"interval": "interval", "timeout": "timeout", "start-period": "startPeriod"} {
			want := dockerfile(t, name, `^HEALTHCHECK .*--`+option+`=([0-9]+)s`)
			if fmt.Sprint(check[key]) != want {
				t.Errorf("%s: health check %s %v s; the Dockerfile has %s s", name, key, check[key], want)
			}
		}
		if want := dockerfile(t, name, `^HEALTHCHECK .*--retries=([0-9]+)`); fmt.Sprint(check["retries"]) != want {
			t.Errorf("%s: %v retries; the Dockerfile has %s", name, check["retries"], want)
		}
	}
}

// untagged cuts off the end of each image's tag, which every update makes anew and the engine ignores.
func untagged(graph *infratest.Graph) *infratest.Graph {
	for _, image := range graph.OfType(dockerImage) {
		for _, properties := range []resource.PropertyMap{image.Inputs, graph.Outputs[image.URN]} {
			name := properties["imageName"].StringValue()
			properties["imageName"] = resource.NewProperty(name[:strings.LastIndex(name, "-")])
		}
	}

	return graph
}

// goldenGraph is the graph as text: one JSON object, with JSON in strings decoded and digests of contents hidden.
func goldenGraph(t *testing.T, graph *infratest.Graph) []byte {
	t.Helper()

	type entry struct {
		Inputs      any            `json:"inputs,omitempty"`
		DependsOn   []string       `json:"dependsOn,omitempty"`
		ReplaceWith []string       `json:"replaceWith,omitempty"`
		Parent      string         `json:"parent,omitempty"`
		Options     map[string]any `json:"options,omitempty"`
	}
	entries := map[string]entry{}
	for _, r := range graph.Resources {
		entries[short(r.URN)] = entry{
			Inputs: opened(r.Inputs.Mappable()), Parent: short(r.Parent),
			DependsOn: shortened(r.DependsOn), ReplaceWith: shortened(r.ReplaceWith), Options: resourceOptions(r),
		}
	}

	text, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	return append(regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAll(text, []byte("(64 digits)")), '\n')
}

// resourceOptions are those that say when the engine replaces, keeps and deletes a resource, as far as they are given.
func resourceOptions(r infratest.Resource) map[string]any {
	all := map[string]any{
		"protect": r.Protect, "retainOnDelete": r.RetainOnDelete, "deleteBeforeReplace": r.DeleteBeforeReplace,
		"replaceOnChanges": r.ReplaceOnChanges, "replacementTrigger": r.ReplacementTrigger, "ignoreChanges": r.IgnoreChanges,
		"aliases": r.Aliases, "createTimeout": r.CreateTimeout, "updateTimeout": r.UpdateTimeout, "deleteTimeout": r.DeleteTimeout,
	}
	maps.DeleteFunc(all, func(_ string, value any) bool {
		given := reflect.ValueOf(value)
		return given.IsZero() || given.Kind() == reflect.Slice && given.Len() == 0
	})

	return all
}

// short reduces a URN to its type and name.
func short(urn string) string {
	parts := strings.Split(urn, "::")
	typ := parts[max(0, len(parts)-2)]

	return typ[strings.LastIndex(typ, "$")+1:] + " " + parts[len(parts)-1]
}

func shortened(urns []string) []string {
	all := make([]string, len(urns))
	for i, urn := range urns {
		all[i] = short(urn)
	}
	slices.Sort(all)

	return all
}

// opened replaces strings that hold JSON objects or lists by what they hold.
func opened(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, element := range value {
			value[key] = opened(element)
		}
	case []any:
		for i, element := range value {
			value[i] = opened(element)
		}
	case *resource.Secret:
		return "(secret)"
	case string:
		var inside any
		if strings.ContainsAny(value[:min(1, len(value))], "{[") && json.Unmarshal([]byte(value), &inside) == nil {
			return opened(inside)
		}
	}

	return value
}

// The golden graphs show in a review what a change does to each stack. Whether that is right is for the other tests.
func TestGoldenGraphs(t *testing.T) {
	all := map[string]map[string]string{
		"shared": stackSettings(t, "dev", behindAnother), "api": stackSettings(t, "dev", with(encrypted, behindAPI)),
	}
	for _, stack := range stacks {
		all[stack] = stackSettings(t, stack, nil)
	}
	for stack, settings := range all {
		golden := filepath.Join("infra", "testdata", "graph."+stack+".json")
		got := goldenGraph(t, run(t, settings))

		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := readFile(t, golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("the graph of %s is not %s; if it should change, run: go test ./infra -run Golden -update\n%s",
				stack, golden, firstDifference(string(got), string(want)))
		}
	}
}

func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			return fmt.Sprintf("line %d: %s\ngolden: %s", i+1, gotLines[i], wantLines[i])
		}
	}

	return fmt.Sprintf("%d lines; golden: %d", len(gotLines), len(wantLines))
}
