package infra_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

const policyAttachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

// The app's settings reach its container, and no other.
func TestTheAppsOwnSettingsReachItsContainer(t *testing.T) {
	graph := run(t, defaults(t, ownApp))
	app := containers(t, graph)["app"]

	for key, want := range map[string]any{
		"command": []any{"/app", "--verbose"},
		"user":    "65532:65532",
		"mountPoints": []any{
			map[string]any{"sourceVolume": "app-writable-1", "containerPath": "/tmp", "readOnly": false},
			map[string]any{"sourceVolume": "app-writable-2", "containerPath": "/var/cache/app", "readOnly": false},
		},
		"secrets": []any{
			map[string]any{"name": "DATABASE_URL", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/database"},
			map[string]any{"name": "STRIPE", "valueFrom": infratest.SecretARN("shop/stripe")},
			map[string]any{"name": "STRIPE_KEY", "valueFrom": infratest.SecretARN("shop/stripe") + ":key::"},
			map[string]any{"name": "TOKEN", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/token"},
		},
		"dockerLabels": map[string]any{
			"secret-version.DATABASE_URL": "3", "secret-version.TOKEN": "3",
			"secret-version.STRIPE":     infratest.SecretVersion(infratest.SecretARN("shop/stripe")),
			"secret-version.STRIPE_KEY": infratest.SecretVersion(infratest.SecretARN("shop/stripe")),
		},
	} {
		if !reflect.DeepEqual(app[key], want) {
			t.Errorf("%s: %v; want %v", key, app[key], want)
		}
	}
	if got := app["healthCheck"].(map[string]any)["command"]; !reflect.DeepEqual(got, []any{"CMD", "/app", "--healthy"}) {
		t.Errorf("health command: %v", got)
	}
	want := map[string]string{
		"LOG_LEVEL": "debug", "WORKERS": "4", "TRACE": "true", "NODE_ENV": "staging",
		"HOST": "127.0.0.1", "PORT": "3000", "KEEP_ALIVE_TIMEOUT_MS": "95000",
	}
	if got := environment(app); !maps.Equal(got, want) {
		t.Errorf("environment: %v\nwant: %v", got, want)
	}
	volumes := at(t, one(t, graph, taskDefinition), "volumes")
	if want := []any{
		map[string]any{"name": "nginx-tmp"}, map[string]any{"name": "app-writable-1"}, map[string]any{"name": "app-writable-2"},
	}; !reflect.DeepEqual(volumes, want) {
		t.Errorf("volumes: %v; want %v", volumes, want)
	}

	nginx := containers(t, graph)["nginx"]
	if nginx["secrets"] != nil || nginx["command"] != nil || environment(nginx)["LOG_LEVEL"] != "" || nginx["user"] != "101:101" {
		t.Errorf("NGINX gets the app's settings: %v", nginx)
	}
}

func TestTheAppsBuildFollowsItsSettings(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"app.context": "infra/testdata/context", "app.dockerfile": "Dockerfile.dev", "app.target": "run", "app.buildArgs": `{"VERSION":2}`,
	}))
	build := at(t, named(t, graph, dockerImage, "web-app"), "build").(map[string]any)
	copied := build["context"].(string)
	want := map[string]any{
		"context": copied, "dockerfile": copied + "/Dockerfile.dev", "target": "run",
		"args": map[string]any{"VERSION": "2"}, "platform": "linux/amd64", "builderVersion": "BuilderBuildKit",
	}
	if !reflect.DeepEqual(build, want) {
		t.Errorf("build: %v\nwant: %v", build, want)
	}
	sameFile(t, copied+"/Dockerfile.dev", "infra/testdata/context/Dockerfile.dev")
	if got := at(t, named(t, graph, dockerImage, "web-nginx"), "build", "target"); got != nil {
		t.Errorf("NGINX is built to %v", got)
	}
}

// Another stage, argument or Dockerfile makes another image, so it must lead to another tag.
func TestWhateverChangesABuildChangesItsTag(t *testing.T) {
	base := map[string]string{"app.context": "infra/testdata/context"}
	tag := func(changes map[string]string) any {
		settings := maps.Clone(base)
		maps.Copy(settings, changes)
		return at(t, named(t, run(t, defaults(t, settings)), dockerImage, "web-app"), "build", "context")
	}
	seen := map[any]string{}
	for name, changes := range map[string]map[string]string{
		"nothing": nil, "a Dockerfile": {"app.dockerfile": "Dockerfile.dev"}, "a stage": {"app.target": "run"},
		"an argument": {"app.buildArgs": `{"A":"1"}`}, "another value": {"app.buildArgs": `{"A":"2"}`},
	} {
		content := tag(changes)
		if other, twice := seen[content]; twice {
			t.Errorf("%s and %s give one tag", name, other)
		}
		seen[content] = name
	}
}

