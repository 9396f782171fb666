// Package stack is a stack of this project as the Pulumi CLI shows it: its outputs, what an update would change, and the file
// with its settings. It works on the checkout in the current folder, with the CLI's own environment: in a shell that has
// sourced .local/env, that is the local run.
package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"gopkg.in/yaml.v3"
)

// Stack is one stack of the project.
type Stack struct {
	Name string
	// Log gets what the CLI prints during an update.
	Log io.Writer
}

// Outputs are those of the outputs that the commands need. infra/outputs.go says what they are.
type Outputs struct {
	URL             string `json:"url"`
	ClusterARN      string `json:"clusterArn"`
	ServiceName     string `json:"serviceName"`
	AppImage        string `json:"appImage"`
	NginxImage      string `json:"nginxImage"`
	AppLogGroup     string `json:"appLogGroup"`
	NginxLogGroup   string `json:"nginxLogGroup"`
	MonthlyEstimate string `json:"monthlyEstimate"`
}

// Outputs returns the outputs of the last update.
func (s Stack) Outputs(ctx context.Context) (Outputs, error) {
	var said bytes.Buffer
	var o Outputs
	if err := s.pulumi(ctx, &said, "stack", "output", "--json"); err != nil {
		return o, fmt.Errorf("outputs of stack %s: %w\n%s", s.Name, err, said.String())
	}
	if err := json.Unmarshal(said.Bytes(), &o); err != nil {
		return o, fmt.Errorf("outputs of stack %s: %w", s.Name, err)
	}
	if o.ClusterARN == "" {
		return o, fmt.Errorf("stack %s has no outputs: it has not been deployed", s.Name)
	}

	return o, nil
}

// Preview returns what the engine reports while it finds out what an update would change. A program that stops with an error
// is no failure of the preview: its errors are among the events.
func (s Stack) Preview(ctx context.Context, flags ...string) ([]apitype.EngineEvent, error) {
	dir, err := os.MkdirTemp("", "preview-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	log := filepath.Join(dir, "events")
	var said bytes.Buffer
	err = s.pulumi(ctx, &said, append([]string{"preview", "--event-log", log}, flags...)...)
	events, readErr := read(log)
	if err != nil && !hasErrors(events) {
		return nil, fmt.Errorf("preview of stack %s: %w\n%s", s.Name, err, strings.TrimSpace(said.String()))
	}

	return events, readErr
}

func hasErrors(events []apitype.EngineEvent) bool {
	for _, event := range events {
		if event.DiagnosticEvent != nil && event.DiagnosticEvent.Severity == "error" {
			return true
		}
	}

	return false
}

// longestEvent is more than any resource's inputs and outputs together take, in bytes.
const longestEvent = 64 << 20

func read(log string) (events []apitype.EngineEvent, err error) {
	file, err := os.Open(log)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // the CLI has stopped before there was anything to report
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, longestEvent)
	for lines.Scan() {
		var event apitype.EngineEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("event log: %w", err)
		}
		events = append(events, event)
	}

	return events, lines.Err()
}

// Up updates the stack without another preview.
func (s Stack) Up(ctx context.Context) error {
	return s.pulumi(ctx, s.Log, "up", "--yes", "--skip-preview", "--suppress-progress")
}

// Remove destroys the stack and forgets it. There may be none.
func (s Stack) Remove(ctx context.Context) error {
	if err := s.pulumi(ctx, s.Log, "destroy", "--yes", "--skip-preview", "--suppress-progress", "--remove"); err != nil {
		return fmt.Errorf("stack %s: %w", s.Name, err)
	}

	return nil
}

// interruptWait is how long the CLI may take to write down what it was doing when it is interrupted.
const interruptWait = time.Minute

func (s Stack) pulumi(ctx context.Context, out io.Writer, arguments ...string) error {
	arguments = append(arguments, "--stack", s.Name, "--non-interactive", "--color", "never")
	cmd := exec.CommandContext(ctx, "pulumi", arguments...)
	cmd.Env = append(os.Environ(), "PULUMI_DEBUG_COMMANDS=true", "PULUMI_SKIP_UPDATE_CHECK=true") // for --event-log
	cmd.Stdout, cmd.Stderr = out, out
	if arguments[0] == "stack" {
		cmd.Stderr = os.Stderr // what is read as JSON has no warnings in it
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = interruptWait
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pulumi %s: %w", arguments[0], err)
	}

	return nil
}

// File is the stack's file.
func (s Stack) File() string { return "Pulumi." + s.Name + ".yaml" }

// Project is the name of the project, with which the keys in the stacks' files begin.
func Project() (string, error) {
	content, err := os.ReadFile("Pulumi.yaml")
	if err != nil {
		return "", fmt.Errorf("project: %w; run this in the folder of Pulumi.yaml", err)
	}
	var project struct{ Name string }
	if err := yaml.Unmarshal(content, &project); err != nil || project.Name == "" {
		return "", fmt.Errorf("Pulumi.yaml: no name, %w", err)
	}

	return project.Name, nil
}
