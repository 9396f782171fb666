package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// state is where a connection stands.
type state int

const (
	closed    state = iota
	opening         // connect is under way
	upgrading       // the WebSocket's handshake is under way
	idle
	busy // a request is under way
)

// conn is one connection of a stream. It opens itself again when it is needed.
type conn struct {
	e      *engine
	s      *stream
	fd     int
	state  state
	wanted bool      // a request waits for the connection to open
	due    time.Time // of the request
	answer answer
	frame  frame
	rest   []byte // of a request that the kernel has not taken yet
	tls    *tls.Conn
}

// start sends a request, on a new connection if there is none.
func (c *conn) start(due time.Time) {
	c.due, c.wanted = due, true
	switch c.state {
	case closed:
		c.open()
	case idle:
		c.send()
	}
}

func (c *conn) open() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.refused()
		return
	}
	c.fd, c.state = fd, opening
	c.e.conns[fd] = c
	// Small requests must not wait for more to come. A failure only costs time.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)} //nolint:gosec // a descriptor
	if err := unix.EpollCtl(c.e.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		c.refused()
		return
	}
	err = unix.Connect(fd, &c.e.peer)
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		c.refused()
	}
}

// refused is for a connection that did not come about.
func (c *conn) refused() {
	c.s.result.Lost.Refused++
	c.shut()
	if c.e.phase == draining {
		c.wanted = false
		return
	}
	if len(c.e.retry) == 0 {
		c.e.retryAt = time.Now().Add(retryAfter)
	}
	c.e.retry = append(c.e.retry, c)
}

func (c *conn) shut() {
	if c.fd >= 0 {
		delete(c.e.conns, c.fd)
		_ = unix.Close(c.fd)
	}
	c.fd, c.state, c.tls, c.rest = -1, closed, nil, nil
	c.answer.reset()
	c.frame.reset()
}

// event is what epoll says about the connection.
func (c *conn) event(events uint32) {
	if c.state == opening {
		if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
			return
		}
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			c.refused()
			return
		}
		c.opened()
		return
	}
	if events&unix.EPOLLOUT != 0 && len(c.rest) > 0 {
		rest := c.rest
		c.rest = nil
		c.write(rest)
	}
	if c.state != closed && events&^unix.EPOLLOUT != 0 {
		c.receive()
	}
}

// opened is for a connection that has just come about.
func (c *conn) opened() {
	c.watch(unix.EPOLLIN)
	if c.e.job.TLS {
		if err := c.handshake(); err != nil {
			c.refused()
			return
		}
	}
	if c.s.Message > 0 {
		c.state = upgrading
		c.write(c.s.Request)
		return
	}
	c.ready()
}

func (c *conn) ready() {
	c.state = idle
	if c.wanted {
		c.send()
	}
}

func (c *conn) send() {
	c.wanted, c.state = false, busy
	c.write(c.s.payload)
}

func (c *conn) watch(events uint32) {
	event := unix.EpollEvent{Events: events, Fd: int32(c.fd)} //nolint:gosec // a descriptor
	_ = unix.EpollCtl(c.e.epoll, unix.EPOLL_CTL_MOD, c.fd, &event)
}

// write hands bytes to the kernel, and keeps what it does not take.
func (c *conn) write(b []byte) {
	if c.tls != nil {
		if _, err := c.tls.Write(b); err != nil {
			c.cut()
		}
		return
	}
	n, err := unix.Write(c.fd, b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		c.cut()
		return
	}
	if n = max(n, 0); n < len(b) {
		c.rest = b[n:]
		c.watch(unix.EPOLLIN | unix.EPOLLOUT)
	} else if c.rest != nil {
		c.watch(unix.EPOLLIN)
	}
}

// receive reads what is there.
func (c *conn) receive() {
	for c.state != closed {
		n, err := c.read()
		if again(err) {
			return
		}
		if err != nil || n == 0 {
			if c.state == busy && c.answer.closed() {
				c.done(c.answer.status, c.answer.size)
			} else {
				c.cut()
			}
			return
		}
		c.take(c.e.buf[:n])
		// Without TLS, epoll tells of the rest. TLS may have taken it already.
		if c.tls == nil {
			return
		}
	}
}

func (c *conn) read() (int, error) {
	if c.tls != nil {
		return c.tls.Read(c.e.buf[:])
	}
	return unix.Read(c.fd, c.e.buf[:])
}

func again(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) || errors.Is(err, os.ErrDeadlineExceeded)
}

// take reads an answer from what has come.
func (c *conn) take(b []byte) {
	if c.state == idle {
		c.cut() // bytes that nobody asked for
		return
	}
	if c.s.Message > 0 && c.state == busy {
		if n, done := c.frame.feed(b); done {
			if n != len(b) || c.frame.head[0] != 0x81 {
				c.cut()
				return
			}
			c.done(101, c.frame.size)
		}
		return
	}
	n, done, err := c.answer.feed(b)
	switch {
	case err != nil || (done && n != len(b)):
		c.cut()
	case done && c.state == upgrading:
		if c.answer.status != 101 {
			c.refused()
			return
		}
		c.answer.reset()
		c.ready()
	case done:
		c.done(c.answer.status, c.answer.size)
	}
}

// done is for a complete answer.
func (c *conn) done(status int, size int64) {
	ends := c.s.Fresh || c.answer.close
	c.state = idle
	c.s.answered(c.e, c.due, status, size)
	if ends {
		c.shut()
	} else {
		c.answer.reset()
		c.frame.reset()
	}
	c.s.free(c, time.Now())
}

// cut is for a connection that the other side has ended. Between two requests it
// may do so, and the next request opens a new one.
func (c *conn) cut() {
	lost := c.state == busy
	c.shut()
	if lost {
		c.s.result.Lost.Cut++
		c.s.free(c, time.Now())
	}
}

// handshake is TLS's, before anything is measured; the whole loop waits for it.
func (c *conn) handshake() error {
	wire := &wire{fd: c.fd, wait: true}
	c.tls = tls.Client(wire, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the proxy's own certificate, over loopback
	if err := c.tls.Handshake(); err != nil {                       //nolint:noctx // each read is bounded
		return err
	}
	wire.wait = false
	c.s.result.Cipher = tls.VersionName(c.tls.ConnectionState().Version) + " " + tls.CipherSuiteName(c.tls.ConnectionState().CipherSuite)
	return nil
}

// ipv4 reads the address to connect to.
func ipv4(address string) (unix.SockaddrInet4, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Is4() {
		return unix.SockaddrInet4{}, fmt.Errorf("address: got %q, allowed: an IPv4 address and a port, as in 127.0.0.1:8080", address)
	}
	return unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, nil
}
