package infra_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const (
	schedules    = "aws:scheduler/schedule:Schedule"
	queue        = "aws:sqs/queue:Queue"
	metricAlarms = "aws:cloudwatch/metricAlarm:MetricAlarm"
)

func scheduled(changes map[string]string) map[string]string {
	all := map[string]string{
		"schedule": nightly, "app.policies": `["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`,
	}
	for key, value := range changes {
		all[key] = value
	}

	return all
}

// arnOf returns what the provider would.
func arnOf(t *testing.T, graph *infratest.Graph, token, name string) string {
	t.Helper()

	return graph.Outputs[named(t, graph, token, name).URN]["arn"].StringValue()
}

func TestScheduledTasksRunAsTheAppDoes(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", scheduled(nil)))
	made := one(t, graph, schedules)
	service := one(t, graph, ecsService)

	if made.Name != "web-report" || at(t, made, "scheduleExpression") != "cron(0 2 * * ? *)" || at(t, made, "scheduleExpressionTimezone") != "Europe/Berlin" {
		t.Errorf("%s at %v in %v", made.Name, at(t, made, "scheduleExpression"), at(t, made, "scheduleExpressionTimezone"))
	}
	if got := at(t, made, "target", "input"); got != `{"containerOverrides":[{"name":"app","command":["npm","run","report"]}]}` {
		t.Errorf("input: %v", got)
	}
	if got, want := at(t, made, "target", "ecsParameters", "taskDefinitionArn"), arnOf(t, graph, taskDefinition, "web-commands"); got != want {
		t.Errorf("task definition: %v; want %s", got, want)
	}
	if got, want := at(t, made, "target", "ecsParameters", "networkConfiguration"), at(t, service, "networkConfiguration"); !reflect.DeepEqual(got, want) {
		t.Errorf("network: %v; the service has %v", got, want)
	}
	if got, want := at(t, made, "target", "arn"), at(t, service, "cluster"); got != want {
		t.Errorf("cluster: %v; the service is in %v", got, want)
	}
	if got, want := at(t, made, "target", "deadLetterConfig", "arn"), arnOf(t, graph, queue, "web-failures"); got != want {
		t.Errorf("dead-letter queue: %v; want %s", got, want)
	}
	if got := at(t, made, "target", "retryPolicy"); !reflect.DeepEqual(got, map[string]any{"maximumEventAgeInSeconds": 900.0, "maximumRetryAttempts": 15.0}) {
		t.Errorf("retries: %v", got)
	}
	if !slices.Contains(made.DependsOn, service.URN) {
		t.Errorf("the schedule does not wait for the service, so it may run an image that the service does not: %v", made.DependsOn)
	}
}

