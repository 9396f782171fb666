// Command bench measures the sidecar beside its alternatives, in one go: the
// application directly, the directives that AWS's pattern documents, ours,
// HAProxy and Caddy doing the same job.
//
// Everything runs in one network namespace of its own, over its loopback, on
// this machine: Linux, root, Docker, and wrk, haproxy and caddy from packages
// (installed with apt-get where they are missing). Rounds alternate over all
// targets, so that what else the machine does meets each of them; a row's
// figures are medians, a ratio is the median of the rounds' own ratios. It
// measures everything twice: pinned, with application and proxy sharing one CPU
// and the load on another, and unpinned.
//
//	go run . [-rounds 5] [-time 2s] [-only small-64] [-out ../docs]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// scenario is one kind of load.
type scenario struct {
	name        string
	title       string
	path        string
	header      string
	connections int
	status2xx   bool // answers are 2xx; otherwise 4xx
	noApp       bool // the proxies answer it without the application
}

var scenarios = []scenario{
	{"small-64", "small text, 64 connections", "/api/users/1", "", 64, true, false},
	{"small-512", "small text, 512 connections", "/api/users/1", "", 512, true, false},
	{"small-10000", "", "/api/users/1", "", 10000, true, false}, // as many of them as openFiles lets
	{"gzip-64", "20 kB JSON, gzip, 64 connections", "/api/big", "Accept-Encoding: gzip", 64, true, false},
	{"health-64", "health page, 64 connections", "/", "", 64, true, true},
	{"rejected-64", "rejected path, 64 connections", "/web/phpmyadmin", "", 64, false, true},
}

type options struct {
	rounds int
	time   time.Duration
	only   string
	out    string
	skip   string
}

func main() {
	if spec := os.Getenv("BENCH_MIX"); spec != "" {
		if err := asLoad(spec); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds over all targets, for each scenario")
	flag.DurationVar(&o.time, "time", 2*time.Second, "how long each measurement lasts")
	flag.StringVar(&o.only, "only", "", "only scenarios whose name contains this; writes no document")
	flag.StringVar(&o.out, "out", filepath.Join("..", "docs"), "where benchmark.md and its plots are")
	flag.StringVar(&o.skip, "skip", "", "leave out: pinned or unpinned")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	s, err := newStage(ctx, root)
	if err != nil {
		return err
	}
	defer s.close()
	for i := range scenarios {
		if scenarios[i].name == "small-10000" {
			scenarios[i].connections = min(10000, (openFiles()-400)/2)
			scenarios[i].title = fmt.Sprintf("small text, %d connections", scenarios[i].connections)
		}
	}
	res := &results{started: time.Now(), rounds: o.rounds, time: o.time, load: loadAverage()}
	for _, pinned := range []bool{true, false} {
		if (o.skip == "pinned" && pinned) || (o.skip == "unpinned" && !pinned) {
			continue
		}
		if err := s.pin(pinned); err != nil {
			return err
		}
		for _, sc := range scenarios {
			if !strings.Contains(sc.name, o.only) {
				continue
			}
			if err := measure(ctx, s, res, sc, pinned, o); err != nil {
				return err
			}
		}
		if o.only == "" || o.only == "mix" {
			if err := measureMix(ctx, s, res, pinned, o); err != nil {
				return err
			}
		}
	}
	fmt.Print(res.markdown())
	if o.only != "" || o.skip != "" {
		return nil
	}
	return res.write(o.out)
}

// measure runs one scenario: a short warm-up for each target, then the rounds.
func measure(ctx context.Context, s *stage, res *results, sc scenario, pinned bool, o options) error {
	length := o.time
	if sc.connections > 100 {
		// Opening them takes seconds, and Node takes one new connection for each
		// turn of its event loop: the first second is not like the others.
		length = max(length, 6*time.Second)
	}
	targets := s.of(sc.name)
	for _, t := range targets {
		if _, err := s.wrk(ctx, t, sc, time.Second); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		for _, t := range targets {
			m, err := s.wrk(ctx, t, sc, length)
			if err != nil {
				return err
			}
			res.add(sc.name, t.name, pinned, m)
			fmt.Fprintf(os.Stderr, "%-8s %-12s round %d  %-8s %8.0f req/s  p50 %7.2f ms  p99 %8.2f ms  lost %d  %5.1f MiB\n",
				how(pinned), sc.name, round+1, t.name, m.rate, ms(m.p50), ms(m.p99), m.lost, m.memory)
		}
	}
	return nil
}

func how(pinned bool) string {
	if pinned {
		return "pinned"
	}
	return "unpinned"
}

// openFiles is this machine's hard limit. A proxy needs two for each client.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Max, 1<<20)) //nolint:gosec // capped
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
