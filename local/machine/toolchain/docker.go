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
	"runtime"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

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

// Docker makes sure that a Docker engine answers, and that it goes on running until the returned use ends.
func (f *Finder) Docker(ctx context.Context) (use *Engine, err error) {
	if use, err = f.UseEngine(ctx); err != nil {
		return nil, err
	}
	if use.Name, err = f.findEngine(ctx); err != nil {
		return nil, errors.Join(err, use.End())
	}
	return use, nil
}

// findEngine returns which engine answers. If none does, it starts one.
func (f *Finder) findEngine(ctx context.Context) (name string, err error) {
	version, err := EngineVersion(ctx)
	if err == nil || errors.Is(err, errUnfit) {
		return "running engine " + version, err
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		// The last line is the docker command's own: that nothing listens there, or that this user may not ask.
		lines := strings.Split(err.Error(), "\n")
		return "", fmt.Errorf("docker: no engine answers at %s; start it and run the command again, or choose another one with DOCKER_HOST: %s", host, strings.TrimSpace(lines[len(lines)-1]))
	}
	if runtime.GOOS != "linux" {
		return "", errors.New("docker: no engine answers; start Docker Desktop (or colima, or Rancher Desktop) and run the command again")
	}
	service := f.service()
	if os.Geteuid() != 0 {
		start := "dockerd"
		if service != nil {
			start = strings.Join(service, " ")
		}
		return "", fmt.Errorf("docker: no engine answers, and only root can install or start one; start it with `sudo %s`, and add yourself to the docker group", start)
	}
	// Up to Debian 12 the package of the engine has the command, too. https://packages.debian.org/trixie/docker-cli
	for _, needed := range [][2]string{{"dockerd", "docker.io"}, {"docker", "docker-cli"}} {
		if err := f.Progress.Install(ctx, func() bool { return machine.OnPath(needed[0]) }, needed[1]); err != nil {
			return "", fmt.Errorf("docker: no engine is installed: %w; install one: https://docs.docker.com/engine/install/", err)
		}
	}
	return f.startEngine(ctx, service)
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
