package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// engineWait bounds the start of a Docker engine, in which it may have to migrate its storage, and its end.
const engineWait = 60 * time.Second

// What Docker's own service for systemd says: an engine that ends by itself is started again after a pause, but not for the
// fourth time within a minute.
// https://github.com/moby/moby/blob/009639e0f46d270309821998836fb664046b3e07/contrib/init/systemd/docker.service
const (
	restartPause = 2 * time.Second
	startsAtMost = 3
	startsWithin = time.Minute
)

// engineDir is where all checkouts and users of this machine agree upon an engine that this project started. Like the
// engine, the folder is gone when the machine has restarted.
const engineDir = "/run/fargate-nginx-sidecar"

// The files in engineDir.
const (
	engineUses    = "uses"      // shared by everybody who uses the engine, and held alone while it is stopped
	engineStart   = "start"     // held while an engine is started
	engineKeeper  = "keeper"    // held by the engine's keeper as long as it lives
	engineStopper = "stop.sock" // where the keeper waits for the connection that asks it to stop the engine
)

// KeepCommand is the hidden command under which this program is the keeper of an engine.
const KeepCommand = "keep-engine"

// Engine is a use of the Docker engine. Nobody stops the engine while it lasts, unless this process is killed.
type Engine struct {
	Name string // which one, for people
	Left bool   // after End: this project started the engine, and it goes on running for others

	finder *Finder
	share  func() // nil where no engine of this project's can be
}

// UseEngine begins a use of the engine, running or not.
func (f *Finder) UseEngine(ctx context.Context) (*Engine, error) {
	use := &Engine{finder: f}
	if os.Geteuid() == 0 {
		_ = os.MkdirAll(f.EngineDir, 0o755) // where this is impossible, no engine is started
	}
	if _, err := os.Stat(f.EngineDir); err != nil {
		return use, nil //nolint:nilerr // only an engine that this project started has the folder
	}
	share, err := f.Progress.Share(ctx, f.engineFile(engineUses), "the end of the Docker engine is")
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		return use, nil // root has made the folder just now, and starts no engine while another one answers
	}
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	use.share = share
	return use, nil
}

// Leave ends the use, and leaves the engine as it is.
func (e *Engine) Leave() {
	if e.share != nil {
		e.share()
		e.share = nil
	}
}

// End ends the use. An engine that this project started is stopped with its last use.
func (e *Engine) End() error {
	if e.share == nil || os.Geteuid() != 0 { // only root has started one
		e.Leave()
		return nil
	}
	e.Leave()
	conn, err := net.Dial("unix", e.finder.engineFile(engineStopper)) //nolint:noctx // a socket of this machine: at once
	if err != nil {
		return nil //nolint:nilerr // no keeper lives: there is no engine of ours to stop
	}
	defer func() { _ = conn.Close() }()
	alone, err := machine.TryLock(e.finder.engineFile(engineUses))
	if err != nil {
		e.Left = true
		return nil //nolint:nilerr // somebody else shares it
	}
	defer alone()
	err = conn.SetDeadline(time.Now().Add(engineWait))
	if err == nil {
		_, err = conn.Write([]byte{1})
	}
	if err == nil {
		_, err = io.ReadAll(conn) // the keeper closes the connection when the engine has ended
	}
	if err != nil {
		return fmt.Errorf("docker: the engine that was started for a run does not stop: %w", err)
	}
	return nil
}

func (f *Finder) engineFile(name string) string { return filepath.Join(f.EngineDir, name) }

// service is the command with which this system starts Docker itself, nil where no init system runs, as in a container.
func (f *Finder) service() []string {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(f.system, name))
		return err == nil
	}
	init, _ := os.ReadFile(filepath.Join(f.system, "proc/1/comm"))
	switch {
	case exists("run/systemd/system"): // https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html
		return []string{"systemctl", "start", "docker"}
	case exists("run/openrc/softlevel"): // OpenRC has booted the system: https://wiki.alpinelinux.org/wiki/OpenRC
		return []string{"rc-service", "docker", "start"}
	case strings.TrimSpace(string(init)) == "init" && exists("etc/init.d/docker"): // SysV's init, and that of WSL without systemd
		return []string{"service", "docker", "start"}
	}
	return nil
}

