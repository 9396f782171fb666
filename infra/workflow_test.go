package infra_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A preview with other settings describes another stack: with prebuilt images, for example, it announces that the
// repositories of a stack that builds its images would be deleted, and it shows no change below images/.
func TestAPullRequestIsPreviewedWithTheStacksOwnSettings(t *testing.T) {
	text, err := readFile(t, ".github/workflows/preview.yml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string            `yaml:"uses"`
				With map[string]string `yaml:"with"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}

	previews := 0
	for _, step := range workflow.Jobs["preview"].Steps {
		if !strings.HasPrefix(step.Uses, "pulumi/actions@") {
			continue
		}
		previews++
		if step.With["command"] != "preview" || step.With["config-map"] != "" {
			t.Errorf("command %q with settings %q; want a preview with the stack's own", step.With["command"], step.With["config-map"])
		}
	}
	if previews != 1 {
		t.Errorf("%d previews; want one", previews)
	}
}

// A tag can be moved to other code by whoever holds the action's repository; a commit cannot.
func TestActionsArePinnedByCommit(t *testing.T) {
	if err := goToProject(); err != nil {
		t.Fatal(err)
	}
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("%d workflows, error %v", len(workflows), err)
	}
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, workflow := range workflows {
		text, err := readFile(t, workflow)
		if err != nil {
			t.Fatal(err)
		}
		for _, used := range regexp.MustCompile(`(?m)uses:\s*(.*)$`).FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(used[1]) {
				t.Errorf("%s uses %s; want a commit, and its version behind it", workflow, used[1])
			}
		}
	}
}
