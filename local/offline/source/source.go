// Package source builds the Pulumi CLI and stand-ins for its plugins, for machines that reach a Go module proxy and not
// Pulumi's download server.
package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/machine"

	"golang.org/x/mod/sumdb/dirhash"
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
	unlock, err := b.Progress.Lock(ctx, filepath.Join(b.CacheDir, "cli.lock"), "the build of the Pulumi CLI is")
	if err != nil {
		return err
	}
	defer unlock()
	return b.Progress.Step("build the Pulumi CLI "+version+" from source (minutes the first time)", func() error {
		return b.build(ctx, b.CLIPath(), cliModule+"/cmd/pulumi",
			"-ldflags=-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="+strings.TrimPrefix(version, "v"))
	})
}

// keepPlugins is how long stand-ins stay that no run has used. A stack that runs longer needs them in its own shell, too.
const keepPlugins = 30 * 24 * time.Hour

// Plugins builds the stand-ins and makes a folder that holds one under each of the names, by which the engine looks for
// plugins on PATH. The folder goes by the stand-ins' source: checkouts of different versions do not change each other's.
func (b Builder) Plugins(ctx context.Context, names []string) (dir string, err error) {
	parent := filepath.Join(b.CacheDir, "plugins")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	unlock, err := b.Progress.Lock(ctx, filepath.Join(parent, "lock"), "the plugins' folder is")
	if err != nil {
		return "", err
	}
	defer unlock()
	source, err := dirhash.HashDir(filepath.Join(b.Root, pluginsModule), "", dirhash.Hash1)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(parent, fmt.Sprintf("%x", sha256.Sum256([]byte(source+strings.Join(names, " "))))[:16])
	if err := b.plugins(ctx, dir, names); err != nil {
		return "", err
	}
	sweep(parent, time.Now().Add(-keepPlugins))
	b.Progress.Line("plugins   stand-ins built from %s for %s", pluginsModule, strings.Join(names, ", "))
	return dir, nil
}

// plugins makes the folder, whole or not at all, or notes that it is used.
func (b Builder) plugins(ctx context.Context, dir string, names []string) error {
	if _, err := os.Stat(dir); err == nil {
		return os.Chtimes(dir, time.Time{}, time.Now())
	}
	unfinished := dir + ".new"
	if err := errors.Join(os.RemoveAll(unfinished), os.Mkdir(unfinished, 0o755)); err != nil {
		return err
	}
	err := b.Progress.Step("build stand-ins for the Pulumi plugins (minutes the first time)", func() error {
		return b.build(ctx, filepath.Join(unfinished, "stand-ins"), ".")
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Symlink("stand-ins", filepath.Join(unfinished, name)); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, dir)
}

// sweep removes the folders that were last used before a moment.
func sweep(parent string, before time.Time) {
	entries, _ := os.ReadDir(parent)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.IsDir() && info.ModTime().Before(before) {
			_ = os.RemoveAll(filepath.Join(parent, entry.Name())) // what stays now goes next time
		}
	}
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
