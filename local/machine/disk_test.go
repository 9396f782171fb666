package machine_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

func TestAFullDiskIsReportedWithFigures(t *testing.T) {
	here := t.TempDir()
	later := filepath.Join(here, "not", "there yet")
	few := machine.Space{For: "images", Dir: here, Need: 1, Else: "move them"}
	if err := machine.CheckSpace(few, few); err != nil {
		t.Errorf("two bytes: %v", err)
	}
	err := machine.CheckSpace(few, machine.Space{For: "tools", Dir: later, Need: 1 << 61, Else: "set TOOLS"}, machine.Space{For: "cache", Dir: here, Need: 1 << 61, Else: "set CACHE"})
	if err == nil {
		t.Fatal("no disk is as large as that")
	}
	for _, want := range []string{
		"disk: ", " GB free, 4611686018.4 GB needed: 0.0 GB for images in " + here, // the sum, on one file system
		"2305843009.2 GB for tools in " + later + ", 2305843009.2 GB for cache in " + here + "; free some (move them; set TOOLS; set CACHE)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("one file system, more than one line: %v", err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if err := machine.CheckSpace(few, machine.Space{For: "processes", Dir: "/proc", Need: 1, Else: "none"}); err == nil || !strings.Contains(err.Error(), "disk: 0.0 GB free, 0.0 GB needed: 0.0 GB for processes in /proc") {
		t.Errorf("another file system, which is full: %v", err)
	}
}
