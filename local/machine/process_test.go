package machine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// printed starts a command and returns the first thing that it prints.
func printed(t *testing.T, script string) (cmd *exec.Cmd, number int) {
	t.Helper()
	cmd = exec.Command("sh", "-c", script)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(output, &number); err != nil {
		t.Fatal(err)
	}
	return cmd, number
}

func TestEndWaitsForTheEndOfAProcess(t *testing.T) {
	_, pid := printed(t, "trap 'sleep 0.3; exit' TERM; echo $$; while :; do sleep 0.1; done")
	if err := machine.End(pid, 0); err == nil || !strings.Contains(err.Error(), "still runs 0s after SIGTERM") {
		t.Errorf("no time to end: got %v", err)
	}
	if err := machine.End(pid, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := machine.End(pid, 10*time.Second); err != nil {
		t.Errorf("a process that has ended: %v", err)
	}
}

// A process that this one did not start stays as a zombie until its own parent has waited for it, or has ended too.
func TestEndWaitsUntilTheParentHasNoticed(t *testing.T) {
	parent, pid := printed(t, "sleep 100 & echo $!; exec sleep 1")
	if err := machine.End(pid, 10*time.Second); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("the process is still listed")
	}
	_ = parent.Wait()
}
