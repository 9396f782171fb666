// Package run knows where one local run keeps its things and who is running it.
//
// A run is one folder, .local in the checkout. While its background process runs, the folder holds run.json, which
// says where everything listens. The folder goes when the run does.
package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// Run is a local run, as its background process describes it.
type Run struct {
	ID           string    `json:"id"`           // label of every container of the run
	PID          int       `json:"pid"`          // of the background process
	Started      time.Time `json:"started"`      // when it was ready, like Endpoint, Registry and Relayed
	Stacks       []string  `json:"stacks"`       // dev, staging, prod; the first owns the load balancer that the others use
	Served       []string  `json:"served"`       // those that were deployed at least once
	Region       string    `json:"region"`       // AWS region
	Architecture string    `json:"architecture"` // of the Docker engine, in Go's words
	Endpoint     string    `json:"endpoint"`     // URL that stands for all of AWS
	Registry     string    `json:"registry"`     // host:port that stands for ECR
	Relayed      bool      `json:"relayed"`      // a container passes on what the Docker engine sends there
	Listen       string    `json:"listen"`       // host:port of the load balancer's port 80
}

// Dir is the folder of a checkout's run.
func Dir(root string) string { return filepath.Join(root, ".local") }

func file(dir string) string { return filepath.Join(dir, "run.json") }

// ErrNone says that nothing runs in this checkout.
var ErrNone = errors.New("nothing is running here; start it with `make local`")

// ErrStarting says that the background process does not serve yet. The command that started it may have been killed, so that
// nobody waits for it.
var ErrStarting = errors.New("the background process is starting; try again in a few seconds")

// Load reads the run of a folder. It is ErrNone when there is none, or when its background process is gone.
func Load(dir string) (Run, error) {
	content, err := os.ReadFile(file(dir))
	if errors.Is(err, os.ErrNotExist) {
		return Run{}, ErrNone
	}
	if err != nil {
		return Run{}, fmt.Errorf("run: %w", err)
	}
	var run Run
	if err := json.Unmarshal(content, &run); err != nil {
		return Run{}, fmt.Errorf("run: %s: %w", file(dir), err)
	}
	held, err := machine.Held(lock(dir))
	if err != nil {
		return run, fmt.Errorf("run: %w", err)
	}
	if !held {
		return run, fmt.Errorf("%w (the background process %d of an earlier run is gone)", ErrNone, run.PID)
	}
	if len(run.Stacks) == 0 {
		return Run{}, fmt.Errorf("run: %s names no stack, so an earlier version of this checkout started it; take it down with that version", file(dir))
	}
	if run.Endpoint == "" {
		return run, ErrStarting
	}
	return run, nil
}

// lock is the file that the background process holds as long as it lives. A process id alone says nothing: after a
// restart of the machine it is a stranger's.
func lock(dir string) string { return filepath.Join(dir, "run.lock") }

// Hold makes this process the one that the folder's run belongs to, until release or its own end.
func Hold(dir string) (release func(), err error) {
	// Whoever looks whether the lock is held holds it for a moment.
	for range 20 {
		if release, err = machine.TryLock(lock(dir)); !errors.Is(err, machine.ErrHeld) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return release, err
}

// Save writes the run's description, whole or not at all.
func (r Run) Save(dir string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	unfinished := file(dir) + ".new"
	if err := os.WriteFile(unfinished, content, 0o644); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return os.Rename(unfinished, file(dir))
}

// Deployed returns the run with a stack among those that were deployed.
func (r Run) Deployed(stack string) Run {
	if !slices.Contains(r.Served, stack) {
		r.Served = append(slices.Clone(r.Served), stack)
	}
	return r
}

// GivesWayTo reports whether another stack may take the place of the run's own, because none of them was ever deployed.
func (r Run) GivesWayTo(stack string) bool {
	return len(r.Served) == 0 && !slices.Contains(r.Stacks, stack)
}

// AWS is the environment in which every AWS client talks to this run, and cannot talk to anything else.
func (r Run) AWS() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL":          r.Endpoint,
		"AWS_REGION":                r.Region,
		"AWS_DEFAULT_REGION":        r.Region,
		"AWS_ACCESS_KEY_ID":         "local",
		"AWS_SECRET_ACCESS_KEY":     "local",
		"AWS_SESSION_TOKEN":         "",
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PAGER":                 "",
		// A profile of the user's must neither be used nor be able to redirect a request.
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
}

// WriteEnv writes the file that a shell sources to use the run. A variable without a value is unset.
func WriteEnv(dir string, settings map[string]string) error {
	keys := make([]string, 0, len(settings))
	for key := range settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var text strings.Builder
	text.WriteString("# Points the AWS CLI and pulumi at the local run: . .local/env\n" +
		"for name in $(env | sed -nE 's/^((AWS|PULUMI)_[A-Za-z0-9_]*)=.*/\\1/p'); do unset \"$name\"; done\n")
	for _, key := range keys {
		if settings[key] == "" && key != "AWS_PAGER" {
			fmt.Fprintf(&text, "unset %s\n", key)
			continue
		}
		fmt.Fprintf(&text, "export %s=%s\n", key, Quote(settings[key]))
	}
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// Quote makes a value one shell word, whatever is in it.
func Quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }
