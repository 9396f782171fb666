package infra_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// settingsTable writes the settings of Pulumi.yaml as Markdown, in their order there, one table for each of its
// sections.
func settingsTable(t *testing.T) string {
	t.Helper()

	text, err := readFile(t, "Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Config yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}

	var table strings.Builder
	for i := 0; i+1 < len(document.Config.Content); i += 2 {
		key, value := document.Config.Content[i], document.Config.Content[i+1]
		if section := strings.Trim(key.HeadComment, "#- "); section != "" {
			fmt.Fprintf(&table, "\n**%s%s**\n\n| Setting | Type | Default | Meaning |\n|---|---|---|---|\n",
				strings.ToUpper(section[:1]), section[1:])
		}
		var declared setting
		if err := value.Decode(&declared); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n",
			key.Value, declared.Type, shown(declared.Default), strings.TrimSpace(declared.Description))
	}

	return table.String() + "\n"
}

func shown(value any) string {
	if object, ok := value.(map[string]any); ok && len(object) == 0 {
		return "`{}`"
	}
	if text := strings.ReplaceAll(fmt.Sprint(value), " ", ", "); text != "" {
		return "`" + text + "`"
	}

	return "empty"
}

func TestSettingsDocumentHoldsTheSettingsOfPulumiYAML(t *testing.T) {
	between(t, "docs/settings.md", "<!-- settings:begin -->", "<!-- settings:end -->", settingsTable(t))
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
