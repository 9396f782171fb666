// Package measure runs the rows over the targets, round by round.
//
// The order of the targets is drawn anew for each round, so that what else the
// machine does, and what one target leaves behind for the next, meets all alike.
package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/bench/cgroup"
	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stage"
	"fargate-nginx-sidecar/bench/stats"
)

// Options say how long and what.
type Options struct {
	Rounds   int
	Window   time.Duration // of one measurement
	Socket   bool          // the application listens on a Unix socket, where a row measures one way alone
	Rows     []string      // parts of rows' names; empty: all
	Earlier  *Results      // of an interrupted run, to be continued
	Progress func(format string, args ...any)
	// Save is called after each row, so that an interrupted run leaves something.
	Save func(*Results) error
}

// run is one whole measurement.
type run struct {
	Options
	stage   *stage.Stage
	results *Results
	order   *rand.Rand
}

// Names of the measurements that are no row of their own.
const (
	FloodAlone = "flood-alone"
	Flood      = "flood"
)

// PaceName is the name of a fixed rate, a part of the slowest's limit.
func PaceName(part float64) string { return fmt.Sprintf("pace-%.0f", 100*part) }

// Run measures everything into the results.
func Run(ctx context.Context, s *stage.Stage, results *Results, o Options) error {
	r := &run{Options: o, stage: s, results: results, order: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // an order, the same in each run
	results.Rounds, results.Window, results.Most, results.Socket = o.Rounds, o.Window, Connections(row.MostConnections), o.Socket
	for _, t := range append([]*stage.Target{s.App}, s.Targets...) {
		results.Targets = append(results.Targets, Target{t.Name(), t.Opponent.Name, t.Version, t.Socket, t.TLS, t.Cache, t.Static})
	}
	if o.Earlier != nil {
		if err := results.Continues(o.Earlier); err != nil {
			return err
		}
	}
	o.Progress("measuring takes about %v", r.estimate().Round(time.Minute))
	for _, bothCPUs := range []bool{false, true} {
		if err := s.Pin(ctx, !bothCPUs); err != nil {
			return err
		}
		for _, each := range row.All {
			if !r.wanted(each.Name) || (bothCPUs && !each.BothCPUs) {
				continue
			}
			if err := r.row(ctx, each, bothCPUs); err != nil {
				return fmt.Errorf("%s: %w", each.Name, err)
			}
		}
		if !bothCPUs {
			if err := r.fixedRates(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) wanted(name string) bool {
	return len(r.Rows) == 0 || slices.ContainsFunc(r.Rows, func(part string) bool { return strings.Contains(name, part) })
}

// Connections is what a row asks for, as far as the limit on open files allows:
// a proxy needs two for each client.
func Connections(wanted int) int { return min(wanted, (stage.OpenFiles()-400)/2) }

// targets are those that take part in a row.
func (r *run) targets(each row.Row, bothCPUs bool) []*stage.Target {
	var list []*stage.Target
	if each.For(r.stage.App.Opponent) {
		list = append(list, r.stage.App)
	}
	for _, t := range r.stage.Targets {
		if !each.For(t.Opponent) || each.TLS != t.TLS || each.Static != t.Static || (t.Cache && !each.Cached) {
			continue
		}
		// A target with TLS, a cache or files is there once, with the way that the run is about.
		if each.TLS || t.Cache || t.Static || t.Socket == r.Socket || (!bothCPUs && slices.Contains(each.BothWays, t.Opponent.Name)) || !r.otherWay(t) {
			list = append(list, t)
		}
	}
	return list
}

// otherWay reports whether a target's opponent is on the stage with the way that
// the run is about.
func (r *run) otherWay(t *stage.Target) bool {
	return slices.ContainsFunc(r.stage.Targets, func(o *stage.Target) bool {
		return o.Opponent.Name == t.Opponent.Name && !o.TLS && !o.Cache && !o.Static && o.Socket == r.Socket
	})
}

// row measures one row.
func (r *run) row(ctx context.Context, each row.Row, bothCPUs bool) error {
	each.Connections = Connections(each.Connections)
	if each.CPUs > 0 {
		if err := r.stage.Limit(each.CPUs); err != nil {
			return err
		}
		defer func() { _ = r.stage.Limit(0) }()
	}
	shape := func(t *stage.Target) []load.Stream { return []load.Stream{each.Stream(t.Opponent)} }
	if err := r.rounds(ctx, each.Name, r.targets(each, bothCPUs), bothCPUs, each.Silent, shape); err != nil {
		return err
	}
	if each.Afresh {
		return r.stage.Afresh(ctx)
	}
	return nil
}

// fixedRates times answers at rates that all can keep, and good requests beside
// a flood of bad ones.
func (r *run) fixedRates(ctx context.Context) error {
	small, _ := row.Find(row.Paces.Of)
	targets := r.targets(row.Row{}, true)
	slowest := 0.0
	for _, t := range targets {
		rate := stats.Of(r.results.Cell(small.Name, t.Name(), false).Values(func(m Measurement) float64 { return m.Rate })).Median
		if rate > 0 && (slowest == 0 || rate < slowest) {
			slowest = rate
		}
	}
	if slowest > 0 {
		for i, part := range row.Paces.Parts {
			rate := slowest * part
			if i == len(r.results.Pace) {
				r.results.Pace = append(r.results.Pace, rate)
			}
			shape := func(t *stage.Target) []load.Stream {
				stream := small.Stream(t.Opponent)
				stream.Rate = rate
				return []load.Stream{stream}
			}
			if err := r.rounds(ctx, PaceName(part), targets, false, false, shape); err != nil {
				return err
			}
		}
	}
	if !r.wanted(Flood) {
		return nil
	}
	good := small
	good.Connections = row.Flood.Connections
	bad := row.Row{Path: row.Flood.BadPath, Connections: row.Flood.Connections, Want: 404}
	for _, name := range []string{FloodAlone, Flood} {
		shape := func(t *stage.Target) []load.Stream {
			streams := []load.Stream{good.Stream(t.Opponent)}
			streams[0].Rate = row.Flood.Good
			if name == Flood {
				streams = append(streams, bad.Stream(t.Opponent))
				streams[1].Rate = row.Flood.Bad
			}
			return streams
		}
		if err := r.rounds(ctx, name, targets, false, false, shape); err != nil {
			return err
		}
	}
	return nil
}

// rounds measures targets in turns.
func (r *run) rounds(ctx context.Context, name string, targets []*stage.Target, bothCPUs, silent bool, shape func(*stage.Target) []load.Stream) error {
	if r.done(name, targets, bothCPUs) {
		r.Progress("%-11s %-4s measured already", name, cpus(bothCPUs))
		return nil
	}
	before, err := r.stage.Streams()
	if err != nil {
		return err
	}
	for round := range r.Rounds {
		for _, i := range r.order.Perm(len(targets)) {
			t := targets[i]
			m, responses, err := r.once(ctx, t, r.job(t, shape(t)))
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name(), err)
			}
			c := r.results.cell(name, t.Name(), bothCPUs)
			c.Rounds = append(c.Rounds, m)
			if t.Opponent.Logs && !silent {
				c.Logged.Wanted += responses
			}
			r.Progress("%-11s %-4s %2d/%d  %-14s %8.0f/s  %6.1f + %6.1f µs  busy %3.0f %%  p50 %7.2f ms  p99 %8.2f ms  lost %d", name,
				cpus(bothCPUs), round+1, r.Rounds, t.Name(), m.Rate, m.ProxyCPU, m.AppCPU, 100*m.TaskBusy, m.P50, m.P99, m.Lost.Total())
		}
	}
	if err := r.logged(name, targets, bothCPUs, before); err != nil {
		return err
	}
	return r.Save(r.results)
}

func cpus(both bool) string {
	if both {
		return "both"
	}
	return "own"
}

// done reports whether all targets have all rounds of a row, from an earlier run.
func (r *run) done(name string, targets []*stage.Target, bothCPUs bool) bool {
	return !slices.ContainsFunc(targets, func(t *stage.Target) bool { return !r.results.done(name, t.Name(), bothCPUs) })
}

// around is what a measurement takes beside its warm-up and its window: to open the
// connections, and to wait for the last answers.
func around(connections int) time.Duration {
	if connections > 1000 {
		return 4 * time.Second
	}
	return 100 * time.Millisecond
}

// estimate is how long the rest of the run takes, without stragglers.
func (r *run) estimate() time.Duration {
	var total time.Duration
	add := func(name string, targets []*stage.Target, bothCPUs bool, connections int, paced bool) {
		if !r.done(name, targets, bothCPUs) {
			warm, window := r.times(connections, paced)
			total += time.Duration(r.Rounds*len(targets)) * (warm + window + around(connections))
		}
	}
	for _, each := range row.All {
		if r.wanted(each.Name) {
			add(each.Name, r.targets(each, false), false, each.Connections, false)
			if each.BothCPUs {
				add(each.Name, r.targets(each, true), true, each.Connections, false)
			}
		}
	}
	targets := r.targets(row.Row{}, true)
	if r.wanted(row.Paces.Of) {
		for _, part := range row.Paces.Parts {
			add(PaceName(part), targets, false, 0, true)
		}
	}
	if r.wanted(Flood) {
		add(FloodAlone, targets, false, 0, true)
		add(Flood, targets, false, 0, true)
	}
	return total
}

// job is one measurement.
func (r *run) job(t *stage.Target, streams []load.Stream) load.Job {
	job := load.Job{Address: t.Address(), TLS: t.TLS, Drain: 20 * time.Second, Streams: streams}
	job.Warm, job.Window = r.times(streams[0].Connections, streams[0].Rate > 0)
	return job
}

// times are warm-up and window. Many connections take their time to open, and the
// application takes one new connection for each turn of its event loop: then the
// first seconds are not like the others.
func (r *run) times(connections int, paced bool) (warm, window time.Duration) {
	switch {
	case connections > 1000:
		return max(r.Window, 2*time.Second), max(r.Window, 3*time.Second)
	case connections > 100:
		return max(r.Window, time.Second), max(r.Window, time.Second)
	case paced:
		return r.Window / 4, max(r.Window, time.Second) // for a p99 of enough answers
	}
	return r.Window / 4, r.Window
}

// once measures one target, and returns how many responses there were in all.
func (r *run) once(ctx context.Context, t *stage.Target, job load.Job) (Measurement, int, error) {
	groups := []cgroup.Group{r.stage.App.Group()}
	if t.Opponent.Name != opponent.Direct {
		groups = append(groups, t.Group())
	}
	w := newWatch(groups...)
	job.Counters = w.counters()
	results, err := r.stage.Load(ctx, job, w.moment)
	if err == nil {
		err = w.err
	}
	if err != nil {
		return Measurement{}, 0, err
	}
	appCPU, proxyCPU := w.used[0], w.used[1]
	first := results[0]
	answers := 0
	responses := 0
	for _, stream := range results {
		answers += stream.Answers
		responses += stream.Responses
	}
	m := Measurement{
		Rate: float64(first.Answers) / first.Window.Seconds(), TaskBusy: (proxyCPU + appCPU).Seconds() / first.Window.Seconds(),
		P50: ms(first.P50), P99: ms(first.P99), P999: ms(first.P999), Memory: float64(w.highest) / (1 << 20), Lost: first.Lost, Cipher: first.Cipher,
	}
	if answers > 0 {
		m.ProxyCPU, m.AppCPU = us(proxyCPU)/float64(answers), us(appCPU)/float64(answers)
	}
	if first.Answers > 0 {
		m.Bytes = float64(first.Bytes) / float64(first.Answers)
	}
	if len(results) > 1 {
		m.RefusedRate = float64(results[1].Answers) / results[1].Window.Seconds()
	}
	return m, responses, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// flushTime is more than any proxy here keeps its log lines for.
const flushTime = 10 * time.Second

// logged counts the lines that came while the row ran, once they have all come or
// have had the time to.
func (r *run) logged(name string, targets []*stage.Target, bothCPUs bool, before map[string]written) error {
	until := time.Now().Add(flushTime)
	for {
		now, err := r.stage.Streams()
		if err != nil {
			return err
		}
		missing := false
		for _, t := range targets {
			c := r.results.cell(name, t.Name(), bothCPUs)
			if c.Logged.Wanted > 0 {
				pipe := t.Name() + ".out"
				c.Logged.Written = now[pipe].Lines - before[pipe].Lines
				missing = missing || c.Logged.Lost() > 0
			}
		}
		if !missing || time.Now().After(until) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}
