package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

// A shell that sources .local/env finds `pulumi` in shellDir first. That one brings the run's copy of the stack's file up to
// date before it becomes the CLI, so that a preview shows what is in the checkout, and not what was deployed last.

// ShellCommand is the hidden command behind it.
const ShellCommand = "pulumi"

// ShellOptions are the choices of the hidden command. They are those of the `up` that wrote the shell's files.
type ShellOptions struct {
	UpOptions
	CLI string // the Pulumi CLI of that `up`
}

// shellDir is the folder of that `pulumi`.
func shellDir(root string) string { return filepath.Join(run.Dir(root), "shell") }

// writeShell writes what a shell needs to use the run: the variables, and a `pulumi` of its own.
func (l *Local) writeShell(stack *pulumi.Stack, options UpOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	arguments := []string{self, "--root", l.Root, ShellCommand, "--stack", options.Stack, "--cli", stack.CLI}
	for _, key := range slices.Sorted(maps.Keys(options.Config)) {
		arguments = append(arguments, "--set", key+"="+options.Config[key])
	}
	for i, argument := range arguments {
		arguments[i] = run.Quote(argument)
	}
	script := "#!/bin/sh\nexec " + strings.Join(arguments, " ") + ` -- "$@"` + "\n"
	dir := shellDir(l.Root)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte(script), 0o755); err != nil { //nolint:gosec // a program
		return err
	}
	settings := stack.Settings()
	settings["PATH"] = dir + string(os.PathListSeparator) + settings["PATH"]
	return run.WriteEnv(l.dir(), settings)
}

// withoutShell takes the run's own `pulumi` off PATH, for a command that is run in a shell that has sourced .local/env.
func withoutShell(root string) error {
	left := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool { return dir == shellDir(root) })
	return os.Setenv("PATH", strings.Join(left, string(os.PathListSeparator)))
}

// readers are the commands of the CLI that read a stack's settings.
var readers = []string{"preview", "pre", "up", "update", "refresh", "destroy", "watch", "import", "config"}

// writers are the commands below `config` that write them.
var writers = []string{"set", "set-all", "rm", "rm-all", "cp", "refresh"}

// Pulumi becomes the Pulumi CLI, with these arguments, on an up-to-date copy of the stack's file.
func (l *Local) Pulumi(ctx context.Context, options ShellOptions, arguments []string) error {
	if l.reads(arguments) {
		if err := l.refresh(ctx, options, arguments); err != nil {
			return err
		}
	}
	//nolint:gosec // the CLI that `up` has found, with what its user typed
	return syscall.Exec(options.CLI, append([]string{options.CLI}, arguments...), os.Environ())
}

// reads reports whether a command reads the settings of one of this project's stacks. A shell may work on another project, too.
func (l *Local) reads(arguments []string) bool {
	elsewhere := func(word string) bool { return strings.HasPrefix(word, "-C") || strings.HasPrefix(word, "--cwd") }
	here := (&pulumi.Stack{Dir: l.dir()}).ProjectDir()
	return os.Getenv("PULUMI_OPTION_CWD") == here && !slices.ContainsFunc(arguments, elsewhere) &&
		slices.ContainsFunc(arguments, func(word string) bool { return slices.Contains(readers, word) })
}

func (l *Local) refresh(ctx context.Context, options ShellOptions, arguments []string) error {
	name := stackOf(arguments, options.Stack)
	if i := slices.Index(arguments, "config"); i >= 0 && i+1 < len(arguments) && slices.Contains(writers, arguments[i+1]) {
		return fmt.Errorf("config %s: the local run works on a copy of Pulumi.%s.yaml; edit that file, and the next command reads it", arguments[i+1], name)
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := l.load(ctx)
	if err != nil {
		return err
	}
	given := options.Config
	if name != options.Stack {
		given = nil // they were given for the other one
	}
	config, err := l.stackConfig(name, given)
	if err != nil {
		return err
	}
	if config.region != current.Region {
		return errors.New("aws:region: a run has one region; take it down with `make local-down` to change it")
	}
	found := toolchain.Tools{Pulumi: options.CLI, Home: os.Getenv("PULUMI_HOME")}
	_, _, err = l.settle(ctx, current, found, config, name)
	return err
}

// stackOf is the stack that a command of the CLI works on.
// https://www.pulumi.com/docs/iac/cli/commands/pulumi_preview/
func stackOf(arguments []string, otherwise string) string {
	for i, argument := range arguments {
		for _, flag := range []string{"--stack", "-s"} {
			if name, is := strings.CutPrefix(argument, flag+"="); is {
				return name
			}
			if argument == flag && i+1 < len(arguments) {
				return arguments[i+1]
			}
		}
	}
	if name := os.Getenv("PULUMI_STACK"); name != "" {
		return name
	}
	return otherwise
}
