//go:build linux

// Package enginetest gives a test a Docker engine whose loopback is not this machine's. Docker Desktop, Colima and OrbStack
// have such an engine in a virtual machine, and forward the ports that containers publish; here a network namespace stands
// for the virtual machine.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/machine"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// readyWait bounds the engine's start, and its end.
const readyWait = time.Minute

// lookEvery is between two looks at what is published.
const lookEvery = 50 * time.Millisecond

// Engine is an engine in a network of its own.
type Engine struct {
	Host string // for DOCKER_HOST

	dir     string
	docker  client.APIClient
	network *machine.Process // holds the network, which outlives the engine as a machine's does
	dockerd *machine.Process // nil while there is none
}

// Start runs an engine until the test ends. Where the test may not make network namespaces, or has no dockerd, it is skipped.
func Start(t *testing.T) *Engine {
	t.Helper()
	for _, program := range []string{"dockerd", "unshare", "nsenter", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is needed for an engine in a network of its own", program)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may start an engine in a network of its own")
	}
	// Not the test's own folder: its name may be too long for a socket.
	dir, err := os.MkdirTemp("", "engine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	e := &Engine{Host: "unix://" + filepath.Join(dir, "docker.sock"), dir: dir}
	if e.docker, err = client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation()); err != nil {
		t.Fatal(err)
	}
	e.openNetwork(t)
	t.Cleanup(func() { e.stop(t) })
	e.Restart(t)
	f := &forwarder{docker: e.docker, namespace: e.namespace(), listeners: map[string]net.Listener{}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return e
}

