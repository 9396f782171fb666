package observability

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
)

func TestMissingArgumentsOfTrafficDeclareNothing(t *testing.T) {
	good := TrafficArgs{
		Settings:  Settings{Alarms: true, ErrorPercent: 5, Latency: time.Second},
		Partition: pulumi.String("aws"), Account: pulumi.String("1"), Region: "eu-central-1",
		Ingress: Ingress{LoadBalancer: pulumi.String("app/web/1"), TargetGroup: pulumi.String("targetgroup/web/1")},
	}
	for want, change := range map[string]func(*TrafficArgs){
		"traffic of web: partition, account and region must be given":          func(a *TrafficArgs) { a.Region = "" },
		"traffic of web: load balancer and target group, or API must be given": func(a *TrafficArgs) { a.LoadBalancer = nil },
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

func TestMissingArgumentsOfTasksDeclareNothing(t *testing.T) {
	name := pulumi.String("name")
	good := TasksArgs{
		Settings:  Settings{Alarms: true, UtilizationPercent: 85, LogMetrics: true, Dashboard: true},
		Partition: pulumi.String("aws"), Region: "eu-central-1", Topic: pulumi.String("arn:aws:sns:eu-central-1:1:topic"),
		Cluster: name, Service: name, Ingress: Ingress{LoadBalancer: name, TargetGroup: name}, NginxLogGroup: name, AppLogGroup: name,
		TaskCounts: true,
	}
	for want, change := range map[string]func(*TasksArgs){
		"tasks of web: partition and region must be given":                                                     func(a *TasksArgs) { a.Partition = nil },
		"tasks of web: cluster, service, log groups, and load balancer and target group, or API must be given": func(a *TasksArgs) { a.Service = nil },
		"tasks of web: topic must be given with alarms":                                                        func(a *TasksArgs) { a.Topic = nil },
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

// If a part were missing, the condition would be true for everybody's alarms or for nobody's.
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
