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
	"strconv"
	"strings"
	"syscall"

	"fargate-nginx-sidecar/bench/cgroup"
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
	Socket    bool     // each also with the application on a Unix socket
	TLS       bool     // each also with TLS from the client
	TLSSocket bool     // and then with the application on a Unix socket
	Dropped   []string // headers that the application must not see
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
	if err := s.images(ctx, o.Root, wanted); err != nil {
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
	add := func(each opponent.Opponent, v opponent.Variant) {
		v.Opponent, v.Port, v.Dropped = each.Name, port, o.Dropped
		port++
		s.Targets = append(s.Targets, &Target{Variant: v, Opponent: each})
	}
	for _, each := range o.Opponents {
		if each.Name == opponent.Direct {
			continue
		}
		socket := each.Socket || each.Name == opponent.Ours
		add(each, opponent.Variant{})
		if o.Socket && socket {
			add(each, opponent.Variant{Socket: true})
		}
		if each.Name == opponent.Ours {
			add(each, opponent.Variant{Cache: true, Socket: o.TLSSocket && socket})
		}
		if o.TLS && each.TLS {
			add(each, opponent.Variant{TLS: true, Socket: o.TLSSocket && socket})
		}
		if each.Static {
			add(each, opponent.Variant{Static: true, Socket: o.TLSSocket && socket})
		}
	}
}

// files writes what the containers read, and makes the pipes they write to.
func (s *Stage) files() error {
	for _, folder := range []string{"config", "logs", "sock", "static"} {
		if err := os.Mkdir(s.path(folder), 0o755); err != nil {
			return err
		}
	}
	// The application makes its socket here, as another user.
	if err := os.Chmod(s.path("sock"), 0o777); err != nil {
		return err
	}
	if err := certificate(s.path("config")); err != nil {
		return err
	}
	plain, zipped := opponent.Script()
	if err := errors.Join(os.WriteFile(s.path("static", "app.js"), plain, 0o644), os.WriteFile(s.path("static", "app.js.gz"), zipped, 0o644)); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("config", "bench.js"), opponent.App(), 0o644); err != nil {
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
			if err := errors.Join(syscall.Mkfifo(path, 0o666), os.Chmod(path, 0o666)); err != nil {
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
		return os.WriteFile(filepath.Join(folder, "pattern.conf"), text, 0o644) //nolint:gosec // below a folder of our own
	}
	for _, name := range t.Opponent.Files {
		text, err := t.Render(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

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
