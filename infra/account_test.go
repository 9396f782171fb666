package infra_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// What an account, or the networks around a stack, ask of it.

func TestEveryRoleHasTheBoundaryThatTheAccountRequires(t *testing.T) {
	const boundary = "arn:aws:iam::123456789012:policy/team/bounds"
	all := map[string]string{"task.exec": "true", "schedule": nightly}
	for _, r := range run(t, defaults(t, all)).OfType(role) {
		if _, given := r.Inputs["permissionsBoundary"]; given {
			t.Errorf("%s has a boundary that is not set", r.Name)
		}
	}
	roles := run(t, defaults(t, with(all, map[string]string{"task.permissionsBoundary": boundary}))).OfType(role)
	if len(roles) != 3 {
		t.Fatalf("%d roles; want those of ECS, the tasks and the schedule", len(roles))
	}
	for _, r := range roles {
		if got := at(t, r, "permissionsBoundary"); got != boundary {
			t.Errorf("%s: %v; want %s", r.Name, got, boundary)
		}
	}
}

// A secret may belong to another account, which has encrypted it with a key of its own.
func TestASecretOfAnotherAccountIsReadByItsARNAndKey(t *testing.T) {
	const foreign, key = "arn:aws:secretsmanager:eu-central-1:210987654321:secret:shared/token-AbCdEf", "arn:aws:kms:eu-central-1:210987654321:key/mrk-1"
	graph := run(t, defaults(t, map[string]string{
		"app.secrets": `{"TOKEN":"secretsmanager:` + foreign + `#field"}`, "app.secretKeys": `["` + key + `"]`, "storage.kmsKey": someKey,
	}))
	if got, want := containers(t, graph)["app"]["secrets"], []any{map[string]any{"name": "TOKEN", "valueFrom": foreign + ":field::"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("secrets: %v; want %v", got, want)
	}
	assertMay(t, graph, "secretsmanager:GetSecretValue", foreign)
	assertMay(t, graph, "kms:Decrypt", key, someKey)
}

// assertMay compares the resources on which ECS may do something.
func assertMay(t *testing.T, graph *infratest.Graph, action string, want ...string) {
	t.Helper()
	var got []string
	for _, document := range policies(t, graph, rolePolicy, "policy", "web-execution") {
		for _, statement := range document.Statement {
			if slices.Contains(statement.Action, action) {
				got = append(got, statement.Resource...)
			}
		}
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%s: %v; want %v", action, got, want)
	}
}

// The secret is no variable of the container, and ECS may read it.
func TestAnImageInAPrivateRegistryIsPulledWithItsSecret(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"app.image": "ghcr.io/team/app:1", "app.imageSecret": "secretsmanager:ghcr",
		"containers": `{"agent":{"image":"ghcr.io/team/agent:1","user":"1","imageSecret":"secretsmanager:agents"},"plain":{"image":"a:1","user":"1"}}`,
	}))
	all := containers(t, graph)
	for name, secret := range map[string]string{"app": "ghcr", "agent": "agents"} {
		want := map[string]any{"credentialsParameter": infratest.SecretARN(secret)}
		if got := all[name]["repositoryCredentials"]; !reflect.DeepEqual(got, want) || all[name]["secrets"] != nil {
			t.Errorf("%s: %v and secrets %v; want %v", name, got, all[name]["secrets"], want)
		}
	}
	for _, name := range []string{"nginx", "plain"} {
		if got, given := all[name]["repositoryCredentials"]; given {
			t.Errorf("%s has %v", name, got)
		}
	}
	assertMay(t, graph, "secretsmanager:GetSecretValue", infratest.SecretARN("ghcr"), infratest.SecretARN("agents"))
}

// NGINX trusts the subnets from which the requests then come.
func TestAnInternalLoadBalancerIsWhereTheTasksAre(t *testing.T) {
	for name, network := range map[string]map[string]string{
		"a network of its own": {"network.kind": "large"},
		"private subnets alone": {"network.kind": "existing", "network.vpc": infratest.ExistingVPC,
			"network.privateSubnets": `["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]`},
	} {
		graph := run(t, defaults(t, with(network, map[string]string{"ingress.internal": "true"})))
		balancer, tasks := one(t, graph, loadBalancer), one(t, graph, ecsService)
		if at(t, balancer, "internal") != true {
			t.Errorf("%s: the load balancer has public addresses", name)
		}
		if got, want := at(t, balancer, "subnets"), at(t, tasks, "networkConfiguration", "subnets"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: subnets %v; want the tasks', %v", name, got, want)
		}
		if name == "private subnets alone" {
			continue // there are no others
		}
		public := containers(t, run(t, defaults(t, network)))["nginx"]["environment"]
		if got := containers(t, graph)["nginx"]["environment"]; reflect.DeepEqual(got, public) {
			t.Errorf("%s: NGINX still trusts the public subnets", name)
		}
	}
}

// A shell needs a file system that its agent may write to. With volumes for the agent, the rest stays read-only.
func TestExecWorksBesideAReadOnlyRootWithVolumesForItsAgent(t *testing.T) {
	app := containers(t, run(t, defaults(t, map[string]string{
		"task.exec": "true", "app.writablePaths": `["/var/lib/amazon","/var/log/amazon"]`,
		"overrides.containers": `{"app":{"readonlyRootFilesystem":true}}`,
	})))["app"]
	if points := app["mountPoints"].([]any); app["readonlyRootFilesystem"] != true || len(points) != 2 {
		t.Errorf("read-only %v, mounts %v", app["readonlyRootFilesystem"], points)
	}
}

func TestThereMayBeNoTasksAtNight(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"scale.max": "3",
		"scale.schedules": `[{"name":"night","at":"cron(0 20 * * ? *)","min":0,"max":0},{"name":"day","at":"cron(0 6 * * ? *)","min":2,"max":3}]`}))
	action := named(t, graph, scheduledAction, "web-night")
	for _, limit := range []string{"minCapacity", "maxCapacity"} {
		if got := at(t, action, "scalableTargetAction", limit); got != 0.0 {
			t.Errorf("%s: %v; want 0", limit, got)
		}
	}
}

// A CDN's ranges change; those that are in its list at a deployment count.
func TestTheRangesOfAPrefixListAreTrusted(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{"http.trustedProxies": `["pl-0123456789abcdef0","130.176.0.0/16","198.51.100.7"]`}))
	for _, variable := range containers(t, graph)["nginx"]["environment"].([]any) {
		if variable := variable.(map[string]any); variable["name"] == "NGINX_TRUSTED_PROXIES" {
			if got := variable["value"].(string); !strings.HasSuffix(got, ",203.0.113.0/24,130.176.0.0/16,198.51.100.7/32") {
				t.Errorf("got %s", got)
			}
			return
		}
	}
	t.Error("no ranges")
}
