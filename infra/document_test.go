package infra_test

import (
	"os"
	"strings"
	"testing"
)

func TestSettingsDocumentHoldsWhatTheProgramReads(t *testing.T) {
	between(t, "docs/settings.md", "<!-- settings:begin -->", "<!-- settings:end -->", "\n"+reader(t).Markdown())
}

func TestTheSchemaDocumentHoldsWhatTheProgramReads(t *testing.T) {
	want, err := reader(t).Schema(projectName(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil { //nolint:gosec // A document.
			t.Fatal(err)
		}
		return
	}
	if got, err := readFile(t, schemaFile); err != nil || string(got) != string(want) {
		t.Errorf("%s is not what the program reads; run: make docs\n%s (%v)", schemaFile, firstDifference(string(got), string(want)), err)
	}
}

// between compares what a document has between two marks with what it should have, or writes it with -update.
func between(t *testing.T, path, begin, end, want string) {
	t.Helper()

	text, err := readFile(t, path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), begin)
	got, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s lacks %s or %s", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s is not what the program does; run: make docs\n%s", path, firstDifference(got, want))
	}
}
