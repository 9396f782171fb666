// Package ports holds the ports of this machine at which clients reach a run: from the run's start to its end, so that
// nobody else can take them meanwhile. What serves there comes and goes with the load balancers and APIs of the stack.
package ports

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Port is one port that the run holds.
type Port struct {
	mu     sync.Mutex
	held   net.Listener
	server *listener // nil while nothing serves; connections are then reset
}

// Hold begins with a listener that is open. It is the port's own from now on.
func Hold(held net.Listener) *Port {
	p := &Port{held: held}
	go p.accept(held)
	return p
}

// Addr is where the port is.
func (p *Port) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held.Addr()
}

// Listen makes the caller the one who serves, until it closes the listener that it gets.
func (p *Port) Listen() (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return nil, fmt.Errorf("listen on %s: another listener of this run is still there", p.held.Addr())
	}
	p.server = &listener{port: p, connections: make(chan net.Conn), closed: make(chan struct{})}
	return p.server, nil
}

// Move takes another port in place of the one that was held. Connections that are open stay.
func (p *Port) Move(to net.Listener) error {
	p.mu.Lock()
	before := p.held
	p.held = to
	p.mu.Unlock()
	go p.accept(to)
	return before.Close()
}

// Close gives the port up.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held.Close()
}

// acceptRetry is between two tries when the machine has nothing left for another connection, such as file descriptors.
const acceptRetry = 50 * time.Millisecond

func (p *Port) accept(held net.Listener) {
	for {
		connection, err := held.Accept()
		switch {
		case err == nil:
			p.hand(connection)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(acceptRetry)
		}
	}
}

// hand gives a connection to who serves.
func (p *Port) hand(connection net.Conn) {
	p.mu.Lock()
	server := p.server
	p.mu.Unlock()
	if server == nil {
		reset(connection)
		return
	}
	select {
	case server.connections <- connection:
	case <-server.closed:
		reset(connection)
	}
}

// reset ends a connection as a port without a listener does: the client sees an error, and no empty answer.
func reset(connection net.Conn) {
	if tcp, is := connection.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// listener is what serves on a port for a while.
type listener struct {
	port        *Port
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.port.Addr() }

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.port.mu.Lock()
		defer l.port.mu.Unlock()
		if l.port.server == l {
			l.port.server = nil
		}
	})
	return nil
}
