package nginx_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// counts is a line of the log with nginx's own numbers.
type counts struct {
	Time                                                                time.Time
	Event                                                               string
	Connections, Reading, Writing, Waiting, Accepted, Dropped, Requests int
}

// reported waits for so many lines.
func reported(t *testing.T, task *imagetest.Task, n int) (list []counts) {
	t.Helper()
	for range 100 {
		list = nil
		for _, line := range strings.Split(task.Logs(t), "\n") {
			var c counts
			if strings.Contains(line, `"event":"connections"`) {
				if err := json.Unmarshal([]byte(line), &c); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				list = append(list, c)
			}
		}
		if len(list) >= n {
			return list
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("got %d lines, want %d:\n%s", len(list), n, task.Logs(t))
	return nil
}

func TestTheCountsOfNginxAreInTheLog(t *testing.T) {
	for name, opts := range map[string]imagetest.Options{"plain": {}, "TLS": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			opts.Env = []string{"NGINX_STATUS_INTERVAL=1", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}
			task := imagetest.Start(t, opts)
			reported(t, task, 1)
			idle := task.Dial(t, 20*time.Second)
			defer idle.Close() //nolint:errcheck // a connection to be counted
			_, _ = idle.Write([]byte("GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n"))
			for range 30 {
				task.Get(t, "/api/x", "Connection: close")
			}
			before := len(reported(t, task, 1))
			var sum counts
			for _, c := range reported(t, task, before+2) {
				sum.Requests += c.Requests
				sum.Accepted += c.Accepted
				sum.Dropped += c.Dropped
				sum.Connections = c.Connections
				if time.Since(c.Time) > time.Minute || c.Reading < 0 || c.Writing < 0 || c.Requests < 0 {
					t.Errorf("got %+v", c)
				}
			}
			// The start of the task has asked for the health page, once or a few times more; so may Docker's health check.
			if sum.Requests < 31 || sum.Requests > 60 || sum.Accepted < 31 || sum.Accepted > 60 || sum.Dropped != 0 || sum.Connections < 1 || sum.Connections > 3 {
				t.Errorf("31 requests, one connection left open: got %+v", sum)
			}
			if got := task.Get(t, "/.sidecar/status", "X-Forwarded-For: 127.0.0.1"); got.Status != 404 {
				t.Errorf("from outside: got %d, want 404", got.Status)
			}
		})
	}
}

func TestWithoutAnIntervalThereAreNoCounts(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	time.Sleep(1500 * time.Millisecond)
	if log := task.Logs(t); strings.Contains(log, `"event"`) {
		t.Errorf("got %s", log)
	}
}
