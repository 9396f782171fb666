package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const wrkReport = `Running 8s test @ http://127.0.0.1:8081/api/users/1
  1 threads and 9800 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   191.28ms  278.98ms   3.73s    95.20%
    Req/Sec     3.93k     1.79k    7.05k    63.27%
  Latency Distribution
     50%  112.79ms
     75%  213.32ms
     90%  312.37ms
     99%    1.30s 
  20000 requests in 8.00s, 3.47MB read
  Socket errors: connect 1, read 20, write 3, timeout 4
  Non-2xx or 3xx responses: 5000
Requests/sec:   2500.00
Transfer/sec:    442.10KB
`

func TestOnlyAnswersOfTheRightKindCount(t *testing.T) {
	m, err := parseWrk(wrkReport, true)
	if err != nil {
		t.Fatal(err)
	}
	if m.rate != 1875 || m.lost != 5028 || m.p50 != 112790*time.Microsecond || m.p99 != 1300*time.Millisecond {
		t.Errorf("got %+v, want three quarters of 2,500 and 28 + 5,000 lost", m)
	}
	m, err = parseWrk(wrkReport, false)
	if err != nil || m.rate != 625 || m.lost != 15028 {
		t.Errorf("where errors are wanted: got %+v, %v, want a quarter", m, err)
	}
	if _, err := parseWrk("unable to connect to 127.0.0.1:1 Connection refused", true); err == nil {
		t.Error("a report without a rate is no error")
	}
}

func sample() *results {
	r := &results{rounds: 3, time: time.Second}
	for _, pinned := range []bool{true, false} {
		for round := range 3 {
			for i, t := range targetNames {
				for _, sc := range scenarios {
					r.add(sc.name, t, pinned, measurement{rate: float64(100 * (i + 1) * (round + 1)), p50: time.Millisecond, p99: 2 * time.Millisecond, memory: 10})
				}
				r.add("alone", t, pinned, measurement{rate: 500})
				r.add("flood", t, pinned, measurement{rate: 450})
			}
		}
	}
	return r
}

func TestARatioIsTheMedianOfTheRoundsRatios(t *testing.T) {
	r := sample()
	// One round in which the whole machine was slow changes neither.
	r.add("small-64", "direct", true, measurement{rate: 1})
	r.add("small-64", "ours", true, measurement{rate: 3})
	if got, ok := r.ratio("small-64", "ours", "direct", true); !ok || got != 3 {
		t.Errorf("got %v, want 3", got)
	}
	if got, _ := r.kept("ours", true); got != 0.9 {
		t.Errorf("kept: got %v, want 0.9", got)
	}
}

func TestTheDocumentGetsItsTablesAndPlots(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "benchmark.md")
	if err := os.WriteFile(path, []byte("# Before\n<!-- begin results -->\nold\n<!-- end results -->\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // writing twice gives the same
		if err := sample().write(dir); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	if strings.Contains(text, "old") || !strings.HasPrefix(text, "# Before\n") || !strings.HasSuffix(text, "<!-- end results -->\nafter\n") ||
		strings.Count(text, "| **ours** |") != 2*(len(scenarios)+1) {
		t.Errorf("got\n%s", text)
	}
	for _, name := range []string{"benchmark-throughput.svg", "benchmark-connections.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(svg), "<svg ") || strings.Contains(string(svg), "NaN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
