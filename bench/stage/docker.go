package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// commandTimeout is for one docker command, a build included.
const commandTimeout = 15 * time.Minute

// docker runs one docker command and returns what it printed.
func docker(ctx context.Context, args ...string) (string, error) {
	return command(ctx, nil, "docker", args...)
}

// command runs a program; an error has the end of what it printed.
func command(ctx context.Context, in io.Reader, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // programs and arguments of this package
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		printed := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.Join(printed[max(0, len(printed)-15):], "\n"))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// agent is a program in a container that answers JSON with JSON.
type agent struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	tell  *json.Encoder
	hear  *json.Decoder
	noise bytes.Buffer
}

// startAgent attaches to a container of its own.
func startAgent(args ...string) (*agent, error) {
	a := &agent{cmd: exec.Command("docker", args...)} //nolint:gosec,noctx // arguments of this package; ends with its input
	in, err := a.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.cmd.Stderr = &a.noise
	a.in, a.tell, a.hear = in, json.NewEncoder(in), json.NewDecoder(out)
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	return a, nil
}

// next reads one answer.
func (a *agent) next(answer any) error {
	if err := a.hear.Decode(answer); err != nil {
		if errors.Is(err, io.EOF) {
			_ = a.cmd.Wait()
		}
		return fmt.Errorf("agent: %w: %s", err, strings.TrimSpace(a.noise.String()))
	}
	return nil
}

func (a *agent) close() {
	if a != nil {
		_ = a.in.Close()
		_ = a.cmd.Wait()
	}
}