// openNetwork makes the network namespace.
func (e *Engine) openNetwork(t *testing.T) {
	t.Helper()
	var err error
	if e.network, err = machine.Start("network", filepath.Join(e.dir, "network.log"), exec.Command("unshare", "--net", "--", "sleep", "infinity")); err != nil { //nolint:noctx // the clean-up ends it
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.network.Stop(); err != nil {
			t.Error(err)
		}
	})
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.network.Ready(t.Context(), readyWait, func(context.Context) error {
		if theirs, err := os.Readlink(e.namespace()); err != nil || theirs == ours {
			return errors.New("still in this machine's network")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (e *Engine) namespace() string { return fmt.Sprintf("/proc/%d/ns/net", e.network.PID()) }

// Kill ends the engine as a crash would: nobody tells its containers.
func (e *Engine) Kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(e.dockerd.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-e.dockerd.Done()
	e.dockerd = nil
}

// Restart starts an engine that was killed again, on the same data, and returns when it answers.
func (e *Engine) Restart(t *testing.T) {
	t.Helper()
	e.awaitContainerd(t)
	var err error
	e.dockerd, err = machine.Start("dockerd", filepath.Join(e.dir, "log"), exec.Command( //nolint:noctx // stop ends it
		"nsenter", "--net="+e.namespace(), "--", "sh", "-c", `ip link set lo up && exec dockerd "$@"`, "sh",
		"--data-root", filepath.Join(e.dir, "data"), "--exec-root", filepath.Join(e.dir, "exec"), "--pidfile", filepath.Join(e.dir, "pid"), "--host", e.Host))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.dockerd.Ready(context.Background(), readyWait, func(ctx context.Context) error {
		_, err := e.docker.Ping(ctx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// awaitContainerd waits until the containerd of an engine that was killed is gone. It dies with the engine, but as long as the
// machine's init has not noticed, the next engine takes it for one that runs, and waits in vain for its answer.
func (e *Engine) awaitContainerd(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(e.dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		return // the first start
	}
	pid, err := strconv.Atoi(string(content))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(readyWait); syscall.Kill(pid, 0) == nil; time.Sleep(lookEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("containerd, %d, is still there", pid)
		}
	}
}

// stop ends the engine with all its containers. What an engine left that was killed, only an engine can remove.
func (e *Engine) stop(t *testing.T) {
	t.Helper()
	if e.dockerd == nil {
		e.Restart(t)
	}
	if err := e.dockerd.StopWithin(readyWait); err != nil { // it stops its containers first
		t.Error(err)
	}
	// An engine mounts its folder on itself, and leaves that to the next one if it is killed, which takes it for the machine's.
	if err := unix.Unmount(filepath.Join(e.dir, "data"), 0); err != nil && !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
}

// The link between this machine and the engine's network. 198.18.0.0/15 is for tests of networks, so nobody's real network
// is there: https://www.rfc-editor.org/rfc/rfc6890#section-2.2.2
const (
	outsideLink, insideLink = "own-loopback", "eth0"
	outsideIP, insideIP     = "198.18.13.1", "198.18.13.2"
)

// Outside lets the engine, and the builds in its network, reach what this machine reaches, until the test ends. Loopback
// addresses stay apart.
func (e *Engine) Outside(t *testing.T) {
	t.Helper()
	pid := strconv.Itoa(e.network.PID())
	run(t, "ip", "link", "add", outsideLink, "type", "veth", "peer", "name", insideLink, "netns", pid) // goes with the network
	run(t, "ip", "address", "add", outsideIP+"/30", "dev", outsideLink)
	run(t, "ip", "link", "set", outsideLink, "up")
	run(t, "nsenter", "--net", "--target", pid, "ip", "address", "add", insideIP+"/30", "dev", insideLink)
	run(t, "nsenter", "--net", "--target", pid, "ip", "link", "set", insideLink, "up")
	run(t, "nsenter", "--net", "--target", pid, "ip", "route", "add", "default", "via", outsideIP)
	for _, rule := range [][]string{
		{"-t", "nat", "-I", "POSTROUTING", "-s", insideIP, "-j", "MASQUERADE"},
		{"-I", "FORWARD", "-i", outsideLink, "-j", "ACCEPT"},
		{"-I", "FORWARD", "-o", outsideLink, "-j", "ACCEPT"},
	} {
		run(t, "iptables", rule...)
		again := slices.Clone(rule)
		again[slices.Index(again, "-I")] = "-D"
		t.Cleanup(func() { run(t, "iptables", again...) })
	}
}

func run(t *testing.T, program string, arguments ...string) {
	t.Helper()
	if err := machine.Run(context.Background(), program, arguments...); err != nil {
		t.Fatal(err)
	}
}

// forwarder listens on this machine wherever a container publishes a port, and connects to that address in the engine's
// network.
type forwarder struct {
	docker    client.APIClient
	namespace string
	listeners map[string]net.Listener
}

func (f *forwarder) run(ctx context.Context) {
	for ctx.Err() == nil {
		if containers, err := f.docker.ContainerList(ctx, container.ListOptions{}); err == nil {
			f.adjust(published(containers))
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	f.adjust(nil)
}

func published(containers []container.Summary) map[string]bool {
	addresses := map[string]bool{}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.PublicPort != 0 {
				addresses[net.JoinHostPort(port.IP, strconv.Itoa(int(port.PublicPort)))] = true
			}
		}
	}
	return addresses
}

func (f *forwarder) adjust(wanted map[string]bool) {
	for address, listener := range f.listeners {
		if !wanted[address] {
			_ = listener.Close()
			delete(f.listeners, address)
		}
	}
	for address := range wanted {
		if f.listeners[address] != nil {
			continue
		}
		listener, err := net.Listen("tcp", address) //nolint:noctx // loopback: at once
		if err != nil {
			continue // taken: it is tried again at the next look
		}
		f.listeners[address] = listener
		go f.serve(listener)
	}
}

func (f *forwarder) serve(listener net.Listener) {
	for {
		here, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = here.Close() }()
			there, err := dialIn(f.namespace, listener.Addr().String())
			if err != nil {
				return
			}
			defer func() { _ = there.Close() }()
			var both sync.WaitGroup
			for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
				both.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].(*net.TCPConn).CloseWrite()
				})
			}
			both.Wait()
		}()
	}
}

// dialIn connects to an address in another network namespace. A socket stays in the namespace in which it was made, and the
// thread comes back: one that ended would take the engine with it, if it was the thread that had started the engine.
// https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
func dialIn(namespace, address string) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = home.Close() }()
	away, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer func() { _ = away.Close() }()
	if err := enter(away); err != nil {
		return nil, err
	}
	defer func() {
		if err := enter(home); err != nil {
			panic(err) // the thread would do the rest of the test's work in the wrong network
		}
	}()
	return net.Dial("tcp", address) //nolint:noctx // loopback: at once
}

func enter(namespace *os.File) error {
	return unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET) //nolint:gosec // a file descriptor
}
