package ports_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/ports"
)

func open(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return listener
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers every connection with a word, and then ends it.
func serve(t *testing.T, port *ports.Port, word string) net.Listener {
	t.Helper()
	listener, err := port.Listen()
	must(t, err)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, word)
			_ = connection.Close()
		}
	}()
	return listener
}

func ask(t *testing.T, address string) (string, error) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	must(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	answer, err := io.ReadAll(connection)
	return string(answer), err
}

func TestAPortIsHeldWhoeverServesOnIt(t *testing.T) {
	port := ports.Hold(open(t))
	address := port.Addr().String()
	taken := func(when string) {
		t.Helper()
		if other, err := net.Listen("tcp", address); err == nil {
			_ = other.Close()
			t.Errorf("%s, somebody else gets the port", when)
		}
	}
	taken("before anything serves")
	if answer, err := ask(t, address); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("nothing serves: got %q, %v, want a reset", answer, err)
	}
	first := serve(t, port, "first")
	if answer, err := ask(t, address); err != nil || answer != "first" {
		t.Errorf("the first: got %q, %v", answer, err)
	}
	if _, err := port.Listen(); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("two at once: %v", err)
	}
	must(t, first.Close())
	taken("after what served is gone")
	if answer, err := ask(t, address); err == nil {
		t.Errorf("nothing serves any more: got %q", answer)
	}
	second := serve(t, port, "second")
	must(t, first.Close()) // again, which must not disturb the second
	if answer, err := ask(t, address); err != nil || answer != "second" {
		t.Errorf("the second: got %q, %v", answer, err)
	}
	must(t, second.Close())
	must(t, port.Close())
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the port is given up, and a connection gets %v", err)
	}
}

func TestAPortMovesUnderWhoServes(t *testing.T) {
	port := ports.Hold(open(t))
	before := port.Addr().String()
	server := serve(t, port, "served")
	must(t, port.Move(open(t)))
	after := server.Addr().String()
	if after == before || after != port.Addr().String() {
		t.Errorf("it was at %s, and the server says it is at %s", before, after)
	}
	if answer, err := ask(t, after); err != nil || answer != "served" {
		t.Errorf("the new port: got %q, %v", answer, err)
	}
	if _, err := net.Dial("tcp", before); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the old port is free, and a connection gets %v", err)
	}
	must(t, server.Close())
	must(t, port.Close())
}
