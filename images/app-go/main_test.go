package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestItAnswersAsTheExpressSampleDoes(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":                          {200, "Service is healthy"},
		"/api/users/1":               {200, "User 1 found!"},
		"/api/users/by/username/ada": {200, "User ada found!"},
		"/api/nothing":               {404, `{"error":"not found"}`},
	} {
		recorder := httptest.NewRecorder()
		routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != want.status || recorder.Body.String() != want.body {
			t.Errorf("%s: %d %q; want %d %q", path, recorder.Code, recorder.Body, want.status, want.body)
		}
	}
}

func TestEveryRequestButAHealthCheckIsLoggedUnderItsID(t *testing.T) {
	var lines bytes.Buffer
	handler := logged(slog.New(slog.NewJSONHandler(&lines, nil)), routes())
	for _, path := range []string{"/healthz", "/api/nothing?a=b"} {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Header.Set("X-Request-Id", "id-7")
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"request_id":"id-7"`) ||
		!strings.Contains(got, `"path":"/api/nothing"`) || !strings.Contains(got, `"status":404`) {
		t.Errorf("log: %s", got)
	}
}

func TestWrongSettingsAreNamedAllAtOnce(t *testing.T) {
	_, err := readSettings(func(name string) string {
		return map[string]string{"PORT": "0", "KEEP_ALIVE_TIMEOUT_MS": "1s", "SOCKET": "http.sock"}[name]
	})
	const want = "PORT: \"0\"; allowed: 1 to 65535\nKEEP_ALIVE_TIMEOUT_MS: \"1s\"; allowed: 1 to 5000000\n" +
		"SOCKET: \"http.sock\"; allowed: an absolute path of at most 107 bytes"
	if err == nil || err.Error() != want {
		t.Errorf("error: %v\nwant: %s", err, want)
	}
}

// healthy asks the app as the sidecar does.
func healthy(cfg settings) bool {
	response, err := http.Get("http://" + cfg.address() + "/healthz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// A stop signal ends the app without an error, after the request that it has; until then it is healthy.
func TestAStopWaitsForTheRequestAtHand(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings{host: "127.0.0.1", port: listener.Addr().(*net.TCPAddr).Port, keepAlive: time.Minute}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	arrived, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			close(arrived)
			<-release
		}
		routes().ServeHTTP(w, r)
	})
	go func() { ended <- serve(ctx, cfg, slow) }()
	for begin := time.Now(); !healthy(cfg); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatal("it does not get healthy")
		}
	}

	answers := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + cfg.address() + "/api/users/1")
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close() //nolint:errcheck // Read to its end.
		body, _ := io.ReadAll(response.Body)
		answers <- string(body)
	}()
	<-arrived
	stop()
	select {
	case err := <-ended:
		t.Errorf("ended with a request at hand: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if got := <-answers; got != "User 1 found!" {
		t.Errorf("the request at hand: %s", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
}