func TestTasksHaveARoleOnlyForWhatTheyCall(t *testing.T) {
	s3 := "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	for name, test := range map[string]struct {
		settings map[string]string
		attached []string
		exec     bool
	}{
		"nothing":  {nil, nil, false},
		"policies": {map[string]string{"app.policies": `["` + s3 + `","arn:aws:iam::123456789012:policy/team/queue"]`}, []string{"arn:aws:iam::123456789012:policy/team/queue", s3}, false},
		"exec":     {map[string]string{"task.exec": "true"}, nil, true},
		"both":     {map[string]string{"task.exec": "true", "app.policies": `["` + s3 + `"]`}, []string{s3}, true},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, test.settings))
			task, _ := at(t, one(t, graph, taskDefinition), "taskRoleArn").(string)
			if test.attached == nil && !test.exec {
				if task != "" || len(graph.OfType(role)) != 1 {
					t.Errorf("tasks have a role, %s", task)
				}
				return
			}

			own := named(t, graph, role, "web-task")
			if want := graph.Outputs[own.URN]["arn"].StringValue(); task != want {
				t.Errorf("the tasks' role is %s; want %s", task, want)
			}
			var attached []string
			for _, r := range graph.OfType(policyAttachment) {
				if at(t, r, "role") != graph.Outputs[own.URN]["name"].StringValue() {
					t.Errorf("%s is attached to %v", r.Name, at(t, r, "role"))
				}
				attached = append(attached, at(t, r, "policyArn").(string))
			}
			slices.Sort(attached)
			if !slices.Equal(attached, test.attached) {
				t.Errorf("attached: %v; want %v", attached, test.attached)
			}

			var actions []string
			for _, document := range policies(t, graph, rolePolicy, "policy", "web-task-exec") {
				actions = append(actions, document.Statement[0].Action...)
			}
			if got := strings.Join(actions, " "); test.exec != (got == "ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel "+
				"ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel") {
				t.Errorf("exec %v: actions %s", test.exec, got)
			}
		})
	}
}

// The agent of ECS Exec cannot run on a read-only file system, and nothing else makes it writable.
func TestOnlyExecMakesFileSystemsWritable(t *testing.T) {
	for value, readOnly := range map[string]bool{"false": true, "true": false} {
		graph := run(t, defaults(t, map[string]string{"task.exec": value}))
		for name, container := range containers(t, graph) {
			if container["readonlyRootFilesystem"] != readOnly {
				t.Errorf("exec %s: %s has read-only root file system: %v", value, name, container["readonlyRootFilesystem"])
			}
		}
		if got := at(t, one(t, graph, ecsService), "enableExecuteCommand"); (got == true) == readOnly {
			t.Errorf("exec %s: the service has %v", value, got)
		}
	}
}

func TestTheGivenKeyEncryptsLogsAndImages(t *testing.T) {
	for key, encryption := range map[string]map[string]any{
		"null":  {"encryptionType": "AES256"},
		someKey: {"encryptionType": "KMS", "kmsKey": someKey},
	} {
		graph := run(t, defaults(t, map[string]string{"storage.kmsKey": key}))
		for _, r := range graph.OfType(repository) {
			if got := at(t, r, "encryptionConfigurations", 0); !reflect.DeepEqual(got, encryption) {
				t.Errorf("key %q: %s has %v", key, r.Name, got)
			}
		}
		for _, r := range graph.OfType(logGroup) {
			if got, _ := at(t, r, "kmsKeyId").(string); got != key && (got != "" || key != "null") {
				t.Errorf("key %q: %s has %q", key, r.Name, got)
			}
		}
	}
}

// A secret that the program reads would end up in the stack's state.
func TestSecretValuesAreNeverRead(t *testing.T) {
	for _, call := range run(t, defaults(t, ownApp)).Calls {
		for _, reading := range []string{"getSecretVersion", "getRandomPassword"} {
			if strings.HasSuffix(call.Token, ":"+reading) {
				t.Errorf("call of %s", call.Token)
			}
		}
		// Without decryption, the answer holds what is encrypted.
		if strings.HasSuffix(call.Token, ":getParameter") && call.Args["withDecryption"] != resource.NewProperty(false) {
			t.Errorf("%s is decrypted", call.Args["name"])
		}
	}
}

// ECS reads a value when a task starts. A rotated value reaches the tasks because its version is part of the task definition.
func TestARotatedSecretReplacesTheTasks(t *testing.T) {
	before := at(t, one(t, run(t, defaults(t, ownApp)), taskDefinition), "containerDefinitions").(string)
	for name, rotated := range map[string]struct {
		token  string
		answer resource.PropertyMap
	}{
		"parameter": {"aws:ssm/getParameter:getParameter", resource.PropertyMap{"version": resource.NewProperty(4.0)}},
		"secret": {"aws:secretsmanager/getSecretVersions:getSecretVersions", resource.PropertyMap{
			"versions": resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
				"versionId": resource.NewProperty("rotated"), "versionStages": resource.NewProperty([]resource.PropertyValue{resource.NewProperty("AWSCURRENT")}),
			})}),
		}},
	} {
		settings := options(defaults(t, ownApp))
		settings.Answer = func(token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
			return rotated.answer, token == rotated.token
		}
		graph, err := infratest.Run(infra.Program, settings)
		if err != nil {
			t.Fatal(err)
		}
		if after := at(t, one(t, graph, taskDefinition), "containerDefinitions"); after == before {
			t.Errorf("a rotated %s leaves the task definition as it is", name)
		}
	}
}

func TestNGINXIsBuiltWithItsArguments(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"http.buildArgs": `{"BASE_IMAGE":"nginx@sha256:1"}`}))
	want := map[string]any{"BASE_IMAGE": "nginx@sha256:1"}
	if got := at(t, named(t, graph, dockerImage, "web-nginx"), "build", "args"); !reflect.DeepEqual(got, want) {
		t.Errorf("build arguments: %v; want %v", got, want)
	}
}
