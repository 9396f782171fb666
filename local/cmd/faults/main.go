// Command faults makes a deployed stack suffer and writes what it saw into docs/reliability.md:
//
//	go run ./cmd/faults [-part rollouts|deploys|serving|soak] [-fault NAME] [-seed 1] [-rollouts 10]
//
// Without a part it runs all of them, which takes about an hour. Each part writes its own section of the document, and one
// fault of the part serving its own row.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fargate-nginx-sidecar/local/faults"
)

// parts are run in this order.
var parts = []string{"rollouts", "deploys", "serving", "soak"}

// What a whole run does.
const (
	soakFor     = 20 * time.Minute
	sampleEvery = 10 * time.Second
	picture     = "reliability-soak.svg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	part := flags.String("part", "", "only this one of "+strings.Join(parts, ", "))
	fault := flags.String("fault", "", "only this one of the part serving, by its name in the table")
	seed := flags.Uint64("seed", 1, "decides which requests are sent, and which task is hit")
	inARow := flags.Int("rollouts", 10, "how many deploys in a row, once with the sidecar and once with the pattern")
	port := flags.Int("port", 0, "of the load balancer; 0 is a free one")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	chosen := parts
	if *part != "" {
		chosen = []string{*part}
	}
	if !slices.Contains(parts, chosen[0]) {
		return fmt.Errorf("part %q; allowed: %s", *part, strings.Join(parts, ", "))
	}
	if *fault != "" && *part != "serving" {
		return fmt.Errorf("fault %q: it belongs to the part serving, and part is %q", *fault, *part)
	}
	// From local/, where go run finds this module.
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	lab, err := faults.Open(ctx, faults.Options{Root: root, Port: *port, Seed: *seed, Log: os.Stdout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	document := filepath.Join(root, "docs", "reliability.md")
	if *fault != "" {
		all, err := lab.Faults(ctx, *fault)
		if err != nil {
			return fmt.Errorf("serving: %w", err)
		}
		return faults.ReplaceRow(document, *seed, all[0])
	}
	for _, name := range chosen {
		text, err := runPart(ctx, lab, name, *seed, *inARow, filepath.Join(root, "docs"))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := faults.Replace(document, name, text); err != nil {
			return err
		}
	}
	return nil
}

// runPart runs one part and returns what it says in the document.
func runPart(ctx context.Context, lab *faults.Lab, name string, seed uint64, inARow int, docs string) (string, error) {
	switch name {
	case "rollouts":
		return rollouts(ctx, lab, seed, inARow)
	case "deploys":
		all, err := lab.BadDeploys(ctx)
		return faults.BadDeploysText(seed, all), err
	case "serving":
		all, err := lab.Faults(ctx, "")
		return faults.ServingText(seed, all), err
	}
	soak, err := lab.Soak(ctx, soakFor, sampleEvery)
	if err == nil {
		err = os.WriteFile(filepath.Join(docs, picture), []byte(soak.Picture()), 0o644)
	}
	return faults.SoakText(seed, soak, picture), err
}

// rollouts measures the sidecar first, then the pattern, and leaves the stack as it was.
func rollouts(ctx context.Context, lab *faults.Lab, seed uint64, inARow int) (string, error) {
	ours, err := lab.Rollouts(ctx, "the sidecar", inARow)
	if err != nil {
		return "", err
	}
	back, err := lab.BecomePattern(ctx)
	if err != nil {
		return "", err
	}
	pattern, err := lab.Rollouts(ctx, "the pattern's directives and settings", inARow)
	if err != nil {
		return "", err
	}
	return faults.RolloutsText(seed, ours, pattern), back(ctx)
}
