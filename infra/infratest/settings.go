package infratest

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/esc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Project is the name that Pulumi.yaml gives.
const Project = "fargate-nginx-sidecar"

// Settings reads Pulumi.yaml and the file of a stack in the given directory, and returns the settings that the Pulumi
// command would pass to the program: the stack's values, checked against the declared types, and the declared defaults
// of all other settings. Without a stack, it returns the defaults alone. Changes are applied last; a key without a
// namespace gets the project's.
func Settings(t *testing.T, directory, stack string, changes map[string]string) map[string]string {
	t.Helper()

	project, err := workspace.LoadProject(filepath.Join(directory, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := &workspace.ProjectStack{Config: config.Map{}}
	if stack != "" {
		sink := diag.DefaultSink(io.Discard, os.Stderr, diag.FormatOptions{Color: colors.Never})
		file, err = workspace.LoadProjectStack(sink, project, filepath.Join(directory, "Pulumi."+stack+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
	}
	err = workspace.ValidateStackConfigAndApplyProjectConfig(
		context.Background(), stack, project, esc.Value{}, file.Config, config.NopEncrypter, config.NopDecrypter)
	if err != nil {
		t.Fatal(err)
	}

	values, err := file.Config.Decrypt(config.NopDecrypter)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for key, value := range values {
		settings[key.String()] = value
	}
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
