package infra_test

import (
	"reflect"
	"strings"
	"testing"
)

// goSample are the settings that the Go sample's README tells its reader to set.
func goSample(t *testing.T) map[string]string {
	t.Helper()

	block := strings.TrimSpace(string(yamlBlock(t, "images/app-go/README.md")))

	return settingsOf(t, []byte("config:\n  "+strings.ReplaceAll(block, "\n", "\n  ")+"\n"))
}

// The second sample is written in another language, and its task definition agrees with its Dockerfile.
func TestTheGoSampleNeedsNothingButSettings(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		graph := run(t, stackSettings(t, stack, goSample(t)))
		sameFile(t, at(t, named(t, graph, dockerImage, "web-app"), "build", "dockerfile").(string), "images/app-go/Dockerfile")
		app := containers(t, graph)["app"]
		if user := dockerfile(t, "app-go", `^USER (\S+)$`); app["user"] != user || app["readonlyRootFilesystem"] != true {
			t.Errorf("%s: user %v, read-only %v; the Dockerfile has user %s", stack, app["user"], app["readonlyRootFilesystem"], user)
		}
	}
}

// Another app changes the app's image and container, and nothing else of a stack.
func TestAnotherAppChangesNothingButTheApp(t *testing.T) {
	express := run(t, stackSettings(t, "dev", nil))
	other := run(t, stackSettings(t, "dev", goSample(t)))
	for _, r := range express.Resources {
		moved, found := other.ByURN(r.URN)
		if !found {
			t.Errorf("%s is gone", r.URN)
			continue
		}
		if same := reflect.DeepEqual(r, moved); !same && r.Type != taskDefinition && !strings.HasPrefix(r.Name, "web-app") {
			t.Errorf("%s changed", r.URN)
		}
	}
	if !reflect.DeepEqual(containers(t, express)["nginx"], containers(t, other)["nginx"]) {
		t.Error("the sidecar changed")
	}
	if len(express.Resources) != len(other.Resources) {
		t.Errorf("%d resources; %d with the other app", len(express.Resources), len(other.Resources))
	}
}
