// Command bench measures the sidecar beside other proxies that do the same job,
// and writes the tables and plots of docs/benchmark.md from one run. It needs
// Linux, root, two CPUs and Docker.
//
//	go run .                     the published run: every row, 10 rounds
//	go run . -continue           goes on with it after an interruption
//	go run . -quick              a rough look; writes no document
//	go run . -rows small,gzip    these rows alone; writes no document
//	go run . -report FILE        the document from the results of an earlier run
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/report"
	"fargate-nginx-sidecar/bench/stage"
)

// options are the flags.
type options struct {
	rounds    int
	window    time.Duration
	quick     bool
	goOn      bool
	app       string
	rows      string
	opponents string
	results   string
	report    string
	docs      string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 10, "rounds over all targets, for each row; at least 6 give an interval")
	flag.DurationVar(&o.window, "window", 500*time.Millisecond, "how long each measurement lasts; 1 to 3 s where there are many connections or a fixed rate")
	flag.BoolVar(&o.quick, "quick", false, "6 rounds of a fifth of a second; writes no document")
	flag.BoolVar(&o.goOn, "continue", false, "measure only the rows that the file of -results does not have yet")
	flag.StringVar(&o.app, "app", "both", "how proxies reach the application: port, socket, both (both where a row asks for it, otherwise a port)")
	flag.StringVar(&o.rows, "rows", "", "only rows whose name contains one of these words, with commas; writes no document")
	flag.StringVar(&o.opponents, "opponents", "", "only these, with commas; writes no document")
	flag.StringVar(&o.results, "results", filepath.Join(os.TempDir(), "fargate-nginx-sidecar-bench.json"), "where the rounds' figures are kept, after each row")
	flag.StringVar(&o.report, "report", "", "measure nothing: write the document from this file of figures")
	flag.StringVar(&o.docs, "docs", filepath.Join("..", "docs"), "where benchmark.md and its plots are")
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
	if o.report != "" {
		results, err := measure.Read(o.report)
		if err != nil {
			return err
		}
		return report.Write(results, o.docs)
	}
	if o.quick {
		o.rounds, o.window = 6, 200*time.Millisecond
	}
	results, err := measured(ctx, o)
	if err != nil {
		return err
	}
	if o.quick || o.rows != "" || o.opponents != "" {
		fmt.Print(report.Markdown(results))
		return nil
	}
	return report.Write(results, o.docs)
}

// measured is one run.
func measured(ctx context.Context, o options) (*measure.Results, error) {
	opponents, err := chosen(o.opponents)
	if err != nil {
		return nil, err
	}
	if o.app != "port" && o.app != "socket" && o.app != "both" {
		return nil, fmt.Errorf("-app: got %s, allowed: port, socket, both", o.app)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	cases, err := contract.Read(filepath.Join(root, "images", "nginx"))
	if err != nil {
		return nil, err
	}
	s, err := stage.Open(ctx, stage.Options{
		Root: root, Opponents: opponents, Dropped: cases.Dropped, Socket: o.app != "port", TLS: true, TLSSocket: o.app == "socket", Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	results := &measure.Results{Started: time.Now(), Machine: machine(), Contracts: map[string]contract.Report{}, Missing: s.Missing}
	results.Busy[0] = loadAverage()
	var earlier *measure.Results
	if o.goOn {
		if earlier, err = measure.Read(o.results); err != nil {
			return nil, err
		}
		results.Contracts = earlier.Contracts
	}
	if err := contracts(ctx, s, cases, results); err != nil {
		return nil, err
	}
	if err := s.Serve(ctx); err != nil {
		return nil, err
	}
	err = measure.Run(ctx, s, results, measure.Options{
		Rounds: o.rounds, Window: o.window, Socket: o.app == "socket", Rows: words(o.rows), Earlier: earlier, Progress: progress,
		Save: func(r *measure.Results) error { r.Busy[1] = loadAverage(); return r.Save(o.results) },
	})
	progress("figures in %s", o.results)
	return results, err
}

// contracts asks each opponent once, before anything is measured.
func contracts(ctx context.Context, s *stage.Stage, cases contract.Cases, results *measure.Results) error {
	for _, t := range s.Targets {
		if _, done := results.Contracts[t.Opponent.Name]; done || t.TLS || t.Socket {
			continue
		}
		answer, err := s.Check(ctx, t, cases)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name(), err)
		}
		for _, f := range answer.Failed {
			progress("%s: %s: %s", t.Name(), f.Demand, f.Got)
		}
		results.Contracts[t.Opponent.Name] = answer
	}
	return nil
}

func chosen(list string) ([]opponent.Opponent, error) {
	if list == "" {
		return opponent.All, nil
	}
	var some []opponent.Opponent
	var errs []error
	for _, name := range words(list) {
		if o, ok := opponent.Find(name); ok {
			some = append(some, o)
			continue
		}
		var allowed []string
		for _, o := range opponent.All {
			allowed = append(allowed, o.Name)
		}
		errs = append(errs, fmt.Errorf("-opponents: got %s, allowed: %s", name, strings.Join(allowed, ", ")))
	}
	return some, errors.Join(errs...)
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

var began = time.Now()

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.0fs  "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
}

// machine says what it was measured on.
func machine() string {
	name := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(text), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	engine, _ := exec.Command("docker", "version", "--format", "{{.Server.Version}}").Output() //nolint:noctx // ends at once
	return fmt.Sprintf("%d × %s (%s), Linux %s, Docker %s", runtime.NumCPU(), name, runtime.GOARCH, strings.TrimSpace(string(kernel)), strings.TrimSpace(string(engine)))
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
