package nginx_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// A thousand clients that ask for a long answer, compressed, and do not read it: what each of them holds must leave a
// small task alive.
func TestAThousandSlowReadersOfCompressedAnswersFitIntoASmallTask(t *testing.T) {
	const limit = 512 << 20
	task := imagetest.Start(t, imagetest.Options{Args: []string{fmt.Sprintf("--memory=%d", limit), fmt.Sprintf("--memory-swap=%d", limit)}})
	task.Get(t, "/api/big?bytes=8000000&noise=1", "Range: bytes=0-0") // the backend makes it once
	task.Reset(t, false)
	before := good(task) // what this machine answers at the moment, without the flood
	time.Sleep(4 * time.Second)
	before.stop()
	g := good(task)
	out := imagetest.Docker(t, "exec", task.Backend, "/backend", "-flood=slow-readers-gzip", "-n=1000", "-for=8s")
	g.stop()
	if n, err := strconv.Atoi(strings.TrimSpace(out)); err != nil || n < 1000 {
		t.Errorf("the flood was %d strong (%v), want 1,000", n, err)
	}
	// Version 2 of control groups has the first of these files, version 1 the second.
	peak, err := strconv.Atoi(strings.TrimSpace(imagetest.Docker(t, "exec", task.Nginx, "sh", "-c",
		"cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null | head -n 1")))
	if err != nil || peak >= limit {
		t.Errorf("most memory at any time: got %d (%v), want less than %d", peak, err, limit)
	}
	if killed := strings.Contains(task.Logs(t), "exited on signal"); killed || g.lost.Load() > before.lost.Load()+g.sent.Load()/20 || g.sent.Load() < 10 {
		t.Errorf("a worker was killed: %v; %v; without the flood: %v", killed, g, before)
	}
	t.Logf("at most %d MiB, %d reached the application; %v; without the flood: %v", peak>>20, task.Seen(t).Total, g, before)
}

func TestGoodRequestsAreServedDuringFloods(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	for _, f := range []struct {
		name    string
		flood   string // one of backend/flood.go
		n       int    // connections at once
		least   int    // below this the flood shows nothing
		reaches bool   // these are requests that may reach the application
	}{
		{"2,000 clients with slow headers", "slow-headers", 2000, 2000, false},
		{"1,000 clients with slow bodies", "slow-bodies", 1000, 1000, false},
		{"10,000 clients that say nothing", "silent", 10000, 10000, false},
		{"200 clients that do not read a 2 MB answer", "slow-readers", 200, 200, true},
		{"connections opened and reset", "open-close", 4, 2000, false},
		{"refused requests, 100 on a connection", "refused", 4, 5000, false},
		{"malformed requests, one on a connection", "malformed", 4, 500, false},
	} {
		t.Run(f.name, func(t *testing.T) {
			task.Reset(t, true)
			g := good(task)
			out := imagetest.Docker(t, "exec", task.Backend, "/backend", "-flood="+f.flood, "-n="+strconv.Itoa(f.n), "-for=4s")
			g.stop()
			n, err := strconv.Atoi(strings.TrimSpace(out))
			if err != nil || n < f.least {
				t.Errorf("the flood was %d strong (%v), want at least %d", n, err, f.least)
			}
			reached := 0
			for _, r := range task.Seen(t).Requests {
				if _, ours := r.Header("X-Good"); ours == 0 {
					reached++
					if why := (mode{admits: belowAPI}).outside(r); why != "" {
						t.Errorf("%s: application saw %q", why, r.Head)
					}
				}
			}
			if reached > 0 && !f.reaches {
				t.Errorf("%d of the flood reached the application", reached)
			}
			if sent, lost := g.sent.Load(), g.lost.Load(); sent < 20 || lost > 0 {
				t.Errorf("%v", g)
			}
			t.Logf("%d sent, %d reached the app; %v", n, reached, g)
		})
	}
}
