package infra_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra/infratest"
)

const (
	api            = "aws:apigatewayv2/api:Api"
	apiDomain      = "aws:apigatewayv2/domainName:DomainName"
	apiIntegration = "aws:apigatewayv2/integration:Integration"
	apiMapping     = "aws:apigatewayv2/apiMapping:ApiMapping"
	apiRoute       = "aws:apigatewayv2/route:Route"
	apiStage       = "aws:apigatewayv2/stage:Stage"
	namespace      = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
	vpcLink        = "aws:apigatewayv2/vpcLink:VpcLink"
)

// inputs checks the inputs of a resource, all of them.
func inputs(t *testing.T, r infratest.Resource, want map[string]any) {
	t.Helper()

	if got := r.Inputs.Mappable(); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v\nwant: %v", r.URN, got, want)
	}
}

// The whole way from the API to the tasks: each part names the next one.
func TestAnAPIReachesTheTasksThroughAVPCLink(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", behindAPI))
	for _, token := range []string{loadBalancer, listener, listenerRule, targetGroup, webACL} {
		if all := graph.OfType(token); len(all) != 0 {
			t.Errorf("%v are declared; want no %s", all, token)
		}
	}
	id := func(token string) string { return graph.IDs[one(t, graph, token).URN] }
	arn := func(r infratest.Resource) string { return graph.Outputs[r.URN]["arn"].StringValue() }
	service := one(t, graph, ecsService)
	log := named(t, graph, logGroup, "web-api")

	inputs(t, one(t, graph, api), map[string]any{"protocolType": "HTTP", "disableExecuteApiEndpoint": false})
	inputs(t, one(t, graph, apiRoute), map[string]any{
		"apiId": id(api), "routeKey": "$default", "target": "integrations/" + id(apiIntegration),
	})
	inputs(t, one(t, graph, apiIntegration), map[string]any{
		"apiId": id(api), "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "payloadFormatVersion": "1.0",
		"connectionType": "VPC_LINK", "connectionId": id(vpcLink), "integrationUri": arn(one(t, graph, registry)),
		"timeoutMilliseconds": 30000.0, "requestParameters": map[string]any{"overwrite:header.sidecar-client": "$context.identity.sourceIp"},
	})
	group := named(t, graph, securityGroup, "web-api")
	inputs(t, one(t, graph, vpcLink), map[string]any{
		"securityGroupIds": []any{graph.IDs[group.URN]}, "subnetIds": at(t, service, "networkConfiguration", "subnets"),
	})
	inputs(t, one(t, graph, namespace), map[string]any{"vpc": at(t, group, "vpcId")})
	inputs(t, one(t, graph, registry), map[string]any{
		"dnsConfig": map[string]any{
			"namespaceId": id(namespace), "routingPolicy": "MULTIVALUE", "dnsRecords": []any{map[string]any{"type": "SRV", "ttl": 10.0}},
		},
		"healthCheckCustomConfig": map[string]any{"failureThreshold": 1.0}, "forceDestroy": true,
	})
	if got, want := at(t, service, "serviceRegistries"), map[string]any{
		"registryArn": arn(one(t, graph, registry)), "containerName": "nginx", "containerPort": 8080.0,
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("the tasks register in %v; want %v", got, want)
	}
	if got := at(t, service, "healthCheckGracePeriodSeconds"); got != nil {
		t.Errorf("grace period %v; want none, because ECS refuses it without a load balancer", got)
	}

	stage := one(t, graph, apiStage)
	settings := map[string]any{"throttlingRateLimit": 1000.0, "throttlingBurstLimit": 500.0}
	if at(t, stage, "name") != "$default" || at(t, stage, "autoDeploy") != true || !reflect.DeepEqual(at(t, stage, "defaultRouteSettings"), settings) {
		t.Errorf("stage: %v", stage.Inputs)
	}
	line := at(t, stage, "accessLogSettings", "format").(string)
	if at(t, stage, "accessLogSettings", "destinationArn") != arn(log) || !json.Valid([]byte(line)) || len(line) > 3*1024 {
		t.Errorf("access log: %v; want JSON of at most 3 KB in %s", at(t, stage, "accessLogSettings"), arn(log))
	}
	if quiet := one(t, run(t, defaults(t, behindAPI)), apiStage); at(t, quiet, "accessLogSettings") != nil {
		t.Errorf("access log in dev: %v", quiet.Inputs)
	}
}

