package infra_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/schedule"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/task"
)

// yamlBlock returns the first block of YAML in a document.
func yamlBlock(t *testing.T, path string) []byte {
	t.Helper()

	text, err := readFile(t, path)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("%s has no block of YAML", path)
	}

	return block[1]
}

// settingsOf are the settings of a stack whose file has the text.
func settingsOf(t *testing.T, text []byte) map[string]string {
	t.Helper()
	project, err := readFile(t, "Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	for name, content := range map[string][]byte{"Pulumi.yaml": project, "Pulumi.shop.yaml": text} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return infratest.Settings(t, directory, "shop", nil)
}

// The apps of others are examples of what settings do.
func TestTheStackFilesOfTheAppsAreAccepted(t *testing.T) {
	for _, app := range []string{"httpbin", "notebook", "reader", "wiki"} {
		t.Run(app, func(t *testing.T) {
			text, err := readFile(t, filepath.Join("examples", "apps", app, "Pulumi."+app+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			settings := settingsOf(t, text)
			if got, want := settings[infratest.Project+":appContext"], "examples/apps/"+app; got != want {
				t.Errorf("appContext: %s; want %s", got, want)
			}
			one(t, run(t, settings), targetGroup)
		})
	}
}

// People begin with the stack file of the README, so it must be one that the Pulumi command and the program accept.
func TestTheStackFileOfTheREADMEIsAccepted(t *testing.T) {
	text := yamlBlock(t, "README.md")
	settings := settingsOf(t, text)
	graph := run(t, settings)
	if got := at(t, one(t, graph, certificate), "domainName"); got != settings[infratest.Project+":domain"] {
		t.Errorf("certificate for %v; want the domain of the stack file", got)
	}

	var file struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	known := declared(t)
	for key := range file.Config {
		name, ours := strings.CutPrefix(key, infratest.Project+":")
		if _, ok := known[name]; ours && !ok {
			t.Errorf("there is no setting %s", name)
		}
	}
}

// structured are settings whose values have fields.
var structured = []reflect.Type{
	reflect.TypeFor[service.EgressGroup](), reflect.TypeFor[nginx.PathRate](), reflect.TypeFor[schedule.Task](),
	reflect.TypeFor[ingress.SharedLoadBalancer](), reflect.TypeFor[ingress.OIDC](), reflect.TypeFor[task.Volume](),
	reflect.TypeFor[task.AccessPoint](), reflect.TypeFor[task.ExtraContainer](), reflect.TypeFor[task.LogRouter](),
}

// Names in camel case between backticks are settings, fields of settings or outputs, except those of two properties of
// awsx's subnets.
func TestDocumentsNameSettingsAndOutputsThatExist(t *testing.T) {
	known := map[string]bool{"cidrBlocks": true, "cidrMask": true}
	for name := range maps.Keys(declared(t)) {
		known[name] = true
	}
	for name := range outputs(t, stackSettings(t, "prod", nil)) {
		known[name] = true
	}

	for _, setting := range structured {
		for i := range setting.NumField() {
			known[setting.Field(i).Tag.Get("json")] = true
		}
	}

	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(documents) < 8 {
		t.Fatalf("%d documents; want all of docs", len(documents))
	}
	for _, path := range append(documents, "README.md") {
		if path == "docs/migration.md" {
			continue // It also has the settings of other tools; a test of its own checks it.
		}
		text, err := readFile(t, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("`([a-z]+(?:[A-Z][A-Za-z0-9]*)+)(?:: [^`]*)?`").FindAllStringSubmatch(string(text), -1) {
			if !known[name[1]] {
				t.Errorf("%s: there is no setting or output %s", path, name[1])
			}
		}
		for _, name := range settingsInTables(string(text)) {
			if !known[name] {
				t.Errorf("%s: a table names the setting %s, which does not exist", path, name)
			}
		}
	}
}

// settingsInTables returns the first name in each row of the tables that are about settings. Those of NGINX's image are
// in capitals, and left out.
func settingsInTables(text string) []string {
	var names []string
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case strings.HasPrefix(line, "| Setting |"):
			inside = true
		case inside:
			if name := regexp.MustCompile("^\\| `([a-z][A-Za-z]*)").FindStringSubmatch(line); name != nil {
				names = append(names, name[1])
			}
		}
	}

	return names
}
