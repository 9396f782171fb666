package measure

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stage"
)

// cast is a stage with nothing running on it.
func cast(t *testing.T, names ...string) *stage.Stage {
	t.Helper()
	s := &stage.Stage{App: &stage.Target{Variant: opponent.Variant{Opponent: opponent.Direct}}}
	s.App.Opponent, _ = opponent.Find(opponent.Direct)
	for _, name := range names {
		base, rest, _ := strings.Cut(name, "-")
		v := opponent.Variant{Opponent: base, Socket: strings.Contains(rest, "socket"), TLS: strings.Contains(rest, "tls"), Cache: strings.Contains(rest, "cache"), Static: strings.Contains(rest, "static")}
		o, ok := opponent.Find(base)
		if !ok {
			t.Fatalf("%s: no such opponent", base)
		}
		s.Targets = append(s.Targets, &stage.Target{Variant: v, Opponent: o})
	}
	return s
}

func TestEachRowHasTheTargetsThatItIsAbout(t *testing.T) {
	s := cast(t, "ours", "ours-socket", "ours-tls", "ours-cache", "ours-static", "haproxy", "haproxy-socket", "haproxy-tls", "caddy-static", "pattern")
	for _, c := range []struct {
		row      string
		socket   bool
		bothCPUs bool
		want     string
	}{
		{"health", false, false, "direct ours haproxy pattern"},
		{"health", true, false, "direct ours-socket haproxy-socket pattern"}, // the pattern's way is a port
		{"small-64", false, false, "direct ours ours-socket haproxy haproxy-socket pattern"},
		{"small-64", false, true, "direct ours haproxy pattern"},
		{"small-64", true, true, "direct ours-socket haproxy-socket pattern"},
		{"tls", false, false, "ours-tls haproxy-tls"},
		{"small-9800", false, false, "direct ours ours-socket haproxy haproxy-socket pattern"},
		{"small-9800", true, false, "direct ours ours-socket haproxy haproxy-socket pattern"},
		{"cached", false, false, "direct ours ours-cache"},
		{"static", false, false, "direct ours-static caddy-static"},
		{"static", true, false, "direct ours-static caddy-static"},
	} {
		each, _ := row.Find(c.row)
		r := &run{Options: Options{Socket: c.socket}, stage: s}
		var got []string
		for _, target := range r.targets(each, c.bothCPUs) {
			got = append(got, target.Name())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestAnOpponentIsJudgedByTheWayThatTheRunIsAbout(t *testing.T) {
	r := &Results{Targets: []Target{{Name: "ours", Opponent: "ours"}, {Name: "ours-socket", Opponent: "ours", Socket: true}, {Name: "ours-tls", Opponent: "ours", TLS: true}, {Name: "ours-cache", Opponent: "ours", Socket: true, Cache: true}, {Name: "ours-static", Opponent: "ours", Static: true}, {Name: "pattern", Opponent: "pattern"}}}
	if got := r.Target("ours").Name; got != "ours" {
		t.Errorf("port: got %s", got)
	}
	r.Socket = true
	if got := r.Target("ours").Name; got != "ours-socket" {
		t.Errorf("socket: got %s", got)
	}
	if got := r.Target("pattern").Name; got != "pattern" {
		t.Errorf("without a socket: got %s", got)
	}
	if got := r.Target("nobody").Name; got != "" {
		t.Errorf("nobody: got %s", got)
	}
}

func TestFiguresAreTheSameAfterTheyWereKept(t *testing.T) {
	r := &Results{Rounds: 2, Most: 9800}
	c := r.cell("small-64", "ours", false)
	c.Rounds = append(c.Rounds, Measurement{Rate: 1, P99: 2.5}, Measurement{Rate: 3})
	c.Rounds[1].Lost.Cut = 4
	c.Logged = Logged{Wanted: 10, Written: 7}
	path := filepath.Join(t.TempDir(), "results.json")
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, %v, want %+v", got, err, r)
	}
	cell := got.Cell("small-64", "ours", false)
	if cell.Lost() != 4 || cell.Logged.Lost() != 3 || !reflect.DeepEqual(cell.Values(func(m Measurement) float64 { return m.Rate }), []float64{1, 3}) {
		t.Errorf("got %+v", cell)
	}
	if none := got.Cell("small-64", "ours", true); none != nil || none.Lost() != 0 || none.Values(nil) != nil {
		t.Errorf("not measured: got %+v", none)
	}
}

func TestConnectionsAreNoMoreThanTheMachineAllows(t *testing.T) {
	if got := Connections(64); got != 64 {
		t.Errorf("got %d", got)
	}
	if got := Connections(1 << 30); got != (stage.OpenFiles()-400)/2 {
		t.Errorf("got %d of %d open files", got, stage.OpenFiles())
	}
}

// Only what an interruption has left out is measured again, and only beside figures of the same kind.
func TestAnInterruptedRunGoesOnWithTheRowsThatAreMissing(t *testing.T) {
	fresh := func() *Results {
		return &Results{Rounds: 2, Window: time.Second, Started: time.Unix(2, 0), Targets: []Target{{Name: "direct", Version: "1"}, {Name: "ours", Version: "1"}}}
	}
	earlier := fresh()
	earlier.Started, earlier.Pace = time.Unix(1, 0), []float64{300}
	for _, name := range []string{"direct", "ours"} {
		earlier.cell("small-64", name, false).Rounds = make([]Measurement, 2)
	}
	earlier.cell("gzip", "ours", false).Rounds = make([]Measurement, 2)
	results := fresh()
	results.Targets = append(results.Targets, Target{Name: "ours-static", Version: "1", Static: true}) // added since
	if err := results.Continues(earlier); err != nil {
		t.Fatal(err)
	}
	r := &run{Options: Options{Rounds: 2, Window: time.Second}, stage: cast(t, "ours"), results: results}
	targets := append([]*stage.Target{r.stage.App}, r.stage.Targets...)
	for _, c := range []struct {
		row      string
		bothCPUs bool
		want     bool
	}{{"small-64", false, true}, {"small-64", true, false}, {"gzip", false, false}, {"post", false, false}} {
		if got := r.done(c.row, targets, c.bothCPUs); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
	if !results.Started.Equal(time.Unix(1, 0)) || len(results.Continued) != 1 || len(results.Pace) != 1 {
		t.Errorf("got %+v", results)
	}
	for what, change := range map[string]func(*Results){
		"rounds":  func(r *Results) { r.Rounds = 3 },
		"window":  func(r *Results) { r.Window = time.Minute },
		"way":     func(r *Results) { r.Socket = true },
		"version": func(r *Results) { r.Targets[1].Version = "2" },
		"proxies": func(r *Results) { r.Targets = r.Targets[:1] },
		"machine": func(r *Results) { r.Machine = "another" },
	} {
		other := fresh()
		change(other)
		if err := other.Continues(earlier); err == nil || len(other.Cells) > 0 {
			t.Errorf("another %s: got %v", what, err)
		}
	}
}

// Two targets, two rounds, 1.25 s and what is around it for each.
func TestTheEstimateCountsWhatIsLeft(t *testing.T) {
	results := &Results{Rounds: 2}
	r := &run{Options: Options{Rounds: 2, Window: time.Second, Rows: []string{"gzip"}}, stage: cast(t, "ours"), results: results}
	each := 1250*time.Millisecond + around(64)
	if got, want := r.estimate(), 2*2*2*each; got != want {
		t.Errorf("with its own CPU and with both: got %v, want %v", got, want)
	}
	for _, name := range []string{"direct", "ours"} {
		results.cell("gzip", name, false).Rounds = make([]Measurement, 2)
	}
	if got, want := r.estimate(), 2*2*each; got != want {
		t.Errorf("with one of them measured: got %v, want %v", got, want)
	}
}
