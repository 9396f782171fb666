// Package pulumi runs the Pulumi CLI on the project, against the local run's AWS.
//
// The program is not touched. Only Pulumi.yaml and the stack's file are copied, because the CLI writes into them
// (a salt for encrypted values); the copy of Pulumi.yaml says where the program lies.
package pulumi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"fargate-nginx-sidecar/local/machine"

	"gopkg.in/yaml.v3"
)

// interruptWait is how long the CLI may take to record what it was doing once it is interrupted.
const interruptWait = 30 * time.Second

// Stack is one stack of the project.
type Stack struct {
	Root string            // the checkout, where Pulumi.yaml and the stack files lie
	Dir  string            // the local run's folder; copies and state go below it
	Name string            // dev, staging, prod
	CLI  string            // the program
	Env  map[string]string // for the CLI and all its plugins, beside this process's own environment

	interrupted bool // an update ended before it had recorded everything
}

// ProjectDir is where the copies lie, which is the CLI's working directory.
func (s *Stack) ProjectDir() string { return filepath.Join(s.Dir, "project") }

// Settings are the environment of the CLI, the same for this process and for a shell that sources the env file.
func (s *Stack) Settings() map[string]string {
	settings := map[string]string{
		"PULUMI_BACKEND_URL":       "file://" + filepath.Join(s.Dir, "state"),
		"PULUMI_CONFIG_PASSPHRASE": "local", // the secrets of a stack that exists on this machine only
		"PULUMI_STACK":             s.Name,
		"PULUMI_OPTION_CWD":        s.ProjectDir(),
		"PULUMI_SKIP_UPDATE_CHECK": "true",
		// What this run uses was found or made before; nothing is fetched behind the user's back.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
	}
	for key, value := range s.Env {
		settings[key] = value
	}
	return settings
}

// Prepare copies the project's files, sets values in the copy of the stack's, and makes the stack if there is none.
// Values replace those of the file, and nil takes one out; their keys carry a namespace, as in the file.
func (s *Stack) Prepare(ctx context.Context, values map[string]any) error {
	if err := os.MkdirAll(filepath.Join(s.Dir, "state"), 0o755); err != nil {
		return fmt.Errorf("project: %w", err)
	}
	if _, err := s.WriteSettings(values); err != nil {
		return fmt.Errorf("project: %w", err)
	}
	if err := s.copyProject(); err != nil {
		return fmt.Errorf("project: %w", err)
	}
	var output strings.Builder
	if err := s.run(ctx, &output, "stack", "select", "--create", "--stack", s.Name); err != nil {
		return fmt.Errorf("stack %s: %w\n%s", s.Name, err, output.String())
	}
	return nil
}

// copyProject writes Pulumi.yaml with one line more: where the program is, seen from the copy.
func (s *Stack) copyProject() error {
	content, err := os.ReadFile(filepath.Join(s.Root, "Pulumi.yaml"))
	if err != nil {
		return err
	}
	program, err := filepath.Rel(s.ProjectDir(), s.Root)
	if err != nil {
		return err
	}
	content = fmt.Appendf(content, "\nmain: %s\n", program)
	return os.WriteFile(filepath.Join(s.ProjectDir(), "Pulumi.yaml"), content, 0o644)
}

// encryption are the keys of a stack's file that say how its secrets are encrypted. Those of the checkout's file need the
// owner's passphrase, or a key of the owner's account; the local stack has secrets of its own.
// https://www.pulumi.com/docs/iac/concepts/secrets/#configuring-secrets-encryption
var encryption = []string{"secretsprovider", "encryptedkey", "encryptionsalt"}

// escKey imports settings from Pulumi ESC, which is a part of Pulumi Cloud: the local stack's backend, a folder, has none.
// https://www.pulumi.com/docs/esc/guides/pulumi-iac/
const escKey = "environment"

