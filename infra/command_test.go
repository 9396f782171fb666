package infra_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

var migrating = map[string]string{
	"deployment.command": `["npm","run","migrate"]`, "app.secrets": `{"DATABASE_URL":"ssm:/shop/database"}`,
	"app.policies": `["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]`,
}

// The command runs as the app runs: with the same image, variables, secrets, roles and network. NGINX is not beside it.
func TestTheDeployCommandRunsAsTheNewAppDoes(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		t.Run(stack, func(t *testing.T) {
			graph := run(t, stackSettings(t, stack, migrating))
			definition := named(t, graph, taskDefinition, "web-commands")
			tasks := named(t, graph, taskDefinition, "web")

			if len(graph.Commands) != 1 {
				t.Fatalf("%d commands were run; want 1", len(graph.Commands))
			}
			command := graph.Commands[0]
			if want := graph.Outputs[definition.URN]["arn"].StringValue(); command.TaskDefinition != want {
				t.Errorf("task definition %s; want %s", command.TaskDefinition, want)
			}
			if got := command.Overrides.Containers; len(got) != 1 || got[0].Name != "app" || strings.Join(got[0].Command, " ") != "npm run migrate" {
				t.Errorf("overrides: %v", got)
			}
			service := one(t, graph, ecsService)
			network := command.Network.AWSVPC
			want := map[string]any{
				"subnets": anything(network.Subnets), "securityGroups": anything(network.SecurityGroups),
				"assignPublicIp": network.AssignPublicIP == "ENABLED",
			}
			if got := at(t, service, "networkConfiguration"); !reflect.DeepEqual(got, want) {
				t.Errorf("network: %v; the service has %v", want, got)
			}

			for _, key := range []string{"cpu", "memory", "executionRoleArn", "taskRoleArn", "runtimePlatform", "volumes"} {
				if got, want := at(t, definition, key), at(t, tasks, key); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v; the service's tasks have %v", key, got, want)
				}
			}
			app := containersOf(t, tasks)["app"]
			alone := containersOf(t, definition)
			if len(alone) != 1 || alone["app"]["healthCheck"] != nil {
				t.Errorf("containers: %v; want the app alone, without a health check", alone)
			}
			for _, key := range []string{"image", "environment", "secrets", "user", "readonlyRootFilesystem"} {
				if got, want := alone["app"][key], app[key]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v; the app has %v", key, got, want)
				}
			}
		})
	}
}

func anything(texts []string) []any {
	var all []any
	for _, text := range texts {
		all = append(all, text)
	}

	return all
}

func TestAFailedDeployCommandLeavesTheServiceAlone(t *testing.T) {
	failing := options(defaults(t, migrating))
	failing.ExitCode = 1
	graph, err := infratest.Run(infra.Program, failing)
	want := `service web: deployment.command ["npm", "run", "migrate"]: it ended with exit code 1
Remedy: correct the command, or what the app is given in app.environment and app.secrets; the lines below say more
  app: exit code 1
    relation "users" does not exist
When that is done, run: pulumi up; the service has not been changed`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: %s", err, want)
	}
	if got := len(graph.OfType(ecsService)); got != 0 {
		t.Errorf("%d services are declared in spite of the failure", got)
	}
}

// The command needs what the tasks need: the rights to pull and to log, and the way out of the network. So it runs no
// earlier than the service would be declared without it.
func TestTheServiceWaitsForTheDeployCommandAsForEverythingElse(t *testing.T) {
	before := run(t, defaults(t, nil))
	after := run(t, defaults(t, map[string]string{"deployment.command": `["migrate"]`}))
	wanted := slices.Concat(one(t, before, ecsService).DependsOn, []string{named(t, after, taskDefinition, "web-commands").URN})
	for _, urn := range wanted {
		if got := one(t, after, ecsService).DependsOn; !slices.Contains(got, urn) {
			t.Errorf("the service does not wait for %s", urn)
		}
	}
}

func TestAPreviewRunsNoCommand(t *testing.T) {
	preview := options(defaults(t, migrating))
	preview.Preview, preview.Exists = true, true
	graph, err := infratest.Run(infra.Program, preview)
	if err != nil {
		t.Fatal(err)
	}
	if len(graph.Commands) != 0 {
		t.Errorf("a preview runs %v", graph.Commands)
	}
}

func containersOf(t *testing.T, definition infratest.Resource) map[string]map[string]any {
	t.Helper()

	var all []map[string]any
	if err := json.Unmarshal([]byte(definition.Inputs["containerDefinitions"].StringValue()), &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]map[string]any{}
	for _, container := range all {
		byName[container["name"].(string)] = container
	}

	return byName
}
