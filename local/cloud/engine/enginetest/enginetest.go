//go:build linux

// Package enginetest gives a test a Docker engine whose loopback is not this machine's. Docker Desktop, Colima and OrbStack
// have such an engine in a virtual machine, and forward the ports that containers publish; here a network namespace stands
// for the virtual machine.
package enginetest

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/machine"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// readyWait bounds the engine's start.
const readyWait = time.Minute

// lookEvery is between two looks at what is published.
const lookEvery = 50 * time.Millisecond

// Engine is a running engine.
type Engine struct {
	Host string // for DOCKER_HOST
	pid  int
}

// Start runs an engine until the test ends. Where the test may not make network namespaces, or has no dockerd, it is skipped.
func Start(t *testing.T) Engine {
	t.Helper()
	for _, program := range []string{"dockerd", "unshare", "ip"} {
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
	host := "unix://" + filepath.Join(dir, "docker.sock")
	dockerd := exec.Command("unshare", "--net", "--", "sh", "-c", `ip link set lo up && exec dockerd "$@"`, "sh", //nolint:noctx // Stop ends it
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--host", host)
	process, err := machine.Start("dockerd", filepath.Join(dir, "log"), dockerd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
	})
	docker, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Ready(t.Context(), readyWait, func(ctx context.Context) error {
		_, err := docker.Ping(ctx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f := &forwarder{docker: docker, namespace: "/proc/" + strconv.Itoa(process.PID()) + "/ns/net", listeners: map[string]net.Listener{}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return Engine{Host: host, pid: process.PID()}
}

// The link between this machine and the engine's network. 198.18.0.0/15 is for tests of networks, so nobody's real network
// is there: https://www.rfc-editor.org/rfc/rfc6890#section-2.2.2
const (
	outsideLink, insideLink = "own-loopback", "eth0"
	outsideIP, insideIP     = "198.18.13.1", "198.18.13.2"
)

// Outside lets the engine, and the builds in its network, reach what this machine reaches, until the test ends. Loopback
// addresses stay apart.
func (e Engine) Outside(t *testing.T) {
	t.Helper()
	pid := strconv.Itoa(e.pid)
	run(t, "ip", "link", "add", outsideLink, "type", "veth", "peer", "name", insideLink, "netns", pid) // goes with the engine
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
