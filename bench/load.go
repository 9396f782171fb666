package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// measurement is one run of one target.
type measurement struct {
	rate     float64 // answered as expected, a second
	p50, p99 time.Duration
	lost     int     // connect, read, write errors and time-outs
	memory   float64 // MiB, highest while it ran
}

// wrk runs one measurement and samples memory meanwhile.
func (s *stage) wrk(ctx context.Context, t target, sc scenario, d time.Duration) (measurement, error) {
	seconds := strconv.Itoa(max(1, int(d.Seconds())))
	args := []string{"-c", "ulimit -n $(ulimit -Hn); exec wrk \"$@\"", "wrk", "--threads", "1", "--connections", strconv.Itoa(sc.connections),
		"--duration", seconds + "s", "--timeout", "20s", "--latency"}
	if sc.header != "" {
		args = append(args, "--header", sc.header)
	}
	cmd := s.inside("sh", append(args, t.url(sc.path))...)
	done := make(chan struct{})
	peak := make(chan float64, 1)
	go func() {
		high := 0.0
		for {
			select {
			case <-done:
				peak <- high
				return
			case <-ctx.Done():
				_ = cmd.Process.Kill()
			case <-time.After(d / 3):
				high = max(high, t.memory())
			}
		}
	}()
	out, err := cmd.CombinedOutput()
	close(done)
	if err != nil {
		return measurement{}, fmt.Errorf("wrk against %s: %w: %s", t.name, err, out)
	}
	m, err := parseWrk(string(out), sc.status2xx)
	m.memory = <-peak
	if err != nil {
		return m, fmt.Errorf("%s, %s: %w in\n%s", t.name, sc.name, err, out)
	}
	return m, nil
}

var (
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkTotal   = regexp.MustCompile(`(\d+) requests in`)
	wrkErrors  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkNon2xx  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkLatency = regexp.MustCompile(`\s(50|99)%\s+([\d.]+)(us|ms|s|m)`)
)

// parseWrk reads wrk's report. Answers of the wrong kind are not counted: a
// proxy that refuses quickly is not fast.
func parseWrk(out string, want2xx bool) (measurement, error) {
	var m measurement
	rate := wrkRate.FindStringSubmatch(out)
	total := wrkTotal.FindStringSubmatch(out)
	if rate == nil || total == nil {
		return m, fmt.Errorf("wrk's report: no rate")
	}
	m.rate, _ = strconv.ParseFloat(rate[1], 64)
	all, _ := strconv.ParseFloat(total[1], 64)
	bad := 0.0
	if f := wrkNon2xx.FindStringSubmatch(out); f != nil {
		bad, _ = strconv.ParseFloat(f[1], 64)
	}
	if !want2xx {
		bad = all - bad
	}
	if all > 0 {
		m.rate *= (all - bad) / all
	}
	if e := wrkErrors.FindStringSubmatch(out); e != nil {
		for _, n := range e[1:] {
			k, _ := strconv.Atoi(n)
			m.lost += k
		}
	}
	m.lost += int(bad)
	for _, l := range wrkLatency.FindAllStringSubmatch(out, -1) {
		d, err := time.ParseDuration(l[2] + l[3])
		if err != nil {
			return m, err
		}
		if l[1] == "50" {
			m.p50 = d
		} else {
			m.p99 = d
		}
	}
	return m, nil
}
