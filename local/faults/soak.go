package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Sample is the state of the stack at one moment.
type Sample struct {
	At time.Duration // since the start
	// Memory, in MiB, and open files of a container, the most of both tasks.
	NginxMemory, AppMemory float64
	NginxFiles, AppFiles   int
	// P50 and P99 are those of the quick answers since the last sample.
	P50, P99 time.Duration
}

// Soak is what came of a long time of good and bad traffic.
type Soak struct {
	Lasted   time.Duration
	Samples  []Sample
	Requests Requests // the good ones
	Bad      int      // requests that must be refused
	Passed   []string // bad ones that were not refused
	Replaced int      // tasks that ECS has replaced
}

// Soak sends good and bad traffic for a long time and looks at the containers again and again.
func (l *Lab) Soak(ctx context.Context, long, every time.Duration) (Soak, error) {
	soak := Soak{Lasted: long}
	if err := l.awaitWhole(ctx); err != nil {
		return soak, err
	}
	before, err := l.running(ctx)
	if err != nil {
		return soak, err
	}
	bad, err := newBadTraffic(l.options.Root, l.url())
	if err != nil {
		return soak, err
	}
	traffic := startTraffic(ctx, l.url(), l.options.Seed)
	stop := bad.start(ctx, l.options.Seed)
	begun := time.Now()
	for err == nil && time.Since(begun) < long {
		from := time.Now()
		if err = pause(ctx, every); err == nil {
			var sample Sample
			sample, err = l.sample(ctx, before)
			sample.At = time.Since(begun)
			sample.P50, sample.P99 = quantiles(traffic.since(from))
			soak.Samples = append(soak.Samples, sample)
		}
	}
	stop()
	soak.Requests = traffic.Stop()
	soak.Bad, soak.Passed = bad.sent, bad.passed
	if err != nil {
		return soak, err
	}
	after, err := l.running(ctx)
	for _, task := range before {
		if !slices.ContainsFunc(after, func(t types.Task) bool { return taskID(t) == taskID(task) }) {
			soak.Replaced++
		}
	}
	l.say("soak: %d good requests, %d lost; %d bad ones, %d passed; %d tasks replaced", len(soak.Requests), len(soak.Requests.lost()), soak.Bad, len(soak.Passed), soak.Replaced)
	return soak, err
}

// quantiles are those of the requests that ask for a quick answer over a connection that is kept.
func quantiles(all Requests) (p50, p99 time.Duration) {
	var took []time.Duration
	for _, request := range all.of(clients[0].kind) {
		took = append(took, request.Took)
	}
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// sample measures the containers of the tasks.
func (l *Lab) sample(ctx context.Context, all []types.Task) (Sample, error) {
	var s Sample
	for _, task := range all {
		for _, name := range []string{"nginx", "app"} {
			id, err := l.container(ctx, task, name)
			if err != nil {
				return s, err
			}
			memory, files, err := use(ctx, id)
			if err != nil {
				return s, err
			}
			if name == "nginx" {
				s.NginxMemory, s.NginxFiles = max(s.NginxMemory, memory), max(s.NginxFiles, files)
			} else {
				s.AppMemory, s.AppFiles = max(s.AppMemory, memory), max(s.AppFiles, files)
			}
		}
	}
	return s, nil
}

// use returns a container's memory in MiB, and how many files its processes have open. The memory is what cannot be taken
// from the processes: anonymous pages.
func use(ctx context.Context, container string) (memory float64, files int, err error) {
	listed, err := command(ctx, "docker", "top", container, "-eo", "pid")
	if err != nil {
		return 0, 0, err
	}
	for _, pid := range strings.Fields(listed)[1:] { // below the heading
		open, err := os.ReadDir(filepath.Join("/proc", pid, "fd"))
		pages, failed := anonymous(pid)
		if errors.Is(errors.Join(err, failed), fs.ErrNotExist) {
			continue // a health check that has ended since
		}
		if err := errors.Join(err, failed); err != nil {
			return 0, 0, fmt.Errorf("process %s, whose open files only root may see: %w", pid, err)
		}
		files, memory = files+len(open), memory+pages
	}
	return memory, files, nil
}

// anonymous is a process's anonymous memory, in MiB.
// https://docs.kernel.org/filesystems/proc.html (RssAnon)
func anonymous(pid string) (float64, error) {
	content, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, "RssAnon:"); found {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kilobytes / 1024, err
		}
	}
	return 0, fmt.Errorf("process %s has no RssAnon", pid)
}

