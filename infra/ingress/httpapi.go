package ingress

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/servicediscovery"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/document"
	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/stack"
)

// What an HTTP API can do at most.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	longestAPIRequest = 30 * time.Second
	// largestAPIBody is in KiB.
	largestAPIBody = 10 * 1024
)

// clientHeader is the header in which the sidecar finds the client's address; images/nginx/entrypoint.sh has the same. API
// Gateway overwrites what a client sends under this name, while it would only add to a client's Forwarded header.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
const clientHeader = "sidecar-client"

// everything is the name of the route and of the stage that take all requests.
const everything = "$default"

// none is why a setting has no effect on an API.
const none = "an HTTP API has none"

var apiKind = description{
	Kind:    "api-gateway",
	meaning: "an HTTP API of API Gateway without a load balancer",
	lacks: map[string]string{
		"ingress.shared": "", "ingress.firewall": none, "ingress.sticky": none, "login": none, "ingress.ipv6": "", "ingress.internal": "an HTTP API has public addresses alone", "ingress.http": "", "domain.aliases": "",
		"ingress.clients": "an HTTP API is open to every address", "overrides.targetGroup": none,
		"ingress.targetTls": "API Gateway accepts no certificate that a task has made itself",
		"ingress.health":    "without a load balancer there is no such check",
	},
	idleTimeout: longestAPIRequest,
	refuse:      refuseForAPI,
	Traits: Traits{
		Name: "VPC link", FromTaskSubnets: true, Client: "api", PrivateZones: 1,
		// The zones that have Fargate, but no VPC links.
		// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html
		Unusable: stack.Unusable{ZoneIDs: []string{"use1-az3", "ape1-az1"}, Lacking: "VPC links"},
	},
	of: func(b *builder) way { return &httpAPI{builder: b} },
}

// apiNamespace is that of the metrics.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
const apiNamespace = "AWS/ApiGateway"

// httpAPI is an HTTP API of API Gateway. It reaches the tasks through a VPC link, and finds them in Cloud Map, where ECS
// registers each task with its address and port.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html
type httpAPI struct {
	*builder
	api         *apigatewayv2.Api
	stage       *apigatewayv2.Stage
	integration *apigatewayv2.Integration
}

func (h *httpAPI) build() error {
	for _, declare := range []func() error{h.declareRegistry, h.declareAPI, h.declareIntegration, h.declareStage} {
		if err := declare(); err != nil {
			return err
		}
	}

	return nil
}

// declareRegistry declares the list of the tasks in Cloud Map. An entry needs a port as well as an address, so it is an
// SRV record, and such records need a DNS namespace.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
func (h *httpAPI) declareRegistry() error {
	namespace, err := servicediscovery.NewPrivateDnsNamespace(h.ctx, h.Name+"-api", &servicediscovery.PrivateDnsNamespaceArgs{
		Vpc: h.VPCID,
	}, h.child)
	if err != nil {
		return fmt.Errorf("namespace: %w", err)
	}

	registry, err := servicediscovery.NewService(h.ctx, h.Name+"-api", &servicediscovery.ServiceArgs{
		DnsConfig: servicediscovery.ServiceDnsConfigArgs{
			NamespaceId:   namespace.ID(),
			RoutingPolicy: pulumi.String("MULTIVALUE"),
			DnsRecords: servicediscovery.ServiceDnsConfigDnsRecordArray{servicediscovery.ServiceDnsConfigDnsRecordArgs{
				Type: pulumi.String("SRV"), Ttl: pulumi.Int(10),
			}},
		},
		// ECS reports the health of the containers. One report is enough: the check has already been repeated.
		HealthCheckCustomConfig: servicediscovery.ServiceHealthCheckCustomConfigArgs{FailureThreshold: pulumi.Int(1)},
		// An entry that ECS left behind must not keep the stack from being destroyed.
		ForceDestroy: pulumi.Bool(true),
	}, h.child, pulumi.Protect(h.Protect))
	if err != nil {
		return fmt.Errorf("registry of the tasks: %w", err)
	}
	h.Target, h.RegistryARN = registry, registry.Arn

	return nil
}

