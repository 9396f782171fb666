package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
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

// oldestEngine is the oldest Docker Engine that this project is tested with.
var oldestEngine = [2]int{20, 10}

// UseContext makes every Docker client of this process, and of those it starts, ask the engine that the docker command
// asks: the command follows the context that its user chose, and the other clients follow DOCKER_HOST alone. It refuses an
// engine on another machine, whose folders and ports are not those of this one.
// https://docs.docker.com/engine/manage-resources/contexts/
func UseContext(ctx context.Context) error {
	host, from := os.Getenv("DOCKER_HOST"), "DOCKER_HOST"
	if host == "" {
		if _, err := exec.LookPath("docker"); err != nil {
			return nil // Docker installs it, or says that it is missing
		}
		chosen, err := machine.Output(ctx, "docker", "context", "inspect", "--format", "{{.Name}} {{.Endpoints.docker.Host}}")
		if err != nil {
			return fmt.Errorf("docker: the chosen context cannot be read: %w", err)
		}
		name, address, _ := strings.Cut(chosen, " ")
		if name == "default" {
			return nil // the same engine for every client
		}
		host, from = address, "the docker context "+name
	}
	if !local(host) {
		return fmt.Errorf("docker: %s leads to another machine: %s; allowed: an engine on this one; choose it with `docker context use default`, or unset DOCKER_HOST", from, host)
	}
	return os.Setenv("DOCKER_HOST", host)
}

// local says whether an engine's address is on this machine.
func local(host string) bool {
	address, err := url.Parse(host)
	if err != nil {
		return false
	}
	ip := net.ParseIP(address.Hostname())
	return address.Scheme == "unix" ||
		address.Scheme == "tcp" && (address.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// Docker makes sure that a Docker engine answers. It returns which one, and whether this call started it.
func (f *Finder) Docker(ctx context.Context) (used string, started bool, err error) {
	version, err := EngineVersion(ctx)
	if err == nil || errors.Is(err, errUnfit) {
		return "running engine " + version, false, err
	}
	if os.Getenv("DOCKER_HOST") != "" {
		return "", false, fmt.Errorf("docker: no engine answers at %s: %w", os.Getenv("DOCKER_HOST"), err)
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
	version, err = f.startEngine(ctx)
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

// errUnfit marks an engine that answers and cannot run the stack.
var errUnfit = errors.New("the engine cannot run the stack")

// EngineVersion asks the Docker engine for its version. The error says what to do where none answers, or one that does
// not do.
func EngineVersion(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return "", errors.New("docker: not installed; install Docker Engine (Debian: apt-get install docker.io)")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := machine.Output(ctx, "docker", "version", "--format", "{{json .Server}}")
	if err != nil {
		return "", fmt.Errorf("docker: the engine does not answer; start it, or set DOCKER_HOST: %w", err)
	}
	return fit(answer)
}

// fit reads what an engine says of itself, and refuses the ones that the run does not work with.
func fit(answer string) (version string, err error) {
	var server struct {
		Version    string
		Components []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(answer), &server); err != nil {
		return "", fmt.Errorf("docker: the engine's answer: %w", err)
	}
	for _, component := range server.Components {
		if strings.HasPrefix(component.Name, "Podman") {
			return "", fmt.Errorf("docker: %w: it is %s; allowed: Docker Engine; start it, or set DOCKER_HOST to its socket", errUnfit, component.Name)
		}
	}
	var major, minor int
	if _, err := fmt.Sscanf(server.Version, "%d.%d", &major, &minor); err != nil {
		return server.Version, nil //nolint:nilerr // a version without numbers is somebody's own build, which may well do
	}
	if major < oldestEngine[0] || major == oldestEngine[0] && minor < oldestEngine[1] {
		return "", fmt.Errorf("docker: %w: its version is %s; allowed: %d.%d and newer", errUnfit, server.Version, oldestEngine[0], oldestEngine[1])
	}
	return server.Version, nil
}
