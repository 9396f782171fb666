package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"fargate-nginx-sidecar/infra/stackfile"
)

// newProject renders the template and makes a project of it, with the code of the CLI's `pulumi new`.
func newProject(t *testing.T, name string) string {
	t.Helper()
	source, target := filepath.Join(t.TempDir(), "template"), t.TempDir()
	if said, err := template(checkoutRoot, source); err != nil || !strings.Contains(said, "pulumi new "+source) {
		t.Fatalf("%v %s", err, said)
	}
	rendered, err := workspace.LoadTemplate(source)
	if err != nil || rendered.Errored() {
		t.Fatalf("%v %v", err, rendered.Error)
	}
	if region := rendered.Config["aws:region"]; region.Default == "" || region.Description == "" || len(rendered.Config) != 1 {
		t.Errorf("the template asks for %v; want the region, with a default", rendered.Config)
	}
	if err := workspace.CopyTemplateFiles(source, target, true, name, "What we sell: tea"); err != nil {
		t.Fatal(err)
	}

	return target
}

// A stack of a new project sets what ours does, under its own name.
func TestANewProjectHasTheSettingsOfOurs(t *testing.T) {
	root := newProject(t, "shop")
	for _, stack := range []string{"dev", "staging", "prod"} {
		file := "Pulumi." + stack + ".yaml"
		got, err := stackfile.Read(filepath.Join(root, "Pulumi.yaml"), stack, filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := stackfile.Read(filepath.Join(checkoutRoot, "Pulumi.yaml"), stack, filepath.Join(checkoutRoot, file))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for key, value := range ours.Values {
			if group, own := strings.CutPrefix(key, ours.Project+":"); own {
				key = "shop:" + group
			}
			want[key] = value
		}
		if got.Project != "shop" || !maps.Equal(got.Values, want) {
			t.Errorf("%s of %s: %v; want %v", file, got.Project, got.Values, want)
		}
	}
}

func TestANewProjectHasWhatItNeedsAndNothingOfOurs(t *testing.T) {
	root := newProject(t, "shop")
	for _, name := range []string{"bench", "examples", "docs/benchmark.md", "local/e2e", "infra/infratest", "project.mk", "images/app-go", ".git"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			t.Errorf("it has %s", name)
		}
	}
	placeholder := regexp.MustCompile(`\$\{(PROJECT|DESCRIPTION)\}`)
	ourName, err := projectName(checkoutRoot)
	if err != nil {
		t.Fatal(err)
	}
	ourKey := regexp.MustCompile(`(^|\s)` + regexp.QuoteMeta(ourName) + `:`)
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, name)
		if strings.HasSuffix(name, "_test.go") || placeholder.Match(text) || ourKey.Match(text) {
			t.Errorf("%s is a test, has a placeholder or names our project", relative)
		}
		if filepath.Ext(name) == ".md" {
			deadLinks(t, root, relative, string(text))
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// All packages that a program, a command or the local run imports are there. A lane of the end-to-end tests runs them.
	shell(t, root, "go list -deps . ./infra/check ./ops ./bootstrap >/dev/null && cd local && go list -deps . >/dev/null && cd .. && make help | grep -q 'make local '")
	if help := shell(t, root, "make help"); strings.Contains(help, "bench") || strings.Contains(help, "make test") {
		t.Errorf("commands for what it does not have:\n%s", help)
	}
}

func deadLinks(t *testing.T, root, file, text string) {
	t.Helper()
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		target := filepath.Join(root, filepath.Dir(file), found[2])
		if _, err := os.Stat(target); err != nil && !strings.Contains(found[2], ":") {
			t.Errorf("%s: %s leads nowhere", file, found[0])
		}
	}
}

func TestATemplateOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := template(checkoutRoot, dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a folder that has files: %v", err)
	}
	if _, err := template(checkoutRoot, ""); err == nil || !strings.Contains(err.Error(), "DIR is not given") {
		t.Errorf("no folder: %v", err)
	}
}
