package alb

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb/oidc/oidctest"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ec2 makes one call of EC2's query protocol and returns one element of the answer.
func ec2(t *testing.T, endpoint, form, element string) string {
	request, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form+"&Version=2016-11-15"))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	emulator.Address(request, "eu-central-1", "ec2")
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	_, rest, _ := strings.Cut(string(body), "<"+element+">")
	value, _, _ := strings.Cut(rest, "<")
	return value
}

func TestListenersFollowTheEmulator(t *testing.T) {
	endpoint := emulatortest.Start(t)
	b, err := New(Options{Endpoint: endpoint, Region: "eu-central-1", Logger: slog.New(slog.DiscardHandler), Poll: time.Hour})
	must(t, err)
	client, ctx := b.source.client, t.Context()
	vpc := ec2(t, endpoint, "Action=CreateVpc&CidrBlock=10.1.0.0/16", "vpcId")
	subnet := func(block, zone string) string {
		return ec2(t, endpoint, "Action=CreateSubnet&VpcId="+vpc+"&CidrBlock="+block+"&AvailabilityZone="+zone, "subnetId")
	}
	balancer, err := client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("web"),
		Subnets: []string{subnet("10.1.1.0/24", "eu-central-1a"), subnet("10.1.2.0/24", "eu-central-1b")}})
	must(t, err)
	arn := balancer.LoadBalancers[0].LoadBalancerArn
	_, err = client.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn, Attributes: []types.LoadBalancerAttribute{
		{Key: aws.String("idle_timeout.timeout_seconds"), Value: aws.String("30")},
		{Key: aws.String("routing.http.drop_invalid_header_fields.enabled"), Value: aws.String("true")}}})
	must(t, err)
	group, err := client.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String("web"), Protocol: types.ProtocolEnumHttps, Port: aws.Int32(8443), VpcId: &vpc, TargetType: types.TargetTypeEnumIp,
		HealthCheckPath: aws.String("/health"), HealthCheckIntervalSeconds: aws.Int32(6), HealthCheckTimeoutSeconds: aws.Int32(5),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(10), Matcher: &types.Matcher{HttpCode: aws.String("200-204")}})
	must(t, err)
	groupARN := group.TargetGroups[0].TargetGroupArn
	_, err = client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: groupARN, Attributes: []types.TargetGroupAttribute{
		{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("15")}}})
	must(t, err)
	forward := []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{
		TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: groupARN, Weight: aws.Int32(100)}}}}}
	listener, err := client.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: arn, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), DefaultActions: forward})
	must(t, err)
	listenerARN := listener.Listeners[0].ListenerArn
	fixed := func(priority int32, path, body string) {
		_, err := client.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: listenerARN, Priority: &priority,
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{path}}},
			Actions: []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
				StatusCode: aws.String("200"), ContentType: aws.String("text/plain"), MessageBody: &body}}}})
		must(t, err)
	}
	fixed(20, "/a*", "second")
	login := oidctest.Start(t).Action()
	_, err = client.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: listenerARN, Priority: aws.Int32(5),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/login"}}},
		Actions: []types.Action{
			{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), TargetGroupArn: groupARN},
			{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: &login},
		}})
	must(t, err)
	fixed(10, "/ab*", "first")

	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- b.Run(running) }()
	must(t, b.Sync(ctx))
	settings := b.servers[*listenerARN].settings.Load()
	if settings.idle != 30*time.Second || !settings.dropNames || settings.port != 80 || settings.https || !strings.Contains(settings.hostname, "web") {
		t.Errorf("listener: got %+v", settings)
	}
	if got := b.find(*groupARN).settings; !got.https || !got.used || got.delay != 15*time.Second ||
		!got.check.https || got.check.path != "/health" || got.check.interval != 6*time.Second || got.check.timeout != 5*time.Second ||
		got.check.healthy != 2 || got.check.unhealthy != 10 || !got.check.matcher.match(204) || got.check.port != "traffic-port" {
		t.Errorf("target group: got %+v", got)
	}
	if got := settings.logins(); len(got) != 1 || got[0].Signer != *arn || *got[0].ClientSecret != oidctest.ClientSecret || *got[0].TokenEndpoint != *login.TokenEndpoint {
		t.Errorf("logins: got %+v", got)
	}
	if actions := settings.rules[0].actions; len(actions) != 2 || actions[1].Type != types.ActionTypeEnumForward {
		t.Errorf("a rule's actions: got %+v, want the login before the target", actions)
	}
	address := b.Addresses()[*listenerARN]
	for path, want := range map[string]string{"/abc": "first", "/ac": "second", "/": "503"} {
		if got := raw(t, address, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant %s", path, got, want)
		}
	}

	_, err = client.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: listenerARN})
	must(t, err)
	must(t, b.Sync(ctx))
	if _, err := net.Dial("tcp", address); err == nil || len(b.Addresses()) > 0 {
		t.Errorf("deleted listener: %s is still open", address)
	}
	stop()
	must(t, <-ended)
}
