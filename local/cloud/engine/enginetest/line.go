package enginetest

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docker/docker/client"
)

// Line leads to the engine of the tests, and can be cut, so that for those who ask through it the engine is gone. What runs on
// it goes on.
type Line struct {
	Host string // for DOCKER_HOST

	network, address string // of the engine
	socket           string

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	open     map[net.Conn]bool
}

// NewLine returns a line that leads to the engine until the test ends.
func NewLine(t *testing.T) *Line {
	t.Helper()
	docker, err := client.NewClientWithOpts(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := client.ParseHostURL(docker.DaemonHost())
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's own folder: its name may be too long for a socket.
	dir, err := os.MkdirTemp("", "line-")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{network: engine.Scheme, address: engine.Host, socket: filepath.Join(dir, "docker.sock"), open: map[net.Conn]bool{}}
	l.Host = "unix://" + l.socket
	t.Cleanup(func() {
		l.Cut()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l.Mend(t)
	return l
}

// Mend makes a line that was cut lead to the engine again.
func (l *Line) Mend(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", l.socket) //nolint:noctx // a socket of this machine: at once
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
	go l.serve(listener)
}

// Cut ends all connections, and lets no new one come.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close() // which removes the socket
		l.listener = nil
	}
	for conn := range l.open {
		_ = conn.Close()
	}
	clear(l.open)
}

func (l *Line) serve(listener net.Listener) {
	for {
		here, err := listener.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial(l.network, l.address) //nolint:noctx // this machine: at once
		if err != nil {
			_ = here.Close()
			continue
		}
		if !l.keep(listener, here, there) {
			return
		}
		for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
			go func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].(interface{ CloseWrite() error }).CloseWrite()
			}()
		}
	}
}

// keep notes both ends of a connection for Cut, unless that came first.
func (l *Line) keep(listener net.Listener, ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, end := range ends {
		if l.listener != listener {
			_ = end.Close()
			continue
		}
		l.open[end] = true
	}
	return l.listener == listener
}
