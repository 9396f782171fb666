package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const (
	dashboard         = "aws:cloudwatch/dashboard:Dashboard"
	logMetricFilter   = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	metricAlarm       = "aws:cloudwatch/metricAlarm:MetricAlarm"
	topic             = "aws:sns/topic:Topic"
	topicPolicy       = "aws:sns/topicPolicy:TopicPolicy"
	topicSubscription = "aws:sns/topicSubscription:TopicSubscription"
)

var operated = map[string]string{"monitoring.alarms": "true", "monitoring.dashboard": "true"}

// names are what AWS calls the watched resources in its metrics.
type names struct{ balancer, targets, cluster, service string }

func watched(t *testing.T, graph *infratest.Graph) names {
	t.Helper()

	output := func(token, key string) string {
		return graph.Outputs[one(t, graph, token).URN].Mappable()[key].(string)
	}

	return names{
		balancer: output(loadBalancer, "arnSuffix"), targets: output(targetGroup, "arnSuffix"),
		cluster: output(cluster, "name"), service: output(ecsService, "name"),
	}
}

// read lists the metrics that an alarm reads, as namespace, name, statistic and dimensions.
func read(t *testing.T, alarm infratest.Resource) []string {
	t.Helper()

	line := func(values map[string]any, statistic string) string {
		return fmt.Sprintf("%v %v %s %v %v s", values["namespace"], values["metricName"], statistic,
			values["dimensions"], values["period"])
	}
	inputs := alarm.Inputs.Mappable()
	if _, single := inputs["metricName"]; single {
		statistic, _ := inputs["statistic"].(string)
		percentile, _ := inputs["extendedStatistic"].(string)
		return []string{line(inputs, statistic+percentile)}
	}

	var all []string
	results := 0
	for _, query := range inputs["metricQueries"].([]any) {
		query := query.(map[string]any)
		if query["returnData"] == true {
			results++
		}
		if metric, ok := query["metric"].(map[string]any); ok {
			all = append(all, line(metric, metric["stat"].(string)))
		}
	}
	if results != 1 {
		t.Errorf("%s: %d results; CloudWatch wants one", alarm.Name, results)
	}

	return all
}

func TestAlarmsWatchTheLoadBalancerAndTheTasks(t *testing.T) {
	graph := run(t, defaults(t, operated))
	n := watched(t, graph)
	balancer := fmt.Sprintf("map[LoadBalancer:%s] 60 s", n.balancer)
	targets := fmt.Sprintf("map[LoadBalancer:%s TargetGroup:%s] 60 s", n.balancer, n.targets)
	service := fmt.Sprintf("map[ClusterName:%s ServiceName:%s] 60 s", n.cluster, n.service)

	want := map[string][]string{
		"web-alb-5xx": {
			"AWS/ApplicationELB RequestCount Sum " + balancer, "AWS/ApplicationELB HTTPCode_ELB_5XX_Count Sum " + balancer,
		},
		"web-target-5xx": {
			"AWS/ApplicationELB RequestCount Sum " + balancer, "AWS/ApplicationELB HTTPCode_Target_5XX_Count Sum " + targets,
		},
		"web-rejected-connections": {"AWS/ApplicationELB RejectedConnectionCount Sum " + balancer},
		"web-unhealthy-hosts":      {"AWS/ApplicationELB UnHealthyHostCount Maximum " + targets},
		"web-latency":              {"AWS/ApplicationELB TargetResponseTime p99 " + targets},
		"web-cpu":                  {"AWS/ECS CPUUtilization Average " + service},
		"web-memory":               {"AWS/ECS MemoryUtilization Maximum " + service},
		"web-missing-tasks": {
			"ECS/ContainerInsights DesiredTaskCount Average " + service,
			"ECS/ContainerInsights RunningTaskCount Average " + service,
		},
	}
	got := map[string][]string{}
	for _, alarm := range graph.OfType(metricAlarm) {
		got[alarm.Name] = read(t, alarm)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("alarms read: %v\nwant: %v", got, want)
	}
}

