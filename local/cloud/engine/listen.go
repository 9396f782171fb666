package engine

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
)

// askWait bounds the question whether the engine reaches an address: a refused connection answers at once.
const askWait = 15 * time.Second

// Listen returns a listener on a loopback address that leads to this process on this machine and on the engine's side
// alike. Docker trusts plain HTTP on such addresses only.
// https://docs.docker.com/reference/cli/dockerd/#insecure-registries
//
// An engine on this machine's own network reaches a port of this process. One in a virtual machine or in a network of its
// own (Docker Desktop, Colima, OrbStack, rootless Docker) has a loopback of its own: there a container of the run relays,
// and relayed is true. The engine itself is asked which one it is.
func Listen(ctx context.Context, docker client.APIClient, runID string, log *slog.Logger) (listener net.Listener, relayed bool, err error) {
	own, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, false, err
	}
	if reaches(ctx, docker, own, 0) {
		return own, false, nil
	}
	if err := errors.Join(own.Close(), ctx.Err()); err != nil {
		return nil, false, err
	}
	relay, err := openRelay(ctx, docker, runID, log)
	if err != nil {
		return nil, false, fmt.Errorf("relay: %w", err)
	}
	if !reaches(ctx, docker, relay, dialAgain) {
		return nil, false, errors.Join(fmt.Errorf("relay: the Docker engine reaches neither a port of this machine nor %s, which a container publishes", relay.Addr()), relay.Close())
	}
	return relay, true, nil
}

// reaches has the engine pull an image from the listener's address, and says whether a connection came. Nobody else knows
// the address yet. A relay that has just been started may not listen yet, so it is asked for again after a pause; 0 is never.
// If no connection came, the caller closes the listener.
func reaches(ctx context.Context, docker client.APIClient, listener net.Listener, again time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	came := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		close(came) // before the engine can notice anything
		_ = conn.Close()
		cancel()
	}()
	for {
		progress, err := docker.ImagePull(ctx, listener.Addr().String()+"/is-this-reached:1", image.PullOptions{})
		if err == nil {
			_, _ = io.Copy(io.Discard, progress)
			_ = progress.Close()
		}
		select {
		case <-came:
			return true
		default:
		}
		if again == 0 || ctx.Err() != nil {
			return false
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

//go:embed relay/main.go
var relaySource []byte

// The ports of the relay in its container.
const (
	relayClients nat.Port = "5000/tcp"
	relayServers nat.Port = "5001/tcp"
)

// relayTries is how often other ports are tried: one that is free here may be taken on the engine's side.
const relayTries = 5

// dialAgain is between two tries to connect to a relay that does not answer, as it starts or while the engine restarts;
// after dialPatience the log says so.
const (
	dialAgain    = 200 * time.Millisecond
	dialPatience = 5 * time.Second
)

// relay is the listener of what the engine sends to a relay's published port.
type relay struct {
	address net.Addr // published for the engine
	servers string   // published for this process
	log     *slog.Logger

	closed context.Context
	close  context.CancelFunc
}

// openRelay starts a relay. It goes with everything else that carries the run's label.
func openRelay(ctx context.Context, docker client.APIClient, runID string, log *slog.Logger) (*relay, error) {
	if err := Program(ctx, docker, "relay", runID, relaySource); err != nil {
		return nil, err
	}
	var err error
	for range relayTries {
		var ports []int
		if ports, err = freePorts(ctx, 2); err != nil {
			return nil, err
		}
		if err = startRelay(ctx, docker, runID, ports[0], ports[1]); err == nil {
			r := &relay{
				address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ports[0]},
				servers: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])),
				log:     log,
			}
			r.closed, r.close = context.WithCancel(context.Background())
			return r, nil
		}
	}
	return nil, err
}

// freePorts returns ports of this machine's loopback that nothing listens on at this moment, all different.
func freePorts(ctx context.Context, count int) (ports []int, err error) {
	for range count {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// startRelay publishes explicit port numbers: where the engine is in a virtual machine, a port that Docker chooses need not
// have the same number on both sides.
func startRelay(ctx context.Context, docker client.APIClient, runID string, clients, servers int) error {
	publish := func(port int) []nat.PortBinding {
		return []nat.PortBinding{{HostIP: "127.0.0.1", HostPort: strconv.Itoa(port)}}
	}
	created, err := docker.ContainerCreate(ctx,
		&container.Config{
			Image:        Image("relay", runID),
			Labels:       map[string]string{LabelRun: runID},
			User:         "65534:65534",
			ExposedPorts: nat.PortSet{relayClients: {}, relayServers: {}},
		},
		&container.HostConfig{
			PortBindings:   nat.PortMap{relayClients: publish(clients), relayServers: publish(servers)},
			ReadonlyRootfs: true,
			CapDrop:        strslice.StrSlice{"ALL"},
			// When the engine restarts, the relay does, on the same ports. Not "unless stopped": an engine that was killed stops
			// what it finds running when it starts again, and takes that for the user's wish.
			// https://github.com/moby/moby/issues/41302
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways},
		},
		nil, nil, NamePrefix+runID+"-relay")
	if err != nil {
		return err
	}
	if err := docker.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return errors.Join(err, docker.ContainerRemove(context.WithoutCancel(ctx), created.ID, container.RemoveOptions{Force: true}))
	}
	return nil
}

// Addr is the address that the engine reaches.
func (r *relay) Addr() net.Addr { return r.address }

// Close ends Accept. Accepted connections, and the container, stay.
func (r *relay) Close() error {
	r.close()
	return nil
}

// Accept waits for the next connection of the engine. It goes on trying as long as the relay does not answer.
func (r *relay) Accept() (net.Conn, error) {
	for begun, said := time.Now(), false; ; {
		conn, err := r.next()
		switch {
		case err == nil:
			return conn, nil
		case r.closed.Err() != nil:
			return nil, net.ErrClosed
		case !said && time.Since(begun) > dialPatience:
			said = true
			r.log.Warn("the relay to the Docker engine does not answer; trying again", "address", r.servers, "error", err)
		}
		select {
		case <-r.closed.Done():
		case <-time.After(dialAgain):
		}
	}
}

// next connects to the relay and waits until it sends the byte that announces a connection of the engine.
func (r *relay) next() (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(r.closed, "tcp", r.servers)
	if err != nil {
		return nil, err
	}
	end := sync.OnceFunc(func() { _ = conn.Close() })
	stop := context.AfterFunc(r.closed, end)
	one := make([]byte, 1)
	_, err = io.ReadFull(conn, one)
	if err == nil {
		_, err = conn.Write(one)
	}
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		end()
		return nil, err
	}
	return conn, nil
}
