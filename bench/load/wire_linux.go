package load

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wire is a socket as crypto/tls wants it. Where a read would have to wait it
// says that its time is over, after which TLS can be read again.
// https://pkg.go.dev/crypto/tls#Conn.SetReadDeadline
type wire struct {
	net.Conn // none: TLS asks for nothing else
	fd       int
	wait     bool // wait for bytes; during the handshake
}

// handshakeLimit bounds each read of a handshake.
const handshakeLimit = 5 * time.Second

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(w.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case !errors.Is(err, unix.EAGAIN):
			return 0, err
		case !w.wait:
			return 0, os.ErrDeadlineExceeded
		}
		if !w.ready(unix.POLLIN) {
			return 0, errors.New("TLS: no answer to the handshake")
		}
	}
}

func (w *wire) Write(b []byte) (int, error) {
	for sent := 0; ; {
		n, err := unix.Write(w.fd, b[sent:])
		sent += max(n, 0)
		if sent == len(b) {
			return sent, nil
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return sent, err
		}
		if !w.ready(unix.POLLOUT) {
			return sent, errors.New("TLS: the other side reads nothing")
		}
	}
}

func (w *wire) ready(event int16) bool {
	fds := []unix.PollFd{{Fd: int32(w.fd), Events: event}} //nolint:gosec // a descriptor
	n, err := unix.Poll(fds, int(handshakeLimit.Milliseconds()))
	return n > 0 || errors.Is(err, unix.EINTR)
}

// Close leaves the socket to the connection that owns it.
func (w *wire) Close() error { return nil }
