package infratest

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"

	"fargate-nginx-sidecar/infra/stackfile"
)

// Project is the name that Pulumi.yaml gives.
const Project = "fargate-nginx-sidecar"

// Settings reads Pulumi.yaml and the file of a stack in the given directory, and returns the settings that the Pulumi
// command would pass to the program: the stack's values, checked against the declared types, and the declared defaults
// of all other settings. Without a stack, it returns the defaults alone. Changes are applied last; a key without a
// namespace gets the project's.
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
	settings := read.Values
	maps.Copy(settings, Namespaced(changes))

	return settings
}

// Namespaced puts the project's namespace before every key that has none.
func Namespaced(settings map[string]string) map[string]string {
	all := map[string]string{}
	for key, value := range settings {
		if parsed, err := config.ParseKey(key); err == nil {
			key = parsed.String()
		} else {
			key = Project + ":" + key
		}
		all[key] = value
	}

	return all
}
