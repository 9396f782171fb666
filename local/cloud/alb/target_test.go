package alb

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestMatcherReadsCodesAndRanges(t *testing.T) {
	m, err := parseMatcher("200,202, 300-399")
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[int]bool{200: true, 201: false, 202: true, 299: false, 300: true, 350: true, 399: true, 400: false} {
		if m.match(code) != want {
			t.Errorf("%d: got %t", code, !want)
		}
	}
	for _, s := range []string{"", "x", "199", "500", "300-200", "200-"} {
		if _, err := parseMatcher(s); err == nil || !strings.Contains(err.Error(), "allowed: codes and ranges between 200 and 499") {
			t.Errorf("%q: got %v", s, err)
		}
	}
}

func TestStandingChangesAtTheThresholds(t *testing.T) {
	check := checkSettings{healthy: 3, unhealthy: 2}
	s := newStanding()
	if s.state != "initial" || s.reason != "Elb.InitialHealthChecking" {
		t.Errorf("new: got %+v", s)
	}
	bad := result{false, types.TargetHealthReasonEnumResponseCodeMismatch, "Health checks failed with these codes: [502]"}
	for i, step := range []struct {
		r    result
		want types.TargetHealthStateEnum
	}{
		{bad, "initial"}, {bad, "unhealthy"}, {result{ok: true}, "unhealthy"}, {result{ok: true}, "unhealthy"}, {bad, "unhealthy"},
		{result{ok: true}, "unhealthy"}, {result{ok: true}, "unhealthy"}, {result{ok: true}, "healthy"}, {bad, "healthy"}, {result{ok: true}, "healthy"}, {bad, "healthy"}, {bad, "unhealthy"},
	} {
		if s = s.observe(step.r, check); s.state != step.want {
			t.Errorf("step %d: got %s, want %s", i, s.state, step.want)
		}
	}
	if s.reason != "Target.ResponseCodeMismatch" || s.description != "Health checks failed with these codes: [502]" {
		t.Errorf("unhealthy: got %+v", s)
	}
	if first := newStanding().observe(result{ok: true}, check); first.state != "healthy" {
		t.Errorf("first success: got %s, want healthy whatever the threshold", first.state)
	}
}

// backend is a target whose health answers with a code that can change.
func backend(t *testing.T) (address string, code *atomic.Int64) {
	code = &atomic.Int64{}
	code.Store(200)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) }))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), code
}

func testGroup(t *testing.T) *group {
	m, _ := parseMatcher("200")
	g := newGroup("arn", slog.New(slog.DiscardHandler))
	g.configure(groupSettings{used: true, delay: 300 * time.Millisecond,
		check: checkSettings{enabled: true, path: "/", matcher: m, interval: 30 * time.Millisecond, timeout: time.Second, healthy: 2, unhealthy: 2}})
	t.Cleanup(g.close)
	return g
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 300 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: not within 3 s", what)
}

func TestHealthChecksDecideWhoGetsRequestsAndFailOpen(t *testing.T) {
	g := testGroup(t)
	if g.pick("") != nil {
		t.Error("no targets: one was picked")
	}
	one, oneCode := backend(t)
	two, twoCode := backend(t)
	g.register(key{"10.0.0.1", 80}, one)
	g.register(key{"10.0.0.2", 80}, two)
	state := func(i int) types.TargetHealthStateEnum { return g.health()[i].TargetHealth.State }
	waitFor(t, "both healthy", func() bool { return state(0) == "healthy" && state(1) == "healthy" })
	picked := map[string]int{}
	for range 10 {
		target := g.pick("")
		picked[target.address]++
		g.release(target)
	}
	if picked[one] != 5 || picked[two] != 5 {
		t.Errorf("round robin: got %v, want five each", picked)
	}
	oneCode.Store(500)
	waitFor(t, "one unhealthy", func() bool { return state(0) == "unhealthy" })
	for range 5 {
		target := g.pick("")
		if target.address != two {
			t.Error("the unhealthy target got a request while another was healthy")
		}
		g.release(target)
	}
	twoCode.Store(500)
	waitFor(t, "both unhealthy", func() bool { return state(1) == "unhealthy" })
	if target := g.pick(""); target == nil {
		t.Error("all unhealthy: no target was picked; ELB fails open")
	}
}

