package measure

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
		v := opponent.Variant{Opponent: base, Socket: strings.Contains(rest, "socket"), TLS: strings.Contains(rest, "tls")}
		o, ok := opponent.Find(base)
		if !ok {
			t.Fatalf("%s: no such opponent", base)
		}
		s.Targets = append(s.Targets, &stage.Target{Variant: v, Opponent: o})
	}
	return s
}

func TestEachRowHasTheTargetsThatItIsAbout(t *testing.T) {
	s := cast(t, "ours", "ours-socket", "ours-tls", "haproxy", "haproxy-socket", "haproxy-tls", "pattern")
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
	r := &Results{Targets: []Target{{Name: "ours", Opponent: "ours"}, {Name: "ours-socket", Opponent: "ours", Socket: true}, {Name: "ours-tls", Opponent: "ours", TLS: true}, {Name: "pattern", Opponent: "pattern"}}}
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
