package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/ecs"
	"fargate-nginx-sidecar/local/cloud/endpoint"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	cluster = "arn:aws:ecs:eu-central-1:123456789012:cluster/web"
	service = "arn:aws:ecs:eu-central-1:123456789012:service/web/web"
	task    = "arn:aws:ecs:eu-central-1:123456789012:task/web/0123"
	ecsAPI  = "AmazonEC2ContainerServiceV20141113."
)

// tasks is a scheduler with one service and one task.
type tasks struct {
	stopped, reason string
	deleted         bool // the service
	followed        int  // how often the load balancer was asked to follow
	blind           error
}

func (s *tasks) Sync(context.Context) error { return s.blind }

func (s *tasks) Service(arn string) (types.Service, bool) {
	status := "ACTIVE"
	if s.deleted {
		status = "DRAINING"
	}
	return types.Service{
		Status: &status, DesiredCount: 2, RunningCount: 1, PendingCount: 1,
		Deployments: []types.Deployment{{Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY"), RolloutState: types.DeploymentRolloutStateInProgress, CreatedAt: aws.Time(time.Unix(1, 5e8))}},
		Events:      []types.ServiceEvent{{Id: aws.String("1"), Message: aws.String("(service web) has started 1 tasks.")}},
	}, arn == service
}

func (*tasks) ServiceDeployments() []types.ServiceDeployment {
	var all []types.ServiceDeployment
	for second := range 3 {
		all = append(all, types.ServiceDeployment{
			ServiceDeploymentArn: aws.String(fmt.Sprintf("deployment/%d", second)), ServiceArn: aws.String(service), ClusterArn: aws.String(cluster),
			CreatedAt: aws.Time(time.Unix(int64(second), 5e8)), Status: types.ServiceDeploymentStatusSuccessful,
			TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String("revision/1")},
		})
	}
	return all
}

func (*tasks) ServiceRevisions() []types.ServiceRevision {
	return []types.ServiceRevision{{ServiceRevisionArn: aws.String("revision/1"), TaskDefinition: aws.String("web:1")}}
}

func (*tasks) Tasks() []types.Task {
	return []types.Task{{
		TaskArn: aws.String(task), ClusterArn: aws.String(cluster), Group: aws.String("service:web"), StartedBy: aws.String("ecs-svc/1"), TaskDefinitionArn: aws.String("arn:aws:ecs:eu-central-1:123456789012:task-definition/web:1"), DesiredStatus: aws.String("RUNNING"), LastStatus: aws.String("RUNNING"),
		Containers: []types.Container{{Name: aws.String("app"), ExitCode: aws.Int32(137)}},
	}}
}

func (s *tasks) StopTask(arn, reason string) error {
	if arn != task {
		return ecs.ErrTaskNotFound
	}
	s.stopped, s.reason = arn, reason
	return nil
}

func (*tasks) RunTask(_ context.Context, request *awsecs.RunTaskInput) ([]types.Task, error) {
	if aws.ToString(request.TaskDefinition) != "web:1" {
		return nil, fmt.Errorf("%w: no such definition", ecs.ErrInvalidParameter)
	}
	return []types.Task{{
		TaskArn: aws.String(task), StartedBy: request.StartedBy, Overrides: request.Overrides,
	}}, nil
}

type targets struct{ followed *int }

func (t targets) Sync(context.Context) error {
	*t.followed++
	return nil
}

func (targets) TargetHealth(string) []elbtypes.TargetHealthDescription {
	return []elbtypes.TargetHealthDescription{{
		Target: &elbtypes.TargetDescription{Id: aws.String("10.0.0.5"), Port: aws.Int32(8080)}, HealthCheckPort: aws.String("8080"),
		TargetHealth: &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnhealthy, Reason: elbtypes.TargetHealthReasonEnumTimeout},
	}}
}