func TestTargetWithoutAVerdictGetsNothing(t *testing.T) {
	g := testGroup(t)
	g.register(key{"10.0.0.1", 80}, "127.0.0.1:1")
	if g.pick("") != nil {
		t.Error("a target in its first check got a request")
	}
	waitFor(t, "unhealthy", func() bool { return g.health()[0].TargetHealth.State == "unhealthy" })
	if got := g.health()[0].TargetHealth; got.Reason != "Target.FailedHealthChecks" || *got.Description != "Health checks failed" {
		t.Errorf("refused connection: got %+v", got)
	}
}

func TestDrainEndsWithTheLastRequestOrTheDelay(t *testing.T) {
	g := testGroup(t)
	address, _ := backend(t)
	k := key{"10.0.0.1", 80}
	add := func() *target {
		g.register(k, address)
		waitFor(t, "healthy", func() bool { return g.health()[0].TargetHealth.State == "healthy" })
		return g.pick("")
	}
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}
	busy := add()
	done := g.deregister(context.Background(), k)
	if got := g.health()[0].TargetHealth; got.State != "draining" || got.Reason != "Target.DeregistrationInProgress" {
		t.Errorf("draining: got %+v", got)
	}
	if g.pick("") != nil {
		t.Error("a draining target got a new request")
	}
	if closed(done) {
		t.Error("drained with a request in flight")
	}
	g.release(busy)
	if !closed(done) || len(g.health()) != 0 {
		t.Error("not drained although nothing is in flight")
	}

	busy = add()
	began := time.Now()
	<-g.deregister(context.Background(), k)
	if took := time.Since(began); took < 250*time.Millisecond || took > time.Second {
		t.Errorf("drained after %s, want the delay of 300 ms", took)
	}
	g.release(busy)

	g.release(add())
	if !closed(g.deregister(context.Background(), k)) {
		t.Error("idle target: not drained at once")
	}
	if !closed(g.deregister(context.Background(), key{"10.9.9.9", 1})) {
		t.Error("unknown target: not done at once")
	}
}

func TestStatesOfAGroupNobodyUses(t *testing.T) {
	g := newGroup("arn", slog.New(slog.DiscardHandler))
	t.Cleanup(g.close)
	g.register(key{"10.0.0.1", 80}, "127.0.0.1:1")
	if got := g.health()[0].TargetHealth; got.State != "initial" || got.Reason != "Elb.RegistrationInProgress" {
		t.Errorf("group not read yet: got %+v", got)
	}
	g.configure(groupSettings{check: checkSettings{enabled: true, interval: time.Minute, timeout: time.Second, path: "/"}})
	if got := g.health()[0].TargetHealth; got.State != "unused" || got.Reason != "Target.NotInUse" {
		t.Errorf("group without a listener: got %+v", got)
	}
}

func TestCheckTellsATimeoutFromAWrongAnswer(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-release
		}
		if r.UserAgent() != "ELB-HealthChecker/2.0" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	m, _ := parseMatcher("200")
	check := checkSettings{https: true, path: "/", matcher: m, timeout: 200 * time.Millisecond}
	address := strings.TrimPrefix(server.URL, "https://")
	if got := check.check(t.Context(), address); !got.ok {
		t.Errorf("HTTPS with a certificate nobody signed: got %+v, want ok", got)
	}
	check.path = "/hang"
	if got := check.check(t.Context(), address); got.reason != "Target.Timeout" || got.description != "Request timed out" {
		t.Errorf("no answer: got %+v", got)
	}
	check.port = "1" // not the traffic port
	if got := check.check(t.Context(), address); got.reason != "Target.FailedHealthChecks" {
		t.Errorf("other port: got %+v", got)
	}
}