func TestThresholdsAreTheSettings(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"monitoring.alarms": "true", "monitoring.latency": "1500ms",
	}))
	for name, want := range map[string]float64{
		"web-alb-5xx": 5, "web-target-5xx": 5, "web-latency": 1.5, "web-cpu": 85, "web-memory": 85,
		"web-unhealthy-hosts": 1, "web-rejected-connections": 1, "web-missing-tasks": 1,
	} {
		alarm := named(t, graph, metricAlarm, name)
		if got := at(t, alarm, "threshold"); got != want || at(t, alarm, "comparisonOperator") != "GreaterThanOrEqualToThreshold" {
			t.Errorf("%s: %v %v; want at least %v", name, at(t, alarm, "comparisonOperator"), got, want)
		}
		bad, of := at(t, alarm, "datapointsToAlarm").(float64), at(t, alarm, "evaluationPeriods").(float64)
		if bad < 3 || bad > of {
			t.Errorf("%s: goes off after %v of %v minutes; want at least 3, so that one bad minute wakes nobody", name, bad, of)
		}
	}
}

func TestAlarmsNotifyTheTopicAndTheAddress(t *testing.T) {
	settings := maps.Clone(operated)
	settings["monitoring.email"] = "team@example.com"
	graph := run(t, defaults(t, settings))
	arn := graph.Outputs[one(t, graph, topic).URN]["arn"].StringValue()

	for _, alarm := range graph.OfType(metricAlarm) {
		for _, actions := range []string{"alarmActions", "okActions"} {
			if got := at(t, alarm, actions); !reflect.DeepEqual(got, []any{arn}) {
				t.Errorf("%s: %s %v; want the topic", alarm.Name, actions, got)
			}
		}
		if description := at(t, alarm, "alarmDescription").(string); len(description) < 40 || len(description) > 1024 {
			t.Errorf("%s: description %q; want what happened, in at most 1024 characters", alarm.Name, description)
		}
	}
	subscription := one(t, graph, topicSubscription)
	if at(t, subscription, "topic") != arn || at(t, subscription, "protocol") != "email" ||
		at(t, subscription, "endpoint") != "team@example.com" {
		t.Errorf("subscription %v", subscription.Inputs)
	}
	if without := run(t, defaults(t, operated)); len(without.OfType(topicSubscription)) != 0 {
		t.Error("there is a subscription without an address")
	}
}

// Clients notice errors and slow answers. Sick or overloaded tasks are no reason to stop a deployment that may cure them,
// and a load balancer without a task for a moment is no reason to restore a revision that gets no requests.
func TestADeploymentIsRolledBackOnAlarmsThatClientsNotice(t *testing.T) {
	graph := run(t, defaults(t, operated))
	service := one(t, graph, ecsService)
	want := []any{}
	for _, name := range []string{"web-target-5xx", "web-latency"} {
		want = append(want, graph.Outputs[named(t, graph, metricAlarm, name).URN]["name"].StringValue())
	}
	got := at(t, service, "alarms")
	if !reflect.DeepEqual(got, map[string]any{"alarmNames": want, "enable": true, "rollback": true}) {
		t.Errorf("alarms: %v; want %v with rollback", got, want)
	}

	if slices.Contains(service.ReplaceOnChanges, "alarms") {
		t.Errorf("replaced on changes of %v; want not alarms, because changed alarms need no new service", service.ReplaceOnChanges)
	}

	alone := one(t, run(t, defaults(t, map[string]string{"monitoring.alarms": "false"})), ecsService)
	if got := at(t, alone, "alarms"); got != nil || !slices.Contains(alone.ReplaceOnChanges, "alarms") {
		t.Errorf("alarms %v, replaced on changes of %v; want no alarms, and replacement on changes of them, because no update removes them", got, alone.ReplaceOnChanges)
	}
}

