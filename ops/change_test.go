package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAChangedFileIsPreviewedInTheStacksItIsFor(t *testing.T) {
	stacks := []string{"Pulumi.dev.yaml", "Pulumi.prod.yaml", "Pulumi.staging.yaml"}
	all := []string{"dev", "prod", "staging"}
	for name, c := range map[string]struct{ changed, want []string }{
		"a stack's own file":           {[]string{"Pulumi.prod.yaml"}, []string{"prod"}},
		"two of them":                  {[]string{"Pulumi.staging.yaml", "Pulumi.dev.yaml"}, []string{"dev", "staging"}},
		"the program":                  {[]string{"infra/deploy.go"}, all},
		"an image":                     {[]string{"images/app/app.js", "Pulumi.prod.yaml"}, all},
		"the project's settings":       {[]string{"Pulumi.yaml"}, all},
		"a dependency":                 {[]string{"go.mod"}, all},
		"documents and tests":          {[]string{"README.md", "docs/cost.md", "infra/cost/cost_test.go", "infra/testdata/graph.dev.json"}, nil},
		"what runs the program":        {[]string{"local/main.go", "ops/main.go", ".github/workflows/test.yml", "Makefile", "project.mk"}, nil},
		"a document and a stack":       {[]string{"README.md", "Pulumi.dev.yaml"}, []string{"dev"}},
		"a folder that sounds like it": {[]string{"documents/app.go"}, all},
	} {
		if got := affected(stacks, c.changed); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
}

// All 40 look at the listener before any of them has made a rule.
func TestPullRequestsNeverTakeEachOthersPriorities(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var others []rule
		for range 300 {
			others = append(others, rule{1 + random.IntN(50_000), []string{"www.example.com"}})
		}
		first := 1 + random.IntN(100_000)
		owner := map[int]string{}
		for _, r := range others {
			owner[r.priority] = "another stack"
		}
		for number := first; number < first+40; number++ {
			priority, err := freePriority(number, others)
			if err != nil {
				t.Fatal(err)
			}
			if priority < 1 || priority > lastPriority {
				t.Fatalf("round %d: pull request %d gets %d", round, number, priority)
			}
			for i := range rulesOfAStack {
				if before := owner[priority+i]; before != "" {
					t.Fatalf("round %d: pull request %d gets %d, which is taken by %s", round, number, priority+i, before)
				}
				owner[priority+i] = fmt.Sprintf("pull request %d", number)
			}
		}
	}
}

func TestAPullRequestKeepsItsPriorities(t *testing.T) {
	first, err := freePriority(12, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := []rule{{first, []string{"pr-12.review.example.com"}}, {first + 2, []string{"pr-12.review.example.com"}}}
	if got, err := freePriority(12, own); err != nil || got != first {
		t.Errorf("its own rules lie at %d, and it gets %d, %v", first, got, err)
	}
	others := []rule{{first + 1, []string{"pr-123.review.example.com"}}}
	if got, err := freePriority(12, others); err != nil || got == first {
		t.Errorf("a rule of another pull request lies at %d, and it gets %d, %v", first+1, got, err)
	}
	var full []rule
	for priority := 1; priority <= 50_000; priority++ {
		full = append(full, rule{priority, nil})
	}
	if got, err := freePriority(12, full); err == nil {
		t.Errorf("nothing is free, and it gets %d", got)
	}
}

func TestStacksOfClosedAndOldPullRequestsGo(t *testing.T) {
	today := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	all := []deployed{
		{"prod", today.AddDate(-1, 0, 0)}, {"pr-1", today}, {"pr-2", today}, {"pr-3", today.AddDate(0, 0, -8)}, {"pr-old", today}, {"pr-4", time.Time{}},
	}
	got := outdated(all, []string{"1", "3", "4"}, today.AddDate(0, 0, -7))
	want := map[string]string{"pr-2": "its pull request is closed", "pr-3": "not updated since 2026-11-22"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
