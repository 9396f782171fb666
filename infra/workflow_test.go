package infra_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"gopkg.in/yaml.v3"
)

// What a job may do beyond reading, the job says itself, so that no other job of the workflow can. A job without an environment
// runs the code of pull requests: it gets no right to write to the repository.
func TestWorkflowsHaveTheFewestPermissions(t *testing.T) {
	if err := goToProject(); err != nil {
		t.Fatal(err)
	}
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("%d workflows, error %v", len(workflows), err)
	}
	for _, name := range workflows {
		text, err := readFile(t, name)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Permissions map[string]string
				Environment string
			}
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
			t.Errorf("%s: permissions of all jobs: %v; want contents: read", name, workflow.Permissions)
		}
		for job, j := range workflow.Jobs {
			if j.Permissions["contents"] == "write" && j.Environment == "" {
				t.Errorf("%s: job %s may write to the repository without an approval", name, job)
			}
		}
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
