package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The mixed load: good requests at a fixed rate, first alone, then with ten bad
// ones to each. Fixed, because a client that sends as fast as it gets answers
// would hide how long it waits.
const (
	goodRate = 500
	badRate  = 10 * goodRate
	mixConns = 16
)

// mixReport is what the load inside the namespace prints.
type mixReport struct {
	good, bad float64 // answered a second
	p50, p99  time.Duration
	lost      int
}

// measureMix compares good traffic alone with good traffic under the flood.
func measureMix(ctx context.Context, s *stage, res *results, pinned bool, o options) error {
	for range o.rounds {
		for _, t := range s.of("mix") {
			for _, bad := range []int{0, badRate} {
				m, err := s.mix(ctx, t, bad, o.time)
				if err != nil {
					return err
				}
				name := "alone"
				if bad > 0 {
					name = "flood"
				}
				res.add(name, t.name, pinned, measurement{rate: m.good, p50: m.p50, p99: m.p99, lost: m.lost})
				if bad > 0 {
					res.add("flood-refused", t.name, pinned, measurement{rate: m.bad})
				}
				fmt.Fprintf(os.Stderr, "%-8s %-12s %-8s %6.0f good/s  p50 %7.2f ms  p99 %8.2f ms  lost %d  refused %6.0f/s\n",
					how(pinned), name, t.name, m.good, ms(m.p50), ms(m.p99), m.lost, m.bad)
			}
		}
	}
	return nil
}

// mix runs this program again inside the namespace, as the load.
func (s *stage) mix(ctx context.Context, t target, bad int, d time.Duration) (mixReport, error) {
	self, err := os.Executable()
	if err != nil {
		return mixReport{}, err
	}
	cmd := s.inside(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("BENCH_MIX=%d %d %d %d", t.port, goodRate, bad, d.Milliseconds()))
	out, err := runContext(ctx, cmd)
	if err != nil {
		return mixReport{}, fmt.Errorf("load against %s: %w: %s", t.name, err, out)
	}
	var m mixReport
	var p50, p99 int64
	if _, err := fmt.Sscan(string(out), &m.good, &m.bad, &p50, &p99, &m.lost); err != nil {
		return m, fmt.Errorf("load against %s: %w: %q", t.name, err, out)
	}
	m.p50, m.p99 = time.Duration(p50), time.Duration(p99)
	return m, nil
}

func runContext(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	return cmd.CombinedOutput()
}

// asLoad is this program's other half: it sends the mix and prints the figures.
func asLoad(spec string) error {
	var port, good, bad int
	var millis int64
	if _, err := fmt.Sscan(spec, &port, &good, &bad, &millis); err != nil {
		return err
	}
	d := time.Duration(millis) * time.Millisecond
	addr := "127.0.0.1:" + strconv.Itoa(port)
	var mu sync.Mutex
	var times []time.Duration
	var lost, refused atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		paced(addr, "/api/users/1", good, d, func(status int, took time.Duration) {
			if status != http.StatusOK {
				lost.Add(1)
				return
			}
			mu.Lock()
			times = append(times, took)
			mu.Unlock()
		})
	})
	if bad > 0 {
		wg.Go(func() {
			paced(addr, "/web/phpmyadmin", bad, d, func(status int, _ time.Duration) {
				if status == http.StatusNotFound {
					refused.Add(1)
				}
			})
		})
	}
	wg.Wait()
	slices.Sort(times)
	at := func(q float64) int64 {
		if len(times) == 0 {
			return 0
		}
		return int64(times[int(q*float64(len(times)-1))])
	}
	seconds := d.Seconds()
	fmt.Println(float64(len(times))/seconds, float64(refused.Load())/seconds, at(0.5), at(0.99), lost.Load())
	return nil
}

// paced sends requests at a rate over a few connections, each with its own
// schedule. The time of an answer counts from when its request was due, and what
// is not answered by the end counts for nothing.
func paced(addr, path string, rate int, d time.Duration, done func(status int, took time.Duration)) {
	request := "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"
	interval := time.Duration(mixConns) * time.Second / time.Duration(rate)
	start := time.Now()
	end := start.Add(d)
	var wg sync.WaitGroup
	for i := range mixConns {
		wg.Go(func() {
			due := start.Add(interval * time.Duration(i) / mixConns)
			conn, err := dial(addr, end)
			if err != nil {
				done(0, 0)
				return
			}
			defer conn.Close() //nolint:errcheck // the measurement is over
			br := bufio.NewReader(conn)
			for ; due.Before(end); due = due.Add(interval) {
				time.Sleep(time.Until(due))
				if _, err := io.WriteString(conn, request); err != nil {
					break
				}
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					if !strings.Contains(err.Error(), "timeout") {
						done(0, 0)
					}
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				done(resp.StatusCode, time.Since(due))
			}
		})
	}
	wg.Wait()
}

// dial opens a connection that cannot outlast the measurement by more than a
// second.
func dial(addr string, end time.Time) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second) //nolint:noctx // bounded by its time-out
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(end.Add(time.Second))
}
