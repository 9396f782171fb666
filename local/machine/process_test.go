package machine_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

func TestAChildThatEndsEarlyIsReportedWithItsLastLines(t *testing.T) {
	process, err := machine.Start("sample", filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", "echo port taken; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = process.Ready(context.Background(), time.Minute, func(context.Context) error { return errors.New("no answer") })
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "port taken") {
		t.Errorf("got %v, want the exit status and the last line", err)
	}
}

func TestStopEndsAChildThatIgnoresTheTerminationSignal(t *testing.T) {
	if testing.Short() {
		t.Skip("waits out the grace period")
	}
	log := filepath.Join(t.TempDir(), "log")
	process, err := machine.Start("stubborn", log, exec.Command("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"))
	if err != nil {
		t.Fatal(err)
	}
	err = process.Ready(context.Background(), 10*time.Second, func(context.Context) error {
		if machine.Tail(log, 1) != "up" {
			return errors.New("not up")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Stop(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-process.Done():
	default:
		t.Error("still running after Stop")
	}
}

func TestEndWaitsForTheEndOfAProcess(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap 'sleep 0.3; exit' TERM; while :; do sleep 0.1; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := machine.End(cmd.Process.Pid, 0); err == nil || !strings.Contains(err.Error(), "still runs 0s after SIGTERM") {
		t.Errorf("no time to end: got %v", err)
	}
	if err := machine.End(cmd.Process.Pid, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := machine.End(cmd.Process.Pid, 10*time.Second); err != nil {
		t.Errorf("a process that has ended: %v", err)
	}
}
