package verify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/ops/verify"
)

// stack is a load balancer with one app behind it, whose faults a test chooses.
type stack struct {
	forwardsEverything bool
	unhealthy          bool
	healthyAfter       int // health checks that fail first

	mutex sync.Mutex
	log   []string
	since time.Time // from when on the log was read
}

func (s *stack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") || (s.forwardsEverything && r.URL.Path != "/") {
		s.mutex.Lock()
		s.log = append(s.log, r.URL.String())
		s.mutex.Unlock()
	}
	switch {
	case s.unhealthy:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/" && s.early():
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/":
		_, _ = w.Write([]byte("Service is healthy\n"))
	case strings.HasPrefix(r.URL.Path, "/api/"):
		_, _ = w.Write([]byte("User 1 found!"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// early counts down to the first healthy answer.
func (s *stack) early() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.healthyAfter--
	return s.healthyAfter >= 0
}

func (s *stack) logs(_ context.Context, since time.Time) (map[string][]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.since = since
	return map[string][]string{"one": append([]string(nil), s.log...)}, nil
}

func run(t *testing.T, s *stack) error {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Prefixes: []string{"/api"}, Client: server.Client(), Logs: s.logs, Containers: 1})
	return err
}

func TestAStackThatKeepsItsPromisesPasses(t *testing.T) {
	if err := run(t, &stack{}); err != nil {
		t.Error(err)
	}
}

func TestTheLogIsReadFromTheBeginningOfTheChecks(t *testing.T) {
	s, begun := &stack{}, time.Now()
	if err := run(t, s); err != nil {
		t.Error(err)
	}
	if s.since.Before(begun) || s.since.After(time.Now()) {
		t.Errorf("the log was read from %s on, and the checks began at %s", s.since, begun)
	}
}

func TestAStackWhoseTargetsAreHealthyALittleLaterPasses(t *testing.T) {
	server := httptest.NewServer(&stack{healthyAfter: 2})
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Prefixes: []string{"/api"}, Client: server.Client(), Patience: time.Minute, Logs: noLogs, Containers: 0})
	if err != nil {
		t.Error(err)
	}
}

// A deployment of which only the address is given has no log that can be read.
func TestAnAddressAloneIsJudgedByItsAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		stack *stack
		holds bool
	}{"a stack that keeps its promises": {&stack{}, true}, "one that forwards everything": {&stack{forwardsEverything: true}, true}, "one without healthy tasks": {&stack{unhealthy: true}, false}} {
		server := httptest.NewServer(c.stack)
		t.Cleanup(server.Close)
		checks, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Prefixes: []string{"/api"}, Client: server.Client(), Containers: 1})
		if (err == nil) != c.holds || len(checks) != 3 {
			t.Errorf("%s: %d checks, %v", name, len(checks), err)
		}
	}
}

func noLogs(context.Context, time.Time) (map[string][]string, error) { return nil, nil }

func TestARejectedRequestInTheAppsLogFails(t *testing.T) {
	err := run(t, &stack{forwardsEverything: true})
	if err == nil || !strings.Contains(err.Error(), "the rejected request reached the app: /web/phpmyadmin") {
		t.Errorf("got %v", err)
	}
}

func TestAnUnhealthyStackFailsEveryCheckThatReadsAnAnswer(t *testing.T) {
	err := run(t, &stack{unhealthy: true})
	for _, want := range []string{"GET /: status 503", "GET /api/users/1: status 503", "GET /web/phpmyadmin: status 503"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// With other prefixes the requests are others, and an app that is not the sample may answer what it likes, and log nothing.
func TestTheRequestsFollowThePrefixes(t *testing.T) {
	for prefix, want := range map[string][]string{
		"/":    {"GET /.sidecar/health", "GET /.sidecar/phpmyadmin", "GET /"},
		"/web": {"GET /", "GET /.sidecar/phpmyadmin", "GET /web"},
		"/v1":  {"GET /", "GET /web/phpmyadmin", "GET /v1"},
	} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/.sidecar/health" || r.URL.Path == "/" && prefix != "/":
					_, _ = w.Write([]byte("Service is healthy"))
				case r.URL.Path == prefix:
					w.WriteHeader(http.StatusUnauthorized) // the app's own answer
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			t.Cleanup(server.Close)
			checks, err := verify.Stack(context.Background(), verify.Options{
				URL: server.URL, Prefixes: []string{prefix}, Client: server.Client(), Logs: noLogs, Containers: 1,
			})
			if err != nil {
				t.Errorf("%s: %v", prefix, err)
			}
			for i, request := range want {
				if checks[i].Request != request {
					t.Errorf("%s: %s; want %s", prefix, checks[i].Request, request)
				}
			}
		})
	}
}

// What the app logs is its own affair, even if it answers as the sample does.
func TestAnAppThatLogsNoRequestsPasses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&stack{})
	t.Cleanup(server.Close)
	checks, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Prefixes: []string{"/api"}, Client: server.Client(), Logs: noLogs, Containers: 2})
	if err != nil || !strings.HasPrefix(checks[len(checks)-1].Got, "shows nothing") {
		t.Errorf("%v, %v", checks, err)
	}
}

// On a busy machine the log is still being read when the patience for it ends. That is no fault of the stack.
func TestALogThatIsReadTooSlowlyShowsNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			_, _ = w.Write([]byte("Service is healthy"))
		case "/v1":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	checks, err := verify.Stack(context.Background(), verify.Options{
		URL: server.URL, Prefixes: []string{"/v1"}, Client: server.Client(), Containers: 1,
		Logs: func(ctx context.Context, _ time.Time) (map[string][]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := checks[len(checks)-1].Got; !strings.HasPrefix(got, "shows nothing") {
		t.Errorf("the app's log: %s", got)
	}
}

// An error with an id is the sidecar's: the app was not asked.
func TestTheSidecarsRefusalIsNotTheAppsAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = w.Write([]byte("Service is healthy"))
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"not found","request_id":"1"}`))
	}))
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{
		URL: server.URL, Prefixes: []string{"/v1"}, Client: server.Client(), Logs: noLogs, Containers: 1,
	})
	if err == nil || !strings.Contains(err.Error(), "GET /v1: status 404, want the app's answer") {
		t.Errorf("got %v", err)
	}
}

// A stack that gets only some paths of a load balancer is asked only for its app: the other paths are another stack's.
func TestAStackOnSomePathsIsAskedOnlyThere(t *testing.T) {
	asked := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path] = true
		if !asked["again"] {
			asked["again"] = true
			w.WriteHeader(http.StatusServiceUnavailable) // its targets are not healthy yet
			return
		}
		_, _ = w.Write([]byte("the app"))
	}))
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{
		URL: server.URL, Prefixes: []string{"/shop"}, Client: server.Client(), Patience: time.Minute, Logs: noLogs, Containers: 1,
		Reaches: func(path string) bool { return strings.HasPrefix(path, "/shop/") },
	})
	if err != nil {
		t.Error(err)
	}
	if delete(asked, "again"); len(asked) != 1 || !asked["/shop/"] {
		t.Errorf("asked for %v, want /shop/ only", asked)
	}
}
