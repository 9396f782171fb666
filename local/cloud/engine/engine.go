// Package engine is what the parts of a local run share of the Docker engine: the connection to it, the label by which a
// run finds its own things again, small programs of ours as images, and the way from the engine to this process.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/client"
)

// Everything that a run makes in Docker carries LabelRun with the run's id, and a name that begins with NamePrefix.
const (
	LabelRun   = "fargate-nginx-sidecar.run"
	NamePrefix = "fargate-nginx-sidecar-"
)

// Connect returns a client of the engine that DOCKER_HOST names, else of the default socket's.
func Connect() (client.APIClient, error) {
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	return api, nil
}

// answerWait bounds the question whether the engine answers.
const answerWait = 5 * time.Second

// ErrSilent says that the engine does not answer, whatever was asked of it.
var ErrSilent = errors.New("the Docker engine does not answer")

// Answers is ErrSilent unless the engine answers.
func Answers(ctx context.Context, docker client.APIClient) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	if _, err := docker.Ping(ctx); err != nil {
		return fmt.Errorf("%w at %s", ErrSilent, docker.DaemonHost())
	}
	return nil
}

// ReadProgress reads the engine's progress messages to their end; the engine reports a failure only there.
func ReadProgress(r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var message struct {
			Error string `json:"error"`
		}
		switch err := decoder.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}
