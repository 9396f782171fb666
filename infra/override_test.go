package infra_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What the document shows is what the program makes of it.
func TestOverridesReachEveryResourceTheyName(t *testing.T) {
	graph := run(t, defaults(t, map[string]string{
		"overrides.service":        `{"deploymentMaximumPercent":150,"enableEcsManagedTags":false}`,
		"overrides.taskDefinition": `{"enableFaultInjection":true}`,
		"overrides.containers": `{"app":{"ulimits":[{"name":"nofile","softLimit":4096,"hardLimit":8192}],"healthCheck":{"retries":5}},` +
			`"nginx":{"healthCheck":{"retries":2},"dockerLabels":{"team":"shop"}}}`,
		"overrides.targetGroup": `{"slowStart":30,"loadBalancingAlgorithmType":"least_outstanding_requests"}`,
		"deployment.command":    `["migrate"]`,
	}))
	group := one(t, graph, targetGroup)
	if at(t, group, "slowStart") != 30.0 || at(t, group, "loadBalancingAlgorithmType") != "least_outstanding_requests" || at(t, group, "healthCheck", "path") != "/" {
		t.Errorf("target group: %v", group.Inputs)
	}
	service := one(t, graph, ecsService)
	if at(t, service, "deploymentMaximumPercent") != 150.0 || at(t, service, "enableEcsManagedTags") != false {
		t.Errorf("service: %v", service.Inputs)
	}
	if definition := serviceDefinition(t, graph); at(t, definition, "enableFaultInjection") != true {
		t.Errorf("task definition: %v", definition.Inputs)
	}
	all := containers(t, graph)
	limits := []any{map[string]any{"name": "nofile", "softLimit": 4096.0, "hardLimit": 8192.0}}
	if got := all["app"]["ulimits"]; !reflect.DeepEqual(got, limits) {
		t.Errorf("limits of the app: %v", got)
	}
	check := all["nginx"]["healthCheck"].(map[string]any)
	if check["retries"] != 2.0 || check["interval"] != 5.0 || !reflect.DeepEqual(all["nginx"]["dockerLabels"], map[string]any{"team": "shop"}) {
		t.Errorf("NGINX: %v", all["nginx"])
	}
	command := containersOf(t, named(t, graph, taskDefinition, "web-commands"))["app"]
	if !reflect.DeepEqual(command["ulimits"], limits) || command["healthCheck"] != nil {
		t.Errorf("a command's container: %v", command)
	}
}

// An override must not take away what the program depends on, nor be ignored.
func TestOverridesOfWhatTheProgramDependsOnAreRefused(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"service", `{"desiredCount":5}`}:                        "overrides.service.desiredCount: cannot be overridden; set scale.min",
		{"service", `{"cluster":"x"}`}:                           "overrides.service.cluster: cannot be overridden; the program sets it, and depends on it",
		{"service", `{"deploymentMaximum":150}`}:                 "overrides.service.deploymentMaximum: there is no such argument",
		{"service", `{"deploymentMaximumPercent":"much"}`}:       "overrides.service.deploymentMaximumPercent: not what the argument takes: ",
		{"service", `[]`}:                                        "overrides.service: []; allowed: an object",
		{"targetGroup", `{"healthCheck":{"interval":5}}`}:        "overrides.targetGroup.healthCheck: cannot be overridden; set ingress.health",
		{"targetGroup", `{"stickiness":{"enabled":true}}`}:       "overrides.targetGroup.stickiness: cannot be overridden; set ingress.sticky",
		{"sidecar", `{"NGINX_GZPI":"safe"}`}:                     "overrides.sidecar.NGINX_GZPI: the sidecar has no such setting",
		{"sidecar", `{"NGINX_GZIP":"max"}`}:                      `overrides.sidecar.NGINX_GZIP: got "max", allowed: all, safe`,
		{"sidecar", `{"NGINX_PORT":80}`}:                         "overrides.sidecar.NGINX_PORT: cannot be overridden; set http.port",
		{"taskDefinition", `{"containerDefinitions":"[]"}`}:      "overrides.taskDefinition.containerDefinitions: cannot be overridden; set overrides.containers",
		{"taskDefinition", `{"cpu":"512"}`}:                      "overrides.taskDefinition.cpu: cannot be overridden; set task.cpu",
		{"containers", `{"proxy":{"cpu":1}}`}:                    `overrides.containers: "proxy"; allowed: a container of the task: [nginx,app]`,
		{"containers", `{"app":5}`}:                              "overrides.containers.app: not an object; allowed: an object with members of a container definition",
		{"containers", `{"app":{"image":"x:1"}}`}:                "overrides.containers.app.image: cannot be overridden; set the image of the container's group",
		{"containers", `{"nginx":{"portMappings":[]}}`}:          "overrides.containers.nginx.portMappings: cannot be overridden; the program sets it, and depends on it",
		{"containers", `{"app":{"environment":[{"name":"A"}]}}`}: "overrides.containers.app.environment: cannot be overridden; set the environment of the container's group",
	} {
		got := refused(t, defaults(t, map[string]string{"overrides." + change[0]: change[1]}))
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, want) }) || len(got) != 1 {
			t.Errorf("%v: %v; want %s", change, got, want)
		}
	}
}

// People copy the examples of the document.
func TestTheExamplesOfTheOverridesDocumentAreAccepted(t *testing.T) {
	text, err := readFile(t, "docs/overrides.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("%d examples; want a whole one and three more", len(blocks))
	}
	plain := run(t, settingsOf(t, []byte("config:\n  aws:region: eu-central-1\n")))
	for _, block := range blocks {
		example, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(example, "config:") {
			example = "config:\n  aws:region: eu-central-1\n" + example
		}
		if reflect.DeepEqual(run(t, settingsOf(t, []byte(example))).Resources, plain.Resources) {
			t.Errorf("changes nothing:\n%s", example)
		}
	}
}
