package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// movePath is where the process is told at which addresses its ports shall be from now on. It stands beside AWS's API on the
// endpoint, which is the one thing of a run that other commands of this machine talk to.
const movePath = "/local-run/ports"

// moveWait bounds a move, which takes no time.
const moveWait = 10 * time.Second

// Move brings the ports of a running process to other addresses of this machine: all of them, or none if one cannot be had.
func Move(ctx context.Context, endpoint string, addresses map[int]string) error {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	content, err := json.Marshal(addresses)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+movePath, bytes.NewReader(content))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusNoContent {
		err = errors.New(strings.TrimSpace(string(said)))
	}
	return err
}

// move answers what Move asks.
func (c *cloud) move(w http.ResponseWriter, r *http.Request) {
	var wanted map[int]string
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || r.Method != http.MethodPut {
		http.Error(w, "want PUT with an object of ports and addresses", http.StatusBadRequest)
		return
	}
	opened, failed := map[int]net.Listener{}, []error(nil)
	for number, address := range wanted {
		port, is := c.options.Ports[number]
		if !is {
			failed = append(failed, fmt.Errorf("port %d is not one of the run's", number))
			continue
		}
		if port.Addr().String() == address {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(r.Context(), "tcp", address)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		opened[number] = listener
	}
	if len(failed) > 0 {
		for _, listener := range opened {
			_ = listener.Close()
		}
		http.Error(w, errors.Join(failed...).Error(), http.StatusConflict)
		return
	}
	for number, listener := range opened {
		if err := c.options.Ports[number].Move(listener); err != nil {
			c.options.Log.Warn("the port that was left", "error", err)
		}
		c.options.Log.Info("port moved", "port", number, "address", listener.Addr().String())
	}
	w.WriteHeader(http.StatusNoContent)
}
