package httpapi

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

// What an API has where it says nothing. The throttle is the account's.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	maxTimeout   = 30 * time.Second
	accountRate  = 10_000 // requests a second
	accountBurst = 5_000
)

// defaultStage and defaultRoute take every request, without a part of the path for the stage.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
const (
	defaultStage = "$default"
	defaultRoute = "$default"
)

// settings are one API with its default stage.
type settings struct {
	id, host    string
	service     string            // ARN of the Cloud Map service behind the default route; "" while there is none
	timeout     time.Duration     // of the integration
	headers     map[string]string // parameter mapping: overwrite:header.<name> → value
	unsupported string            // what this stand-in cannot do; requests are refused then
	rate        float64
	burst       int
	logGroup    string // "" for no access log
	logFormat   string
}

// source reads the API of API Gateway.
type source struct{ client *apigatewayv2.Client }

func newSource(endpoint, region string) *source {
	return &source{apigatewayv2.NewFromConfig(emulator.Config(endpoint, region))}
}

// read returns the newest HTTP API that has a default stage, nil where there is none.
func (s *source) read(ctx context.Context) (*settings, error) {
	found, err := s.client.GetApis(ctx, &apigatewayv2.GetApisInput{})
	if err != nil {
		return nil, fmt.Errorf("APIs: %w", err)
	}
	var newest *settings
	var created time.Time
	for _, a := range found.Items {
		if a.ProtocolType != types.ProtocolTypeHttp || newest != nil && aws.ToTime(a.CreatedDate).Before(created) {
			continue
		}
		one, err := s.api(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("API %s: %w", aws.ToString(a.ApiId), err)
		}
		if one != nil {
			newest, created = one, aws.ToTime(a.CreatedDate)
		}
	}
	return newest, nil
}

func (s *source) api(ctx context.Context, a types.Api) (*settings, error) {
	stages, err := s.client.GetStages(ctx, &apigatewayv2.GetStagesInput{ApiId: a.ApiId})
	if err != nil {
		return nil, fmt.Errorf("stages: %w", err)
	}
	for _, stage := range stages.Items {
		if aws.ToString(stage.StageName) != defaultStage {
			continue
		}
		read := &settings{id: aws.ToString(a.ApiId), timeout: maxTimeout, rate: accountRate, burst: accountBurst}
		if endpoint, err := url.Parse(aws.ToString(a.ApiEndpoint)); err == nil {
			read.host = endpoint.Hostname()
		}
		read.stage(stage)
		return read, s.route(ctx, read)
	}
	return nil, nil //nolint:nilnil // an API without a default stage serves nothing
}

func (s *settings) stage(stage types.Stage) {
	if throttle := stage.DefaultRouteSettings; throttle != nil {
		if rate := aws.ToFloat64(throttle.ThrottlingRateLimit); rate > 0 {
			s.rate = rate
		}
		if burst := aws.ToInt32(throttle.ThrottlingBurstLimit); burst > 0 {
			s.burst = int(burst)
		}
	}
	if access := stage.AccessLogSettings; access != nil {
		_, group, _ := strings.Cut(aws.ToString(access.DestinationArn), ":log-group:")
		s.logGroup, s.logFormat = strings.TrimSuffix(group, ":*"), aws.ToString(access.Format)
	}
}

// route reads the default route and its integration.
func (s *source) route(ctx context.Context, into *settings) error {
	routes, err := s.client.GetRoutes(ctx, &apigatewayv2.GetRoutesInput{ApiId: &into.id})
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	for _, route := range routes.Items {
		if key := aws.ToString(route.RouteKey); key != defaultRoute {
			into.unsupported = "route " + key
			continue
		}
		if route.AuthorizationType != "" && route.AuthorizationType != types.AuthorizationTypeNone {
			into.unsupported = "authorization " + string(route.AuthorizationType)
		}
		integration, err := s.client.GetIntegration(ctx, &apigatewayv2.GetIntegrationInput{
			ApiId: &into.id, IntegrationId: aws.String(strings.TrimPrefix(aws.ToString(route.Target), "integrations/")),
		})
		if err != nil {
			return fmt.Errorf("integration of %s: %w", defaultRoute, err)
		}
		into.integration(integration)
	}
	return nil
}

func (s *settings) integration(i *apigatewayv2.GetIntegrationOutput) {
	s.service, s.headers = aws.ToString(i.IntegrationUri), map[string]string{}
	if milliseconds := aws.ToInt32(i.TimeoutInMillis); milliseconds > 0 {
		s.timeout = time.Duration(milliseconds) * time.Millisecond
	}
	private := i.IntegrationType == types.IntegrationTypeHttpProxy && i.ConnectionType == types.ConnectionTypeVpcLink && strings.Contains(s.service, ":servicediscovery:")
	if !private {
		s.unsupported = fmt.Sprintf("integration %s over %s to %s", i.IntegrationType, i.ConnectionType, s.service)
	}
	if i.TlsConfig != nil {
		s.unsupported = "TLS to the instances"
	}
	for key, value := range i.RequestParameters {
		name, isHeader := strings.CutPrefix(key, "overwrite:header.")
		if !isHeader || strings.HasPrefix(value, "$request.") || strings.HasPrefix(value, "$stageVariables.") {
			s.unsupported = "parameter mapping " + key + " to " + value
		}
		s.headers[name] = value
	}
}