func TestTheDomainPointsToTheAPI(t *testing.T) {
	graph := run(t, defaults(t, with(encrypted, behindAPI)))
	domain := one(t, graph, apiDomain)
	inputs(t, domain, map[string]any{"domainName": "www.example.com", "domainNameConfiguration": map[string]any{
		"certificateArn": graph.Outputs[one(t, graph, certificate).URN]["arn"].StringValue(), "endpointType": "REGIONAL", "securityPolicy": "TLS_1_2",
	}})
	if at(t, one(t, graph, api), "disableExecuteApiEndpoint") != true {
		t.Error("clients can go past the domain")
	}
	inputs(t, one(t, graph, apiMapping), map[string]any{
		"apiId": graph.IDs[one(t, graph, api).URN], "domainName": graph.IDs[domain.URN], "stage": graph.IDs[one(t, graph, apiStage).URN],
	})
	to := graph.Outputs[domain.URN]["domainNameConfiguration"].ObjectValue()
	alias := named(t, graph, record, "www.example.com")
	want := map[string]any{
		"name": to["targetDomainName"].StringValue(), "zoneId": to["hostedZoneId"].StringValue(), "evaluateTargetHealth": false,
	}
	if got := at(t, alias, "aliases", 0); !reflect.DeepEqual(got, want) {
		t.Errorf("alias: %v; want %v", got, want)
	}

	// The same record, so that one update changes it: two records of one name cannot exist beside each other.
	if before := named(t, run(t, defaults(t, encrypted)), record, "www.example.com"); before.URN != alias.URN {
		t.Errorf("the record is %s, with a load balancer %s", alias.URN, before.URN)
	}
	if got := outputs(t, defaults(t, with(encrypted, behindAPI))); got["url"] != "https://www.example.com" || got["loadBalancerArn"] != "" {
		t.Errorf("outputs: %v", got)
	}
	if got := outputs(t, defaults(t, behindAPI))["url"]; !strings.HasPrefix(got, "https://web-api-") {
		t.Errorf("url %s; want the API's own", got)
	}
}

// NGINX believes only whoever sits in the VPC link's subnets, which are the tasks' own.
func TestNginxBelievesTheVPCLinkAndNoLoadBalancer(t *testing.T) {
	for ranges, settings := range map[string]map[string]string{
		"10.0.0.0/19,10.0.32.0/19":  {},
		"10.0.64.0/19,10.0.96.0/19": {"network.kind": "large"},
	} {
		nginx := environment(containers(t, run(t, defaults(t, with(behindAPI, settings))))["nginx"])
		if nginx["NGINX_TRUSTED_PROXIES"] != ranges || nginx["NGINX_INGRESS"] != "api" {
			t.Errorf("trusts %s of %s; want the api in %s", nginx["NGINX_TRUSTED_PROXIES"], nginx["NGINX_INGRESS"], ranges)
		}
	}
	if kind, set := environment(containers(t, run(t, defaults(t, nil)))["nginx"])["NGINX_INGRESS"]; set {
		t.Errorf("NGINX_INGRESS is %s behind a load balancer; want none, which is the same", kind)
	}
}

func TestAlarmsAndDashboardWatchTheAPI(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", behindAPI))
	of := "map[ApiId:" + graph.IDs[one(t, graph, api).URN] + "] 60 s"
	for name, want := range map[string][]string{
		"web-api-5xx": {"AWS/ApiGateway Count Sum " + of, "AWS/ApiGateway 5xx Sum " + of},
		"web-latency": {"AWS/ApiGateway Latency p99 " + of},
	} {
		if got := read(t, named(t, graph, metricAlarm, name)); !slices.Equal(got, want) {
			t.Errorf("%s reads %v; want %v", name, got, want)
		}
	}
	// API Gateway measures in milliseconds, a load balancer in seconds.
	if got := at(t, named(t, graph, metricAlarm, "web-latency"), "threshold"); got != 1000.0 {
		t.Errorf("latency: threshold %v; want 1000", got)
	}
	if got := len(graph.OfType(metricAlarm)); got != 5 {
		t.Errorf("%d alarms; want 2 on the API and 3 on the tasks", got)
	}
	body := at(t, one(t, graph, dashboard), "dashboardBody").(string)
	if strings.Contains(body, "ApplicationELB") || strings.Count(body, "AWS/ApiGateway") != 6 {
		t.Errorf("dashboard: %s", body)
	}
}

// A stack that goes from one way in to another needs everything of the new one before the old one is deleted.
func TestAnAPITakesNothingFromTheLoadBalancer(t *testing.T) {
	before, after := run(t, defaults(t, nil)), run(t, defaults(t, behindAPI))
	for _, r := range slices.Concat(before.OfType(ingressRule), before.OfType(egressRule), before.OfType(securityGroup)) {
		if now, ok := after.ByURN(r.URN); ok && r.Type != securityGroup && !reflect.DeepEqual(now.Inputs[resource.PropertyKey("referencedSecurityGroupId")], r.Inputs["referencedSecurityGroupId"]) {
			t.Errorf("%s is taken from the load balancer", r.URN)
		}
	}
	if got := one(t, after, ecsService).ReplaceOnChanges; !slices.Contains(got, "serviceRegistries") || !slices.Contains(got, "loadBalancers") {
		t.Errorf("the service is replaced on changes of %v; want loadBalancers and serviceRegistries", got)
	}
}

// ECS has a grace period for slow apps only behind a load balancer.
func TestASlowAppHasTheSameTimeBehindAnAPI(t *testing.T) {
	for start, want := range map[string]float64{"10s": 60, "300s": 300} {
		settings := map[string]string{"app.startTime": start, "app.healthCommand": `["CMD","/healthy"]`}
		for name, container := range containers(t, run(t, defaults(t, with(behindAPI, settings)))) {
			if got := container["healthCheck"].(map[string]any)["startPeriod"]; got != want {
				t.Errorf("%s, %s: failed checks do not count for %v s; want %v", start, name, got, want)
			}
		}
	}
}