// The scheduler may start the commands' tasks in this cluster, with their own roles, and write to one queue.
func TestTheSchedulerMayStartTheseTasksOnly(t *testing.T) {
	graph := run(t, defaults(t, scheduled(nil)))
	cluster := arnOf(t, graph, "aws:ecs/cluster:Cluster", "web")
	family := arnOf(t, graph, taskDefinition, "web-commands")
	roles := []string{arnOf(t, graph, role, "web-execution"), arnOf(t, graph, role, "web-task")}
	slices.Sort(roles)
	want := decoded(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"StartTasks","Effect":"Allow","Action":["ecs:RunTask"],"Resource":["`+family[:strings.LastIndex(family, ":")]+`:*"],
			"Condition":{"ArnEquals":{"ecs:cluster":"`+cluster+`"}}},
		{"Sid":"HandOverRoles","Effect":"Allow","Action":["iam:PassRole"],"Resource":["`+strings.Join(roles, `","`)+`"],
			"Condition":{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}},
		{"Sid":"TagThem","Effect":"Allow","Action":["ecs:TagResource"],"Resource":["`+strings.Replace(cluster, ":cluster/", ":task/", 1)+`/*"],
			"Condition":{"StringEquals":{"ecs:CreateAction":"RunTask"}}},
		{"Sid":"ReportFailures","Effect":"Allow","Action":["sqs:SendMessage"],"Resource":["`+arnOf(t, graph, queue, "web-failures")+`"]}]}`)
	if got := decoded(t, at(t, named(t, graph, rolePolicy, "web-schedule"), "policy").(string)); !reflect.DeepEqual(got, want) {
		t.Errorf("rights: %v\nwant:   %v", got, want)
	}

	trust := decoded(t, `{"Version":"2012-10-17","Statement":[{"Sid":"SchedulesOfThisStack","Effect":"Allow",
		"Principal":{"Service":"scheduler.amazonaws.com"},"Action":["sts:AssumeRole"],
		"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012",
			"aws:SourceArn":"`+arnOf(t, graph, "aws:scheduler/scheduleGroup:ScheduleGroup", "web")+`"}}}]}`)
	if got := decoded(t, at(t, named(t, graph, role, "web-schedule"), "assumeRolePolicy").(string)); !reflect.DeepEqual(got, trust) {
		t.Errorf("trust: %v\nwant:  %v", got, trust)
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()

	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}

	return value
}

// Whatever goes wrong ends in one queue: the scheduler sends what it could not start, a rule the tasks that failed.
func TestFailedScheduledTasksReachTheQueueAndTheAlarm(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", scheduled(nil)))
	family := arnOf(t, graph, taskDefinition, "web-commands")
	want := decoded(t, `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{
		"clusterArn":["`+arnOf(t, graph, "aws:ecs/cluster:Cluster", "web")+`"],
		"taskDefinitionArn":[{"prefix":"`+family[:strings.LastIndex(family, ":")]+`:"}],
		"lastStatus":["STOPPED"],"startedBy":[{"anything-but":{"prefix":"deploy/"}}],
		"$or":[{"containers":{"exitCode":[{"anything-but":0}]}},{"stopCode":["TaskFailedToStart"]}]}}`)
	rule := one(t, graph, "aws:cloudwatch/eventRule:EventRule")
	if got := decoded(t, at(t, rule, "eventPattern").(string)); !reflect.DeepEqual(got, want) {
		t.Errorf("pattern: %v\nwant:    %v", got, want)
	}
	arn := arnOf(t, graph, queue, "web-failures")
	if got := at(t, one(t, graph, "aws:cloudwatch/eventTarget:EventTarget"), "arn"); got != arn {
		t.Errorf("the rule sends to %v; want %s", got, arn)
	}
	policy := decoded(t, `{"Version":"2012-10-17","Statement":[{"Sid":"FailedTasks","Effect":"Allow",
		"Principal":{"Service":"events.amazonaws.com"},"Action":["sqs:SendMessage"],"Resource":["`+arn+`"],
		"Condition":{"ArnEquals":{"aws:SourceArn":"`+graph.Outputs[rule.URN]["arn"].StringValue()+`"}}}]}`)
	if got := decoded(t, at(t, one(t, graph, "aws:sqs/queuePolicy:QueuePolicy"), "policy").(string)); !reflect.DeepEqual(got, policy) {
		t.Errorf("queue policy: %v\nwant:         %v", got, policy)
	}
	if at(t, one(t, graph, queue), "sqsManagedSseEnabled") != true {
		t.Error("the queue is not encrypted")
	}
	alarm := named(t, graph, metricAlarms, "web-failures")
	if at(t, alarm, "namespace") != "AWS/SQS" || at(t, alarm, "dimensions", "QueueName") != graph.Outputs[one(t, graph, queue).URN]["name"].StringValue() {
		t.Errorf("the alarm reads %v of %v", at(t, alarm, "namespace"), at(t, alarm, "dimensions"))
	}

	if quiet := run(t, stackSettings(t, "prod", scheduled(map[string]string{"monitoring.alarms": "false"}))); len(quiet.OfType(metricAlarms)) != 0 {
		t.Error("there is an alarm although alarms is off")
	}
}

// After a rollback, a scheduled command must not run with the image that ECS has rolled back.
func TestARollbackLeavesTheSchedulesAlone(t *testing.T) {
	rolledBack := options(defaults(t, scheduled(nil)))
	rolledBack.Deployment = func(infratest.Resource) *infratest.Deployment {
		return &infratest.Deployment{Status: "ROLLBACK_SUCCESSFUL"}
	}
	graph, err := infratest.Run(infra.Program, rolledBack)
	if err == nil {
		t.Error("the update succeeds in spite of the rollback")
	}
	if got := graph.OfType(schedules); len(got) != 0 {
		t.Errorf("%d schedules get the new task definition", len(got))
	}
}

// A deployment's command may have failed before; that was reported by the update.
func TestTheRuleReadsNoTaskOfADeployment(t *testing.T) {
	graph := run(t, defaults(t, scheduled(map[string]string{"deployment.command": `["migrate"]`})))
	if by := graph.Commands[0].StartedBy; !strings.HasPrefix(by, "deploy/") {
		t.Errorf("a deployment's task is started by %q, but the rule leaves out those that begin with deploy/", by)
	}
	if got := one(t, graph, "aws:cloudwatch/eventRule:EventRule").Inputs["eventPattern"]; got == (resource.PropertyValue{}) {
		t.Error("the rule has no pattern")
	}
}
