// Package source builds the Pulumi CLI and stand-ins for its plugins, for machines that reach a Go module proxy and not
// Pulumi's download server.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fargate-nginx-sidecar/local/machine"
)

// pluginsModule is the Go module of the stand-ins, which also pins the CLI that is built from source.
const pluginsModule = "local/offline/plugins"

// cliModule is the module that holds the CLI's source.
const cliModule = "github.com/pulumi/pulumi/pkg/v3"

// Builder builds what a checkout needs, once per machine.
type Builder struct {
	Root     string // the checkout
	CacheDir string
	Progress *machine.Printer
}

// CLIPath is where the built CLI lies, if it was built.
func (b Builder) CLIPath() string { return filepath.Join(b.CacheDir, "bin", "pulumi") }

// CLIVersion is the version of the CLI that goes with the stand-ins.
func (b Builder) CLIVersion(ctx context.Context) (string, error) {
	return machine.ModuleVersion(ctx, filepath.Join(b.Root, pluginsModule), cliModule)
}

// CLI builds the CLI from its source.
func (b Builder) CLI(ctx context.Context, version string) error {
	return b.Progress.Step("build the Pulumi CLI "+version+" from source (minutes the first time)", func() error {
		return b.build(ctx, b.CLIPath(), cliModule+"/cmd/pulumi",
			"-ldflags=-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="+strings.TrimPrefix(version, "v"))
	})
}

// Plugins builds the stand-ins and makes a folder that holds one under each of the names, by which the engine looks for
// plugins on PATH.
func (b Builder) Plugins(ctx context.Context, names []string) (dir string, err error) {
	binary := filepath.Join(b.CacheDir, "bin", "plugins")
	err = b.Progress.Step("build stand-ins for the Pulumi plugins (minutes the first time)", func() error {
		return b.build(ctx, binary, ".")
	})
	if err != nil {
		return "", err
	}
	dir = filepath.Join(b.CacheDir, "plugins")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	b.Progress.Line("plugins   stand-ins built from %s for %s", pluginsModule, strings.Join(names, ", "))
	return dir, nil
}

// build builds a package of the plugins module. All builds use the same flags, so that they share the build cache.
func (b Builder) build(ctx context.Context, output, pkg string, flags ...string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("go is not on PATH; install it: https://go.dev/doc/install")
	}
	arguments := append(append([]string{"build", "-o", output}, flags...), pkg)
	if err := (machine.Command{Dir: filepath.Join(b.Root, pluginsModule), Name: "go", Args: arguments}).Run(ctx); err != nil {
		return fmt.Errorf("build of %s: %w", pkg, err)
	}
	return nil
}
