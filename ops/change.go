package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fargate-nginx-sidecar/ops/preview"
	"fargate-nginx-sidecar/ops/stack"
)

// previewOf previews an update of a stack.
func previewOf(ctx context.Context, s stack.Stack, flags ...string) (preview.Report, error) {
	events, err := s.Preview(ctx, flags...)

	return preview.Read(s.Name, events), err
}

func runPreview(ctx context.Context, o options) error {
	var flags []string
	if o.refresh {
		flags = []string{"--refresh"}
	}
	report, err := previewOf(ctx, stack.Stack{Name: o.stack, Log: os.Stdout}, flags...)
	if err != nil {
		return err
	}
	fmt.Print(report.Text())
	switch {
	case report.Failed():
		return exit(exitFailed)
	case o.refresh && !report.Empty():
		return exit(exitDrift)
	}

	return nil
}

// exitDrift says that AWS differs from the stack, and nothing went wrong.
const exitDrift = 2

// runAffected writes the names of the stacks whose result may change with the given files.
func runAffected(_ context.Context, o options) error {
	files, err := filepath.Glob("Pulumi.*.yaml")
	if err != nil {
		return err
	}
	for _, name := range affected(files, o.words) {
		fmt.Println(name)
	}

	return nil
}

// beside are folders and files that no stack's result depends on.
var beside = []string{"docs/", "local/", "bench/", "bootstrap/", "ops/", "examples/", ".github/", ".ci/", "Makefile", "project.mk", "LICENSE", ".golangci.yml", ".gitignore", ".editorconfig", ".gitattributes", "renovate.json"}

// affected are the stacks whose own file has changed, or all of them if the program or an image has.
func affected(stackFiles, changed []string) []string {
	var all, own []string
	for _, file := range stackFiles {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		all = append(all, name)
		if slices.Contains(changed, filepath.Base(file)) {
			own = append(own, name)
		}
	}
	for _, file := range changed {
		isStacks := strings.HasPrefix(file, "Pulumi.") && file != "Pulumi.yaml"
		isBeside := strings.HasSuffix(file, ".md") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") ||
			slices.ContainsFunc(beside, func(prefix string) bool { return strings.HasPrefix(file, prefix) })
		if !isStacks && !isBeside {
			return all
		}
	}

	return own
}

// setImages writes images into a stack's file.
func setImages(_ context.Context, o options) error {
	s := stack.Stack{Name: o.stack}
	if _, err := s.SetImages(o.images); err != nil {
		return err
	}
	fmt.Printf("%s: app %s, NGINX %s\n", s.File(), o.images.App, o.images.Nginx)

	return nil
}

// promote deploys the images of one stack to another.
func promote(ctx context.Context, o options) error {
	if o.from == "" || o.to == "" || o.from == o.to {
		return fmt.Errorf("promote: from %q to %q; allowed: two stacks, as in FROM=staging TO=prod", o.from, o.to)
	}
	source, err := stack.Stack{Name: o.from}.Outputs(ctx)
	if err != nil {
		return err
	}
	target := stack.Stack{Name: o.to, Log: os.Stdout}
	images := stack.Images{App: source.AppImage, Nginx: source.NginxImage}
	if has, err := target.Images(); err != nil {
		return err
	} else if has == images {
		fmt.Printf("%s has the images of %s already\n", target.File(), o.from)
	}
	before, err := target.SetImages(images)
	if err != nil {
		return err
	}
	fmt.Printf("%s: app %s\n%s: NGINX %s\n\n", target.File(), images.App, target.File(), images.Nginx)
	if err := deployImages(ctx, target, o.yes); err != nil {
		// What does not run must not be in the file: the next update would deploy it.
		return errors.Join(err, target.Write(before))
	}

	return nil
}

// errDeclined is the answer no.
var errDeclined = errors.New("nothing has been deployed, and the stack's file is as it was")

// deployImages shows what other images in the stack's file change, and deploys that. Without a person who agrees, it deploys nothing
// else.
func deployImages(ctx context.Context, s stack.Stack, yes bool) error {
	report, err := previewOf(ctx, s)
	if err != nil {
		return err
	}
	fmt.Println(report.Text())
	if report.Failed() {
		return errDeclined
	}
	if report.Empty() {
		return nil
	}
	if others := report.Beyond(); len(others) > 0 {
		fmt.Printf("These changes do not follow from the images: %s\n", strings.Join(others, "; "))
		if yes {
			return fmt.Errorf("%w: other changes wait; deploy them first, or promote without YES=1", errDeclined)
		}
	}
	if !yes && !agreed() {
		return errDeclined
	}

	return s.Up(ctx)
}

func agreed() bool {
	fmt.Print("deploy? [yes/no] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')

	return err == nil && strings.TrimSpace(answer) == "yes"
}

// rollback makes the previous revision serve at once, and then the stack agree with it.
func rollback(ctx context.Context, o options) error {
	s, _, err := open(ctx, o.stack)
	if err != nil {
		return err
	}
	back, err := s.Previous(ctx)
	if err != nil {
		return err
	}
	took, err := s.Serve(ctx, back)
	if err != nil {
		return err
	}
	fmt.Printf("%s:%d serves again instead of %d, after %.0f s\n", *back.To.Family, back.To.Revision, back.From.Revision, took.Seconds())

	if same, err := back.SameButImages(); err != nil {
		return err
	} else if !same {
		return fmt.Errorf("the two revisions differ in more than their images, so that digests alone cannot bring %s in line: "+
			"take its settings from the commit before, and run pulumi up", stack.Stack{Name: o.stack}.File())
	}
	images, err := back.Images()
	if err != nil {
		return err
	}
	target := stack.Stack{Name: o.stack, Log: os.Stdout}
	if _, err := target.SetImages(images); err != nil {
		return fmt.Errorf("the previous revision serves, but the stack's file does not have it: %w", err)
	}
	if err := deployImages(ctx, target, true); err != nil {
		return fmt.Errorf("the previous revision serves, but the stack's state does not have it: %w", err)
	}

	return s.Finish(ctx, back)
}
