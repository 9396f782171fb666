// Command ops is what a team does with the stacks of this project beside `pulumi up`: it says what a change would do, takes images
// from one environment to the next, goes back, runs commands, and looks. The Makefile has a target for each command. It works on AWS
// with the credentials of the shell, and in a shell that has sourced .local/env on the local run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"fargate-nginx-sidecar/ops/service"
	"fargate-nginx-sidecar/ops/stack"
)

const usage = `usage: ops COMMAND

  preview --stack NAME [--refresh]          what an update would change, as text for a pull request
  affected [FILE]...                        the stacks whose result may change with these files
  images --stack NAME --app REF --nginx REF write both images, by digest, into the stack's file
  promote --from NAME --to NAME [--yes]     deploy the images that another stack runs
  rollback --stack NAME                     serve the previous revision, and bring the stack's file in line with it
  run --stack NAME -- COMMAND [ARG]...      run a command in a task of its own
  shell --stack NAME                        a shell in the app's container
  logs --stack NAME [--since 10m] [--follow=false]
  status --stack NAME                       tasks, deployments and the last events
  verify --stack NAME | --url URL [--paths /api]
  review --number N --listener ARN          write the stack file of a pull request, with free priorities on a load balancer
  clean [--days 7] [--open 1,2,3]           remove stacks of pull requests that are closed or old`

// Exit codes that a shell gives to a program that was interrupted, and to one that found what it was asked to find.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// exit is a command's own exit code; it has said everything.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	var code exit
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
		if errors.Is(err, service.ErrInterrupted) {
			os.Exit(exitInterrupted)
		}
		os.Exit(exitFailed)
	}
}

// options are the flags of all commands. Each command declares those that it has.
type options struct {
	stack, from, to, url, paths, listener, open string
	images                                      stack.Images
	yes, refresh, follow                        bool
	since                                       time.Duration
	number, days                                int
	words                                       []string
}

type command struct {
	flags func(*flag.FlagSet, *options)
	run   func(context.Context, options) error
}

func ofStack(f *flag.FlagSet, o *options) { f.StringVar(&o.stack, "stack", "", "the stack") }

var commands = map[string]command{
	"preview": {func(f *flag.FlagSet, o *options) {
		ofStack(f, o)
		f.BoolVar(&o.refresh, "refresh", false, "compare with AWS instead of the state")
	}, runPreview},
	"affected": {func(*flag.FlagSet, *options) {}, runAffected},
	"images": {func(f *flag.FlagSet, o *options) {
		ofStack(f, o)
		f.StringVar(&o.images.App, "app", "", "image of the app, by digest")
		f.StringVar(&o.images.Nginx, "nginx", "", "image of NGINX, by digest")
	}, setImages},
	"promote": {func(f *flag.FlagSet, o *options) {
		f.StringVar(&o.from, "from", "", "the stack whose images are taken")
		f.StringVar(&o.to, "to", "", "the stack that gets them")
		f.BoolVar(&o.yes, "yes", false, "deploy without a question")
	}, promote},
	"rollback": {ofStack, rollback},
	"run":      {ofStack, runCommand},
	"shell":    {ofStack, shell},
	"logs": {func(f *flag.FlagSet, o *options) {
		ofStack(f, o)
		f.DurationVar(&o.since, "since", 10*time.Minute, "how far back")
		f.BoolVar(&o.follow, "follow", true, "go on until interrupted")
	}, logs},
	"status": {ofStack, status},
	"verify": {func(f *flag.FlagSet, o *options) {
		ofStack(f, o)
		f.StringVar(&o.url, "url", "", "of any deployment, instead of a stack")
		f.StringVar(&o.paths, "paths", "/api", "of the app, with --url")
	}, check},
	"review": {func(f *flag.FlagSet, o *options) {
		f.IntVar(&o.number, "number", 0, "of the pull request")
		f.StringVar(&o.listener, "listener", "", "ARN of the listener of the shared load balancer")
	}, writeReview},
	"clean": {func(f *flag.FlagSet, o *options) {
		f.IntVar(&o.days, "days", 7, "age after which a stack goes in any case")
		f.StringVar(&o.open, "open", "", "numbers of the open pull requests, with commas")
	}, clean},
}

func dispatch(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("no command given\n" + usage)
	}
	c, known := commands[arguments[0]]
	if !known {
		return fmt.Errorf("unknown command %q\n%s", arguments[0], usage)
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	var o options
	c.flags(flags, &o)
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if flags.Lookup("stack") != nil && o.stack == "" && o.url == "" {
		return fmt.Errorf("%s: no stack given; name it with STACK=prod", arguments[0])
	}
	o.words = flags.Args()

	return c.run(ctx, o)
}

// open returns a stack's service.
func open(ctx context.Context, name string) (*service.Service, stack.Outputs, error) {
	outputs, err := stack.Stack{Name: name, Log: os.Stdout}.Outputs(ctx)
	if err != nil {
		return nil, outputs, err
	}
	s, err := service.Open(ctx, outputs)

	return s, outputs, err
}

func runCommand(ctx context.Context, o options) error {
	if len(o.words) == 0 {
		return errors.New(`run: no command given; as in: make run STACK=prod CMD="npm run backfill"`)
	}
	s, _, err := open(ctx, o.stack)
	if err != nil {
		return err
	}
	code, err := s.Run(ctx, os.Stdout, o.words)
	if err == nil && code != 0 {
		fmt.Fprintf(os.Stderr, "the command exited with status %d\n", code)
		return exit(code)
	}

	return err
}

func logs(ctx context.Context, o options) error {
	s, _, err := open(ctx, o.stack)
	if err != nil {
		return err
	}

	return s.Logs(ctx, os.Stdout, time.Now().Add(-o.since), o.follow)
}

func status(ctx context.Context, o options) error {
	s, outputs, err := open(ctx, o.stack)
	if err != nil {
		return err
	}
	fmt.Printf("%s at %s\n", o.stack, outputs.URL)

	return s.Status(ctx, os.Stdout)
}
