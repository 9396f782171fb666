package infra_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
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
			if got, want := of(t, settings, "app.context"), "examples/apps/"+app; got != want {
				t.Errorf("app.context: %s; want %s", got, want)
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
	if got := at(t, one(t, graph, certificate), "domainName"); got != of(t, settings, "domain.name") {
		t.Errorf("certificate for %v; want the domain of the stack file", got)
	}
}

// Names in groups between backticks are settings, and names in camel case are outputs, fields or names of the two properties
// of awsx's subnets, or of one of ECS's container definitions.
func TestDocumentsNameSettingsAndOutputsThatExist(t *testing.T) {
	known, groups := settingNames(t), map[string]bool{}
	known["cidrBlocks"], known["cidrMask"], known["readonlyRootFilesystem"] = true, true, true
	for path := range declared(t) {
		known[path[strings.LastIndex(path, ".")+1:]] = true
		groups[strings.SplitN(path, ".", 2)[0]] = true
	}
	for name := range outputs(t, stackSettings(t, "prod", nil)) {
		known[name] = true
	}

	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(documents) < 8 {
		t.Fatalf("%d documents; want all of docs", len(documents))
	}
	for _, path := range append(documents, "README.md", "local/README.md") {
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
		for _, name := range regexp.MustCompile("`([a-z][A-Za-z]*)((?:\\.[A-Za-z]+(?:\\[\\])?)+)(?:: [^`]*)?`").FindAllStringSubmatch(string(text), -1) {
			if setting := listMark.ReplaceAllString(name[1]+name[2], ""); groups[name[1]] && !known[setting] {
				t.Errorf("%s: there is no setting %s", path, setting)
			}
		}
	}
}

// settingNames are all groups, lists and settings.
func settingNames(t *testing.T) map[string]bool {
	t.Helper()

	names := map[string]bool{}
	for path := range declared(t) {
		plain := listMark.ReplaceAllString(path, "")
		for i, c := range plain {
			if c == '.' {
				names[plain[:i]] = true
			}
		}
		names[plain] = true
	}

	return names
}

// listMark is what a path has of a list or of named objects.
var listMark = regexp.MustCompile(`\[\]|\.\*`)
