package stage

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"fargate-nginx-sidecar/bench/cgroup"
	"fargate-nginx-sidecar/bench/opponent"
)

// start starts the namespace, the agents, the recording backend and the proxies.
func (s *Stage) start(ctx context.Context) error {
	driver, err := docker(ctx, "info", "--format", "{{.CgroupDriver}}")
	if err != nil {
		return err
	}
	s.parent = "/" + s.prefix
	if driver == "systemd" {
		s.parent = s.prefix + ".slice"
	}
	s.progress("starting %d containers", len(s.Targets)+4)
	// Ports for many connections a second from one address to one address.
	if err := s.run(ctx, "hold", "--network=none", "--sysctl=net.ipv4.ip_local_port_range=10000 65000", "--sysctl=net.core.somaxconn=4096",
		"--cgroup-parent="+s.parent, tag("agent"), "hold"); err != nil {
		return err
	}
	group, err := s.group(ctx, "hold")
	if err != nil {
		return err
	}
	s.task = group.Parent()
	if s.load, err = s.agent("load", "load"); err != nil {
		return err
	}
	if s.logs, err = s.agent("logs", "logs", "/logs"); err != nil {
		return err
	}
	if _, err := s.Streams(); err != nil { // the pipes have a reader now
		return err
	}
	if err := s.run(ctx, "backend", append(s.shared("backend"), "--entrypoint=/backend", tag("agent"))...); err != nil {
		return err
	}
	for _, t := range s.Targets {
		if err := s.proxy(ctx, t); err != nil {
			return err
		}
	}
	// The recording backend has no Unix socket.
	ported := slices.DeleteFunc(slices.Clone(s.Targets), func(t *Target) bool { return t.Socket })
	return s.answering(ctx, ported, "/api/ready")
}

func (s *Stage) name(role string) string { return s.prefix + "-" + role }

// run starts a container of this stage.
func (s *Stage) run(ctx context.Context, role string, args ...string) error {
	s.containers = append(s.containers, s.name(role))
	_, err := docker(ctx, append([]string{"run", "--detach", "--name=" + s.name(role)}, args...)...)
	return err
}

// agent starts our agent on the load's CPU, outside the task's group.
func (s *Stage) agent(role string, args ...string) (*agent, error) {
	s.containers = append(s.containers, s.name(role))
	return startAgent(append([]string{
		"run", "--interactive", "--rm", "--name=" + s.name(role), "--network=container:" + s.name("hold"), "--cpuset-cpus=" + loadCPU,
		"--log-driver=none", "--ulimit=nofile=" + limit(), "--volume=" + s.path("logs") + ":/logs", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:ro", tag("agent"),
	}, args...)...)
}

// shared is what every container of the task has. Health checks are left out:
// those of our images are programs of their own, whose CPU would be taken for the
// proxy's, and the opponents have none.
func (s *Stage) shared(role string) []string {
	return []string{
		"--network=container:" + s.name("hold"), "--cgroup-parent=" + s.parent, "--cpuset-cpus=" + taskCPU, "--log-driver=none", "--no-healthcheck",
		"--ulimit=nofile=" + limit(), "--volume=" + s.path("logs") + ":/logs", "--volume=" + s.path("sock") + ":" + filepath.Dir(socket),
		"--label=fargate-nginx-sidecar.bench=" + role,
	}
}

// static is the volume with the static files.
func (s *Stage) static() string {
	return "--volume=" + s.path("static") + ":" + opponent.StaticRoot + opponent.StaticPath + ":ro"
}

// limit is the machine's hard limit on open files, for the containers too.
func limit() string { return strconv.Itoa(OpenFiles()) }

// OpenFiles is the machine's hard limit on open files. A proxy needs two for each
// client.
func OpenFiles() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 1024
	}
	return int(min(files.Max, 1<<20)) //nolint:gosec // capped
}

// into is a command whose output goes into its pipes.
func into(name, command string) []string {
	return []string{"-c", fmt.Sprintf("exec >/logs/%s.out 2>/logs/%s.err; %s", name, name, command)}
}

