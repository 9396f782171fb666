package run_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
)

func TestASavedRunIsFoundAsLongAsItsProcessLives(t *testing.T) {
	dir := t.TempDir()
	if _, err := run.Load(dir); !errors.Is(err, run.ErrNone) {
		t.Fatalf("empty folder: %v, want ErrNone", err)
	}
	saved := run.Run{ID: "one", Stacks: []string{"dev"}, PID: os.Getpid(), Endpoint: "http://127.0.0.1:1"}
	release, err := run.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := saved.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := run.Load(dir)
	if err != nil || loaded.Endpoint != saved.Endpoint {
		t.Fatalf("got %+v, %v", loaded, err)
	}

	before := saved
	before.Stacks = nil
	if err := before.Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Load(dir); err == nil || !strings.Contains(err.Error(), "an earlier version") {
		t.Errorf("a run without a stack: %v", err)
	}

	// The process id is still somebody's, as after a restart of the machine: this test's.
	release()
	if _, err := run.Load(dir); !errors.Is(err, run.ErrNone) {
		t.Errorf("process gone: %v, want ErrNone", err)
	}
}

func TestARunWithoutAnEndpointIsStarting(t *testing.T) {
	dir := t.TempDir()
	if err := (run.Run{ID: "one", Stacks: []string{"dev"}}).Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := run.Load(dir); !errors.Is(err, run.ErrNone) || got.ID != "one" {
		t.Errorf("no process: got %v, %v", got, err)
	}
	release, err := run.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got, err := run.Load(dir); !errors.Is(err, run.ErrStarting) || got.ID != "one" {
		t.Errorf("a process that has not said where it listens: got %v, %v", got, err)
	}
}

func TestTheEnvFileGivesAShellEveryValueAsItIs(t *testing.T) {
	dir := t.TempDir()
	settings := run.Run{Region: "eu-central-1", Endpoint: "http://127.0.0.1:1"}.AWS()
	settings["ODD"] = `a'b "c" $d`
	if err := run.WriteEnv(dir, settings); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh", "-c", `. "$1"; printf '%s|' "$ODD" "$AWS_REGION" "${AWS_PROFILE-unset}" "${AWS_SESSION_TOKEN-unset}" "${AWS_PAGER-unset}" "${AWS_ENDPOINT_URL_ECS-unset}" "${PULUMI_ACCESS_TOKEN-unset}"`, "sh", filepath.Join(dir, "env"))
	shell.Env = append(os.Environ(), "AWS_PROFILE=production", "AWS_SESSION_TOKEN=real", "AWS_ENDPOINT_URL_ECS=https://ecs.example.test", "PULUMI_ACCESS_TOKEN=real")
	output, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{settings["ODD"], "eu-central-1", "unset", "unset", "", "unset", "unset"}, "|") + "|"
	if string(output) != want {
		t.Errorf("the shell saw %q, want %q", output, want)
	}
}
