package nginx_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// failure is one way for the application to fail, and what the client gets.
type failure struct {
	name    string
	line    string // request line; the backend misbehaves by its path
	down    bool   // the application does not listen
	status  int
	error   string // in the JSON body; empty where the answer is the application's
	atLeast time.Duration
	atMost  time.Duration
	within  string // for the table: the time with default settings
	reached int    // how often the application sees the request
}

// failures are measured with an idle timeout of 5 s, which makes the read
// timeout 4 s instead of 29 s.
var failures = []failure{
	{"hangs", "GET /api/hang HTTP/1.1", false, 504, "application timeout", 3900 * time.Millisecond, 6 * time.Second, "29 s (`http.readTimeout`)", 1},
	{"is not there, or refuses connections", "GET /api/x HTTP/1.1", true, 502, "application unavailable", 0, time.Second, "at once", 0},
	{"is not there, and the request is a POST", "POST /api/x HTTP/1.1", true, 502, "application unavailable", 0, time.Second, "at once", 0},
	{"cuts the connection before an answer", "POST /api/reset HTTP/1.1", false, 502, "application unavailable", 0, time.Second, "at once; a POST is never sent twice", 1},
	{"answers with more than 36 KiB of headers", "GET /api/headers?bytes=40000 HTTP/1.1", false, 502, "application unavailable", 0, time.Second, "at once", 1},
	{"is slow, but below the limit", "GET /api/slow?ms=2000 HTTP/1.1", false, 200, "", 2 * time.Second, 3500 * time.Millisecond, "its own time", 1},
	{"fails by itself", "GET /api/status?code=500 HTTP/1.1", false, 500, "", 0, time.Second, "at once; the application's own body", 1},
}

func TestWhatTheClientGetsWhenTheApplicationFails(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5"}})
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			task.Reset(t, true)
			if f.down {
				task.Down(t)
				defer task.Up(t)
			}
			from := time.Now()
			got := task.Send(t, f.line)
			took := time.Since(from)
			if got.Status != f.status || took < f.atLeast || took > f.atMost {
				t.Errorf("got %d after %v, want %d after %v to %v", got.Status, took, f.status, f.atLeast, f.atMost)
			}
			if f.error != "" {
				if !strings.HasPrefix(got.Body, `{"error":"`+f.error+`","request_id":"`) || got.Header.Get("Retry-After") != "1" {
					t.Errorf("got %q, Retry-After %q", got.Body, got.Header.Get("Retry-After"))
				}
			}
			if seen := task.Seen(t); seen.Total != f.reached {
				t.Errorf("application saw %q, want %d", lines(seen), f.reached)
			}
			if f.down {
				return
			}
			from = time.Now()
			if next := task.Get(t, "/api/x"); next.Status != 200 || time.Since(from) > 500*time.Millisecond {
				t.Errorf("the next request: got %d after %v", next.Status, time.Since(from))
			}
		})
	}
}

func TestTheDocumentHasTheTableOfFailures(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| The application … | The client gets | After |\n|---|---|---|\n")
	for _, f := range failures {
		answer := fmt.Sprint(f.status)
		if f.error != "" {
			answer += fmt.Sprintf(" `{\"error\":\"%s\",…}`, `Retry-After: 1`", f.error)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.name, answer, f.within)
	}
	inDocument(t, "failures", b.String()+"\n")
}

func TestAResetInTheMiddleOfAnAnswerIsNoCompleteAnswer(t *testing.T) {
	task := defaults(t)
	from := time.Now()
	got := task.Get(t, "/api/half")
	// The status has gone out; what is left is to close before the length is reached.
	// nginx may or may not have passed on what it had.
	if !strings.Contains(got.Raw, "Content-Length: 1000") || len(got.Body) >= 1000 || got.TimedOut || time.Since(from) > 2*time.Second {
		t.Errorf("got %q after %v, want a part and a closed connection", got.Raw, time.Since(from))
	}
}

func TestRecoveryIsImmediate(t *testing.T) {
	task := defaults(t)
	for range 5 {
		task.Down(t)
		for range 20 {
			if got := task.Get(t, "/api/x", "Connection: close"); got.Status != 502 {
				t.Fatalf("application down: got %d", got.Status)
			}
		}
		task.Up(t)
		from := time.Now()
		if got := task.Get(t, "/api/x"); got.Status != 200 {
			t.Errorf("first request after the application is back: got %d", got.Status)
		}
		if took := time.Since(from); took > 300*time.Millisecond {
			t.Errorf("took %v", took)
		}
	}
}

func TestAHungRequestDoesNotHoldUpOthers(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5"}})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, _ = imagetest.Exchange(task.Addr, "GET /api/hang HTTP/1.1\r\nHost: a\r\n\r\n", 3*time.Second)
		})
	}
	time.Sleep(200 * time.Millisecond)
	g := good(task)
	wg.Wait()
	g.stop()
	if g.lost.Load() > 0 || g.sent.Load() < 50 {
		t.Errorf("%v", g)
	}
	t.Logf("%v", g)
}

