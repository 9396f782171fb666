package observability

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
)

func TestWrongArgumentsOfTrafficDeclareNothing(t *testing.T) {
	good := TrafficArgs{
		Partition: pulumi.String("aws"), Account: pulumi.String("1"), Region: "eu-central-1",
		Balancer: pulumi.String("app/web/1"), TargetGroup: pulumi.String("targetgroup/web/1"),
		Alarms: true, ErrorPercent: 5, Latency: time.Second,
	}
	for want, change := range map[string]func(*TrafficArgs){
		"traffic of web: partition, account and region must be given":                           func(a *TrafficArgs) { a.Region = "" },
		"traffic of web: load balancer and target group must be given":                          func(a *TrafficArgs) { a.Balancer = nil },
		`traffic of web: e-mail address "team"; allowed: none, or one such as team@example.com`: func(a *TrafficArgs) { a.Email = "team" },
		"traffic of web: errors: 0 percent; allowed: 1 to 100":                                  func(a *TrafficArgs) { a.ErrorPercent = 0 },
		"traffic of web: latency 0s; allowed: 1 ms or more":                                     func(a *TrafficArgs) { a.Latency = 0 },
		"": func(*TrafficArgs) {},
	} {
		args := good
		change(&args)
		refused(t, want, func(ctx *pulumi.Context) error {
			_, err := NewTraffic(ctx, "web", args)
			return err
		})
	}
}

func TestWrongArgumentsOfTasksDeclareNothing(t *testing.T) {
	name := pulumi.String("name")
	good := TasksArgs{
		Partition: pulumi.String("aws"), Region: "eu-central-1", Topic: pulumi.String("arn:aws:sns:eu-central-1:1:topic"),
		Cluster: name, Service: name, Balancer: name, TargetGroup: name, NginxLogGroup: name, AppLogGroup: name,
		TaskCounts: true, UtilizationPercent: 85, LogMetrics: true, Dashboard: true,
	}
	for want, change := range map[string]func(*TasksArgs){
		"tasks of web: partition and region must be given":                                         func(a *TasksArgs) { a.Partition = nil },
		"tasks of web: cluster, service, load balancer, target group and log groups must be given": func(a *TasksArgs) { a.Service = nil },
		"tasks of web: CPU and memory: 101 percent; allowed: 1 to 100":                             func(a *TasksArgs) { a.UtilizationPercent = 101 },
		"tasks of web: alarms without Container Insights; allowed: both or neither":                func(a *TasksArgs) { a.TaskCounts = false },
		"": func(*TasksArgs) {},
	} {
		args := good
		change(&args)
		refused(t, want, func(ctx *pulumi.Context) error {
			_, err := NewTasks(ctx, "web", args)
			return err
		})
	}
}

// refused runs a program that must fail with the given message and declare nothing. Without a message, it must run.
func refused(t *testing.T, want string, program pulumi.RunFunc) {
	t.Helper()

	graph, err := infratest.Run(program, infratest.Options{Project: infratest.Project, Stack: "test"})
	if want == "" {
		if err != nil || len(graph.Resources) < 5 {
			t.Errorf("good arguments: %v, %d resources", err, len(graph.Resources))
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
	if len(graph.Resources) != 0 {
		t.Errorf("%s: %d resources are declared", want, len(graph.Resources))
	}
}

// With a part missing, the condition would hold for everybody's alarms or for nobody's.
func TestTopicPolicyNeedsAllItsParts(t *testing.T) {
	for _, parts := range [][3]string{{"", "aws", "1"}, {"arn", "", "1"}, {"arn", "aws", ""}} {
		if text, err := topicPolicy(parts[0], parts[1], "eu-central-1", parts[2]); err == nil {
			t.Errorf("%q gives %s", parts, text)
		}
	}
}

func TestEachPartitionHasItsConsole(t *testing.T) {
	for partition, want := range map[string]string{
		"aws":        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
		"aws-cn":     "https://console.amazonaws.cn/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
		"aws-us-gov": "https://console.amazonaws-us-gov.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/web",
	} {
		if got := consoleURL(partition, "eu-central-1", "web"); got != want {
			t.Errorf("%s: %s; want %s", partition, got, want)
		}
	}
}
