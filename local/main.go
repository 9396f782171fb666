// Command local runs the whole stack on this machine, without an AWS account: the unchanged Pulumi program through
// the real Pulumi engine against an AWS emulator, and beside it what ECS and the load balancer would do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"fargate-nginx-sidecar/local/command"
	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

const usage = `usage: local [--root DIR] COMMAND

  up [--stack dev] [--port 8080] [--set key=value]...   deploy to this machine and verify
  status                                                what runs
  logs [--follow=false]                                 the containers' logs
  run NAME                                              run the scheduled task of that name now
  down [--stack NAME]                                   destroy, and remove everything; or only one of several stacks
  base-images [DOCKERFILE]...                           pull the base images, or build stand-ins
  with-docker -- COMMAND [ARG]...                       run a command while a Docker engine answers`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := dispatch(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.Exited() && strings.HasPrefix(err.Error(), "exit status"):
		os.Exit(exit.ExitCode()) // with-docker: the command has said what was wrong
	default:
		fmt.Fprintln(os.Stderr, "\nerror:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, arguments []string) error {
	global := flag.NewFlagSet("local", flag.ContinueOnError)
	global.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	root := global.String("root", "..", "the checkout")
	if err := global.Parse(arguments); err != nil {
		return err
	}
	if global.NArg() == 0 {
		return errors.New("no command given\n" + usage)
	}
	name, rest := global.Arg(0), global.Args()[1:]
	printer := machine.NewPrinter(os.Stdout)
	if name == command.ShellCommand {
		printer = machine.NewPrinter(os.Stderr) // what the CLI prints may be read by a program
	}
	verbose, err := environmentSwitch("V")
	if err != nil {
		return err
	}
	printer.Verbose = verbose
	if err := ownEnvironment(name, printer); err != nil {
		return err
	}
	local, err := command.New(ctx, *root, printer)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = global.Usage
	switch name {
	case "up":
		return up(ctx, local, flags, rest)
	case "status":
		return local.Status(ctx)
	case "logs":
		follow := flags.Bool("follow", true, "go on until interrupted")
		if err := flags.Parse(rest); err != nil {
			return err
		}
		return local.Logs(ctx, *follow)
	case "run":
		if err := flags.Parse(rest); err != nil {
			return err
		}
		if flags.NArg() != 1 {
			return errors.New("run: want the name of one scheduled task\n" + usage)
		}
		return local.RunScheduled(ctx, flags.Arg(0))
	case "down":
		stack := flags.String("stack", "", "only this one, where several run")
		if err := flags.Parse(rest); err != nil {
			return err
		}
		return local.Down(ctx, *stack)
	case "base-images":
		if len(rest) == 0 {
			rest = local.Dockerfiles()
		}
		return local.BaseImages(ctx, rest...)
	case "with-docker":
		if err := flags.Parse(rest); err != nil {
			return err
		}
		if flags.NArg() == 0 {
			return errors.New("with-docker: no command given\n" + usage)
		}
		return local.WithDocker(ctx, flags.Args())
	case command.ShellCommand:
		return shell(ctx, local, flags, rest)
	case toolchain.KeepCommand:
		return local.KeepEngine(ctx)
	case command.ServeCommand:
		emulator := flags.String("emulator", "", "the Python that has moto")
		run := flags.String("run", "", "the run, as JSON")
		if err := flags.Parse(rest); err != nil {
			return err
		}
		return local.Serve(ctx, *emulator, *run)
	}
	return fmt.Errorf("unknown command %q\n%s", name, usage)
}

// ownEnvironment keeps what the user's shell has for other work out of a command, unless that runs the user's own one.
func ownEnvironment(name string, printer *machine.Printer) error {
	if name == "with-docker" || name == command.ShellCommand {
		return nil
	}
	dropped, err := machine.OwnEnvironment()
	if err == nil && name == "up" && len(dropped) > 0 {
		printer.Line("shell     without %s, which would lead the run elsewhere", strings.Join(dropped, ", "))
	}
	return err
}

func up(ctx context.Context, local *command.Local, flags *flag.FlagSet, arguments []string) error {
	port, err := environmentPort()
	if err != nil {
		return err
	}
	var options command.UpOptions
	stackFlags(flags, &options)
	flags.IntVar(&options.Port, "port", port, "local port of the load balancer; 0 is 8080, or where it is")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return local.Up(ctx, options)
}

// shell is the `pulumi` of a shell that has sourced .local/env.
func shell(ctx context.Context, local *command.Local, flags *flag.FlagSet, arguments []string) error {
	var options command.ShellOptions
	stackFlags(flags, &options.UpOptions)
	flags.StringVar(&options.CLI, "cli", "", "the Pulumi CLI")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return local.Pulumi(ctx, options, flags.Args())
}

// stackFlags are those that say which stack is meant, with which settings.
func stackFlags(flags *flag.FlagSet, options *command.UpOptions) {
	options.Config = map[string]string{}
	flags.StringVar(&options.Stack, "stack", "dev", "which Pulumi.<stack>.yaml")
	flags.Func("set", "replace a setting for this run", func(pair string) error {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return fmt.Errorf("%q is not key=value", pair)
		}
		options.Config[key] = value
		return nil
	})
}

// environmentSwitch is whether a variable is 1.
func environmentSwitch(name string) (bool, error) {
	switch given := os.Getenv(name); given {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	default:
		return false, fmt.Errorf("%s=%s; allowed: 0, 1", name, given)
	}
}

func environmentPort() (int, error) {
	text := os.Getenv("LOCAL_PORT")
	if text == "" {
		return 0, nil // as if nothing was said
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("LOCAL_PORT: %q is not a port; allowed: 1 to 65535", text)
	}
	return port, nil
}
