package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
)

// From the Dockerfiles to the table: images, namespace, contract, pipes, load,
// counters. No assertion is about how long anything took.
func TestOneRowFromImageToTable(t *testing.T) {
	if err := exec.Command("docker", "version").Run(); err != nil || os.Geteuid() != 0 { //nolint:noctx // ends at once
		t.Skip("needs root and a Docker engine")
	}
	results, err := measured(t.Context(), options{
		rounds: 2, window: 300 * time.Millisecond, app: "port", rows: "refused,websocket,cached,static", opponents: "direct,ours,pattern",
		results: filepath.Join(t.TempDir(), "results.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if failed := results.Contracts[opponent.Ours].Failed; len(failed) > 0 {
		t.Errorf("the sidecar fails its own contract: %+v", failed)
	}
	if failed := results.Contracts[opponent.Published].Failed; len(failed) < 5 {
		t.Errorf("the pattern's directives fail: %+v", failed)
	}
	for _, c := range []struct {
		row, target string
		bothCPUs    bool
		logs        bool
	}{
		{"refused", opponent.Direct, false, false},
		{"refused", opponent.Ours, false, true},
		{"refused", opponent.Ours, true, true},
		{"refused", opponent.Published, false, true},
		{"websocket", opponent.Direct, false, false},
		{"websocket", opponent.Ours, false, false},
		{"static", opponent.Direct, false, false},
		{"static", "ours-static", false, true},
	} {
		cell := results.Cell(c.row, c.target, c.bothCPUs)
		if cell == nil || len(cell.Rounds) != 2 {
			t.Fatalf("%+v: got %+v, want two rounds", c, cell)
		}
		if cell.Lost() > 0 {
			t.Errorf("%+v: lost %+v", c, cell.Rounds)
		}
		m := better(cell)
		proxy := c.target != opponent.Direct
		if m.Rate <= 0 || proxy != (m.ProxyCPU > 0) || (!proxy && m.AppCPU <= 0) || m.P50 <= 0 || m.P99 < m.P50 || m.Memory <= 0 {
			t.Errorf("%+v: got %+v", c, m)
		}
		if c.logs != (cell.Logged.Wanted > 0) || cell.Logged.Lost() > 0 {
			t.Errorf("%+v: log lines: %+v", c, cell.Logged)
		}
	}
	// The application serves no compressed form, and a file that the sidecar serves does not reach it.
	direct, ours := better(results.Cell("static", opponent.Direct, false)), better(results.Cell("static", "ours-static", false))
	if direct.Bytes < 20_000 || ours.Bytes > direct.Bytes/2 || ours.AppCPU > direct.AppCPU/10 {
		t.Errorf("a file: directly %+v, through the sidecar %+v", direct, ours)
	}
	// What is kept does not reach the application, but for one request a second.
	appCPU := func(target string) float64 {
		cell := results.Cell("cached", target, false)
		if cell == nil || len(cell.Rounds) != 2 || cell.Lost() > 0 {
			t.Fatalf("cached, %s: got %+v", target, cell)
		}
		return min(cell.Rounds[0].AppCPU, cell.Rounds[1].AppCPU)
	}
	if kept, asked := appCPU("ours-cache"), appCPU(opponent.Ours); kept > asked/2 {
		t.Errorf("the application takes %.1f µs an answer with the cache, %.1f without", kept, asked)
	}
	for _, target := range results.Targets {
		if !strings.Contains(target.Version, ".") {
			t.Errorf("%s: version: got %q", target.Name, target.Version)
		}
	}
}

// better is one of two rounds: on a machine that does much else, the other may have had no answer in its window.
func better(cell *measure.Cell) measure.Measurement {
	if cell.Rounds[1].Rate > cell.Rounds[0].Rate {
		return cell.Rounds[1]
	}
	return cell.Rounds[0]
}

func TestWhatIsNoOpponentIsNamed(t *testing.T) {
	_, err := chosen("ours,apache")
	if err == nil || !strings.Contains(err.Error(), "-opponents: got apache, allowed: direct, ours,") {
		t.Errorf("got %v", err)
	}
}
