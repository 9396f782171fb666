package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"

	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/machine"
)

// check reads the settings as the program does, with the build contexts and Dockerfiles that they name, before anything is
// started or made. What is wrong is reported at once. On a warm machine this takes about a second; on a cold one the program is compiled
// first, which the deploy needs anyway.
func (l *Local) check(ctx context.Context, stack string, config stackSettings) error {
	// Without symbols it is linked in half the time, and it shares the compiled packages all the same.
	binary := filepath.Join(l.Root, ".build", "bin", "check")
	err := l.Progress.Step("compile the program (minutes the first time)", func() error {
		return machine.Command{Dir: l.Root, Name: "go", Args: []string{"build", "-ldflags=-s -w", "-o", binary, "./infra/check"}}.Run(ctx)
	})
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}
	plain := &pulumi.Stack{Root: l.Root, Dir: filepath.Join(l.Root, ".build", "check"), Name: stack}
	values := maps.Clone(config.encrypted)
	maps.Copy(values, config.given)
	file, err := plain.WriteSettings(values)
	if err != nil {
		return fmt.Errorf("stack %s: %w", stack, err)
	}
	cmd := exec.CommandContext(ctx, binary, "--stack", stack, "--file", file)
	cmd.Dir = l.Root // the contexts are relative to it
	output, err := cmd.CombinedOutput()
	var found *exec.ExitError
	if errors.As(err, &found) && found.Exited() {
		return errors.New(strings.TrimSpace(string(output)))
	}
	return err
}
