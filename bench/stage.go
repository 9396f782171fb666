package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is one way to the application, in the stage's network namespace.
type target struct {
	name string
	port int
	pids func() []int // its processes, for memory and pinning
	only string       // the one scenario it takes part in; empty: all
}

// stage is the network namespace with everything in it.
type stage struct {
	dir     string
	ns      string // pid of the process that holds the namespace
	targets []target
	names   []string // containers
	app     func() []int
	loadCPU string // CPUs for the load; empty: any
}

// quiet redirects the log: every proxy and the application write theirs to
// /dev/null, so that nobody's log is paid for by another reader's CPU time.
const quiet = ` >/dev/null`

func newStage(ctx context.Context, root string) (s *stage, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("user: got a user without rights, needed: root, for a network namespace (nsenter) and CPU pinning")
	}
	if err := install(ctx, "wrk", "haproxy", "caddy"); err != nil {
		return nil, err
	}
	s = &stage{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return s, err
	}
	images := map[string]string{"nginx": filepath.Join(root, "images", "nginx"), "app": filepath.Join(root, "images", "app")}
	if images["pattern"], err = patternContext(s.dir, root); err != nil {
		return s, err
	}
	base, err := baseImage(root)
	if err != nil {
		return s, err
	}
	for name, folder := range images {
		fmt.Fprintf(os.Stderr, "building %s\n", name)
		args := []string{"build", "--quiet", "--tag", image(name), folder}
		if name == "pattern" {
			args = append(args[:len(args)-1], "--build-arg", "BASE_IMAGE="+base, folder)
		}
		if _, err := docker(args...); err != nil {
			return s, fmt.Errorf("%w\n(no base image? `go run ./cmd/baseimages` in local/ makes stand-ins)", err)
		}
	}
	if err := s.containers(root); err != nil {
		return s, err
	}
	return s, s.ready()
}

func image(name string) string { return "fargate-nginx-sidecar/bench-" + name }

// patternContext is the tests' rendering of the pattern's directives on a port of its own.
func patternContext(dir, root string) (string, error) {
	into := filepath.Join(dir, "pattern")
	if err := os.Mkdir(into, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"nginx.conf", "Dockerfile"} {
		text, err := os.ReadFile(filepath.Join(root, "images", "nginx", "testdata", "pattern", name))
		if err != nil {
			return "", err
		}
		text = bytes.ReplaceAll(text, []byte("listen 8080;"), []byte("listen 8081;"))
		if err := os.WriteFile(filepath.Join(into, name), text, 0o644); err != nil { //nolint:gosec // a folder of our own
			return "", err
		}
	}
	return into, nil
}

