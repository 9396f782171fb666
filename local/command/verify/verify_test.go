package verify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/command/verify"
)

// stack is a load balancer with one app behind it, whose faults a test chooses.
type stack struct {
	forwardsEverything bool
	unhealthy          bool
	healthyAfter       int // health checks that fail first

	mutex sync.Mutex
	log   []string
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

func (s *stack) logs(context.Context) (map[string][]string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return map[string][]string{"one": append([]string(nil), s.log...)}, nil
}

func run(t *testing.T, s *stack) error {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Client: server.Client(), Logs: s.logs, Containers: 1})
	return err
}

func TestAStackThatKeepsItsPromisesPasses(t *testing.T) {
	if err := run(t, &stack{}); err != nil {
		t.Error(err)
	}
}

func TestAStackWhoseTargetsAreHealthyALittleLaterPasses(t *testing.T) {
	server := httptest.NewServer(&stack{healthyAfter: 2})
	t.Cleanup(server.Close)
	_, err := verify.Stack(context.Background(), verify.Options{URL: server.URL, Client: server.Client(), Patience: time.Minute, Logs: noLogs, Containers: 0})
	if err != nil {
		t.Error(err)
	}
}

func noLogs(context.Context) (map[string][]string, error) { return nil, nil }

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