func TestTopicTakesThisAccountsAlarmsAndNothingWithoutTLS(t *testing.T) {
	graph := run(t, defaults(t, operated))
	arn := graph.Outputs[one(t, graph, topic).URN]["arn"].StringValue()
	if got := at(t, one(t, graph, topicPolicy), "arn"); got != arn {
		t.Errorf("policy of %v; want the topic's", got)
	}

	var want policyDocument
	text := `{"Statement":[
		{"Effect":"Allow","Action":["sns:Publish"],"Resource":["` + arn + `"],"Principal":{"Service":"cloudwatch.amazonaws.com"},
			"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:*"},
				"StringEquals":{"aws:SourceAccount":"123456789012"}}},
		{"Effect":"Deny","Action":["sns:Publish"],"Resource":["` + arn + `"],"Principal":{"AWS":"*"},
			"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if got := policies(t, graph, topicPolicy, "policy"); !reflect.DeepEqual(got, []policyDocument{want}) {
		t.Errorf("policy: %+v\nwant: %+v", got, want)
	}
}

func TestDevHasNoAlarmsLogMetricsOrDashboard(t *testing.T) {
	graph := run(t, stackSettings(t, "dev", nil))
	for _, token := range []string{metricAlarm, topic, topicPolicy, topicSubscription, logMetricFilter, dashboard} {
		if found := graph.OfType(token); len(found) != 0 {
			t.Errorf("dev has %d of %s", len(found), token)
		}
	}
}

// logFields are the fields of the JSON lines that NGINX writes.
func logFields(t *testing.T) []string {
	t.Helper()

	var text strings.Builder
	if err := nginx.Defaults().Render(&text, 1024); err != nil {
		t.Fatal(err)
	}
	_, format, found := strings.Cut(text.String(), "log_format json escape=json")
	if !found {
		t.Fatal("the sidecar has no JSON log")
	}
	format, _, _ = strings.Cut(format, ";")
	var fields []string
	for _, field := range regexp.MustCompile(`"([a-z_]+)":`).FindAllStringSubmatch(format, -1) {
		fields = append(fields, field[1])
	}

	return fields
}

func TestLogMetricsAndQueriesNameFieldsThatNGINXWrites(t *testing.T) {
	graph := run(t, defaults(t, operated))
	fields := logFields(t)
	group := graph.Outputs[named(t, graph, logGroup, "web-nginx").URN]["name"].StringValue()

	for _, filter := range graph.OfType(logMetricFilter) {
		if got := at(t, filter, "logGroupName"); got != group {
			t.Errorf("%s reads %v; want the sidecar's log", filter.Name, got)
		}
		for _, field := range regexp.MustCompile(`\$\.([a-z_]+)`).FindAllStringSubmatch(at(t, filter, "pattern").(string), -1) {
			if !slices.Contains(fields, field[1]) {
				t.Errorf("%s: NGINX writes no %s; it writes %v", filter.Name, field[1], fields)
			}
		}
	}
	for _, w := range widgets(t, graph) {
		query, _ := w.Properties["query"].(string)
		if !strings.Contains(query, group) {
			continue
		}
		for _, field := range regexp.MustCompile(`\b(?:status|upstream_[a-z]+|request_[a-z]+|method|path)\b`).FindAllString(query, -1) {
			if !slices.Contains(fields, field) {
				t.Errorf("%s: NGINX writes no %s; it writes %v", w.Properties["title"], field, fields)
			}
		}
	}
}

// matches says whether a line matches a pattern of CloudWatch Logs, for the part of the language that is used here:
// comparisons joined by &&, numbers, and texts that may end in a star.
func matches(t *testing.T, pattern, line string) bool {
	t.Helper()

	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	for _, term := range strings.Split(strings.Trim(pattern, "{} "), "&&") {
		part := regexp.MustCompile(`^\$\.([a-z_]+) (=|!=|>=|<) (\S+)$`).FindStringSubmatch(strings.Trim(term, "() "))
		if part == nil {
			t.Fatalf("term %q of pattern %q is not one this test understands", term, pattern)
		}
		if !compare(t, fields[part[1]], part[2], part[3]) {
			return false
		}
	}

	return true
}

func compare(t *testing.T, got any, operator, want string) bool {
	t.Helper()

	if text, err := strconv.Unquote(want); err == nil {
		prefix, wild := strings.CutSuffix(text, "*")
		same := got == text || wild && strings.HasPrefix(got.(string), prefix)
		return same == (operator == "=")
	}
	number, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}

	return operator == ">=" && got.(float64) >= number || operator == "<" && got.(float64) < number
}

func TestLogMetricsDistinguishRefusedRequestsFromFailuresOfTheApp(t *testing.T) {
	graph := run(t, defaults(t, operated))
	refused := at(t, named(t, graph, logMetricFilter, "web-rejected"), "pattern").(string)
	failed := at(t, named(t, graph, logMetricFilter, "web-upstream-errors"), "pattern").(string)

	for _, test := range []struct {
		what, line      string
		refused, failed bool
	}{
		{"an answer of the app", `{"status":200,"upstream_status":"200"}`, false, false},
		{"the health page", `{"status":200,"upstream_status":""}`, false, false},
		{"an unknown path", `{"status":404,"upstream_status":""}`, true, false},
		{"a wrong method", `{"status":405,"upstream_status":""}`, true, false},
		{"too many requests", `{"status":429,"upstream_status":""}`, true, false},
		{"not found, says the app", `{"status":404,"upstream_status":"404"}`, false, false},
		{"a client that went away", `{"status":499,"upstream_status":""}`, false, false},
		{"the app's own failure", `{"status":500,"upstream_status":"500"}`, false, true},
		{"an app that refuses connections", `{"status":502,"upstream_status":"502"}`, false, true},
		{"an app that is too slow", `{"status":504,"upstream_status":"504"}`, false, true},
	} {
		if got := matches(t, refused, test.line); got != test.refused {
			t.Errorf("%s counts as refused: %v", test.what, got)
		}
		if got := matches(t, failed, test.line); got != test.failed {
			t.Errorf("%s counts as a failure of the app: %v", test.what, got)
		}
	}
}

type placedWidget struct {
	Type                string
	X, Y, Width, Height int
	Properties          map[string]any
}

func widgets(t *testing.T, graph *infratest.Graph) []placedWidget {
	t.Helper()

	var body struct{ Widgets []placedWidget }
	if err := json.Unmarshal([]byte(at(t, one(t, graph, dashboard), "dashboardBody").(string)), &body); err != nil {
		t.Fatal(err)
	}

	return body.Widgets
}

func TestDashboardFillsItsRowsWithoutOverlap(t *testing.T) {
	taken := map[[2]int]string{}
	lowest := 0
	for _, w := range widgets(t, run(t, defaults(t, operated))) {
		title := w.Properties["title"].(string)
		lowest = max(lowest, w.Y+w.Height)
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%s lies on %s", title, other)
				}
				taken[[2]int{x, y}] = title
			}
		}
	}
	if len(taken) != 24*lowest {
		t.Errorf("%d of %d squares are filled", len(taken), 24*lowest)
	}
}

// A metric that nobody publishes gives an empty graph without an error.
func TestDashboardShowsEveryAlarmAndOnlyMetricsThatExist(t *testing.T) {
	graph := run(t, defaults(t, operated))
	n := watched(t, graph)
	dimensions := map[string]string{
		"AWS/ApplicationELB": "LoadBalancer " + n.balancer, "AWS/ECS": "ClusterName " + n.cluster + " ServiceName " + n.service,
		"ECS/ContainerInsights": "ClusterName " + n.cluster + " ServiceName " + n.service, infratest.Project + "/" + n.cluster: "",
	}
	ours := map[string]bool{}
	for _, filter := range graph.OfType(logMetricFilter) {
		ours[at(t, filter, "metricTransformation", "namespace").(string)+" "+
			at(t, filter, "metricTransformation", "name").(string)] = true
	}

	for _, w := range widgets(t, graph) {
		if w.Type == "alarm" {
			if got, want := len(w.Properties["alarms"].([]any)), len(graph.OfType(metricAlarm)); got != want {
				t.Errorf("%d alarms are shown; want %d", got, want)
			}
		}
		lines, _ := w.Properties["metrics"].([]any)
		for _, line := range lines {
			var words []string
			for _, word := range line.([]any)[:len(line.([]any))-1] {
				words = append(words, word.(string))
			}
			want, known := dimensions[words[0]]
			got, _ := strings.CutSuffix(strings.Join(words[2:], " "), " TargetGroup "+n.targets)
			if !known || got != want {
				t.Errorf("%s: %v; want dimensions %q", w.Properties["title"], words, want)
			}
			if want == "" && !ours[words[0]+" "+words[1]] {
				t.Errorf("%s: no filter makes %s", w.Properties["title"], words[1])
			}
		}
	}
}

func TestDashboardLeavesOutWhatNobodyMeasures(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"monitoring.dashboard": "true", "monitoring.containerInsights": "false", "overrides.sidecar": `{"NGINX_ACCESS_LOG":"text"}`,
	}))
	body := at(t, one(t, graph, dashboard), "dashboardBody").(string)
	for _, absent := range []string{"ContainerInsights", "RejectedRequests", `"alarm"`} {
		if strings.Contains(body, absent) {
			t.Errorf("the dashboard shows %s", absent)
		}
	}
}

func TestDashboardShowsTheConnectionsThatNginxLogs(t *testing.T) {
	for interval, want := range map[string]bool{"0": false, "60": true} {
		graph := run(t, defaults(t, map[string]string{"monitoring.dashboard": "true", "overrides.sidecar": `{"NGINX_STATUS_INTERVAL":` + interval + `}`}))
		body := at(t, one(t, graph, dashboard), "dashboardBody").(string)
		if shown := strings.Contains(body, `event = \"connections\"`); shown != want {
			t.Errorf("an interval of %s: shown: %v; want %v", interval, shown, want)
		}
	}
}