func baseImage(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "images", "nginx", "Dockerfile"))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`).FindSubmatch(text)
	if found == nil {
		return "", errors.New("images/nginx/Dockerfile: no ARG BASE_IMAGE")
	}
	return string(found[1]), nil
}

// containers starts the namespace's holder, the application and all proxies.
func (s *stage) containers(root string) error {
	holder, err := s.container("hold", "--network=none", "--entrypoint=sleep", image("app"), "infinity")
	if err != nil {
		return err
	}
	pids, err := containerPIDs(holder)
	if err != nil {
		return err
	}
	s.ns = strconv.Itoa(pids[0])
	share := []string{"--network=container:" + holder, "--log-driver=none"}

	name := s.name("app")
	if _, err := docker(append(append([]string{"create", "--name", name}, share...), "--entrypoint=sh", image("app"), "-c", "exec node bench.js"+quiet)...); err != nil {
		return err
	}
	if _, err := docker("cp", filepath.Join(root, "bench", "config", "app.js"), name+":/app/bench.js"); err != nil {
		return err
	}
	if _, err := docker("start", name); err != nil {
		return err
	}
	s.app = pidsOf(name)

	sidecar := []string{"--read-only", "--cap-drop=ALL", "--entrypoint=sh", image("nginx"), "-c", "exec /usr/local/bin/entrypoint" + quiet}
	ours, err := s.container("nginx", append(slices.Clone(share), sidecar...)...)
	if err != nil {
		return err
	}
	caching, err := s.container("cache", append(append(slices.Clone(share), "--env=NGINX_PORT=8084", "--env=NGINX_CACHE_SECONDS=1"), sidecar...)...)
	if err != nil {
		return err
	}
	pattern, err := s.container("pattern", append(slices.Clone(share), "--entrypoint=sh", image("pattern"), "-c", `exec nginx -g "daemon off;"`+quiet)...)
	if err != nil {
		return err
	}
	s.targets = []target{
		{"direct", 3000, s.app, ""},
		{"pattern", 8081, pidsOf(pattern), ""},
		{"ours", 8080, pidsOf(ours), ""},
		{"cache", 8084, pidsOf(caching), "small-64"},
	}
	return s.packages(root, share)
}

// packages starts HAProxy and Caddy in containers too, over this machine's own
// files: outside of one they would pay neither for the system call filter nor
// for the accounting of memory, which cost a proxy a fifth of its rate.
func (s *stage) packages(root string, share []string) error {
	config := filepath.Join(root, "bench", "config")
	for _, p := range []struct {
		name    string
		port    int
		command string
	}{
		{"haproxy", 8082, "exec haproxy -db -f " + filepath.Join(config, "haproxy.cfg") + quiet},
		{"caddy", 8083, "exec caddy run --adapter caddyfile --config " + filepath.Join(config, "Caddyfile") + quiet},
	} {
		args := append([]string{"--user=0", "--volume=/:/host:ro", "--env=GOMAXPROCS=1", "--entrypoint=chroot"}, share...)
		name, err := s.container(p.name, append(args, image("nginx"), "/host", "sh", "-c", p.command)...)
		if err != nil {
			return err
		}
		s.targets = append(s.targets, target{p.name, p.port, pidsOf(name), ""})
	}
	return nil
}

// pidsOf asks anew each time: processes come and go.
func pidsOf(name string) func() []int {
	return func() []int { pids, _ := containerPIDs(name); return pids }
}

// of is the targets that take part in a scenario.
func (s *stage) of(scenario string) []target {
	return slices.DeleteFunc(slices.Clone(s.targets), func(t target) bool { return t.only != "" && t.only != scenario })
}

// ready waits until every target gives the answers that the scenarios count on.
func (s *stage) ready() error {
	for _, t := range s.targets {
		for _, path := range []string{"/api/users/1", "/api/big", "/"} {
			var out []byte
			for range 100 {
				// Through nsenter, because this process is in another namespace.
				out, _ = s.inside("curl", "--silent", "--header", "Host: a", "--max-time", "2", "--output", "/dev/null", "--write-out", "%{http_code}", t.url(path)).Output()
				if string(out) == "200" {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if string(out) != "200" {
				return fmt.Errorf("%s: GET %s: got %q, want 200", t.name, path, out)
			}
		}
	}
	return nil
}

func (t target) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", t.port, path) }

// inside is a command in the stage's network namespace, on the load's CPU.
func (s *stage) inside(name string, args ...string) *exec.Cmd {
	full := []string{"--target", s.ns, "--net"}
	if s.loadCPU != "" {
		full = append(full, "taskset", "-c", s.loadCPU)
	}
	return exec.Command("nsenter", append(append(full, name), args...)...) //nolint:gosec,noctx // commands of this program; each is bounded by its own time
}

// pin puts the application and all proxies on CPU 0 and the load on CPU 1, or
// takes that back.
func (s *stage) pin(pinned bool) error {
	cpus := "0-" + strconv.Itoa(cpuCount()-1)
	s.loadCPU = ""
	if pinned {
		if cpuCount() < 2 {
			return errors.New("CPUs: got 1, needed: 2")
		}
		cpus, s.loadCPU = "0", "1"
	}
	for _, t := range s.targets {
		for _, pid := range t.pids() {
			if out, err := exec.Command("taskset", "-apc", cpus, strconv.Itoa(pid)).CombinedOutput(); err != nil { //nolint:gosec,noctx // our own processes; ends at once
				return fmt.Errorf("taskset of %s: %w: %s", t.name, err, out)
			}
		}
	}
	return nil
}

func cpuCount() int {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return max(1, strings.Count(string(text), "\nprocessor")+strings.Count(string(text[:min(len(text), 9)]), "processor"))
}

// memory is the proportional set size of all processes of a target, in MiB.
// https://docs.kernel.org/filesystems/proc.html
func (t target) memory() float64 {
	total := 0
	for _, pid := range t.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
				total += kib
			}
		}
	}
	return float64(total) / 1024
}

func (s *stage) name(role string) string {
	name := fmt.Sprintf("bench-%d-%s", os.Getpid(), role)
	s.names = append(s.names, name)
	return name
}

func (s *stage) container(role string, args ...string) (string, error) {
	name := s.name(role)
	_, err := docker(append([]string{"run", "--detach", "--name", name}, args...)...)
	return name, err
}

func containerPIDs(name string) ([]int, error) {
	out, err := docker("top", name, "-eo", "pid")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, word := range strings.Fields(out) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("container %s: no process", name)
	}
	return pids, nil
}

func (s *stage) close() {
	for i := len(s.names) - 1; i >= 0; i-- {
		_, _ = docker("rm", "--force", "--volumes", s.names[i])
	}
	_ = os.RemoveAll(s.dir)
}

func docker(args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("docker", args...) //nolint:gosec,noctx // arguments of this file
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// install gets what is missing from Debian's packages.
func install(ctx context.Context, packages ...string) error {
	var missing []string
	for _, p := range packages {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(os.Stderr, "installing", strings.Join(missing, ", "))
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)} {
		if out, err := exec.CommandContext(ctx, "apt-get", args...).CombinedOutput(); err != nil { //nolint:gosec // package names of this file
			return fmt.Errorf("%s: not installed, and apt-get failed: %w: %s", strings.Join(missing, ", "), err, out)
		}
	}
	return nil
}
