package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/plot"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stats"
)

// sample has rounds in which HAProxy takes 20 % more CPU than ours, Caddy twice
// as much, and the pattern as much, give or take.
func sample(rounds int) *measure.Results {
	factor := map[string]float64{opponent.Direct: 0, opponent.Ours: 1, opponent.Published: 1, "haproxy": 1.2, "caddy": 2}
	r := &measure.Results{Started: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Machine: "2 × test", Rounds: rounds, Window: time.Second, Most: 9800, Pace: []float64{300, 500, 700}}
	names := []string{measure.PaceName(0.3), measure.PaceName(0.5), measure.PaceName(0.7), measure.FloodAlone, measure.Flood}
	for _, each := range row.All {
		names = append(names, each.Name)
	}
	for _, o := range opponent.All {
		f, ok := factor[o.Name]
		if !ok {
			continue
		}
		r.Targets = append(r.Targets, measure.Target{Name: o.Name, Opponent: o.Name, Version: "1.2.3"})
		for _, name := range names {
			for _, both := range []bool{false, true} {
				c := measure.Cell{Row: name, Target: o.Name, BothCPUs: both, Logged: measure.Logged{Wanted: 100, Written: 100}}
				for i := range rounds {
					noise := 1 + 0.01*float64(i%3-1)
					if o.Name == opponent.Published {
						noise = 1 + 0.3*float64(i%3-1)
					}
					c.Rounds = append(c.Rounds, measure.Measurement{Rate: 1000 * noise / max(f, 0.5), ProxyCPU: 50 * f * noise, AppCPU: 30, P50: 1, P99: 2, P999: 3, Bytes: 4000, Memory: 15})
				}
				r.Cells = append(r.Cells, c)
			}
		}
	}
	r.Contracts = map[string]contract.Report{
		opponent.Ours: {Attacks: 100},
		"caddy":       {Attacks: 100, Outside: 7, Failed: []contract.Failure{{Demand: "passes WebSockets on"}}},
	}
	return r
}

// line is the first line of a text that has all the words.
func line(t *testing.T, text string, words ...string) string {
	t.Helper()
next:
	for _, l := range strings.Split(text, "\n") {
		for _, w := range words {
			if !strings.Contains(l, w) {
				continue next
			}
		}
		return l
	}
	t.Errorf("no line with %q in\n%s", words, text)
	return ""
}

func ratioOf(r *measure.Results, a, b string) stats.Interval {
	return stats.Ratio(r.Cell("small-64", a, false).Values(proxyCPU), r.Cell("small-64", b, false).Values(proxyCPU))
}

func section(t *testing.T, text, title string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n### "+title+"\n")
	if !ok {
		t.Fatalf("no section %q in\n%s", title, text)
	}
	rest, _, _ = strings.Cut(rest, "\n### ")
	return rest
}

func TestEveryTableNamesVersionsIntervalsAndWhatIsLevel(t *testing.T) {
	r := sample(10)
	r.Cell("small-64", "caddy", false).Logged.Written = 90
	r.Cell("small-64", "caddy", false).Rounds[3].Lost.Cut = 5
	for i := range r.Cell("health", "caddy", false).Rounds {
		r.Cell("health", "caddy", false).Rounds[i] = measure.Measurement{}
	}
	r.Cell("small-64", "haproxy", false).Rounds[2] = measure.Measurement{} // on a busy machine
	text := Markdown(r)
	if got := line(t, section(t, text, "Health page, 64 connections"), "Caddy"); !strings.Contains(got, "| fails 1 | – | – | – | none | – |") {
		t.Errorf("without an answer: got %s", got)
	}
	small := section(t, text, "Small answer, 64 connections")
	for words, want := range map[string]string{
		"**ours** 1.2.3":       "| all | 50.0 (49.5–50.5) |  | 30.0 |",
		"HAProxy 1.2.3":        "| – | 60.0 (59.4–60.6) | 1.20 × (1.20–1.20) |",
		"pattern's directives": "| level |",
		"Caddy 1.2.3":          "| fails 1 | 100 (99.0–101) | 2.00 × (2.00–2.00) |",
		"direct 1.2.3":         "| – | – | – | 30.0 |",
	} {
		if got := line(t, small, words); !strings.Contains(got, want) {
			t.Errorf("got %s\nwant in it %s", got, want)
		}
	}
	if got := line(t, small, "Caddy"); !strings.HasSuffix(got, "| 5 | 10 | 15.0 |") {
		t.Errorf("lost requests, lost lines and memory: got %s", got)
	}
	for _, each := range row.All {
		title := strings.ReplaceAll(each.Title, "%d", "9800")
		if got := section(t, text, title); strings.Count(got, "1.2.3") != len(r.Targets) {
			t.Errorf("%s: got %s", title, got)
		}
	}
	if got := line(t, text, "[haproxy.cfg](../bench/opponent/config/haproxy.cfg)"); !strings.HasPrefix(got, "| HAProxy 1.2.3 | ") {
		t.Errorf("opponents: got %s", got)
	}
	if got := line(t, text, "passes WebSockets on"); got != "| passes WebSockets on | yes | no |" {
		t.Errorf("contract: got %s", got)
	}
	if got := line(t, text, "reached the application outside"); !strings.HasSuffix(got, "| 0 of 100 | 7 of 100 |") {
		t.Errorf("attacks: got %s", got)
	}
}

