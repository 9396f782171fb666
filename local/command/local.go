// Package command is what the commands of the local run do: bring the whole stack up on this machine, look at it,
// take it down.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
	"fargate-nginx-sidecar/local/offline/source"
)

// Local is one checkout's local run.
type Local struct {
	Root     string // the checkout
	Progress *machine.Printer

	finder *toolchain.Finder
}

// New returns the local run of a checkout, running or not.
func New(ctx context.Context, root string, printer *machine.Printer) (*Local, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "Pulumi.yaml")); err != nil {
		return nil, fmt.Errorf("checkout: %w; run this from the folder that holds Pulumi.yaml, or name it with --root", err)
	}
	if err := errors.Join(withoutShell(root), toolchain.UseContext(ctx)); err != nil {
		return nil, err
	}
	finder, err := toolchain.New(root, printer)
	if err != nil {
		return nil, err
	}
	return &Local{Root: root, Progress: printer, finder: finder}, nil
}

// builder makes what cannot be downloaded.
func (l *Local) builder() source.Builder {
	return source.Builder{Root: l.Root, CacheDir: l.finder.CacheDir, Progress: l.Progress}
}

func (l *Local) dir() string { return run.Dir(l.Root) }

// lock lets one command at a time change the checkout's run.
func (l *Local) lock(ctx context.Context) (release func(), err error) {
	dir := filepath.Join(l.Root, ".build")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("checkout: %w", err)
	}
	return l.Progress.Lock(ctx, filepath.Join(dir, "local.lock"), "this checkout's run is")
}

// tools are what one run needs from the machine.
type tools struct {
	pulumi   toolchain.Tools
	emulator string
}

// docker makes sure of a Docker engine until end is called, which adds its own error to that of the command.
func (l *Local) docker(ctx context.Context) (end func(*error), err error) {
	engine, err := l.finder.Docker(ctx)
	if err != nil {
		return nil, err
	}
	l.Progress.Line("docker    %s", engine.Name)
	return func(err *error) { *err = errors.Join(*err, engine.End()) }, nil
}

// KeepEngine is the process that keeps a Docker engine which this project started. It ends, with the engine, when it is
// asked to, or on SIGTERM.
func (l *Local) KeepEngine(ctx context.Context) error { return l.finder.KeepEngine(ctx) }

// prepare finds or makes everything else, side by side where one does not need the other.
func (l *Local) prepare(ctx context.Context, dockerfiles []string) (found tools, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	failures := make([]error, 3)
	start := func(i int, do func() error) {
		group.Go(func() {
			if failures[i] = do(); failures[i] != nil {
				cancel() // the others need not finish
			}
		})
	}
	start(0, func() (err error) { found.emulator, err = l.finder.Emulator(ctx); return err })
	start(1, func() error { return l.BaseImages(ctx, dockerfiles...) })
	start(2, func() (err error) { found.pulumi, err = l.finder.Pulumi(ctx, l.builder()); return err })
	group.Wait()
	return found, rootCause(failures)
}

// rootCause drops the errors of what was only cancelled because something else failed.
func rootCause(failures []error) error {
	var causes []error
	for _, failure := range failures {
		if failure != nil && !errors.Is(failure, context.Canceled) {
			causes = append(causes, failure)
		}
	}
	if len(causes) == 0 {
		return errors.Join(failures...)
	}
	return errors.Join(causes...)
}

// stack returns a Pulumi stack of a run.
func (l *Local) stack(current run.Run, name string, found toolchain.Tools) *pulumi.Stack {
	settings := current.AWS()
	settings["PATH"] = found.Path()
	settings["PULUMI_HOME"] = found.Home
	// Builds reach package registries as this machine does, proxies and private networks included.
	settings["FARGATE_LOCAL_BUILD_NETWORK"] = "host"
	// The built program goes with the run.
	settings["FARGATE_LOCAL_PROGRAM_DIR"] = filepath.Join(l.dir(), "program")
	return &pulumi.Stack{Root: l.Root, Dir: l.dir(), Name: name, CLI: found.Pulumi, Env: settings}
}

type watcher = pulumi.Watcher

// follow runs a command of the Pulumi CLI as a step. What the CLI prints goes to a file of the run, and is shown if its user
// wants everything.
func (l *Local) follow(what string, do func(watcher) error) error {
	file, err := os.OpenFile(EngineLog(l.dir()), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing is lost that a person waits for
	var log io.Writer = file
	if l.Progress.Verbose {
		log = io.MultiWriter(file, l.Progress)
	}
	return l.Progress.Follow(what, func(status func(string)) error {
		return do(watcher{Log: log, Status: status, Warn: func(said string) { l.Progress.Line("%s", said) }})
	})
}

// EngineLog is where everything is that the Pulumi engine has printed.
func EngineLog(dir string) string { return filepath.Join(dir, "pulumi.log") }

// WithDocker runs a command while a Docker engine answers, and stops the engine again if it was started for that.
func (l *Local) WithDocker(ctx context.Context, command []string) (err error) {
	end, err := l.docker(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