// startEngine starts an installed engine: as the system's service where there is one, which then stays, else as a process of
// this project's.
func (f *Finder) startEngine(ctx context.Context, service []string) (name string, err error) {
	unlock, err := f.Progress.Lock(ctx, f.engineFile(engineStart), "the start of the Docker engine is")
	if err != nil {
		return "", fmt.Errorf("docker: the engine cannot be started: %w", err)
	}
	defer unlock()
	// Its installation, or who held the lock, may have started it.
	if version, err := EngineVersion(ctx); err == nil {
		return "running engine " + version, nil
	}
	if service != nil {
		if err := machine.Run(ctx, service[0], service[1:]...); err != nil {
			return "", fmt.Errorf("docker: the system's service does not start: %w", err)
		}
		version, err := awaitEngine(ctx, func() bool { return true })
		return "engine " + version + ", which was stopped; started with `" + strings.Join(service, " ") + "`, and stays running", err
	}
	if f.kept() { // its keeper starts it again
		if version, err := awaitEngine(ctx, f.kept); err == nil {
			return "engine " + version + ", which had ended; started again", nil
		}
	}
	return f.startKeeper(ctx)
}

// kept says whether a keeper of an engine lives.
func (f *Finder) kept() bool {
	held, err := machine.Held(f.engineFile(engineKeeper))
	return held && err == nil
}

// awaitEngine waits until the engine answers, as long as somebody is starting it.
func awaitEngine(ctx context.Context, starting func() bool) (version string, err error) {
	for deadline := time.Now().Add(engineWait); ; time.Sleep(100 * time.Millisecond) {
		version, err = EngineVersion(ctx)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) || !starting() {
			return version, err
		}
	}
}

// startKeeper starts the keeper of an engine in a session of its own: the stack outlives the command that started it.
func (f *Finder) startKeeper(ctx context.Context) (name string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, "--root", f.Root, KeepCommand) //nolint:noctx // it outlives this command
	process, err := machine.StartDetached("docker", filepath.Join(f.CacheDir, "engine.log"), cmd)
	if err != nil {
		return "", err
	}
	var version string
	err = process.Ready(ctx, engineWait, func(ctx context.Context) (err error) {
		version, err = EngineVersion(ctx)
		return err
	})
	if err != nil {
		return "", errors.Join(err, process.StopWithin(engineWait))
	}
	return "engine " + version + ", started for this run", nil
}

// KeepEngine runs the engine until it is asked to stop it. Whoever connects to the keeper's socket can be sure that the
// engine is this project's; a process id could be a stranger's by then.
func (f *Finder) KeepEngine(ctx context.Context) (err error) {
	var asked net.Conn
	defer func() { // last of all: who asked learns that the engine has ended
		if asked != nil {
			_ = asked.Close()
		}
	}()
	release, err := machine.TryLock(f.engineFile(engineKeeper))
	if err != nil {
		return fmt.Errorf("docker: another engine is kept already: %w", err)
	}
	defer release()
	socket := f.engineFile(engineStopper)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) { // of a keeper that was killed
		return fmt.Errorf("docker: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	defer func() { _ = listener.Close() }()
	stop := make(chan net.Conn, 1)
	go awaitStop(listener, stop)
	asked, err = f.runEngine(ctx, stop)
	return err
}

// runEngine runs dockerd until somebody asks to stop it, whose connection it returns, or until ctx ends. Where this project
// starts the engine there is no service manager, so it does what one would do with an engine that ends by itself.
func (f *Finder) runEngine(ctx context.Context, stop <-chan net.Conn) (asked net.Conn, err error) {
	log := filepath.Join(f.CacheDir, "dockerd.log")
	var starts []time.Time
	for {
		starts = append(starts, time.Now())
		f.forgetContainerd()
		process, err := machine.Start("docker", log, exec.Command("dockerd")) //nolint:noctx // StopWithin ends it
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, process.StopWithin(engineWait)
		case asked = <-stop:
			return asked, process.StopWithin(engineWait)
		case <-process.Done():
		}
		if n := len(starts); n >= startsAtMost && time.Since(starts[n-startsAtMost]) < startsWithin {
			return nil, fmt.Errorf("docker: dockerd ended by itself:\n%s", machine.Tail(log, 15))
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case asked = <-stop:
			return asked, nil
		case <-time.After(restartPause):
		}
	}
}

// forgetContainerd removes the process id of a containerd that has ended with its engine as long as PID 1 has not noticed, which
// in a container it may never do. Docker 20.10 takes such a zombie for a containerd that runs, and waits for its answer in vain.
// https://github.com/moby/moby/blob/051e604adcd8f0f57d710d110d75bdd43010168c/libcontainerd/supervisor/remote_daemon.go
func (f *Finder) forgetContainerd() {
	name := filepath.Join(f.system, "run", "docker", "containerd", "containerd.pid")
	content, err := os.ReadFile(name)
	if err != nil {
		return // there was no engine before
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && machine.Zombie(pid) {
		_ = os.Remove(name) // else the engine says what is wrong
	}
}

// awaitStop passes on the first connection that asks to stop the engine: with one byte. Others only look whether a keeper
// is there.
func awaitStop(listener net.Listener, stop chan<- net.Conn) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
			stop <- conn
			return
		}
		_ = conn.Close()
	}
}
