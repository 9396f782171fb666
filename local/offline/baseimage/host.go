package baseimage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// lastLines is how much of a failed command's output an error carries.
const lastLines = 15

// run runs a command and, when it fails, returns an error with the end of what
// it printed. env is added to the environment.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := command(ctx, dir, env, name, args...)
	// One writer for both: exec then uses one pipe, which keeps the order.
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	return failure(name, cmd.Run(), both.String())
}

// output is run for a command whose standard output counts.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := command(ctx, "", nil, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return strings.TrimSpace(stdout.String()), failure(name, err, stderr.String())
}

func command(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	// A signal first, so that mmdebstrap unmounts and removes what it made.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// failure turns a command's error into one that says what to do.
func failure(name string, err error, printed string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s: not installed", name)
	case strings.Contains(printed, "o space left on device"):
		return fmt.Errorf("%s: disk full; free some space and run again:\n%s", name, tail(printed, lastLines))
	}
	return fmt.Errorf("%s: %w; its last lines:\n%s", name, err, tail(printed, lastLines))
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "  " + strings.Join(lines, "\n  ")
}

// dockerReachable says what to do when there is no Docker engine to work with.
func dockerReachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if _, err := exec.LookPath("docker"); err != nil {
		return errors.New("docker: not installed; install Docker Engine (Debian: apt-get install docker.io)")
	}
	if err := run(ctx, "", nil, "docker", "version", "--format", "{{.Server.Version}}"); err != nil {
		return fmt.Errorf("docker: the engine does not answer; start it, or set DOCKER_HOST: %w", err)
	}
	return nil
}

// imageInfo is what decides whether an image can stay.
type imageInfo struct {
	exists  bool
	standIn string // the recipe's digest, empty on an official image
}

func inspect(ctx context.Context, ref string) (imageInfo, error) {
	id, err := output(ctx, "docker", "image", "ls", "--quiet", "--no-trunc", ref)
	if err != nil || id == "" {
		return imageInfo{}, err
	}
	out, err := output(ctx, "docker", "image", "inspect", "--format", "{{json .Config.Labels}}", id)
	if err != nil {
		return imageInfo{}, err
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(out), &labels); err != nil {
		return imageInfo{}, fmt.Errorf("labels of %s: %w", id, err)
	}
	return imageInfo{exists: true, standIn: labels[standInLabel]}, nil
}

// pull asks the registry whether it is there before the engine does: a firewall
// that drops packets would hold `docker pull` for minutes.
func (m *maker) pull(ctx context.Context, ref string) error {
	host, _, _ := strings.Cut(ref, "/")
	if err := answers(ctx, host, m.probeTimeout); err != nil {
		return fmt.Errorf("registry %s does not answer", host)
	}
	m.progress("base image %s: pulling", ref)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := run(ctx, "", nil, "docker", "pull", "--quiet", ref); err != nil {
		m.progress("base image %s: %v", ref, err)
		return fmt.Errorf("registry %s does not hand it out", host)
	}
	return nil
}

// answers is nil when the host speaks the registry API in any way, be it a 401.
func answers(ctx context.Context, host string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/v2/", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only the status counts
	if resp.Header.Get("Docker-Distribution-Api-Version") == "" && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("status: got %s, allowed: 200, 401", resp.Status)
	}
	return nil
}

// install makes sure a command is there, with apt-get where that is ours to use.
func (m *maker) install(ctx context.Context, command string, packages ...string) error {
	m.apt.Lock()
	defer m.apt.Unlock()
	if _, err := exec.LookPath(command); err == nil {
		return nil
	}
	names := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%s: not installed; it builds the stand-in: install %s, or load the base image by hand (docker load)", command, names)
	}
	m.progress("installing %s", names)
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := run(ctx, "", env, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run(ctx, "", env, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// enoughSpace fails early and with figures, where a full disk half way through
// would fail with whatever the tool at hand has to say.
func enoughSpace(dir string, need uint64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("disk space of %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < need { //nolint:gosec // a block size is never negative
		return fmt.Errorf("disk space of %s: got %d MiB free, needed: %d MiB", dir, free>>20, need>>20)
	}
	return nil
}