// WriteSettings writes the copy of the stack's file, with these values, and returns its path. It keeps the salt with which the CLI
// encrypted this stack's secrets.
func (s *Stack) WriteSettings(values map[string]any) (path string, err error) {
	name := "Pulumi." + s.Name + ".yaml"
	file, err := s.readStack(name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.ProjectDir(), 0o755); err != nil {
		return "", err
	}
	delete(file, escKey)
	before, _ := readYAML(filepath.Join(s.ProjectDir(), name)) // there is none before the first deploy
	for _, key := range encryption {
		delete(file, key)
		if value, is := before[key]; is {
			file[key] = value
		}
	}
	config, _ := file["config"].(map[string]any)
	if config == nil {
		config = map[string]any{}
	}
	set(config, values)
	file["config"] = config
	content, err := yaml.Marshal(file)
	if err != nil {
		return "", err
	}
	path = filepath.Join(s.ProjectDir(), name)
	return path, os.WriteFile(path, content, 0o644)
}

// StackConfig returns the values of a stack's file in the checkout, and whether it imports more of them from Pulumi ESC.
func (s *Stack) StackConfig() (config map[string]any, imports bool, err error) {
	file, err := s.readStack("Pulumi." + s.Name + ".yaml")
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, fmt.Errorf("stack %s: there is no Pulumi.%[1]s.yaml; the stacks are: %s", s.Name, strings.Join(s.stacks(), ", "))
	}
	if err != nil {
		return nil, false, fmt.Errorf("stack %s: %w", s.Name, err)
	}
	config, _ = file["config"].(map[string]any)
	_, imports = file[escKey]
	return config, imports, nil
}

// readStack reads a stack's file of the checkout. A key without a namespace is one of the project's, as the Pulumi CLI takes it.
func (s *Stack) readStack(name string) (map[string]any, error) {
	file, err := readYAML(filepath.Join(s.Root, name))
	if err != nil {
		return nil, err
	}
	project, err := s.ProjectName()
	if err != nil {
		return nil, err
	}
	config, _ := file["config"].(map[string]any)
	for key, value := range maps.Clone(config) {
		if !strings.Contains(key, ":") {
			delete(config, key)
			config[project+":"+key] = value
		}
	}
	return file, nil
}

// ProjectName returns the name in Pulumi.yaml, which is also the namespace of the project's settings.
func (s *Stack) ProjectName() (string, error) {
	file, err := readYAML(filepath.Join(s.Root, "Pulumi.yaml"))
	if err != nil {
		return "", fmt.Errorf("project: %w", err)
	}
	name, _ := file["name"].(string)
	if name == "" {
		return "", errors.New("project: Pulumi.yaml has no name")
	}
	return name, nil
}

func (s *Stack) stacks() []string {
	files, _ := filepath.Glob(filepath.Join(s.Root, "Pulumi.*.yaml"))
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
	}
	slices.Sort(files)
	return files
}