func (h *httpAPI) declareAPI() (err error) {
	h.api, err = apigatewayv2.NewApi(h.ctx, h.Name+"-api", &apigatewayv2.ApiArgs{
		ProtocolType: pulumi.String("HTTP"),
		// Clients come by the domain, if there is one, and not by the API's own address.
		DisableExecuteApiEndpoint: pulumi.Bool(h.Domain != ""),
	}, h.child, pulumi.Protect(h.Protect))
	if err != nil {
		return fmt.Errorf("API: %w", err)
	}

	h.URL = h.api.ApiEndpoint
	h.Noticed = append(h.Noticed, Noticed{"API", h.api.ID().ToStringOutput()})
	if h.Domain != "" {
		h.URL = pulumi.Sprintf("https://%s", h.Domain)
	}

	return nil
}

func (h *httpAPI) declareIntegration() error {
	group, err := ec2.NewSecurityGroup(h.ctx, h.Name+"-api", &ec2.SecurityGroupArgs{
		// A changed description would replace the group, so this one mentions nothing that may change.
		Description: pulumi.String("VPC link"),
		VpcId:       h.VPCID,
	}, h.child)
	if err != nil {
		return fmt.Errorf("security group: %w", err)
	}
	h.SecurityGroupID = group.ID().ToStringOutput()

	link, err := apigatewayv2.NewVpcLink(h.ctx, h.Name+"-api", &apigatewayv2.VpcLinkArgs{
		SecurityGroupIds: pulumi.StringArray{stack.OwnRulesOnly(h.ctx, group, h.child)},
		SubnetIds:        h.TaskSubnetIDs,
	}, h.child, pulumi.ReplaceWith([]pulumi.Resource{group}))
	if err != nil {
		return fmt.Errorf("VPC link: %w", err)
	}

	h.integration, err = apigatewayv2.NewIntegration(h.ctx, h.Name+"-api", &apigatewayv2.IntegrationArgs{
		ApiId:                h.api.ID(),
		IntegrationType:      pulumi.String("HTTP_PROXY"),
		IntegrationMethod:    pulumi.String("ANY"),
		IntegrationUri:       h.RegistryARN.ToStringOutput(),
		ConnectionType:       pulumi.String("VPC_LINK"),
		ConnectionId:         link.ID(),
		PayloadFormatVersion: pulumi.String("1.0"),
		TimeoutMilliseconds:  pulumi.Int(int(h.IdleTimeout.Milliseconds())),
		RequestParameters:    pulumi.StringMap{"overwrite:header." + clientHeader: pulumi.String("$context.identity.sourceIp")},
	}, h.child)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}

	return nil
}

func (h *httpAPI) declareStage() error {
	args := &apigatewayv2.StageArgs{
		ApiId:      h.api.ID(),
		Name:       pulumi.String(everything),
		AutoDeploy: pulumi.Bool(true),
		DefaultRouteSettings: apigatewayv2.StageDefaultRouteSettingsArgs{
			ThrottlingRateLimit:  pulumi.Float64(h.ThrottlePerSecond),
			ThrottlingBurstLimit: pulumi.Int(max(1, h.ThrottlePerSecond/2)),
		},
	}
	if h.AccessLogs {
		group, err := h.LogGroup(h.ctx, h.Name+"-api", h.child)
		if err != nil {
			return err
		}
		args.AccessLogSettings = apigatewayv2.StageAccessLogSettingsArgs{
			DestinationArn: group.Arn, Format: pulumi.String(accessLogLine()),
		}
	}

	var err error
	if h.stage, err = apigatewayv2.NewStage(h.ctx, h.Name+"-api", args, h.child); err != nil {
		return fmt.Errorf("stage: %w", err)
	}

	return nil
}

// accessLogLine is one line of JSON for each request.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func accessLogLine() string {
	line, _ := document.JSON(map[string]string{ // strings can always be encoded
		"time":               "$context.requestTime",
		"requestId":          "$context.requestId",
		"client":             "$context.identity.sourceIp",
		"method":             "$context.httpMethod",
		"path":               "$context.path",
		"status":             "$context.status",
		"bytes":              "$context.responseLength",
		"milliseconds":       "$context.responseLatency",
		"integrationStatus":  "$context.integrationStatus",
		"integrationLatency": "$context.integrationLatency",
		"error":              "$context.error.message",
		"integrationError":   "$context.integrationErrorMessage",
	})

	return line
}

// publish declares the route that sends clients to the tasks, and the domain. Before, API Gateway answers 404.
func (h *httpAPI) publish(ready pulumi.StringInput) error {
	route, err := apigatewayv2.NewRoute(h.ctx, h.Name+"-api", &apigatewayv2.RouteArgs{
		ApiId:    h.api.ID(),
		RouteKey: pulumi.String(everything),
		Target:   h.once(ready, pulumi.Sprintf("integrations/%s", h.integration.ID())),
	}, h.child, pulumi.Protect(h.Protect))
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	if h.Domain == "" {
		return nil
	}

	return h.declareDomain(route)
}

func (h *httpAPI) declareDomain(route pulumi.Resource) error {
	certificate, err := h.declareCertificate()
	if err != nil {
		return err
	}
	domain, err := apigatewayv2.NewDomainName(h.ctx, h.Name+"-api", &apigatewayv2.DomainNameArgs{
		DomainName: pulumi.String(h.Domain),
		DomainNameConfiguration: apigatewayv2.DomainNameDomainNameConfigurationArgs{
			CertificateArn: certificate,
			EndpointType:   pulumi.String("REGIONAL"),
			SecurityPolicy: pulumi.String("TLS_1_2"),
		},
	}, h.child, pulumi.Protect(h.Protect))
	if err != nil {
		return fmt.Errorf("domain: %w", err)
	}
	mapping, err := apigatewayv2.NewApiMapping(h.ctx, h.Name+"-api", &apigatewayv2.ApiMappingArgs{
		ApiId:      h.api.ID(),
		DomainName: domain.ID(),
		Stage:      h.stage.ID(),
	}, h.child, pulumi.DependsOn([]pulumi.Resource{route}))
	if err != nil {
		return fmt.Errorf("mapping of the domain: %w", err)
	}
	if h.HostedZoneID == "" {
		return nil
	}
	to := domain.DomainNameConfiguration

	return h.declareAlias(target{to.TargetDomainName().Elem(), to.HostedZoneId().Elem()}, mapping)
}

// watch counts the errors of the API and of the tasks together.
func (h *httpAPI) watch(limits metric.Limits) metric.Traffic {
	var id pulumi.StringInput // without an API, the metrics are only counted
	if h.api != nil {
		id = h.api.ID().ToStringOutput()
	}
	of := func(name, statistic string) metric.Metric {
		return metric.Metric{
			Namespace: apiNamespace, Name: name, Statistic: statistic, Dimensions: []metric.Dimension{{Name: "ApiId", Value: id}},
		}
	}

	return metric.Traffic{
		Alarms: []metric.Alarm{
			errorAlarm("api-5xx", of("Count", "Sum"), of("5xx", "Sum"), limits, true,
				fmt.Sprintf("At least %d %% of the requests were answered with 5xx in 3 of the last 5 minutes: by API Gateway, if it "+
					"finds no task or gets no answer in time, by the sidecar, if the app refuses connections or is too slow, or by the app.", limits.ErrorPercent)),
			latencyAlarm(of("Latency", "p99"), limits, float64(limits.Latency.Milliseconds())),
		},
		Requests: []metric.Line{{Metric: of("Count", "Sum"), Label: "requests", Colour: metric.Blue}},
		Errors: []metric.Line{
			{Metric: of("4xx", "Sum"), Label: "4xx", Colour: metric.Orange}, {Metric: of("5xx", "Sum"), Label: "5xx", Colour: metric.Red},
		},
		Latency: metric.Percentiles(of("Latency", "")), LatencyUnit: "milliseconds",
	}
}

// refuseForAPI refuses what an HTTP API cannot do.
func refuseForAPI(r *settings.Reader, s Settings, beside Beside) {
	if s.IdleTimeout > longestAPIRequest {
		r.Conflict([]string{"ingress.idleTimeout", "ingress.kind"}, fmt.Sprintf("%s is more than %s, after which API Gateway answers 503",
			settings.Written(s.IdleTimeout), settings.Written(longestAPIRequest)))
	}
	for _, missing := range []struct {
		key, why string
		given    bool
	}{
		{"http.bodyLimit", fmt.Sprintf("API Gateway takes no body above %dKiB", largestAPIBody), beside.BodyLimitKiB > largestAPIBody},
		{"http.trustedProxies", "API Gateway names only the client that connects to it", beside.TrustedProxies},
		{"http.methods", "API Gateway takes GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS alone", beside.OtherMethods},
		{"scale.requests", "only a load balancer counts the requests of a task", beside.ScalesOnRequests},
	} {
		if missing.given {
			r.Conflict([]string{missing.key, "ingress.kind"}, "the ingress is api-gateway, and "+missing.why)
		}
	}
}
