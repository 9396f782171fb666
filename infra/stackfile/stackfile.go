// Package stackfile reads the settings of a stack from its files, as the Pulumi command does before it runs the program.
package stackfile

import (
	"context"
	"fmt"
	"io"

	"github.com/pulumi/esc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Settings are what the Pulumi command passes to the program: the values of all settings, by their names with namespaces.
type Settings struct {
	Project string // the name in Pulumi.yaml
	Values  map[string]string
}

// Read returns the settings that a stack has by its own file: a text of JSON for each group. Without a file, it has none. The
// file must have no encrypted values.
func Read(projectFile, stack, file string) (Settings, error) {
	project, err := workspace.LoadProject(projectFile)
	if err != nil {
		return Settings{}, err
	}
	own := &workspace.ProjectStack{Config: config.Map{}}
	if file != "" {
		sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
		if own, err = workspace.LoadProjectStack(sink, project, file); err != nil {
			return Settings{}, fmt.Errorf("stack %s: %w", stack, err)
		}
	}
	err = workspace.ValidateStackConfigAndApplyProjectConfig(
		context.Background(), stack, project, esc.Value{}, own.Config, config.NopEncrypter, config.NopDecrypter)
	if err != nil {
		return Settings{}, fmt.Errorf("stack %s: %w", stack, err)
	}
	values, err := own.Config.Decrypt(config.NopDecrypter)
	if err != nil {
		return Settings{}, fmt.Errorf("stack %s: %w", stack, err)
	}
	settings := Settings{Project: string(project.Name), Values: map[string]string{}}
	for key, value := range values {
		settings.Values[key.String()] = value
	}

	return settings, nil
}
