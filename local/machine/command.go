package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lastLines is how much of a failed command's output an error carries.
const lastLines = 15

// endWait is how long an interrupted command may take to clean up after itself.
const endWait = 10 * time.Second

// Command is another program to run to its end.
type Command struct {
	Dir  string
	Env  []string // beside this process's own environment
	Name string
	Args []string
}

// Run runs a program. Its error carries the end of what the program printed.
func Run(ctx context.Context, name string, args ...string) error {
	return Command{Name: name, Args: args}.Run(ctx)
}

// Output is Run for a program whose standard output counts.
func Output(ctx context.Context, name string, args ...string) (string, error) {
	return Command{Name: name, Args: args}.Output(ctx)
}

// Run runs the command. Its error carries the end of what the program printed.
func (c Command) Run(ctx context.Context) error {
	cmd := c.prepare(ctx)
	// One writer for both: exec then uses one pipe, which keeps the order.
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	return c.failure(cmd.Run(), both.String())
}

// Output is Run for a program whose standard output counts.
func (c Command) Output(ctx context.Context) (string, error) {
	cmd := c.prepare(ctx)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return strings.TrimSpace(stdout.String()), c.failure(err, stderr.String())
}

func (c Command) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Name, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	// A signal first, so that the program can remove what it made.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = endWait
	return cmd
}

// failure turns a program's error into one that says what to do.
func (c Command) failure(err error, printed string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s: not installed", c.Name)
	case strings.Contains(printed, "o space left on device"):
		return fmt.Errorf("%s: disk full; free some space and run again:\n%s", c.Name, last(printed, lastLines))
	}
	return fmt.Errorf("%s: %w; its last lines:\n%s", c.Name, err, last(printed, lastLines))
}

func last(text string, count int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-count):], "\n  ")
}

// ModuleVersion returns the version of a Go module that the go.mod in dir selects.
func ModuleVersion(ctx context.Context, dir, module string) (string, error) {
	version, err := Command{Dir: dir, Name: "go", Args: []string{"list", "-m", "-f", "{{.Version}}", module}}.Output(ctx)
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", module, err)
	}
	return version, nil
}

// apt is held by the one apt-get that may run at a time: a second one fails on dpkg's lock.
var apt sync.Mutex

// Install installs Debian packages, unless what they bring is there by now. It says so before it begins. It needs root and
// apt-get, and that INSTALL=no does not forbid it.
func (p *Printer) Install(ctx context.Context, there func() bool, packages ...string) error {
	apt.Lock()
	defer apt.Unlock()
	if there() {
		return nil
	}
	command := "apt-get install " + strings.Join(packages, " ")
	if err := mayInstall(command); err != nil {
		return err
	}
	p.Line("install   %s: changes this system; INSTALL=no forbids it", command)
	return p.Step(command, func() error {
		for _, arguments := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)} {
			if err := (Command{Env: []string{"DEBIAN_FRONTEND=noninteractive"}, Name: "apt-get", Args: arguments}).Run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// mayInstall says why a command that changes the system may not run.
func mayInstall(command string) error {
	switch given := os.Getenv("INSTALL"); given {
	case "", "yes":
	case "no":
		return fmt.Errorf("INSTALL=no forbids `%s`", command)
	default:
		return fmt.Errorf("INSTALL=%s says neither yes nor no to `%s`; allowed: yes, no", given, command)
	}
	if !OnPath("apt-get") {
		return errors.New("this system has no apt-get")
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root may run `%s`", command)
	}
	return nil
}

// OnPath says whether a program is on PATH.
func OnPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