func readYAML(name string) (map[string]any, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	file := map[string]any{}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// Unlock takes away the lock of an update that was killed. The caller makes sure that no other command works on the stack.
// https://www.pulumi.com/docs/iac/cli/commands/pulumi_cancel/
func (s *Stack) Unlock(ctx context.Context) error {
	locks, err := filepath.Glob(filepath.Join(escape(s.Dir), "state", ".pulumi", "locks", "*", "*", s.Name, "*.json"))
	if err != nil || len(locks) == 0 {
		return err
	}
	var output strings.Builder
	if err := s.run(ctx, &output, "cancel", "--yes", "--stack", s.Name); err != nil {
		return fmt.Errorf("stack %s: lock: %w\n%s", s.Name, err, output.String())
	}
	s.interrupted = true
	return nil
}

// ErrUnrecorded says that a command was killed after AWS had made something for it and before it had written that down. The
// state cannot learn of it, and whatever may be there only once, such as a rule of a security group, cannot be made again.
var ErrUnrecorded = errors.New("what a killed command had made is in nobody's record, and in the way")

// A Watcher is told how far a command of the CLI is. Log gets what the CLI prints.
type Watcher struct {
	Log    io.Writer
	Status func(string)
	Warn   func(diagnostics string) // of a command that succeeded
}

// Up previews and deploys, as a person would. What only a preview can fail at fails here, too.
func (s *Stack) Up(ctx context.Context, watcher Watcher) error {
	if s.interrupted {
		// No state has what the killed command was doing: it learns that from AWS.
		// https://www.pulumi.com/docs/support/troubleshooting/common-issues/update-conflicts/
		if _, err := s.follow(ctx, watcher, "refresh", "--yes", "--skip-preview", "--clear-pending-creates"); err != nil {
			return err
		}
	}
	conflict, err := s.follow(ctx, watcher, "up", "--yes")
	if err != nil && s.interrupted && conflict {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return err
}

// follow runs a command that changes the stack. conflict reports whether something was in its way. The error carries the
// CLI's diagnostics.
func (s *Stack) follow(ctx context.Context, watcher Watcher, arguments ...string) (conflict bool, err error) {
	r := &report{out: watcher.Log, status: watcher.Status}
	err = s.run(ctx, r, append(arguments, "--suppress-outputs", "--suppress-progress")...)
	said := r.explanation()
	if err == nil {
		watcher.Status(strings.Join(r.summary, ", "))
		if said != "" {
			watcher.Warn(said)
		}
	} else if said != "" {
		err = fmt.Errorf("%w:\n%s", err, said)
	}
	return r.conflict, err
}

// escape makes a folder's name mean itself in a pattern.
func escape(dir string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(dir, `\$0`)
}

// noResources is what the CLI says of a stack in which nothing was ever made, and noStack what it says of one that was not
// made itself.
const (
	noResources = "no resources found"
	noStack     = "no stack named"
)

// Destroy deletes every resource of the stack, the protected ones too.
func (s *Stack) Destroy(ctx context.Context, watcher Watcher) error {
	if err := s.Unlock(ctx); err != nil {
		return err
	}
	// Protection is for what people depend on, and nobody depends on a local run.
	var output strings.Builder
	err := s.run(ctx, &output, "state", "unprotect", "--all", "--yes")
	switch said := output.String(); {
	case err == nil || strings.Contains(said, noResources):
	case strings.Contains(said, noStack):
		return nil
	default:
		return fmt.Errorf("lift the protection: %w\n%s", err, said)
	}
	_, err = s.follow(ctx, watcher, "destroy", "--yes", "--skip-preview")
	return err
}

// Outputs returns the stack's outputs.
func (s *Stack) Outputs(ctx context.Context) (map[string]any, error) {
	var output strings.Builder
	if err := s.run(ctx, &output, "stack", "output", "--json", "--show-secrets"); err != nil {
		return nil, fmt.Errorf("outputs: %w\n%s", err, output.String())
	}
	outputs := map[string]any{}
	if err := json.Unmarshal([]byte(output.String()), &outputs); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	return outputs, nil
}

// run executes the CLI without a terminal. Interrupting the context lets it finish writing its state.
func (s *Stack) run(ctx context.Context, out io.Writer, arguments ...string) error {
	cmd := exec.CommandContext(ctx, s.CLI, append(arguments, "--non-interactive", "--color", "never")...)
	cmd.Dir = s.ProjectDir()
	// By this, the endpoint records which actions the command calls.
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
	cmd.Env = append(os.Environ(), "AWS_SDK_UA_APP_ID=pulumi-"+arguments[0])
	for key, value := range s.Settings() {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Stdout, cmd.Stderr = out, out
	// The CLI ends at once when it is interrupted twice, by the terminal and by this process, and so leaves its lock and
	// half a state. https://github.com/pulumi/pulumi/blob/v3.230.0/pkg/backend/cancellation_scope.go
	machine.DieWithParent(cmd)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = interruptWait
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pulumi %s: %w", arguments[0], err)
	}
	return nil
}
