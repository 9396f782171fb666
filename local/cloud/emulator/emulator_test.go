package emulator_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

func TestAProgramThatIsNotTheEmulatorIsReported(t *testing.T) {
	program, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	_, err = emulator.Start(context.Background(), program, t.TempDir(), "")
	if err == nil || !strings.Contains(err.Error(), "emulator: ended before it was ready: exit status 1") {
		t.Errorf("got %v", err)
	}
}
