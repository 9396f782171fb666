package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// engineWait bounds the start of a Docker engine, in which it may have to migrate its storage.
const engineWait = 60 * time.Second

// enginePID holds the process id of an engine that this project started, and so may stop.
const enginePID = "dockerd.pid"

// Docker makes sure that a Docker engine answers. It returns which one, and whether this call started it.
func (f *Finder) Docker(ctx context.Context) (used string, started bool, err error) {
	if version, err := engineVersion(ctx); err == nil {
		return "running engine " + version, false, nil
	}
	if os.Getenv("DOCKER_HOST") != "" {
		return "", false, fmt.Errorf("docker: no engine answers at DOCKER_HOST=%s; start it, or unset DOCKER_HOST", os.Getenv("DOCKER_HOST"))
	}
	if runtime.GOOS != "linux" {
		return "", false, errors.New("docker: no engine answers; start Docker Desktop (or colima, or Rancher Desktop) and run the command again")
	}
	if os.Geteuid() != 0 {
		return "", false, errors.New("docker: no engine answers, and only root can install or start one; start it with `sudo systemctl start docker`, and add yourself to the docker group")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		if err := f.apt(ctx, "docker.io"); err != nil {
			return "", false, fmt.Errorf("docker: no engine is installed: %w; install one: https://docs.docker.com/engine/install/", err)
		}
	}
	version, err := f.startEngine(ctx)
	return "engine " + version + ", started for this run", err == nil, err
}

// startEngine starts dockerd in a session of its own: the stack outlives the command that started it.
func (f *Finder) startEngine(ctx context.Context) (version string, err error) {
	log := filepath.Join(f.CacheDir, "dockerd.log")
	file, err := os.Create(log)
	if err != nil {
		return "", fmt.Errorf("docker: %w", err)
	}
	defer func() { _ = file.Close() }()
	cmd := exec.Command("dockerd") //nolint:noctx // it outlives this command
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("docker: %w", err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(filepath.Join(f.CacheDir, enginePID), []byte(pid), 0o600); err != nil {
		_ = cmd.Process.Kill()
		return "", fmt.Errorf("docker: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(engineWait)
	for {
		if version, err := engineVersion(ctx); err == nil {
			return version, nil
		}
		select {
		case err := <-ended:
			return "", fmt.Errorf("docker: dockerd ended: %w\n%s", err, machine.Tail(log, 10))
		case <-deadline:
			_ = cmd.Process.Kill()
			return "", fmt.Errorf("docker: dockerd does not answer after %s\n%s", engineWait, machine.Tail(log, 10))
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// StopDocker stops the engine if this project started it, and waits for its end.
func (f *Finder) StopDocker() error {
	file := filepath.Join(f.CacheDir, enginePID)
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("docker: %s: %w", file, err)
	}
	// Process ids are used again: only a dockerd is ours to stop.
	if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && strings.TrimSpace(string(command)) == "dockerd" {
		if err := endEngine(pid); err != nil {
			return err
		}
	}
	return os.Remove(file)
}

func endEngine(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("docker: stop dockerd %d: %w", pid, err)
	}
	for deadline := time.Now().Add(engineWait); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return nil
		}
	}
	return fmt.Errorf("docker: dockerd %d still runs %s after SIGTERM", pid, engineWait)
}

// zombie says whether a process has ended but was not yet waited for by the one that started it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

func engineVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Output()
	return strings.TrimSpace(string(output)), err
}

// apt installs Debian packages, where this is a Debian and we are root.
func (f *Finder) apt(ctx context.Context, packages ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("this system has no apt-get")
	}
	names := strings.Join(packages, " ")
	return f.Progress.Step("install "+names, func() error {
		for _, arguments := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)} {
			cmd := exec.CommandContext(ctx, "apt-get", arguments...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(arguments, " "), err, lastLines(output, 5))
			}
		}
		return nil
	})
}

func lastLines(output []byte, count int) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
