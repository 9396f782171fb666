package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
	"fargate-nginx-sidecar/local/cloud/ports"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

func freePort(t *testing.T) *ports.Port {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := ports.Hold(listener)
	t.Cleanup(func() { must(t, port.Close()) })
	return port
}

// served says whether an API answers at an address.
func served(address string) bool {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

func TestTheAPIFollowsTheEmulatorAndLogs(t *testing.T) {
	endpoint, port := emulatortest.Start(t), freePort(t)
	address := port.Addr().String()
	var open atomic.Int32
	instance := httptest.NewUnstartedServer(http.HandlerFunc(echoed))
	instance.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	instance.Start()
	t.Cleanup(instance.Close)
	g, err := New(Options{Endpoint: endpoint, Region: "eu-central-1", Port: port, Instances: instances{strings.TrimPrefix(instance.URL, "http://")}, Poll: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	client, ctx := g.source.client, t.Context()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- g.Run(running) }()

	created, err := client.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("shop"), ProtocolType: types.ProtocolTypeHttp})
	must(t, err)
	must(t, g.Sync(ctx))
	if served(address) {
		t.Error("an API without a stage is served")
	}
	integration, err := client.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{
		ApiId: created.ApiId, IntegrationType: types.IntegrationTypeHttpProxy, IntegrationMethod: aws.String("ANY"), ConnectionType: types.ConnectionTypeVpcLink,
		ConnectionId: aws.String("link"), IntegrationUri: aws.String("arn:aws:servicediscovery:eu-central-1:123456789012:service/srv-1"),
		PayloadFormatVersion: aws.String("1.0"), TimeoutInMillis: aws.Int32(20_000),
		RequestParameters: map[string]string{"overwrite:header.sidecar-client": "$context.identity.sourceIp"},
	})
	must(t, err)
	_, err = client.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: created.ApiId, RouteKey: aws.String("$default"), Target: aws.String("integrations/" + *integration.IntegrationId)})
	must(t, err)
	_, err = g.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("access")})
	must(t, err)
	_, err = client.CreateStage(ctx, &apigatewayv2.CreateStageInput{
		ApiId: created.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true),
		DefaultRouteSettings: &types.RouteSettings{ThrottlingRateLimit: aws.Float64(50), ThrottlingBurstLimit: aws.Int32(20)},
		AccessLogSettings: &types.AccessLogSettings{
			DestinationArn: aws.String("arn:aws:logs:eu-central-1:123456789012:log-group:access"),
			Format:         aws.String(`{"client":"$context.identity.sourceIp","path":"$context.path","status":"$context.status","instance":"$context.integration.status","user":"$context.authorizer.claims.sub"}`),
		},
	})
	must(t, err)
	must(t, g.Sync(ctx))
	got := g.api.current()
	if got.timeout != 20*time.Second || got.rate != 50 || got.burst != 20 || got.logGroup != "access" || !strings.HasSuffix(got.service, "service/srv-1") ||
		got.headers["sidecar-client"] != "$context.identity.sourceIp" || got.unsupported != "" || !strings.Contains(got.host, *created.ApiId) {
		t.Errorf("settings: got %+v", got)
	}
	https := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	get := func(path string) string {
		response, err := https.Get("https://" + address + path)
		must(t, err)
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		return string(body)
	}
	if body := get("/a?b=c"); !strings.Contains(body, "GET /a?b=c") || !strings.Contains(body, "Sidecar-Client: 127.0.0.1") {
		t.Errorf("through the API: got\n%s", body)
	}
	logged := func() (lines []map[string]string) {
		events, err := g.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("access")})
		must(t, err)
		for _, event := range events.Events {
			var line map[string]string
			must(t, json.Unmarshal([]byte(*event.Message), &line))
			lines = append(lines, line)
		}
		return lines
	}
	lines := logged()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until) && len(lines) == 0; lines = logged() {
		time.Sleep(200 * time.Millisecond)
	}
	if len(lines) != 1 {
		t.Fatalf("access log: got %v, want one line", lines)
	}
	line := lines[0]
	if line["client"] != "127.0.0.1" || line["path"] != "/a" || line["status"] != "200" || line["instance"] != "200" || line["user"] != "-" {
		t.Errorf("access log: got %v", line)
	}

	get("/last")
	_, err = client.DeleteApi(ctx, &apigatewayv2.DeleteApiInput{ApiId: created.ApiId})
	must(t, err)
	must(t, g.Sync(ctx))
	if served(address) {
		t.Error("a deleted API is still served")
	}
	if lines := logged(); len(lines) != 2 || lines[1]["path"] != "/last" {
		t.Errorf("access log of a deleted API: got %v, want its last request", lines)
	}
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until) && open.Load() > 0; {
		time.Sleep(10 * time.Millisecond)
	}
	if open.Load() > 0 {
		t.Errorf("a deleted API leaves %d connections to its instances", open.Load())
	}
	stop()
	must(t, <-ended)
}

func TestWhatTheStandInCannotDoIsRefused(t *testing.T) {
	private := func(change func(*apigatewayv2.GetIntegrationOutput)) settings {
		i := &apigatewayv2.GetIntegrationOutput{IntegrationType: types.IntegrationTypeHttpProxy, ConnectionType: types.ConnectionTypeVpcLink, IntegrationUri: aws.String("arn:aws:servicediscovery:x:1:service/srv")}
		change(i)
		var s settings
		s.integration(i)
		return s
	}
	for want, change := range map[string]func(*apigatewayv2.GetIntegrationOutput){
		"":                                     func(*apigatewayv2.GetIntegrationOutput) {},
		"integration AWS_PROXY over":           func(i *apigatewayv2.GetIntegrationOutput) { i.IntegrationType = types.IntegrationTypeAwsProxy },
		"integration HTTP_PROXY over INTERNET": func(i *apigatewayv2.GetIntegrationOutput) { i.ConnectionType = types.ConnectionTypeInternet },
		"TLS to the instances":                 func(i *apigatewayv2.GetIntegrationOutput) { i.TlsConfig = &types.TlsConfig{} },
		"parameter mapping append:header.a to b": func(i *apigatewayv2.GetIntegrationOutput) {
			i.RequestParameters = map[string]string{"append:header.a": "b"}
		},
		"parameter mapping overwrite:header.a to $request.header.b": func(i *apigatewayv2.GetIntegrationOutput) {
			i.RequestParameters = map[string]string{"overwrite:header.a": "$request.header.b"}
		},
	} {
		if got := private(change).unsupported; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