// Two copies of the project may be in one account, with stacks of the same name. Resources whose names have no random
// suffix must still differ between them. The domain is the exception: only one stack can have it.
func TestStacksOfOneNameInOneAccountShareNoName(t *testing.T) {
	given := func(project string) map[string]bool {
		settings := map[string]string{}
		for key, value := range stackSettings(t, "prod", encrypted) {
			settings[strings.Replace(key, infratest.Project+":", project+":", 1)] = value
		}
		graph, err := infratest.Run(infra.Program, infratest.Options{Project: project, Stack: "test", Settings: settings})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, r := range graph.Resources {
			for _, key := range []string{"name", "family", "dashboardName"} {
				if name, ok := at(t, r, key).(string); ok && r.Type != record {
					names[r.Type+" "+name] = true
				}
			}
			if namespace, ok := at(t, r, "metricTransformation", "namespace").(string); ok {
				_, own, _ := strings.Cut(namespace, "/")
				names[r.Type+" "+own] = true
			}
		}
		return names
	}

	one, other := given("one"), given("other")
	if len(one) < 3 {
		t.Fatalf("names: %v; want those of task definition, dashboard and metrics at least", one)
	}
	for name := range one {
		if other[name] {
			t.Errorf("%s is in both", name)
		}
	}
}

func TestOutputsNameTopicAndDashboard(t *testing.T) {
	got := outputs(t, defaults(t, operated))
	if want := "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/" + got["clusterName"]; got["dashboardUrl"] != want {
		t.Errorf("dashboardUrl: %s; want %s", got["dashboardUrl"], want)
	}
	if want := "arn:aws:sns:eu-central-1:" + infratest.Account + ":web-alarms-"; !strings.HasPrefix(got["alarmTopicArn"], want) {
		t.Errorf("alarmTopicArn: %s; want %s…", got["alarmTopicArn"], want)
	}
	for _, key := range []string{"dashboardUrl", "alarmTopicArn"} {
		if value, ok := outputs(t, defaults(t, nil))[key]; ok {
			t.Errorf("%s is %q where there is none", key, value)
		}
	}
}
