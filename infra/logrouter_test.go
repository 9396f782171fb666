package infra_test

import (
	"reflect"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

const router = `{"image":"public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.14","user":"1000",` +
	`"output":{"Name":"http","Host":"logs.example.com","Port":443,"tls":"on"},"secrets":{"http_Passwd":"secretsmanager:router"}}`

func TestALogRouterGetsTheLinesOfNginxAndTheApp(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"logRouter": router, "containers": "{" + agent + "}"}))
	group := graph.Outputs[named(t, graph, logGroup, "web-app").URN]["name"].StringValue()
	all := containers(t, graph)
	want := map[string]any{
		"logDriver": "awsfirelens",
		"options": map[string]any{
			"Name": "http", "Host": "logs.example.com", "Port": "443", "tls": "on", "log-driver-buffer-limit": "25600",
		},
		"secretOptions": []any{map[string]any{"name": "http_Passwd", "valueFrom": infratest.SecretARN("router")}},
	}
	for _, name := range []string{"nginx", "app"} {
		if !reflect.DeepEqual(all[name]["logConfiguration"], want) {
			t.Errorf("log of %s: %v; want %v", name, all[name]["logConfiguration"], want)
		}
		depends := all[name]["dependsOn"].([]any)
		if last := depends[len(depends)-1]; !reflect.DeepEqual(last, map[string]any{"containerName": "log-router", "condition": "START"}) {
			t.Errorf("%s depends on %v; want the router, too", name, depends)
		}
	}
	for key, want := range map[string]any{
		"essential": true, "user": "1000", "readonlyRootFilesystem": true, "memoryReservation": 50.0, "portMappings": []any{}, "dependsOn": nil,
		"image":                 "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.14",
		"firelensConfiguration": map[string]any{"type": "fluentbit", "options": map[string]any{"enable-ecs-log-metadata": "true"}},
	} {
		if got := all["log-router"][key]; !reflect.DeepEqual(got, want) {
			t.Errorf("the router's %s: %v; want %v", key, got, want)
		}
	}
	// What the router says about itself, and what other containers say, is in CloudWatch.
	for _, name := range []string{"log-router", "agent"} {
		options := all[name]["logConfiguration"].(map[string]any)["options"].(map[string]any)
		if options["awslogs-group"] != group || options["awslogs-stream-prefix"] != "web/"+name {
			t.Errorf("log of %s: %v", name, options)
		}
	}
}

// The last lines of a command that failed are read from CloudWatch.
func TestCommandsLogToCloudWatchInSpiteOfARouter(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"logRouter": router, "deployment.command": `["migrate"]`}))
	alone := containersOf(t, named(t, graph, taskDefinition, "web-commands"))
	if len(alone) != 1 || alone["app"]["logConfiguration"].(map[string]any)["logDriver"] != "awslogs" || alone["app"]["dependsOn"] != nil {
		t.Errorf("containers for commands: %v", alone)
	}
}

func TestTheDashboardShowsNoLinesThatAreElsewhere(t *testing.T) {
	for settings, want := range map[string]bool{"null": true, router: false} {
		graph := run(t, defaults(t, map[string]string{"monitoring.dashboard": "true", "overrides.sidecar": `{"NGINX_STATUS_INTERVAL":60}`, "logRouter": settings}))
		body := at(t, one(t, graph, dashboard), "dashboardBody").(string)
		if got := strings.Contains(body, "SOURCE"); got != want {
			t.Errorf("router %s: queries of log groups: %v; want %v", settings, got, want)
		}
	}
}

func TestALogRouterKeepsEveryControl(t *testing.T) {
	settings := controlled(t, "prod")
	without := subject{t: t, graph: run(t, settings)}
	settings = infratest.With(settings, map[string]string{"logRouter": router})
	with := subject{t: t, graph: run(t, settings)}
	for _, c := range controls {
		if got, want := verdict(c, with), verdict(c, without); got != want {
			t.Errorf("%s: %s; without a router: %s", c.id, got, want)
		}
	}
}
