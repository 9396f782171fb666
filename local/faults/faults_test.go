package faults

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// seed is that of the test runs.
const seed = 1

// TestAStackSurvivesTheMostTellingFaults wants a machine that is not busy, so it runs alone: make test-faults. The end-to-end
// tests deploy under load too, but all their requests are quick and alike.
func TestAStackSurvivesTheMostTellingFaults(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set; `make test-faults` sets it")
	}
	l, err := Open(t.Context(), Options{Root: filepath.Join("..", ".."), Seed: seed, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a deploy loses no request, quick or slow, no upload and no WebSocket", func(t *testing.T) {
		rollout, err := l.Rollouts(t.Context(), "the sidecar", 1)
		if err != nil {
			t.Fatal(err)
		}
		if lost := rollout.Requests.lost(); len(lost) > 0 {
			t.Errorf("%d of %d requests are lost: %s", len(lost), len(rollout.Requests), lost.reasons())
		}
		for _, c := range clients {
			if len(rollout.Requests.of(c.kind)) == 0 {
				t.Errorf("no request of the kind %q was sent", c.kind)
			}
		}
	})
	t.Run("an app that crashes at its start is rolled back, and the update says what it wrote", func(t *testing.T) {
		result, err := l.bad(t.Context(), crashing) // an error where the update does not say it
		if err != nil {
			t.Fatal(err)
		}
		if lost := result.Requests.lost(); len(lost) > 0 {
			t.Errorf("%d of %d requests are lost: %s", len(lost), len(result.Requests), lost.reasons())
		}
	})
	t.Run("an app that is killed is replaced", func(t *testing.T) {
		outcome, err := l.strike(t.Context(), killedApp)
		if err != nil {
			t.Fatal(err)
		}
		// What the killed app was answering is lost, and nothing after the load balancer knows.
		if most := outcome.Requests; len(outcome.Lost) == len(most) || outcome.LastLost > time.Minute {
			t.Errorf("%d of %d requests are lost, the last one after %s: %s", len(outcome.Lost), len(most), outcome.LastLost, outcome.Lost.reasons())
		}
	})
}

// A request that is lost in any way must be counted: otherwise a run without losses proves nothing.
func TestEveryWayToLoseARequestIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"an error":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502 Bad Gateway, by the app"},
		"a wrong answer":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "something else") }, `answer "something else"; want `},
		"a cut connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection cut"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "do")
			panic(http.ErrAbortHandler)
		}, "connection cut"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			t.Cleanup(server.Close)
			traffic := startTraffic(t.Context(), server.URL, seed)
			time.Sleep(500 * time.Millisecond)
			all := traffic.Stop()
			for _, c := range clients {
				sent := all.of(c.kind)
				if len(sent) == 0 || len(sent.lost()) != len(sent) {
					t.Errorf("%s: %d of %d requests count as lost; want all", c.kind, len(sent.lost()), len(sent))
				}
			}
			if got := all.of(clients[0].kind).reasons(); !strings.Contains(got, test.want) {
				t.Errorf("reasons: %s\nwant: …%s…", got, test.want)
			}
		})
	}
}

func TestRequestsAskForEveryOrderOfMagnitude(t *testing.T) {
	random := rand.New(rand.NewPCG(seed, seed))
	counts := map[string]int{}
	for range 1000 {
		after, err := time.ParseDuration(strings.TrimPrefix(waitPath(longest, random), "/api/wait?for="))
		switch {
		case err != nil || after < time.Millisecond || after > longest:
			t.Fatalf("%s, %v; want between 1ms and %s", after, err, longest)
		case after < 100*time.Millisecond:
			counts["below 100 ms"]++
		case after < 2*time.Second:
			counts["below 2 s"]++
		default:
			counts["2 s and more"]++
		}
	}
	for part, n := range counts {
		if n < 150 {
			t.Errorf("%s: %d of 1000", part, n)
		}
	}
}

