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
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// engineWait bounds the start of a Docker engine, in which it may have to migrate its storage, and its end.
const engineWait = 60 * time.Second

// enginePID holds the process id of an engine that this project started, and so may stop.
const enginePID = "dockerd.pid"

// Docker makes sure that a Docker engine answers. It returns which one, and whether this call started it.
func (f *Finder) Docker(ctx context.Context) (used string, started bool, err error) {
	if version, err := EngineVersion(ctx); err == nil {
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
	if err := f.Progress.Install(ctx, "dockerd", "docker.io"); err != nil {
		return "", false, fmt.Errorf("docker: no engine is installed: %w; install one: https://docs.docker.com/engine/install/", err)
	}
	version, err := f.startEngine(ctx)
	return "engine " + version + ", started for this run", err == nil, err
}

// startEngine starts dockerd in a session of its own: the stack outlives the command that started it.
func (f *Finder) startEngine(ctx context.Context) (version string, err error) {
	process, err := machine.StartDetached("docker", filepath.Join(f.CacheDir, "dockerd.log"), exec.Command("dockerd")) //nolint:noctx // it outlives this command
	if err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(f.CacheDir, enginePID), []byte(strconv.Itoa(process.PID())), 0o600)
	if err == nil {
		err = process.Ready(ctx, engineWait, func(ctx context.Context) (err error) {
			version, err = EngineVersion(ctx)
			return err
		})
	}
	if err != nil {
		return "", errors.Join(err, process.Stop())
	}
	return version, nil
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
		if err := machine.End(pid, engineWait); err != nil {
			return fmt.Errorf("docker: %w", err)
		}
	}
	return os.Remove(file)
}

// EngineVersion asks the Docker engine for its version. The error says what to do where none answers.
func EngineVersion(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return "", errors.New("docker: not installed; install Docker Engine (Debian: apt-get install docker.io)")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	version, err := machine.Output(ctx, "docker", "version", "--format", "{{.Server.Version}}")
	if err != nil {
		return "", fmt.Errorf("docker: the engine does not answer; start it, or set DOCKER_HOST: %w", err)
	}
	return version, nil
}
