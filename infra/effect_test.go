package infra_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// ways are the kinds of ingress on the kinds of network that allow them.
var ways = map[string]map[string]string{
	"alb, low-cost":         {"ingress.kind": "alb", "network.kind": "low-cost"},
	"alb, large":            {"ingress.kind": "alb", "network.kind": "large"},
	"alb, existing":         with(existing, map[string]string{"ingress.kind": "alb"}),
	"shared, existing":      behindAnother,
	"api-gateway, low-cost": {"ingress.kind": "api-gateway", "network.kind": "low-cost"},
	"api-gateway, large":    {"ingress.kind": "api-gateway", "network.kind": "large"},
	"api-gateway, existing": with(existing, map[string]string{"ingress.kind": "api-gateway"}),
}

// insideTasks are the groups that do not depend on how requests reach the tasks.
var insideTasks = []string{"app", "containers", "logRouter", "schedule", "storage", "deployment", "profile"}

// Whatever a stack sets has an effect or is refused by its name, whichever kinds of ingress and network the stack has.
func TestNoSettingIsIgnoredOnAnyIngressAndNetwork(t *testing.T) {
	for way, kinds := range ways {
		t.Run(way, func(t *testing.T) {
			for path, other := range others {
				if slices.Contains([]string{"network.vpc", "network.kind", "ingress.kind", "deployment.timeout"}, path) {
					continue // the first would need another VPC, the next two are the table's, and the last bounds a wait
				}
				if group, _, _ := strings.Cut(path, "."); slices.Contains(insideTasks, group) {
					continue // TestEverySettingReachesTheGraph has them
				}
				if strings.HasPrefix(way, "api-gateway") && slices.Contains([]string{"ingress.http", "network.publicSubnets"}, path) {
					continue // an API has no port 80 to close; the subnets are outputs for other stacks
				}
				if problem := ignored(t, path, with(other.with, kinds), other.value); problem != "" {
					t.Errorf("%s=%s %s", path, other.value, problem)
				}
			}
		})
	}
}

// ignored says how a setting is ignored in a stack, if it is.
func ignored(t *testing.T, path string, stack map[string]string, value string) string {
	t.Helper()

	place := listed.ReplaceAllString(path, "")
	after, err := infratest.Run(infra.Program, options(defaults(t, with(stack, map[string]string{place: value}))))
	if err != nil {
		group, _, _ := strings.Cut(place, ".")
		if strings.Contains(err.Error(), place) || strings.Contains(err.Error(), group) || stackIsRefused(t, stack) {
			return ""
		}
		return "is refused without its name: " + err.Error()
	}
	without := maps.Clone(stack)
	if _, given := other(path)[place]; !given {
		delete(without, place)
	}
	if before, err := infratest.Run(infra.Program, options(defaults(t, without))); err == nil && reflect.DeepEqual(untagged(before).Resources, untagged(after).Resources) {
		return "changes nothing and is not refused"
	}

	return ""
}

// other are the settings with which a setting makes a difference.
func other(path string) map[string]string { return others[path].with }

func stackIsRefused(t *testing.T, stack map[string]string) bool {
	t.Helper()
	_, err := infratest.Run(infra.Program, options(defaults(t, stack)))

	return err != nil
}

// The value of an encrypted setting, which is found nowhere by accident.
const hidden = "e2e-hidden-7"

// An encrypted value is in no resource in clear, whichever setting holds it.
func TestEncryptedValuesStaySecret(t *testing.T) {
	for name, test := range map[string]struct {
		group    string
		settings map[string]string
	}{
		"environment":                    {"app", map[string]string{"app.environment": `{"TOKEN":"` + hidden + `"}`}},
		"build arguments":                {"app", map[string]string{"app.buildArgs": `{"TOKEN":"` + hidden + `"}`}},
		"command":                        {"app", map[string]string{"app.command": `["serve","` + hidden + `"]`}},
		"health command":                 {"app", map[string]string{"app.healthCommand": `["CMD","check","` + hidden + `"]`}},
		"health path":                    {"app", map[string]string{"app.health": "/" + hidden}},
		"writable path":                  {"app", map[string]string{"app.writablePaths": `["/` + hidden + `"]`}},
		"environment of a command":       {"app", map[string]string{"app.environment": `{"TOKEN":"` + hidden + `"}`, "deployment.command": `["migrate"]`}},
		"environment of a container":     {"containers", map[string]string{"containers": `{"a":{"image":"a:1","user":"1","environment":{"TOKEN":"` + hidden + `"}}}`}},
		"command of a container":         {"containers", map[string]string{"containers": `{"a":{"image":"a:1","user":"1","command":["` + hidden + `"]}}`}},
		"options of the router's output": {"logRouter", map[string]string{"logRouter": `{"image":"r:1","user":"1","output":{"Name":"http","Token":"` + hidden + `"}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			run := options(defaults(t, test.settings))
			run.Encrypted = []string{infratest.Project + ":" + test.group}
			graph, err := infratest.Run(infra.Program, run)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range graph.Resources {
				if strings.Contains(visible(r), hidden) {
					t.Errorf("%s shows it", r.URN)
				}
			}
		})
	}
}

// What other groups hold ends up where AWS and the state show it, so encryption there would only look like a secret.
func TestEncryptedValuesAreRefusedWhereTheyCannotStaySecret(t *testing.T) {
	for path := range declared(t) {
		group, _, _ := strings.Cut(path, ".")
		if slices.Contains([]string{"app", "containers", "logRouter", "profile"}, group) {
			continue
		}
		run := options(defaults(t, nil))
		run.Encrypted = []string{infratest.Project + ":" + group}
		_, err := infratest.Run(infra.Program, run)
		if want := group + ": holds an encrypted value; allowed: plain values"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error: %v; want %s", path, err, want)
		}
	}
}

// ECS would refuse it only after everything else has been made.
func TestATaskDefinitionThatIsTooLargeIsRefusedBeforeAnythingIsDeclared(t *testing.T) {
	large := `{"DATA":"` + strings.Repeat("x", 70_000) + `"}`
	want := []string{"app.environment, app.secrets, containers: the task definition would have about 70 KiB; ECS accepts 64; put large values into a file of the image, a parameter or a bucket"}
	if got := refused(t, defaults(t, map[string]string{"app.environment": large})); !slices.Equal(got, want) {
		t.Errorf("error: %v\nwant:  %v", got, want)
	}
	run(t, defaults(t, map[string]string{"app.environment": strings.Replace(large, strings.Repeat("x", 10_000), "", 1)}))
}

// Tasks of the last release may answer 404 at the new path, so they keep the group in which they became healthy.
func TestAMovedHealthPageReplacesTheTargetGroup(t *testing.T) {
	for _, settings := range []map[string]string{nil, behindAnother} {
		group := one(t, run(t, defaults(t, settings)), targetGroup)
		if want := "healthCheck.path"; !slices.Contains(group.ReplaceOnChanges, want) {
			t.Errorf("replaced by changes of %v; want %s among them", group.ReplaceOnChanges, want)
		}
	}
}
