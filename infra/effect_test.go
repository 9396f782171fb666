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

// hiding are the settings that stay secret: for each, a stack that sets it to the value.
var hiding = map[string]map[string]string{
	"app.buildArgs":              {"app.buildArgs": `{"TOKEN":"` + hidden + `"}`},
	"app.command":                {"app.command": `["serve","` + hidden + `"]`},
	"app.documentRoot":           {"app.image": "app:1", "app.protocol": "fastcgi", "app.documentRoot": "/" + hidden},
	"app.environment":            {"app.environment": `{"TOKEN":"` + hidden + `"}`, "deployment.command": `["migrate"]`},
	"app.health":                 {"app.health": "/" + hidden},
	"app.healthCommand":          {"app.healthCommand": `["CMD","check","` + hidden + `"]`},
	"app.image":                  {"app.image": "team/" + hidden + ":1"},
	"app.volumes[].mountPath":    with(efs, map[string]string{"app.volumes": volume("/" + hidden)}),
	"app.writablePaths":          {"app.writablePaths": `["/` + hidden + `"]`},
	"containers.*.command":       {"containers": container(`"command":["` + hidden + `"]`)},
	"containers.*.environment":   {"containers": container(`"environment":{"TOKEN":"` + hidden + `"}`)},
	"containers.*.healthCommand": {"containers": container(`"healthCommand":["CMD","` + hidden + `"]`)},
	"containers.*.image":         {"containers": `{"a":{"image":"` + hidden + `:1","user":"1"}}`},
	"containers.*.writablePaths": {"containers": container(`"writablePaths":["/` + hidden + `"]`)},
	"logRouter.image":            {"logRouter": `{"image":"` + hidden + `:1","user":"1","output":{"Name":"http"}}`},
	"logRouter.output":           {"logRouter": `{"image":"r:1","user":"1","output":{"Name":"http","Token":"` + hidden + `"}}`},
}

// naming are the settings that name something which is no secret, and where it stands in clear.
var naming = map[string]string{
	"app.name":                  "the names of all resources begin with it",
	"app.context":               "a folder of the project",
	"app.dockerfile":            "a file of the project",
	"app.target":                "a stage of that file",
	"app.policies":              "the attachments to the role",
	"app.protocol":              "one of three words",
	"app.secrets":               "the policy that allows to read the value, which is not there",
	"app.secretKeys":            "the same policy",
	"app.imageSecret":           "the same policy",
	"containers.*.imageSecret":  "the same policy",
	"containers.*.secrets":      "the same policy",
	"logRouter.secrets":         "the same policy",
	"app.volumes[].accessPoint": "the policy that allows to mount it",
	"app.volumes[].fileSystem":  "the policy that allows to mount it",
	"app.volumes[].name":        "the task definition's list of volumes",
}

var efs = map[string]string{"network.groups": `[{"port":2049,"id":"sg-0123456789abcdef0"}]`}

func volume(mountPath string) string {
	return `[{"name":"files","fileSystem":"fs-01234567","accessPoint":"fsap-01234567","mountPath":"` + mountPath + `"}]`
}

func container(member string) string { return `{"a":{"image":"a:1","user":"1",` + member + `}}` }

// An encrypted value is in no resource in clear, whichever setting holds it.
func TestEncryptedValuesStaySecret(t *testing.T) {
	for path, settings := range hiding {
		t.Run(path, func(t *testing.T) {
			group, _, _ := strings.Cut(path, ".")
			run := options(defaults(t, settings))
			run.Encrypted = []string{infratest.Project + ":" + group}
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

// The two tables above have every setting of the groups that may hold an encrypted value, but for numbers, switches and times.
func TestEverySettingThatMayBeEncryptedIsShownToStaySecret(t *testing.T) {
	for path, setting := range declared(t) {
		group, _, _ := strings.Cut(path, ".")
		_, hides := hiding[path]
		_, names := naming[path]
		switch {
		case !slices.Contains(keepSecrets, group):
			if hides || names {
				t.Errorf("%s: its group may hold no encrypted value", path)
			}
		case holdsNoSecret(setting.Schema):
			if hides || names {
				t.Errorf("%s is a number, a switch or a time; it needs no line", path)
			}
		case hides == names:
			t.Errorf("%s is in both tables, or in none: does an encrypted value stay secret there?", path)
		}
	}
}

// keepSecrets are the groups that may hold encrypted values.
var keepSecrets = []string{"app", "containers", "logRouter"}

// holdsNoSecret reports whether a setting takes only numbers and units.
func holdsNoSecret(schema map[string]any) bool {
	pattern, _ := schema["pattern"].(string)

	return schema["type"] == "integer" || schema["type"] == "boolean" || strings.HasPrefix(pattern, "^[0-9]") || strings.HasPrefix(pattern, "^[1-9]")
}

// What other groups hold ends up where AWS and the state show it, so encryption there would only look like a secret.
func TestEncryptedValuesAreRefusedWhereTheyCannotStaySecret(t *testing.T) {
	for path := range declared(t) {
		group, _, _ := strings.Cut(path, ".")
		if slices.Contains(keepSecrets, group) || group == "profile" {
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
