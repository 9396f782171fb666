package command

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
)

func TestARunIsForgottenOnlyOnceItIsRemoved(t *testing.T) {
	l := &Local{Root: t.TempDir(), Progress: machine.NewPrinter(&bytes.Buffer{})}
	if err := os.Mkdir(l.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	left := run.Run{ID: "test-that-is-forgotten", Stacks: []string{"dev"}}
	if err := left.Save(l.dir()); err != nil {
		t.Fatal(err)
	}
	t.Run("no engine answers", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
		if err := l.clean(); err == nil {
			t.Error("containers are removed without an engine")
		}
		if found, err := run.Load(l.dir()); !errors.Is(err, run.ErrNone) || found.ID != left.ID {
			t.Errorf("the run is forgotten: got %v, %v", found, err)
		}
	})
	t.Run("it answers again", func(t *testing.T) {
		if err := l.clean(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(l.dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the run's folder is left: %v", err)
		}
	})
}
