package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// key is one cell of the tables.
type key struct {
	scenario, target string
	pinned           bool
}

// results holds every round.
type results struct {
	started time.Time
	rounds  int
	time    time.Duration
	load    string
	all     map[key][]measurement
}

func (r *results) add(scenario, target string, pinned bool, m measurement) {
	if r.all == nil {
		r.all = map[key][]measurement{}
	}
	k := key{scenario, target, pinned}
	r.all[k] = append(r.all[k], m)
}

// median of one figure over the rounds; ok is false where there was no round.
func (r *results) median(scenario, target string, pinned bool, figure func(measurement) float64) (float64, bool) {
	var values []float64
	for _, m := range r.all[key{scenario, target, pinned}] {
		values = append(values, figure(m))
	}
	return middle(values)
}

func middle(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, true
}

// ratio is the median of the rounds' ratios between two targets.
func (r *results) ratio(scenario, target, base string, pinned bool) (float64, bool) {
	a, b := r.all[key{scenario, target, pinned}], r.all[key{scenario, base, pinned}]
	var values []float64
	for i := range min(len(a), len(b)) {
		if b[i].rate > 0 {
			values = append(values, a[i].rate/b[i].rate)
		}
	}
	return middle(values)
}

func rate(m measurement) float64   { return m.rate }
func p50(m measurement) float64    { return ms(m.p50) }
func p99(m measurement) float64    { return ms(m.p99) }
func lost(m measurement) float64   { return float64(m.lost) }
func memory(m measurement) float64 { return m.memory }

var targetNames = []string{"direct", "pattern", "ours", "haproxy", "caddy"}

// rowNames has, beside them, what takes part in one scenario only.
var rowNames = append(slices.Clone(targetNames), "cache")

var titles = map[string]string{
	"direct": "direct", "pattern": "pattern's directives", "ours": "**ours**", "cache": "ours, answers kept 1 s", "haproxy": "HAProxy", "caddy": "Caddy",
}

// markdown is the generated part of docs/benchmark.md.
func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured on %s with %d CPUs (%s/%s); %d rounds of %v each, alternating; load average at the start %s.\n",
		r.started.UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, r.rounds, r.time, r.load)
	for _, pinned := range []bool{true, false} {
		if pinned {
			b.WriteString("\n### Pinned: application and proxy share one CPU, the load has the other\n")
		} else {
			b.WriteString("\n### Unpinned: everything shares both CPUs\n")
		}
		b.WriteString("\n| Load | Through | req/s | ÷ direct | ÷ pattern's | p50 ms | p99 ms | lost | MiB |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
		for _, sc := range scenarios {
			for _, t := range rowNames {
				r.row(&b, sc.name, sc.title, t, pinned)
			}
		}
		fmt.Fprintf(&b, "\n%d good requests a second, alone and with %d bad ones beside them:\n", goodRate, badRate)
		b.WriteString("\n| Through | good/s alone | good/s in the flood | kept | p99 ms alone | p99 ms in the flood | refused/s |\n|---|--:|--:|--:|--:|--:|--:|\n")
		for _, t := range targetNames {
			r.mixRow(&b, t, pinned)
		}
	}
	return b.String() + "\n"
}

func (r *results) row(b *strings.Builder, scenario, title, t string, pinned bool) {
	v, ok := r.median(scenario, t, pinned, rate)
	if !ok {
		return
	}
	direct, _ := r.ratio(scenario, t, "direct", pinned)
	pattern, _ := r.ratio(scenario, t, "pattern", pinned)
	m50, _ := r.median(scenario, t, pinned, p50)
	m99, _ := r.median(scenario, t, pinned, p99)
	cut, _ := r.median(scenario, t, pinned, lost)
	fmt.Fprintf(b, "| %s | %s | %.0f | %.2f | %.2f | %.1f | %.1f | %.0f | %s |\n", title, titles[t], v, direct, pattern, m50, m99, cut, r.memoryOf(scenario, t, pinned))
}

// memoryOf is empty where a process still holds what an earlier, larger load made
// it take: only the first loads, in rising order, say something.
func (r *results) memoryOf(scenario, t string, pinned bool) string {
	mem, ok := r.median(scenario, t, pinned, memory)
	if !ok || !pinned || !strings.HasPrefix(scenario, "small-") {
		return ""
	}
	return fmt.Sprintf("%.1f", mem)
}

func (r *results) mixRow(b *strings.Builder, t string, pinned bool) {
	alone, ok := r.median("alone", t, pinned, rate)
	if !ok {
		return
	}
	flood, _ := r.median("flood", t, pinned, rate)
	kept, _ := r.kept(t, pinned)
	a99, _ := r.median("alone", t, pinned, p99)
	f99, _ := r.median("flood", t, pinned, p99)
	refused, _ := r.median("flood-refused", t, pinned, rate)
	fmt.Fprintf(b, "| %s | %.0f | %.0f | %.0f %% | %.1f | %.1f | %.0f |\n", titles[t], alone, flood, 100*kept, a99, f99, refused)
}

// kept is the median of the rounds' shares of good traffic left in the flood.
func (r *results) kept(t string, pinned bool) (float64, bool) {
	a, b := r.all[key{"flood", t, pinned}], r.all[key{"alone", t, pinned}]
	var values []float64
	for i := range min(len(a), len(b)) {
		if b[i].rate > 0 {
			values = append(values, a[i].rate/b[i].rate)
		}
	}
	return middle(values)
}

// write puts the tables between the markers of benchmark.md and draws the plots.
func (r *results) write(dir string) error {
	path := filepath.Join(dir, "benchmark.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- begin results -->\n"), []byte("<!-- end results -->\n")
	i, j := bytes.Index(doc, begin), bytes.Index(doc, end)
	if i < 0 || j < i {
		return fmt.Errorf("%s: no markers for the results", path)
	}
	i += len(begin)
	doc = append(doc[:i:i], append([]byte(r.markdown()), doc[j:]...)...)
	if err := os.WriteFile(path, doc, 0o644); err != nil { //nolint:gosec // the folder is the caller's own
		return err
	}
	for name, svg := range map[string]string{"benchmark-throughput.svg": r.throughputPlot(), "benchmark-connections.svg": r.connectionsPlot()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}