func TestAGoalIsMetOnlyByItsWholeInterval(t *testing.T) {
	r := sample(10)
	text := section(t, Markdown(r), "Goals")
	for words, want := range map[string]string{
		"small answers ≥ 1.25":         "not met: 1.20",
		"CPU of a refused path ≤ 0.75": "not met: 0.83",
		"CPU of a health page":         "met: 0.83",
		"compressed answers":           "met: 1.20",
		"bytes of a compressed":        "met: 1.00",
		"512 connections | met":        "met: 0 lost",
		"no log line lost":             "met: 0 lost",
		"in no row more CPU":           "| met |",
	} {
		if got := line(t, text, words); !strings.Contains(got, "| "+strings.TrimPrefix(want, "| ")) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// The pattern's rounds lie between 0.7 and 1.3 of ours.
	if got := (goal{atLeast: 1}).verdict(ratioOf(r, opponent.Ours, opponent.Published)); !strings.HasPrefix(got, "not decided") {
		t.Errorf("got %s", got)
	}
	for i := range r.Cell("refused", "haproxy", false).Rounds {
		r.Cell("refused", "haproxy", false).Rounds[i].ProxyCPU = 10
	}
	if got := line(t, section(t, Markdown(r), "Goals"), "in no row more CPU"); !strings.Contains(got, "not met: refused, HAProxy 1.2.3: 5.00") {
		t.Errorf("got %s", got)
	}
}

func TestTooFewRoundsSaySo(t *testing.T) {
	text := Markdown(sample(3))
	if got := line(t, section(t, text, "Goals"), "small answers ≥ 2.2"); !strings.Contains(got, "too few rounds") {
		t.Errorf("got %s", got)
	}
	if got := line(t, section(t, text, "Small answer, 64 connections"), "HAProxy"); !strings.Contains(got, "too few rounds") || strings.Contains(got, "(") {
		t.Errorf("got %s", got)
	}
}

func TestTheDocumentGetsItsTablesAndPicturesAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "benchmark.md")
	if err := os.WriteFile(path, []byte("# Before\n"+begin+"old\n"+end+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var before string
	for i := range 2 {
		if err := Write(sample(10), dir); err != nil {
			t.Fatal(err)
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(doc)
		if strings.Contains(text, "old\n") || !strings.HasPrefix(text, "# Before\n"+begin) || !strings.HasSuffix(text, end+"after\n") || (i > 0 && text != before) {
			t.Errorf("got\n%s", text)
		}
		before = text
	}
	for _, p := range plot.All {
		svg, err := os.Open(filepath.Join(dir, p.File))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := elements(svg); err != nil || n < 40 {
			t.Errorf("%s: %d elements, %v", p.File, n, err)
		}
		_ = svg.Close()
		if !strings.Contains(before, fmt.Sprintf("![%s](%s)", p.Title, p.File)) {
			t.Errorf("%s: not in the document", p.File)
		}
	}
	if err := os.WriteFile(path, []byte("# No markers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(sample(3), dir); err == nil {
		t.Error("no markers, and no error")
	}
}

// elements counts, and fails on what is no XML or no number.
func elements(r io.Reader) (n int, err error) {
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if e, ok := token.(xml.StartElement); ok {
			n++
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					return n, fmt.Errorf("%s: %s", a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestAPictureOfNothingIsStillAPicture(t *testing.T) {
	for _, p := range plot.All {
		if _, err := elements(strings.NewReader(p.Draw(&measure.Results{}))); err != nil {
			t.Errorf("%s: %v", p.File, err)
		}
	}
}

// The pattern's directives and the application itself have no socket.
func TestOursIsComparedWithTheSameWayAndOtherwiseWithTheWayOfTheRun(t *testing.T) {
	r := &measure.Results{}
	for _, o := range []string{opponent.Direct, opponent.Ours, opponent.Published, "haproxy"} {
		r.Targets = append(r.Targets, measure.Target{Name: o, Opponent: o})
		if o == opponent.Ours || o == "haproxy" {
			r.Targets = append(r.Targets, measure.Target{Name: o + "-socket", Opponent: o, Socket: true}, measure.Target{Name: o + "-tls", Opponent: o, TLS: true})
		}
	}
	r.Targets = append(r.Targets, measure.Target{Name: "ours-cache", Opponent: opponent.Ours, Cache: true},
		measure.Target{Name: "ours-static", Opponent: opponent.Ours, Static: true}, measure.Target{Name: "caddy-static", Opponent: "caddy", Static: true})
	for _, c := range []struct {
		socket       bool
		target, want string
	}{
		{false, "direct", "ours"},
		{false, "pattern", "ours"},
		{false, "haproxy", "ours"},
		{false, "haproxy-socket", "ours-socket"},
		{false, "haproxy-tls", "ours-tls"},
		{false, "ours-cache", "ours"},
		{false, "caddy-static", "ours-static"},
		{true, "caddy-static", "ours-static"},
		{true, "direct", "ours-socket"},
		{true, "pattern", "ours-socket"},
		{true, "haproxy", "ours"},
		{true, "haproxy-socket", "ours-socket"},
		{true, "haproxy-tls", "ours-tls"},
	} {
		r.Socket = c.socket
		for _, target := range r.Targets {
			if got := oursBeside(r, target); target.Name == c.target && got != c.want {
				t.Errorf("%+v: got %s", c, got)
			}
		}
	}
}
