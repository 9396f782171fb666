package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"fargate-nginx-sidecar/local/cloud"
	"fargate-nginx-sidecar/local/cloud/ports"
	"fargate-nginx-sidecar/local/cloud/run"
)

// defaultPort is where the load balancer's port 80 is on this machine, unless its user says otherwise.
const defaultPort = 8080

// httpsOffset is added to the HTTP listener's local port for the listener on 443: 8080 and 8443.
const httpsOffset = 363

// balancerPorts are the load balancer's, in the order in which the background process gets them.
var balancerPorts = []int{80, 443}

// addresses are where the load balancer's ports are on this machine, if its port 80 is at listen.
func addresses(listen string) (map[int]string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", port, err)
	}
	if highest := 65535 - httpsOffset; number < 1 || number > highest {
		return nil, fmt.Errorf("LOCAL_PORT: %d; allowed: 1 to %d, because the port for HTTPS is %d above it", number, highest, httpsOffset)
	}
	return map[int]string{80: listen, 443: net.JoinHostPort(host, strconv.Itoa(number+httpsOffset))}, nil
}

// httpsAddress is where the load balancer's port 443 is on this machine, if its port 80 is at listen.
func httpsAddress(listen string) (string, error) {
	all, err := addresses(listen)
	return all[443], err
}

// hold opens the load balancer's ports before anything else is made, so that they are still to be had when all of it is
// there. Their files go to the background process, and are closed here in any case.
func hold(ctx context.Context, listen string) (held []*os.File, release func(), err error) {
	release = func() {
		for _, file := range held {
			_ = file.Close()
		}
	}
	wanted, err := addresses(listen)
	if err != nil {
		return nil, release, err
	}
	var failed []error
	for _, port := range balancerPorts {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", wanted[port])
		if err != nil {
			failed = append(failed, fmt.Errorf("port: the load balancer cannot listen on %s: %w; stop what uses the port, or choose another with LOCAL_PORT", wanted[port], err))
			continue
		}
		file, err := listener.(*net.TCPListener).File()
		failed = append(failed, err, listener.Close()) // the file is a copy, which goes on holding the port
		if err == nil {
			held = append(held, file)
		}
	}
	return held, release, errors.Join(failed...)
}

// inherited are the ports that the background process got from the command that started it.
func inherited() (map[int]*ports.Port, error) {
	const first = 3 // after standard input, output and error
	all := map[int]*ports.Port{}
	for i, port := range balancerPorts {
		file := os.NewFile(uintptr(first+i), "port "+strconv.Itoa(port))
		listener, err := net.FileListener(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("port %d: %w", port, err)
		}
		all[port] = ports.Hold(listener)
	}
	return all, nil
}

// move brings the load balancer of a run to another port of this machine. The background process is asked even if it should
// be there already: an earlier command may have been killed half way.
func (l *Local) move(ctx context.Context, current run.Run, listen string) (run.Run, error) {
	wanted, err := addresses(listen)
	if err != nil {
		return current, err
	}
	if err := cloud.Move(ctx, current.Endpoint, wanted); err != nil {
		return current, fmt.Errorf("port: the load balancer stays at %s: %w; stop what uses the port, or choose another with LOCAL_PORT", current.Listen, err)
	}
	if listen == current.Listen {
		return current, nil
	}
	l.Progress.Line("port      the load balancer is at %s now, and no longer at %s", listen, current.Listen)
	current.Listen = listen
	return current, current.Save(l.dir())
}
