package command

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
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
		const want = "the Docker engine does not answer at unix:///nonexistent/docker.sock; start it, and run the command again: what the run left there is noted in .local"
		if err := l.clean(); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
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

// Half a removal would be worse than none: the stack goes on, and down takes all of it when the engine is back.
func TestWithoutAnEngineARunIsNotTakenDown(t *testing.T) {
	l := &Local{Root: t.TempDir(), Progress: machine.NewPrinter(&bytes.Buffer{})}
	l.finder = &toolchain.Finder{Root: l.Root, CacheDir: t.TempDir(), Progress: l.Progress, EngineDir: t.TempDir()}
	if err := os.Mkdir(l.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	serves := run.Run{ID: "test-that-serves", Stacks: []string{"dev"}, Endpoint: "http://127.0.0.1:1"}
	if err := serves.Save(l.dir()); err != nil {
		t.Fatal(err)
	}
	release, err := run.Hold(l.dir()) // as its background process does
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	if err := l.Down(t.Context(), ""); err == nil || !strings.HasPrefix(err.Error(), "docker: no engine answers at unix:///nonexistent/docker.sock; start it") {
		t.Errorf("got %v", err)
	}
	if found, err := run.Load(l.dir()); err != nil || found.ID != serves.ID {
		t.Errorf("the run is not what it was: %v, %v", found, err)
	}
}
