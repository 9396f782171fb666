// Package stage builds what is measured and puts it together as in a Fargate
// task: application and proxies share one network namespace and one control
// group, each in a container of its own.
//
// What they write goes into pipes, which are read outside of their group and
// CPU, as a container runtime does. The load has the second CPU.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fargate-nginx-sidecar/bench/cgroup"
	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/logs"
	"fargate-nginx-sidecar/bench/opponent"
)

// The application's addresses inside the namespace.
const (
	appPort   = 3000
	socket    = "/sock/app.sock"
	control   = "127.0.0.1:3001" // of the recording backend
	firstPort = 8080             // of the proxies
)

// The CPUs of a pinned measurement.
const (
	taskCPU = "0"
	loadCPU = "1"
)

// Options say what to put on the stage.
type Options struct {
	Root      string // of the project
	Opponents []opponent.Opponent
	Socket    bool // each also with the application on a Unix socket
	TLS       bool // each also with TLS from the client
	TLSSocket bool // and then with the application on a Unix socket
	Progress  func(format string, args ...any)
}

// Stage is everything that runs.
type Stage struct {
	Targets []*Target
	App     *Target
	// Missing says what could not be put on the stage, and why.
	Missing []string

	root       string
	dir        string
	prefix     string // of containers' names
	containers []string
	task       cgroup.Group // around application and proxies
	parent     string       // its name
	load, logs *agent
	names      []string // of the pipes
	progress   func(format string, args ...any)
}

// Target is one proxy, or the application itself.
type Target struct {
	opponent.Variant
	Opponent  opponent.Opponent
	Version   string
	group     cgroup.Group
	container string
}

// Address is where it listens inside the namespace.
func (t *Target) Address() string { return "127.0.0.1:" + strconv.Itoa(t.Port) }

// Group is its control group; it changes when it is started anew.
func (t *Target) Group() cgroup.Group { return t.group }

// Open builds the images and starts all but the application, in whose place the
// recording backend stands until Serve.
func Open(ctx context.Context, o Options) (s *Stage, err error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return nil, errors.New("machine: needed: Linux and root, for control groups")
	}
	if runtime.NumCPU() < 2 {
		return nil, errors.New("CPUs: got 1, needed: 2, one for the task and one for the load")
	}
	s = &Stage{root: o.Root, prefix: fmt.Sprintf("bench-%d", os.Getpid()), progress: o.Progress}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.trouble())
			s.Close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return s, err
	}
	s.cast(o)
	wanted := map[opponent.Image]bool{}
	for _, t := range s.Targets {
		wanted[t.Opponent.Image] = true
	}
	wanted[opponent.Packages] = wanted[opponent.Packages] || wanted[opponent.Traefik]
	if err := s.images(ctx, o.Root, wanted, o.TLS); err != nil {
		return s, err
	}
	if err := s.files(); err != nil {
		return s, err
	}
	return s, s.start(ctx)
}

// cast decides which variants there are.
func (s *Stage) cast(o Options) {
	s.App = &Target{Variant: opponent.Variant{Opponent: opponent.Direct, Port: appPort}}
	s.App.Opponent, _ = opponent.Find(opponent.Direct)
	port := firstPort
	add := func(o opponent.Opponent, v opponent.Variant) {
		v.Opponent, v.Port = o.Name, port
		port++
		s.Targets = append(s.Targets, &Target{Variant: v, Opponent: o})
	}
	for _, each := range o.Opponents {
		if each.Name == opponent.Direct {
			continue
		}
		socket := each.Socket || (each.Name == opponent.Ours && speaksSocket(o.Root))
		add(each, opponent.Variant{})
		if o.Socket && socket {
			add(each, opponent.Variant{Socket: true})
		} else if o.Socket && each.Name == opponent.Ours {
			s.Missing = append(s.Missing, "ours through a Unix socket: this tree's entrypoint has no "+socketVariable)
		}
		if o.TLS && each.TLS {
			add(each, opponent.Variant{TLS: true, Socket: o.TLSSocket && socket})
		}
	}
}

