package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// WithDocker runs a command while a Docker engine answers, and stops the engine again if it was started for that.
func (l *Local) WithDocker(ctx context.Context, command []string) (err error) {
	used, started, err := l.finder.Docker(ctx)
	if err != nil {
		return err
	}
	l.Progress.Line("docker    %s", used)
	defer func() { err = errors.Join(err, l.undoEngine(started)) }()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