// What Pulumi prints of an error is indented, and holds what differs from run to run.
func TestTheCauseIsFoundInWhatAnUpdatePrints(t *testing.T) {
	const output = `Diagnostics:
  pulumi:pulumi:Stack (fargate-nginx-sidecar-faults):
    error: service web: the app misses the variable DATABASE_URL
    Remedy: set app.environment: {DATABASE_URL: …}, or app.secrets if its value is secret
    ECS rolled the deployment back after 12s: ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1234567890123456789.
    Task 0123456789abcdef0123456789abcdef stopped: Essential container in task exited
      app: exit code 1
        fatal: no value for DATABASE_URL
    All events: aws ecs describe-services
`
	const want = `service web: the app misses the variable DATABASE_URL
Remedy: set app.environment: {DATABASE_URL: …}, or app.secrets if its value is secret
ECS rolled the deployment back after 12s: ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/….
Task … stopped: Essential container in task exited
  app: exit code 1
    fatal: no value for DATABASE_URL`
	if got := said(output); got != want {
		t.Errorf("found:\n%s\nwant:\n%s", got, want)
	}
	if got := said("the update succeeded"); got != "" {
		t.Errorf("found in a success: %s", got)
	}
}

func TestAPartReplacesItsOwnSection(t *testing.T) {
	document := filepath.Join(t.TempDir(), "reliability.md")
	before := "# Text\n<!-- begin soak -->\nold\n<!-- end soak -->\nmore\n<!-- begin serving -->\nother\n<!-- end serving -->\n"
	if err := os.WriteFile(document, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Replace(document, "soak", "new\n"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(document)
	if want := strings.Replace(before, "\nold\n", "\n\nnew\n\n", 1); err != nil || string(content) != want {
		t.Errorf("document, %v:\n%s\nwant:\n%s", err, content, want)
	}
	if err := Replace(document, "rollouts", "new"); err == nil || !strings.Contains(err.Error(), "lacks <!-- begin rollouts -->") {
		t.Errorf("a section that is missing: %v", err)
	}
}

func TestAFaultThatIsMeasuredAloneReplacesItsRow(t *testing.T) {
	document := filepath.Join(t.TempDir(), "reliability.md")
	outcome := func(name string, whole time.Duration) Outcome {
		return Outcome{Name: name, Follows: "ECS acts.", Whole: whole}
	}
	table := ServingText(seed, []Outcome{outcome("a task is gone", time.Second), outcome("a task is gone twice", time.Second)})
	if err := os.WriteFile(document, []byte("# Text\n<!-- begin serving -->\n\n"+table+"\n<!-- end serving -->\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Outcome{outcome("a task is gone", 7*time.Second), outcome("both are gone", time.Minute), outcome("both are gone", 2*time.Minute)} {
		if err := ReplaceRow(document, seed, o); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(content)) {
		if name, rest, is := strings.Cut(strings.TrimPrefix(line, "| "), " | "); is && strings.HasPrefix(line, "| ") {
			rows = append(rows, name+": "+strings.Split(rest, " | ")[2])
		}
	}
	want := []string{"What happens to one of two tasks, or to both: all tasks serve after", "a task is gone: 7 s", "a task is gone twice: 1 s", "both are gone: 120 s"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q\nwant %q", rows, want)
	}
	if alone := strings.Count(string(content), "Measured alone: "); alone != 2 {
		t.Errorf("%d rows are said to be measured alone; want 2:\n%s", alone, content)
	}
}

func TestThePictureHasEveryCurve(t *testing.T) {
	soak := Soak{Lasted: 20 * time.Minute}
	for n := range 8 {
		soak.Samples = append(soak.Samples, Sample{At: time.Duration(n) * time.Minute, NginxMemory: 10, AppMemory: 20, NginxFiles: 30, AppFiles: 40, P50: 1e6, P99: 2e6})
	}
	picture := soak.Picture()
	decoder := xml.NewDecoder(strings.NewReader(picture))
	lines := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "polyline" {
			lines++
			if points := strings.Fields(element.Attr[0].Value); len(points) != len(soak.Samples) {
				t.Errorf("a curve has %d points; want %d", len(points), len(soak.Samples))
			}
		}
	}
	if lines != len(curves) {
		t.Errorf("%d curves; want %d", lines, len(curves))
	}
	if got := medianOf(soak.quarter(3), curves[0].value); got != 10 {
		t.Errorf("median of a flat curve: %g; want 10", got)
	}
}

// A run that is interrupted must not report what it interrupted as lost.
func TestAnInterruptedRunLosesNothing(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	traffic := startTraffic(ctx, server.URL, seed)
	time.Sleep(200 * time.Millisecond)
	cancel()
	if lost := traffic.Stop().lost(); len(lost) > 0 {
		t.Errorf("%d requests count as lost: %s", len(lost), lost.reasons())
	}
}