// files writes what the containers read, and makes the pipes they write to.
func (s *Stage) files() error {
	for _, folder := range []string{"config", "logs", "sock"} {
		if err := os.Mkdir(s.path(folder), 0o755); err != nil {
			return err
		}
	}
	// The application makes its socket here, as another user.
	if err := os.Chmod(s.path("sock"), 0o777); err != nil { //nolint:gosec // see above
		return err
	}
	if err := certificate(s.path("config")); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("config", "bench.js"), opponent.App(), 0o644); err != nil { //nolint:gosec // read by other users
		return err
	}
	names := []string{opponent.Direct}
	for _, t := range s.Targets {
		names = append(names, t.Name())
		// Each variant sees its own files as /bench.
		if err := s.config(t); err != nil {
			return err
		}
	}
	for _, name := range names {
		for _, stream := range []string{".out", ".err"} {
			path := s.path("logs", name+stream)
			if err := errors.Join(syscall.Mkfifo(path, 0o666), os.Chmod(path, 0o666)); err != nil { //nolint:gosec // written by other users
				return fmt.Errorf("pipe: %w", err)
			}
		}
	}
	return nil
}

func (s *Stage) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

// config writes a target's own files.
func (s *Stage) config(t *Target) error {
	folder := s.path("config", t.Name())
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"cert.pem", "key.pem", "both.pem"} {
		if err := os.Link(s.path("config", name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	if t.Opponent.Name == opponent.Published {
		text, err := os.ReadFile(filepath.Join(s.root, "images", "nginx", "testdata", "pattern", "nginx.conf"))
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte("listen 8080;"), []byte("listen "+strconv.Itoa(t.Port)+";"))
		return os.WriteFile(filepath.Join(folder, "pattern.conf"), text, 0o644) //nolint:gosec // read by other users
	}
	for _, name := range t.Opponent.Files {
		text, err := t.Render(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil { //nolint:gosec // read by other users
			return err
		}
	}
	return nil
}

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

// shared is what every container of the task has.
func (s *Stage) shared(role string) []string {
	return []string{
		"--network=container:" + s.name("hold"), "--cgroup-parent=" + s.parent, "--cpuset-cpus=" + taskCPU, "--log-driver=none",
		"--ulimit=nofile=" + limit(), "--volume=" + s.path("logs") + ":/logs", "--volume=" + s.path("sock") + ":" + filepath.Dir(socket),
		"--label=fargate-nginx-sidecar.bench=" + role,
	}
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
			image = tag("nginx-tls")
			args = append(args, "--env=NGINX_TLS=on")
		}
		if t.Socket {
			args = append(args, "--env="+socketVariable+"="+socket)
		}
	case t.Opponent.Root:
		args = append(args, "--tmpfs=/tmp")
	default:
		args = append(args, "--user=101:101", "--cap-drop=ALL", "--read-only", "--tmpfs=/tmp")
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

// Check asks every port variant for the contract, with the recording backend as
// the application.
func (s *Stage) Check(ctx context.Context, t *Target, cases contract.Cases) (contract.Report, error) {
	var report contract.Report
	s.progress("contract of %s: %d attacks", t.Name(), len(cases.Attacks))
	if err := s.ask(ctx, contract.Question{Address: t.Address(), Control: control, Cases: cases}, &report); err != nil {
		return report, err
	}
	line, err := s.lastLine(t)
	if err != nil {
		return report, err
	}
	if err := contract.LogLine(line, report.LoggedID); err != nil {
		report.Failed = append(report.Failed, contract.Failure{Demand: contract.LogDemand, Got: err.Error()})
	}
	return report, nil
}

// lastLine is a target's log line of the contract's last request but one, as soon
// as it is written.
func (s *Stage) lastLine(t *Target) (string, error) {
	for range 30 {
		streams, err := s.Streams()
		if err != nil {
			return "", err
		}
		for _, line := range strings.Split(streams[t.Name()+".out"].Tail, "\n") {
			if strings.Contains(line, contract.LoggedPath) {
				return line, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", nil
}

// Serve puts the application in the place of the recording backend.
func (s *Stage) Serve(ctx context.Context) error {
	if _, err := docker(ctx, "rm", "--force", s.name("backend")); err != nil {
		return err
	}
	args := append(s.shared("app"), "--volume="+s.path("config", "bench.js")+":/app/bench.js:ro", "--entrypoint=sh")
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

// answering waits until every target forwards.
func (s *Stage) answering(ctx context.Context, targets []*Target, path string) error {
	for _, t := range targets {
		job := load.Job{
			Address: t.Address(), TLS: t.TLS, Window: 20 * time.Millisecond, Drain: 2 * time.Second,
			Streams: []load.Stream{{Connections: 1, Request: []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), Want: []int{200}, Fresh: true}},
		}
		var last []load.Result
		for range 100 {
			var err error
			if last, err = s.Load(ctx, job, nil); err != nil {
				return err
			}
			if last[0].Responses > 0 && last[0].Lost.Total() == 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if last[0].Responses == 0 || last[0].Lost.Total() > 0 {
			return fmt.Errorf("%s: no answer on port %d: %+v", t.Name(), t.Port, last[0].Lost)
		}
	}
	return nil
}

// Load runs one job; moment is called after each of its moments.
func (s *Stage) Load(ctx context.Context, job load.Job, moment func(load.Reply)) ([]load.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.load.tell.Encode(job); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	for {
		var reply load.Reply
		if err := s.load.next(&reply); err != nil {
			return nil, err
		}
		switch {
		case reply.Error != "":
			return nil, errors.New(reply.Error)
		case reply.Moment == "":
			return reply.Results, nil
		case moment != nil:
			moment(reply)
		}
	}
}

// Streams is what every container has written so far, as "name.out" and "name.err".
func (s *Stage) Streams() (map[string]logs.Stream, error) {
	if err := s.logs.tell.Encode(true); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	var streams map[string]logs.Stream
	return streams, s.logs.next(&streams)
}

// ask runs the agent for one question.
func (s *Stage) ask(_ context.Context, question contract.Question, report *contract.Report) error {
	a, err := startAgent("run", "--interactive", "--rm", "--name="+s.name("contract"), "--network=container:"+s.name("hold"),
		"--cpuset-cpus="+loadCPU, "--log-driver=none", tag("agent"), "contract")
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.tell.Encode(question); err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	return a.next(report)
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

// trouble is the end of what every container has written to stderr.
func (s *Stage) trouble() error {
	if s.logs == nil {
		return nil
	}
	streams, err := s.Streams()
	if err != nil {
		return err
	}
	var all []error
	for name, stream := range streams {
		if strings.HasSuffix(name, ".err") && stream.Lines > 0 {
			lines := strings.Split(strings.TrimSpace(stream.Tail), "\n")
			all = append(all, fmt.Errorf("%s:\n%s", name, strings.Join(lines[max(0, len(lines)-5):], "\n")))
		}
	}
	return errors.Join(all...)
}

// Close removes everything but the images.
func (s *Stage) Close() {
	// Also when the run was interrupted.
	ctx := context.Background()
	s.load.close()
	s.logs.close()
	for i := len(s.containers) - 1; i >= 0; i-- {
		_, _ = docker(ctx, "rm", "--force", "--volumes", s.containers[i])
	}
	s.task.Remove()
	_ = os.RemoveAll(s.dir)
}

// version asks a program for its version.
func version(ctx context.Context, image string, o opponent.Opponent) (string, error) {
	out, err := docker(ctx, "run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", o.Version)
	if err != nil {
		return "", err
	}
	return number(out), nil
}