// node starts the sample API behind nginx; app and nginx get their own ideas of
// the API's idle timeout.
func node(t *testing.T, nginxEnv []string, appKeepAliveMS int) (task *imagetest.Task, app string) {
	t.Helper()
	imagetest.Build(t, imagetest.AppImage)
	task = imagetest.Start(t, imagetest.Options{Env: nginxEnv, Backend: []string{"-app="}})
	app = imagetest.Container(t, t, append([]string{"--network=container:" + task.Backend, fmt.Sprintf("--env=KEEP_ALIVE_TIMEOUT_MS=%d", appKeepAliveMS)}, append(imagetest.Hardened, imagetest.AppImage)...)...)
	for range 200 {
		if task.Get(t, "/api/users/1", "Connection: close").Status == 200 {
			return task, app
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("the sample API does not answer")
	return nil, ""
}

// posts sends n POSTs at once, each a little apart, and counts statuses. The
// sample API knows no POST: its 404 is the good answer.
func posts(task *imagetest.Task, n int, jitter time.Duration) map[int]int {
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			time.Sleep(jitter * time.Duration(i) / time.Duration(n))
			a, _ := imagetest.Exchange(task.Addr, "POST /api/users/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", 20*time.Second)
			mu.Lock()
			statuses[a.Status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	return statuses
}

// A busy application notices its idle timer before it reads what has arrived
// meanwhile, and closes a connection with a request on it. Stopping the process
// for a moment makes that certain.
func TestAnApplicationThatClosesFirstLosesPostsAndOursDoesNot(t *testing.T) {
	t.Parallel()
	lost := func(nginxEnv []string, appKeepAliveMS int) int {
		task, app := node(t, nginxEnv, appKeepAliveMS)
		posts(task, 20, 0)
		imagetest.Docker(t, "pause", app)
		time.Sleep(3 * time.Second) // beyond the short limit
		done := make(chan map[int]int)
		go func() { done <- posts(task, 20, 0) }()
		time.Sleep(300 * time.Millisecond)
		imagetest.Docker(t, "unpause", app)
		statuses := <-done
		t.Logf("application's idle timeout %d ms: %v", appKeepAliveMS, statuses)
		return 20 - statuses[404]
	}
	// nginx believes 65 s; the order that its check would refuse.
	if n := lost([]string{"KEEP_ALIVE_TIMEOUT_MS=65000"}, 1000); n == 0 {
		t.Error("1 s in the application, 30 s in nginx: no POST lost, so this test shows nothing")
	}
	if n := lost(nil, 65000); n > 0 {
		t.Errorf("65 s in the application, 30 s in nginx: %d POSTs lost", n)
	}
}

func TestThousandsOfPostsAroundTheIdleLimitsWithoutOne502(t *testing.T) {
	// Short limits in the same order as the defaults: nginx closes after 1 s,
	// the application after 2 s (Node adds one more).
	task, _ := node(t, []string{"NGINX_UPSTREAM_KEEPALIVE_TIMEOUT=1", "KEEP_ALIVE_TIMEOUT_MS=2000"}, 2000)
	// Work for the event loop, so that it comes late to its timers.
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = imagetest.Exchange(task.Addr, strings.Repeat("GET /api/users/1 HTTP/1.1\r\nHost: a\r\n\r\n", 50), time.Second)
			}
		}
	})
	total := map[int]int{}
	for _, gap := range []time.Duration{1000, 1000, 990, 1010, 980, 1020, 2000, 1990, 2010, 3000, 2990, 3010} {
		from := time.Now()
		for status, n := range posts(task, 250, 40*time.Millisecond) {
			total[status] += n
		}
		time.Sleep(time.Until(from.Add(gap * time.Millisecond)))
	}
	close(stop)
	busy.Wait()
	if total[404] != 3000 || len(total) != 1 {
		t.Errorf("statuses: got %v, want 3,000 × 404, the application's answer to a POST", total)
	}
}

// The client's side: a load balancer sends on a connection that has been idle
// for as long as the load balancer allows. nginx must still be there.
func TestNginxKeepsAnIdleClientLongerThanTheLoadBalancerDoes(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5", "NGINX_KEEPALIVE_TIMEOUT=7"}})
	c := task.Dial(t, time.Minute)
	defer c.Close() //nolint:errcheck // a connection to be given up
	for range 2 {
		a, err := imagetest.Talk(c, "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n", 5*time.Second)
		if err != nil || a.Status != 200 {
			t.Fatalf("got %d, %v", a.Status, err)
		}
		time.Sleep(5 * time.Second)
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("still open after 7 s and more: %v", err)
	}
}

// The port is a second try for what the socket has not answered: for a GET whose connection broke, never for what may
// have been done already, and not for a request that has waited long enough.
func TestOnlyAGetWhoseConnectionBrokeIsSentAgainThroughThePort(t *testing.T) {
	t.Parallel()
	task := imagetest.StartOnSocket(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5", "NGINX_READ_TIMEOUT=1"}})
	for _, c := range []struct {
		line         string
		status, sent int
	}{
		{"GET /api/x HTTP/1.1", 200, 1},
		{"GET /api/reset HTTP/1.1", 502, 2},
		{"POST /api/reset HTTP/1.1\r\nContent-Length: 0", 502, 1},
		{"GET /api/hang HTTP/1.1", 504, 1},
		{"POST /api/hang HTTP/1.1\r\nContent-Length: 0", 504, 1},
	} {
		task.Reset(t, true)
		got := task.Send(t, c.line)
		if seen := task.Seen(t); got.Status != c.status || seen.Total != c.sent {
			t.Errorf("%q: got %d and %d requests at the application, want %d and %d", c.line, got.Status, seen.Total, c.status, c.sent)
		}
	}
}