// badTraffic is what scanners and broken clients send: paths that are nobody's, methods that are not allowed, bodies that are
// too large, requests that are given up half-way, connections that say nothing.
type badTraffic struct {
	url    string
	paths  []string
	client *http.Client

	mu     sync.Mutex
	sent   int
	passed []string
}

func newBadTraffic(root, url string) (*badTraffic, error) {
	content, err := os.ReadFile(filepath.Join(root, "images", "nginx", "testdata", "attacks", "paths.txt"))
	if err != nil {
		return nil, err
	}
	b := &badTraffic{url: url, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}}
	for line := range strings.Lines(string(content)) {
		if path := strings.TrimSpace(line); strings.HasPrefix(path, "/") {
			b.paths = append(b.paths, path)
		}
	}
	if len(b.paths) == 0 {
		return nil, fmt.Errorf("no path in the list of scanners' paths")
	}
	return b, nil
}

// start lets four bad clients send until stop.
func (b *badTraffic) start(ctx context.Context, seed uint64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	kinds := []func(context.Context, *rand.Rand){b.scan, b.overfill, b.giveUp, b.silence}
	for i, send := range kinds {
		random := rand.New(rand.NewPCG(seed, uint64(100+i))) //nolint:gosec // the same requests for the same seed
		running.Go(func() {
			for pause(ctx, 100*time.Millisecond) == nil {
				send(ctx, random)
			}
		})
	}
	return func() { cancel(); running.Wait() }
}

// expect sends a request that must be refused.
func (b *badTraffic) expect(ctx context.Context, method, path string, body io.Reader, statuses ...int) {
	request, err := http.NewRequestWithContext(ctx, method, b.url+path, body)
	if err != nil {
		return
	}
	response, err := b.client.Do(request)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	if err != nil {
		return // refused in the middle of its body
	}
	_ = response.Body.Close()
	if !slices.Contains(statuses, response.StatusCode) && ctx.Err() == nil {
		b.passed = append(b.passed, fmt.Sprintf("%s %s: %d", method, path, response.StatusCode))
	}
}

func (b *badTraffic) scan(ctx context.Context, random *rand.Rand) {
	b.expect(ctx, http.MethodGet, b.paths[random.IntN(len(b.paths))], http.NoBody, http.StatusNotFound, http.StatusBadRequest)
	b.expect(ctx, http.MethodTrace, "/api/wait?for=1ms", http.NoBody, http.StatusMethodNotAllowed)
}

// overfill sends more than bodyLimitKilobytes allows, 1 MiB.
func (b *badTraffic) overfill(ctx context.Context, _ *rand.Rand) {
	b.expect(ctx, http.MethodPost, "/api/upload", strings.NewReader(strings.Repeat("x", 2<<20)), http.StatusRequestEntityTooLarge)
}

// giveUp closes the connection before the answer.
func (b *badTraffic) giveUp(ctx context.Context, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(1+random.IntN(300))*time.Millisecond)
	defer cancel()
	b.expect(ctx, http.MethodGet, "/api/wait?for=1s", http.NoBody)
}

// silence opens a connection, sends half a request, and leaves it for a while.
func (b *badTraffic) silence(ctx context.Context, random *rand.Rand) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, "POST /api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf")
	b.mu.Lock()
	b.sent++
	b.mu.Unlock()
	_ = pause(ctx, time.Duration(random.IntN(3000))*time.Millisecond)
}

// quarter are the samples of one quarter, 0 to 3, of the time.
func (s Soak) quarter(n int) []Sample {
	return s.Samples[len(s.Samples)*n/4 : len(s.Samples)*(n+1)/4]
}

// medianOf is the value in the middle.
func medianOf(samples []Sample, value func(Sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, value(s))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