// proxy starts one target.
func (s *Stage) proxy(ctx context.Context, t *Target) error {
	args := append(s.shared(t.Name()), "--volume="+s.path("config", t.Name())+":/bench:ro", "--entrypoint=sh")
	image := tag(string(t.Opponent.Image))
	switch {
	case t.Opponent.Name == opponent.Ours:
		args = append(args, "--read-only", "--cap-drop=ALL", "--env=NGINX_PORT="+strconv.Itoa(t.Port))
		if t.TLS {
			args = append(args, "--env=NGINX_TLS=on")
		}
		if t.Socket {
			args = append(args, "--env="+socketVariable+"="+socket)
		}
		if t.Cache {
			args = append(args, "--env=NGINX_CACHE_SECONDS=1")
		}
		if t.Static {
			args = append(args, "--env=NGINX_STATIC_FILES="+opponent.StaticPath)
		}
	case t.Opponent.Root:
		args = append(args, "--tmpfs=/tmp")
	default:
		args = append(args, "--user=101:101", "--cap-drop=ALL", "--read-only", "--tmpfs=/tmp")
	}
	if t.Static {
		args = append(args, s.static())
	}
	for _, e := range t.Opponent.Env {
		args = append(args, "--env="+e)
	}
	var err error
	if t.Opponent.Image != opponent.None && t.Version == "" {
		if t.Version, err = version(ctx, image, t.Opponent); err != nil {
			return err
		}
	}
	t.container = t.Name()
	if err := s.run(ctx, t.container, append(append(args, image), into(t.Name(), t.Opponent.Command)...)...); err != nil {
		return err
	}
	t.group, err = s.group(ctx, t.container)
	return err
}

// group finds a container's control group.
func (s *Stage) group(ctx context.Context, role string) (cgroup.Group, error) {
	out, err := docker(ctx, "inspect", "--format={{.State.Pid}}", s.name(role))
	if err != nil {
		return cgroup.Group{}, err
	}
	pid, err := strconv.Atoi(out)
	if err != nil || pid == 0 {
		return cgroup.Group{}, fmt.Errorf("container %s: not running", role)
	}
	return cgroup.Of(pid)
}

// Serve puts the application in the place of the recording backend.
func (s *Stage) Serve(ctx context.Context) error {
	if _, err := docker(ctx, "rm", "--force", s.name("backend")); err != nil {
		return err
	}
	args := append(s.shared("app"), "--volume="+s.path("config", "bench.js")+":/app/bench.js:ro", s.static(), "--entrypoint=sh")
	if err := s.run(ctx, "app", append(append(args, tag("app")), into(opponent.Direct, "exec node bench.js")...)...); err != nil {
		return err
	}
	var err error
	if s.App.group, err = s.group(ctx, "app"); err != nil {
		return err
	}
	if s.App.Version, err = version(ctx, tag("app"), s.App.Opponent); err != nil {
		return err
	}
	s.App.container = "app"
	return s.answering(ctx, append([]*Target{s.App}, s.Targets...), "/api/users/1")
}

// Afresh starts every proxy anew.
func (s *Stage) Afresh(ctx context.Context) error {
	for _, t := range s.Targets {
		if _, err := docker(ctx, "restart", "--time=0", s.name(t.container)); err != nil {
			return err
		}
		var err error
		if t.group, err = s.group(ctx, t.container); err != nil {
			return err
		}
	}
	return s.answering(ctx, s.Targets, "/api/users/1")
}

// Pin puts application and proxies on one CPU, or on all.
func (s *Stage) Pin(ctx context.Context, pinned bool) error {
	cpus := taskCPU
	if !pinned {
		cpus = "0-" + strconv.Itoa(runtime.NumCPU()-1)
	}
	args := []string{"update", "--cpuset-cpus=" + cpus, s.name(s.App.container)}
	for _, t := range s.Targets {
		args = append(args, s.name(t.container))
	}
	_, err := docker(ctx, args...)
	return err
}

// Limit gives application and proxies together so many CPUs; 0 takes that back.
func (s *Stage) Limit(cpus float64) error { return s.task.Limit(cpus) }

// version asks a program for its version.
func version(ctx context.Context, image string, o opponent.Opponent) (string, error) {
	out, err := docker(ctx, "run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", o.Version)
	if err != nil {
		return "", err
	}
	return number(out), nil
}
