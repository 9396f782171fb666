package command

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine"
)

// anEngine answers whether it is there, and nothing else. asked has a value for every question.
func anEngine(t *testing.T) (server *http.Server, asked chan struct{}) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	asked = make(chan struct{})
	server = &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} })}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	return server, asked
}

func TestADeploymentGivesUpOnAnEngineThatHasEnded(t *testing.T) {
	server, asked := anEngine(t)
	watched, giveUp := context.WithCancelCause(t.Context())
	ended := make(chan struct{})
	go func() { watchEngine(watched, 10*time.Millisecond, giveUp); close(ended) }()
	for range 3 {
		<-asked
	}
	if err := context.Cause(watched); err != nil {
		t.Fatalf("it gives up on an engine that answers: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	want := "the Docker engine does not answer at " + os.Getenv("DOCKER_HOST") + "; start it, and run the command again"
	for _, err := range []error{context.Cause(watched), cause(watched, errors.New("exit status 1")), cause(t.Context(), errors.New("exit status 1"))} {
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestAnotherFailureIsNotTheEngines(t *testing.T) {
	_, asked := anEngine(t)
	go func() {
		for range asked {
			continue // whoever asks waits until somebody takes notice
		}
	}()
	if failed := errors.New("exit status 1"); !errors.Is(cause(t.Context(), failed), failed) {
		t.Errorf("got %v", cause(t.Context(), failed))
	}
}

func TestTheEngineIsNamedOnceForADeploymentAndItsCleanUp(t *testing.T) {
	failed := startIt(engine.ErrSilent)
	left := errors.New("what the run left there is noted in .local")
	if got := together(failed, errors.Join(engine.ErrSilent, left)); errors.Is(got, failed) || !errors.Is(got, left) {
		t.Errorf("got %v", got)
	}
	other := errors.New("exit status 1")
	if got := together(other, left); !errors.Is(got, other) || !errors.Is(got, left) {
		t.Errorf("got %v, want both", got)
	}
}
