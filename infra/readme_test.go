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

// People begin with the stack file of the README, a production service on less than a page: the Pulumi command, editors and the
// program accept it.
func TestTheStackFileOfTheREADMEIsAccepted(t *testing.T) {
	text := yamlBlock(t, "README.md")
	if lines := strings.Count(string(text), "\n"); lines >= 15 {
		t.Errorf("%d lines; want less than 15", lines)
	}
	if err := validate(t, schema(t), text); err != nil {
		t.Error(err)
	}
	settings := settingsOf(t, text)
	if got := of(t, settings, "profile"); got != "prod" {
		t.Errorf("profile: %s; want prod", got)
	}
	graph := run(t, settings)
	if got := at(t, one(t, graph, certificate), "domainName"); got != of(t, settings, "domain.name") {
		t.Errorf("certificate for %v; want the domain of the stack file", got)
	}
}

// What a document is about is seen at work before it is explained: a stack file that is accepted, or commands that exist.
func TestEveryDocumentOpensWithAWholeExample(t *testing.T) {
	makefiles := textOf(t, "Makefile") + textOf(t, "project.mk")
	fence := regexp.MustCompile("(?s)```(yaml)?\n(.*?)```")
	for _, path := range documents(t) {
		opening, _, _ := strings.Cut(textOf(t, path), "\n## ")
		block := fence.FindStringSubmatch(opening)
		switch {
		case block == nil:
			t.Errorf("%s has no example before its first section", path)
		case block[1] == "yaml":
			if err := validate(t, schema(t), []byte(block[2])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			run(t, settingsOf(t, []byte(block[2])))
		default:
			commands := regexp.MustCompile(`(?m)^(make|pulumi|curl) ([a-z-]+)`).FindAllStringSubmatch(block[2], -1)
			if len(commands) == 0 {
				t.Errorf("%s: the example is neither a stack file nor commands:\n%s", path, block[2])
			}
			for _, command := range commands {
				if command[1] == "make" && !strings.Contains(makefiles, "\n"+command[2]+":") {
					t.Errorf("%s: there is no make %s", path, command[2])
				}
			}
		}
	}
}

func documents(t *testing.T) []string {
	t.Helper()

	textOf(t, "README.md") // goes to the project's folder
	all, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("%d documents; want all of docs", len(all))
	}

	return all
}

func textOf(t *testing.T, path string) string {
	t.Helper()

	text, err := readFile(t, path)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
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

	for _, path := range append(documents(t), "README.md", "local/README.md") {
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