// start runs an endpoint before an emulator that gives every request the same answer.
func start(t *testing.T, status int, answer string) (url string, scheduler *tasks) {
	t.Helper()
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Crc32", "1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(emulator.Close)
	scheduler = &tasks{}
	handler, err := endpoint.New(endpoint.Options{Emulator: emulator.URL, Registry: "127.0.0.1:5000", Tasks: scheduler, Targets: targets{&scheduler.followed}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, scheduler
}

// call sends a request of AWS's JSON protocol.
func call(t *testing.T, url, action, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", action)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	changed := response.StatusCode == http.StatusOK && strings.HasPrefix(action, ecsAPI)
	if changed && response.Header.Get("X-Amz-Crc32") != "" {
		t.Error("the answer was changed, but carries the emulator's checksum")
	}
	return response.StatusCode, string(content)
}

func TestECRNamesTheLocalRegistry(t *testing.T) {
	url, _ := start(t, 200, `{"repositoryUri":"123456789012.dkr.ecr.eu-central-1.amazonaws.com/web","proxyEndpoint":"https://123456789012.dkr.ecr.eu-central-1.amazonaws.com"}`)
	_, got := call(t, url, "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "{}")
	if want := `{"repositoryUri":"127.0.0.1:5000/web","proxyEndpoint":"http://127.0.0.1:5000"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAClusterCountsTheTasksThatRun(t *testing.T) {
	url, _ := start(t, 200, `{"clusters":[{"clusterArn":"`+cluster+`","runningTasksCount":0},{"clusterArn":"arn:aws:ecs:eu-central-1:123456789012:cluster/other","runningTasksCount":0}]}`)
	_, got := call(t, url, ecsAPI+"DescribeClusters", `{"clusters":["web"]}`)
	want := `{"clusters":[{"clusterArn":"` + cluster + `","runningTasksCount":1},{"clusterArn":"arn:aws:ecs:eu-central-1:123456789012:cluster/other","runningTasksCount":0}]}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAServiceKeepsWhatTheEmulatorForgetsAndShowsWhatRuns(t *testing.T) {
	url, _ := start(t, 200, `{"service":{"serviceArn":"`+service+`","runningCount":0,"desiredCount":12345678901234567890}}`)
	call(t, url, ecsAPI+"CreateService", `{"cluster":"`+cluster+`","serviceName":"web","enableECSManagedTags":true,"healthCheckGracePeriodSeconds":60}`)
	_, got := call(t, url, ecsAPI+"UpdateService", `{"cluster":"web","service":"`+service+`","healthCheckGracePeriodSeconds":90}`)

	var answer struct {
		Service struct {
			EnableECSManagedTags          bool
			HealthCheckGracePeriodSeconds int
			RunningCount, PendingCount    int
			Deployments                   []struct {
				RolloutState string
				CreatedAt    float64
			}
			Events []struct{ Message string }
		}
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	s := answer.Service
	if !s.EnableECSManagedTags || s.HealthCheckGracePeriodSeconds != 90 {
		t.Errorf("forgotten: %s", got)
	}
	if s.RunningCount != 1 || s.PendingCount != 1 || len(s.Deployments) != 1 || s.Deployments[0].RolloutState != "IN_PROGRESS" || s.Deployments[0].CreatedAt != 1.5 || len(s.Events) != 1 {
		t.Errorf("not what runs: %s", got)
	}
}

// An update of one part of a deployment configuration leaves the others, in ECS and here.
func TestTheHistoryOfAServiceComesFromTheScheduler(t *testing.T) {
	url, _ := start(t, http.StatusBadRequest, `{"__type":"InvalidAction"}`)
	for request, want := range map[[2]string]string{
		{"ListServiceDeployments", `{"cluster":"web","service":"web","createdAt":{"after":1.5}}`}: `"deployment/2"`,
		{"DescribeServiceDeployments", `{"serviceDeploymentArns":["deployment/1"]}`}:              `"deployment/1"`,
		{"DescribeServiceRevisions", `{"serviceRevisionArns":["revision/1"]}`}:                    `"taskDefinition":"web:1"`,
		{"DescribeServiceRevisions", `{"serviceRevisionArns":["revision/2"]}`}:                    `"MISSING"`,
	} {
		status, answer := call(t, url, ecsAPI+request[0], request[1])
		if status != http.StatusOK || !strings.Contains(answer, want) || strings.Contains(answer, `"deployment/0"`) {
			t.Errorf("%s: status %d: %s\nwant: …%s…", request, status, answer, want)
		}
	}
	if _, answer := call(t, url, ecsAPI+"ListServiceDeployments", `{"cluster":"web","service":"other"}`); !strings.Contains(answer, `"serviceDeployments":[]`) {
		t.Errorf("another service: %s", answer)
	}
}

func TestARollbackRestoresTheNetworkThatTheServiceHad(t *testing.T) {
	handler, err := endpoint.New(endpoint.Options{Emulator: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	handler.Restore(service, map[string]any{"networkConfiguration": "before", "propagateTags": "SERVICE"})
	if got := fmt.Sprint(handler.Overlay(service)); got != "map[networkConfiguration:before]" {
		t.Errorf("the service has %s", got)
	}
}

func TestAServiceIsNotDescribedBeforeTheSchedulerHasSeenIt(t *testing.T) {
	t.Parallel()
	url, scheduler := start(t, http.StatusOK, `{"services":[{"serviceArn":"`+service+`","deployments":[]}],"failures":[]}`)
	scheduler.blind = errors.New("list clusters: timeout")
	status, answer := call(t, url, ecsAPI+"DescribeServices", `{"cluster":"web","services":["web"]}`)
	if status != http.StatusInternalServerError || !strings.Contains(answer, "ServerException") || !strings.Contains(answer, "list clusters: timeout") {
		t.Errorf("a scheduler that sees nothing: status %d: %s", status, answer)
	}
	if status, answer := call(t, url, ecsAPI+"UpdateService", `{"cluster":"web","service":"web"}`); status != http.StatusOK {
		t.Errorf("a change has happened, whatever the scheduler sees: status %d: %s", status, answer)
	}
	scheduler.blind = nil
	if status, answer := call(t, url, ecsAPI+"DescribeServices", `{"cluster":"web","services":["web"]}`); status != http.StatusOK || !strings.Contains(answer, "IN_PROGRESS") {
		t.Errorf("a scheduler that sees again: status %d: %s", status, answer)
	}
}

func TestAServiceKeepsThePartsOfAConfigurationThatAnUpdateLeavesOut(t *testing.T) {
	url, _ := start(t, 200, `{"service":{"serviceArn":"`+service+`"}}`)
	call(t, url, ecsAPI+"CreateService", `{"cluster":"web","serviceName":"web","deploymentConfiguration":{"maximumPercent":200,"alarms":{"enable":true}}}`)
	_, got := call(t, url, ecsAPI+"UpdateService", `{"cluster":"web","service":"web","deploymentConfiguration":{"alarms":{"enable":false}}}`)
	if want := `"deploymentConfiguration":{"alarms":{"enable":false},"maximumPercent":200}`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

func TestAServiceCreatedAgainForgetsTheOneBefore(t *testing.T) {
	url, _ := start(t, 200, `{"service":{"serviceArn":"`+service+`"}}`)
	call(t, url, ecsAPI+"CreateService", `{"cluster":"web","serviceName":"web","platformVersion":"1.4.0"}`)
	_, got := call(t, url, ecsAPI+"CreateService", `{"cluster":"web","serviceName":"web"}`)
	if strings.Contains(got, "1.4.0") {
		t.Errorf("got %s", got)
	}
}

func TestADeletedServiceTakesNoUpdate(t *testing.T) {
	url, scheduler := start(t, 200, `{"service":{}}`)
	scheduler.deleted = true
	if _, got := call(t, url, ecsAPI+"UpdateService", `{"cluster":"web","service":"`+service+`"}`); !strings.Contains(got, "ServiceNotActiveException") {
		t.Errorf("got %s", got)
	}
}

func TestTasksAreTheSchedulers(t *testing.T) {
	url, scheduler := start(t, 500, "the emulator must not be asked")
	for _, c := range []struct{ action, body, want string }{
		{"ListTasks", `{"cluster":"web","serviceName":"web"}`, `{"taskArns":["` + task + `"]}`},
		{"ListTasks", `{"cluster":"other"}`, `{"taskArns":[]}`},
		{"ListTasks", `{"cluster":"web","desiredStatus":"STOPPED"}`, `{"taskArns":[]}`},
		{"DescribeTasks", `{"cluster":"web","tasks":["0123"]}`, `"exitCode":137`},
		{"DescribeTasks", `{"cluster":"web","tasks":["4567"]}`, `"reason":"MISSING"`},
		{"ListTasks", `{"cluster":"web","family":"web","startedBy":"ecs-svc/1"}`, `{"taskArns":["` + task + `"]}`},
		{"ListTasks", `{"cluster":"web","family":"web-commands"}`, `{"taskArns":[]}`},
		{"ListTasks", `{"cluster":"web","startedBy":"deploy/web/1"}`, `{"taskArns":[]}`},
		{"RunTask", `{"cluster":"web","taskDefinition":"web:1","startedBy":"me","overrides":{"containerOverrides":[{"name":"app","command":["a"]}]}}`, `"overrides":{"containerOverrides":[{"command":["a"],"name":"app"}]},"startedBy":"me"`},
		{"RunTask", `{"cluster":"web","taskDefinition":"web:2"}`, "InvalidParameterException"},
		{"StopTask", `{"cluster":"web","task":"4567"}`, "InvalidParameterException"},
		{"StopTask", `{"cluster":"web","task":"` + task + `","reason":"test"}`, task},
	} {
		if _, got := call(t, url, ecsAPI+c.action, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s lacks %s", c.action, c.body, got, c.want)
		}
	}
	if scheduler.stopped != task || scheduler.reason != "test" {
		t.Errorf("stopped %q because of %q", scheduler.stopped, scheduler.reason)
	}
}

func TestAChangeWakesWhoFollowsTheService(t *testing.T) {
	t.Parallel()
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(emulator.Close)
	var woken []string
	wakes := func(name string) func() { return func() { woken = append(woken, name) } }
	handler, err := endpoint.New(endpoint.Options{Emulator: emulator.URL, Tasks: &tasks{}, Targets: targets{new(int)}, Changed: map[string]func(){
		"ecs": wakes("ecs"), "elasticloadbalancing": wakes("balancer"), "apigateway": wakes("gateway"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ signer, method, path, target, form, want string }{
		{"ecs", http.MethodPost, "/", ecsAPI + "UpdateService", "", "ecs"},
		{"ecs", http.MethodPost, "/", ecsAPI + "DescribeServices", "", ""},
		{"ecs", http.MethodPost, "/", ecsAPI + "ListTasks", "", ""},
		{"elasticloadbalancing", http.MethodPost, "/", "", "Action=ModifyLoadBalancerAttributes", "balancer"},
		{"elasticloadbalancing", http.MethodPost, "/", "", "Action=DescribeRules", ""},
		{"apigateway", http.MethodPost, "/v2/apis", "", "", "gateway"},
		{"apigateway", http.MethodPatch, "/v2/apis/a/routes/b", "", "", "gateway"},
		{"apigateway", http.MethodGet, "/v2/apis", "", "", ""},
		{"iam", http.MethodPost, "/", "", "Action=CreateRole", ""},
	} {
		woken = nil
		request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.form))
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260105/eu-central-1/"+c.signer+"/aws4_request, SignedHeaders=host, Signature=0")
		if c.target != "" {
			request.Header.Set("X-Amz-Target", c.target)
			request.Body = io.NopCloser(strings.NewReader("{}"))
		}
		if c.form != "" {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		handler.ServeHTTP(httptest.NewRecorder(), request)
		if got := strings.Join(woken, ","); got != c.want {
			t.Errorf("%s %s%s%s wakes %q, want %q", c.method, c.path, c.target, c.form, got, c.want)
		}
	}
}

func TestTargetHealthIsTheLoadBalancers(t *testing.T) {
	address, _ := start(t, 500, "the emulator must not be asked")
	response, err := http.PostForm(address, url.Values{"Action": {"DescribeTargetHealth"}, "TargetGroupArn": {"arn"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "<State>unhealthy</State><Reason>Target.Timeout</Reason>") {
		t.Errorf("got %s", content)
	}
}

func TestErrorsAndForeignRequestsPassThroughUnchanged(t *testing.T) {
	url, _ := start(t, 400, `{"__type":"ServiceNotFoundException"}`)
	for _, action := range []string{ecsAPI + "UpdateService", "AWSSecurityTokenServiceV20110615.GetCallerIdentity", "AnyScaleFrontendService.PutScalingPolicy"} {
		status, got := call(t, url, action, "{}")
		if status != 400 || got != `{"__type":"ServiceNotFoundException"}` {
			t.Errorf("%s: %d %s", action, status, got)
		}
	}
}

func TestAScalingTargetKeepsItsTags(t *testing.T) {
	const arn, api = "arn:aws:application-autoscaling:eu-central-1:123456789012:scalable-target/1", "AnyScaleFrontendService."
	url, _ := start(t, 200, `{"ScalableTargetARN":"`+arn+`"}`)
	call(t, url, api+"RegisterScalableTarget", `{"ResourceId":"service/web/web","Tags":{"Stack":"prod","Old":"1"}}`)
	call(t, url, api+"TagResource", `{"ResourceARN":"`+arn+`","Tags":{"New":"2"}}`)
	call(t, url, api+"UntagResource", `{"ResourceARN":"`+arn+`","TagKeys":["Old"]}`)
	if _, got := call(t, url, api+"ListTagsForResource", `{"ResourceARN":"`+arn+`"}`); strings.TrimSpace(got) != `{"Tags":{"New":"2","Stack":"prod"}}` {
		t.Errorf("got %s", got)
	}
	if _, got := call(t, url, api+"ListTagsForResource", `{"ResourceARN":"arn:other"}`); strings.TrimSpace(got) != `{"Tags":{}}` {
		t.Errorf("a target without tags: %s", got)
	}
}

func TestAServiceWithAStrategyHasNoLaunchType(t *testing.T) {
	url, _ := start(t, 200, `{"service":{"serviceArn":"`+service+`","launchType":"EC2"}}`)
	_, got := call(t, url, ecsAPI+"CreateService", `{"cluster":"web","serviceName":"other"}`)
	if !strings.Contains(got, `"EC2"`) {
		t.Errorf("no strategy: %s", got)
	}
	_, got = call(t, url, ecsAPI+"CreateService", `{"cluster":"web","serviceName":"web","capacityProviderStrategy":[{"capacityProvider":"FARGATE_SPOT","weight":1}]}`)
	if strings.Contains(got, "EC2") || !strings.Contains(got, "FARGATE_SPOT") {
		t.Errorf("with a strategy: %s", got)
	}
}

func TestALogGroupGetsAnotherKey(t *testing.T) {
	const api = "Logs_20140328."
	url, _ := start(t, 200, `{"logGroups":[{"logGroupName":"web","kmsKeyId":"first"},{"logGroupName":"other"}]}`)
	for _, step := range []struct{ action, body, want string }{
		{"AssociateKmsKey", `{"logGroupName":"web","kmsKeyId":"second"}`, `[{"kmsKeyId":"second","logGroupName":"web"},{"logGroupName":"other"}]`},
		{"DisassociateKmsKey", `{"logGroupName":"web"}`, `[{"logGroupName":"web"},{"logGroupName":"other"}]`},
		{"CreateLogGroup", `{"logGroupName":"web","kmsKeyId":"first"}`, `[{"kmsKeyId":"first","logGroupName":"web"},{"logGroupName":"other"}]`},
	} {
		if status, _ := call(t, url, api+step.action, step.body); status != http.StatusOK {
			t.Errorf("%s: %d", step.action, status)
		}
		if _, got := call(t, url, api+"DescribeLogGroups", "{}"); !strings.Contains(got, step.want) {
			t.Errorf("after %s: %s, want %s", step.action, got, step.want)
		}
	}
}

func TestARuleWithoutAnAddressRangeKeepsItsDescription(t *testing.T) {
	address, _ := start(t, 200, "<securityGroupRuleId>sgr-1</securityGroupRuleId><toPort>80</toPort>")
	ask := func(form url.Values) string {
		t.Helper()
		response, err := http.PostForm(address, form)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	describe := url.Values{"Action": {"DescribeSecurityGroupRules"}}
	if got := ask(describe); strings.Contains(got, "description") {
		t.Errorf("a rule that nobody described: %s", got)
	}
	ask(url.Values{"Action": {"AuthorizeSecurityGroupIngress"}, "IpPermissions.1.Groups.1.Description": {"from the ALB & only it"}})
	if got := ask(describe); !strings.Contains(got, "</securityGroupRuleId><description>from the ALB &amp; only it</description>") {
		t.Errorf("got %s", got)
	}
	ask(url.Values{"Action": {"ModifySecurityGroupRules"}, "SecurityGroupRule.1.SecurityGroupRuleId": {"sgr-1"}, "SecurityGroupRule.1.SecurityGroupRule.Description": {"changed"}})
	if got := ask(describe); !strings.Contains(got, "<description>changed</description>") {
		t.Errorf("got %s", got)
	}
	ask(url.Values{"Action": {"AuthorizeSecurityGroupIngress"}, "IpPermissions.1.PrefixListIds.1.Description": {"from the list"}})
	if got := ask(describe); !strings.Contains(got, "<description>from the list</description>") {
		t.Errorf("got %s", got)
	}
}

func TestAMetricFilterThatIsPutAgainIsChanged(t *testing.T) {
	url, _ := start(t, 200, `{"metricFilters":[`+
		`{"filterName":"a","logGroupName":"web","filterPattern":"1"},{"filterName":"a","logGroupName":"other","filterPattern":"2"},`+
		`{"filterName":"b","logGroupName":"web","filterPattern":"3"},{"filterName":"a","logGroupName":"web","filterPattern":"4"}]}`)
	want := `{"metricFilters":[{"filterName":"a","filterPattern":"4","logGroupName":"web"},` +
		`{"filterName":"a","filterPattern":"2","logGroupName":"other"},{"filterName":"b","filterPattern":"3","logGroupName":"web"}]}`
	if _, got := call(t, url, "Logs_20140328.DescribeMetricFilters", "{}"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What clients are led away from is deleted right after.
func TestTheLoadBalancerFollowsBeforeTheAnswer(t *testing.T) {
	for action, want := range map[string]int{"ModifyRule": 1, "ModifyListener": 1, "DescribeRules": 0} {
		url, scheduler := start(t, 200, "<Response/>")
		response, err := http.PostForm(url, map[string][]string{"Action": {action}, "Version": {"2015-12-01"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if scheduler.followed != want {
			t.Errorf("%s: the load balancer followed %d times; want %d", action, scheduler.followed, want)
		}
	}
}
