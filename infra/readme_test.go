package infra_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const (
	tableBegin = "<!-- config:begin -->"
	tableEnd   = "<!-- config:end -->"
)

// settingsTable writes the settings of Pulumi.yaml as Markdown, in their order there, one table for each of its
// sections.
func settingsTable(t *testing.T) string {
	t.Helper()

	text, err := os.ReadFile("Pulumi.yaml")
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
	if text := strings.ReplaceAll(fmt.Sprint(value), " ", ", "); text != "" {
		return "`" + text + "`"
	}

	return "empty"
}

func TestReadmeListsTheSettingsOfPulumiYAML(t *testing.T) {
	between(t, "README.md", tableBegin, tableEnd, settingsTable(t))
}
