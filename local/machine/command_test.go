package machine_test

import (
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

func TestAFullDiskIsReportedWithFigures(t *testing.T) {
	err := machine.CheckSpace(t.TempDir(), 1<<62)
	if err == nil || !strings.Contains(err.Error(), "4611686018 GB needed; free some, or set XDG_CACHE_HOME") {
		t.Fatalf("got %v", err)
	}
	err = machine.Run(t.Context(), "sh", "-c", "echo 'write: No space left on device' >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "disk full; free some space") {
		t.Fatalf("got %v", err)
	}
}

func TestAFailedCommandShowsItsLastLines(t *testing.T) {
	err := machine.Run(t.Context(), "sh", "-c", "seq 1 40; echo E: broken packages >&2; exit 3")
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if !strings.Contains(text, "exit status 3") || !strings.Contains(text, "E: broken packages") || strings.Contains(text, "\n  20\n") {
		t.Fatalf("got %s", text)
	}
}
