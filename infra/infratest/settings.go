package infratest

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/stackfile"
)

// Project is the name under which tests run the program, whatever name Pulumi.yaml gives: what they expect then holds in a
// renamed copy, too.
const Project = "project"

// Settings reads Pulumi.yaml and the file of a stack in the given directory, and returns the configuration that the Pulumi
// command would pass to the program, with the groups as those of Project: a text of JSON for each. Without a stack, there is
// none. Changes are applied last, by their paths, such as app.port.
func Settings(t *testing.T, directory, stack string, changes map[string]string) map[string]string {
	t.Helper()

	file := ""
	if stack != "" {
		file = filepath.Join(directory, "Pulumi."+stack+".yaml")
	}
	read, err := stackfile.Read(filepath.Join(directory, "Pulumi.yaml"), stack, file)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for key, value := range read.Values {
		if group, own := strings.CutPrefix(key, read.Project+":"); own {
			key = Project + ":" + group
		}
		values[key] = value
	}

	return With(values, changes)
}

// With returns a configuration with changes. A key without a namespace is the path of a setting; its value is JSON, or the
// text itself. A key with a namespace is taken as it is.
func With(settings, changes map[string]string) map[string]string {
	all := maps.Clone(settings)
	for _, path := range slices.Sorted(maps.Keys(changes)) {
		value := changes[path]
		name, rest, inGroup := strings.Cut(path, ".")
		switch key := Project + ":" + name; {
		case strings.Contains(path, ":"):
			all[path] = value
		case !inGroup:
			all[key] = value
		default:
			group := map[string]any{}
			if text, given := all[key]; given {
				_ = json.Unmarshal([]byte(text), &group) // what is no group is replaced
			}
			set(group, strings.Split(rest, "."), parsed(value))
			text, _ := json.Marshal(group) // of what JSON can hold
			all[key] = string(text)
		}
	}

	return all
}

func parsed(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	if _, isNumber := value.(float64); isNumber {
		return json.Number(text)
	}

	return value
}

func set(group map[string]any, path []string, value any) {
	if len(path) == 1 {
		group[path[0]] = value
		return
	}
	inner, ok := group[path[0]].(map[string]any)
	if !ok {
		inner = map[string]any{}
		group[path[0]] = inner
	}
	set(inner, path[1:], value)
}

// At is the value at a path of a configuration, as text, or empty.
func At(settings map[string]string, path string) string {
	name, rest, inGroup := strings.Cut(path, ".")
	text := settings[Project+":"+name]
	if !inGroup {
		return text
	}
	var value any
	_ = json.Unmarshal([]byte(text), &value) // a text that is no JSON has no members
	for _, step := range strings.Split(rest, ".") {
		group, _ := value.(map[string]any)
		value = group[step]
	}
	if text, ok := value.(string); ok || value == nil {
		return text
	}
	encoded, _ := json.Marshal(value) // it was JSON

	return string(encoded)
}
