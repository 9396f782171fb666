package infra_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// collector is a further container with every field, agent one with the required fields alone.
const (
	collector = `"collector":{"image":"123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/collector:2","user":"10001:10001",
		"command":["--config=/etc/collector.yaml"],"environment":{"LEVEL":"debug","LIMIT":512},
		"secrets":{"API_KEY":"secretsmanager:collector#key","REGION_KEY":"ssm:/collector/region"},"essential":true,"cpu":64,"memory":256,
		"healthCommand":["CMD","/collector","health"],"writablePaths":["/tmp","/var/lib/collector"]}`
	agent = `"agent":{"image":"public.ecr.aws/team/agent:7.1","user":"100"}`
)

var furtherContainers = map[string]string{"containers": "{" + collector + "," + agent + "}"}

func TestFurtherContainersRunBesideNginxAndTheApp(t *testing.T) {
	graph := run(t, defaults(t, furtherContainers))
	group := graph.Outputs[named(t, graph, logGroup, "web-app").URN]["name"].StringValue()
	logs := func(name string) map[string]any {
		return map[string]any{"logDriver": "awslogs", "secretOptions": []any{}, "options": map[string]any{
			"awslogs-group": group, "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "web/" + name, "mode": "non-blocking", "max-buffer-size": "25m",
		}}
	}
	want := map[string]map[string]any{
		"agent": {
			"name": "agent", "image": "public.ecr.aws/team/agent:7.1", "essential": false, "cpu": 0.0, "user": "100", "readonlyRootFilesystem": true,
			"stopTimeout": 60.0, "portMappings": []any{}, "environment": []any{}, "mountPoints": []any{}, "volumesFrom": []any{}, "systemControls": []any{},
			"logConfiguration": logs("agent"),
		},
		"collector": {
			"name": "collector", "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/collector:2", "essential": true, "cpu": 64.0, "memory": 256.0,
			"user": "10001:10001", "readonlyRootFilesystem": true, "command": []any{"--config=/etc/collector.yaml"}, "stopTimeout": 60.0,
			"portMappings": []any{}, "volumesFrom": []any{}, "systemControls": []any{},
			"environment": []any{map[string]any{"name": "LEVEL", "value": "debug"}, map[string]any{"name": "LIMIT", "value": "512"}},
			"secrets": []any{
				map[string]any{"name": "API_KEY", "valueFrom": infratest.SecretARN("collector") + ":key::"},
				map[string]any{"name": "REGION_KEY", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/collector/region"},
			},
			"mountPoints": []any{
				map[string]any{"sourceVolume": "writable-collector-1", "containerPath": "/tmp", "readOnly": false},
				map[string]any{"sourceVolume": "writable-collector-2", "containerPath": "/var/lib/collector", "readOnly": false},
			},
			"healthCheck": map[string]any{"command": []any{"CMD", "/collector", "health"}, "interval": 5.0, "timeout": 3.0, "retries": 3.0, "startPeriod": 10.0},
			"dockerLabels": map[string]any{
				"secret-version.API_KEY": infratest.SecretVersion(infratest.SecretARN("collector")), "secret-version.REGION_KEY": "3",
			},
			"logConfiguration": logs("collector"),
		},
	}
	got := containers(t, graph)
	for name, definition := range want {
		if !reflect.DeepEqual(got[name], definition) {
			t.Errorf("%s: %v\nwant: %v", name, got[name], definition)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d containers; want 4", len(got))
	}
	if volumes := at(t, serviceDefinition(t, graph), "volumes"); !reflect.DeepEqual(volumes, []any{
		map[string]any{"name": "nginx-tmp"}, map[string]any{"name": "writable-collector-1"}, map[string]any{"name": "writable-collector-2"},
	}) {
		t.Errorf("volumes: %v", volumes)
	}
}

// ECS stops containers in the reverse order of their start: NGINX, the app, and then what the app may still send to.
func TestTheAppStartsAfterFurtherContainersAndWaitsOnlyForWhatItNeeds(t *testing.T) {
	for name, test := range map[string]struct{ sidecars, condition string }{
		"essential, checked": {`{"a":{"image":"a:1","user":"1","essential":true,"healthCommand":["CMD","/a"]}}`, "HEALTHY"},
		"essential":          {`{"a":{"image":"a:1","user":"1","essential":true}}`, "START"},
		"checked":            {`{"a":{"image":"a:1","user":"1","healthCommand":["CMD-SHELL","a"]}}`, "START"},
	} {
		t.Run(name, func(t *testing.T) {
			all := containers(t, run(t, defaults(t, map[string]string{"containers": test.sidecars})))
			if got, want := all["app"]["dependsOn"], []any{map[string]any{"containerName": "a", "condition": test.condition}}; !reflect.DeepEqual(got, want) {
				t.Errorf("the app depends on %v; want %v", got, want)
			}
			if got := all["nginx"]["dependsOn"].([]any)[0].(map[string]any)["containerName"]; got != "app" || all["a"]["dependsOn"] != nil {
				t.Errorf("NGINX depends on %v, the further container on %v", got, all["a"]["dependsOn"])
			}
		})
	}
}

// Without a share of their own, NGINX and the app would get two units each beside a container that asks for one.
func TestNginxAndTheAppShareWhatFurtherContainersLeave(t *testing.T) {
	for sidecars, want := range map[string]float64{"{" + agent + "}": 0, "{" + collector + "," + agent + "}": 479} {
		all := containers(t, run(t, defaults(t, map[string]string{"containers": sidecars})))
		if all["nginx"]["cpu"] != want || all["app"]["cpu"] != want || all["agent"]["cpu"] != 0.0 {
			t.Errorf("%s: NGINX %v, app %v, agent %v CPU units; want %v, %[5]v and 0", sidecars, all["nginx"]["cpu"], all["app"]["cpu"], all["agent"]["cpu"], want)
		}
	}
}

func TestECSMayReadAndPullWhatFurtherContainersNeed(t *testing.T) {
	got := map[string][]string{}
	settings := with(furtherContainers, map[string]string{"logRouter": router, "app.secrets": `{"TOKEN":"ssm:/shop/token"}`, "storage.kmsKey": someKey})
	for _, document := range policies(t, run(t, defaults(t, settings)), rolePolicy, "policy", "web-execution") {
		for _, statement := range document.Statement {
			for _, action := range statement.Action {
				got[action] = append(got[action], statement.Resource...)
			}
		}
	}
	for action, want := range map[string][]string{
		"secretsmanager:GetSecretValue": {infratest.SecretARN("collector"), infratest.SecretARN("router")},
		"ssm:GetParameters":             {"arn:aws:ssm:eu-central-1:123456789012:parameter/collector/region", "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/token"},
		"kms:Decrypt":                   {someKey},
	} {
		if !slices.Equal(got[action], want) {
			t.Errorf("%s: %v; want %v", action, got[action], want)
		}
	}
	if own := "arn:aws:ecr:eu-central-1:123456789012:repository/team/collector"; !slices.Contains(got["ecr:BatchGetImage"], own) {
		t.Errorf("ECS may not pull from %s: %v", own, got["ecr:BatchGetImage"])
	}
	if len(got["ecr:BatchGetImage"]) != 4 { // the two of the stack, the collector's, GuardDuty's
		t.Errorf("ECS may pull from %v", got["ecr:BatchGetImage"])
	}
}

// Tasks without a way to the Internet reach Secrets Manager through an endpoint, whichever container needs it.
func TestASecretOfAFurtherContainerBringsItsEndpoint(t *testing.T) {
	image := `"image":"123456789012.dkr.ecr.eu-central-1.amazonaws.com/a:1","user":"1"`
	for sidecars, want := range map[string]bool{
		`{"a":{` + image + `}}`: false, `{"a":{` + image + `,"secrets":{"KEY":"ssm:/key"}}}`: false,
		`{"a":{` + image + `,"secrets":{"KEY":"secretsmanager:key"}}}`: true,
	} {
		s := subject{t: t, graph: run(t, defaults(t, map[string]string{"network.kind": "large", "network.egress": "endpoints", "containers": sidecars}))}
		if got := s.endpoint("secretsmanager") == ""; got != want {
			t.Errorf("%s: endpoint %v; want %v", sidecars, got, want)
		}
	}
}

// Whatever else runs in the task, the controls hold as without it.
func TestFurtherContainersKeepEveryControl(t *testing.T) {
	for overrides, want := range map[string][]string{
		`{}`: nil,
		`{"agent":{"readonlyRootFilesystem":false}}`: {"ECS.5"},
	} {
		t.Run(overrides, func(t *testing.T) {
			for _, stack := range controlledStacks {
				settings := controlled(t, stack)
				without := subject{t: t, graph: run(t, settings)}
				settings = infratest.With(settings, map[string]string{"containers": furtherContainers["containers"], "overrides.containers": overrides})
				with := subject{t: t, graph: run(t, settings)}
				var broken []string
				for _, c := range controls {
					if verdict(c, with) != verdict(c, without) {
						broken = append(broken, c.id)
					}
				}
				if !slices.Equal(broken, want) {
					t.Errorf("%s: %v change; want %v", stack, broken, want)
				}
			}
		})
	}
}

// A command that fails must not run again, and nothing beside it may keep its task alive or make it wait.
func TestARestartOfTheAppIsNotForNginxNorForCommands(t *testing.T) {
	settings := maps.Clone(furtherContainers)
	maps.Copy(settings, map[string]string{
		"overrides.containers": `{"app":{"restartPolicy":{"enabled":true,"restartAttemptPeriod":90}}}`, "deployment.command": `["migrate"]`,
	})
	graph := run(t, defaults(t, settings))
	all := containers(t, graph)
	if want := map[string]any{"enabled": true, "restartAttemptPeriod": 90.0}; !reflect.DeepEqual(all["app"]["restartPolicy"], want) {
		t.Errorf("restart policy of the app: %v; want %v", all["app"]["restartPolicy"], want)
	}
	if all["nginx"]["restartPolicy"] != nil {
		t.Errorf("restart policy of NGINX: %v", all["nginx"]["restartPolicy"])
	}
	alone := containersOf(t, named(t, graph, taskDefinition, "web-commands"))
	if len(alone) != 1 || alone["app"]["restartPolicy"] != nil || alone["app"]["dependsOn"] != nil {
		t.Errorf("containers for commands: %v", alone)
	}
}

// People copy the examples into a stack file.
func TestTheExamplesOfTheContainersDocumentAreAccepted(t *testing.T) {
	text, err := readFile(t, "docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples; want 2", len(blocks))
	}
	for i, want := range []string{"otel", "log-router"} {
		if all := containers(t, run(t, settingsOf(t, blocks[i][1]))); all[want] == nil {
			t.Errorf("containers %v; want %s among them", slices.Sorted(maps.Keys(all)), want)
		}
	}
}
