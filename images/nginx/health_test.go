package nginx_test

import (
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// healthy runs the container's health check.
func healthy(task *imagetest.Task) bool { return task.Healthy() == nil }

// isHealthy fails a test whose container is not.
func isHealthy(t *testing.T, task *imagetest.Task) {
	t.Helper()
	if err := task.Healthy(); err != nil {
		t.Errorf("health check: %v", err)
	}
}

// eventually waits for what takes a moment.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("after 20 s: %s", what)
}

// An image without a shell or any other command cannot check itself, so the sidecar asks the application.
func TestTheSidecarChecksTheApplication(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		task := imagetest.Start(t, imagetest.Options{TLS: tls, Env: []string{"NGINX_APP_HEALTH_PATH=/api/status", "NGINX_APP_HEALTH_TIMEOUT=1"}})
		if !healthy(task) {
			t.Errorf("TLS %v: an application that answers 200 is not healthy", tls)
		}
		seen := task.Seen(t).Requests
		last := seen[len(seen)-1]
		if host, _ := last.Header("Host"); last.Line() != "GET /api/status HTTP/1.1" || host != "localhost" {
			t.Errorf("TLS %v: the application was asked\n%s", tls, last.Head)
		}
		task.Down(t)
		if healthy(task) {
			t.Errorf("TLS %v: an application that does not run is healthy", tls)
		}
		task.Up(t)
		// Stopped, not ended: the kernel still takes its connections, and nobody answers.
		imagetest.Docker(t, "kill", "--signal=STOP", task.Backend)
		if healthy(task) {
			t.Errorf("TLS %v: an application that hangs is healthy", tls)
		}
		imagetest.Docker(t, "kill", "--signal=CONT", task.Backend)
		eventually(t, "an application that goes on is healthy again", func() bool { return healthy(task) })
	}
}

// An application without a file descriptor for another connection still answers on those that nginx keeps. If the health
// check were asked on one of them, nobody would ever replace the task.
func TestAnApplicationThatAcceptsNoNewConnectionIsNotHealthy(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_APP_HEALTH_PATH=/api/status"}})
	if got := task.Get(t, "/api/x"); got.Status != 200 || !healthy(task) {
		t.Fatalf("before: got %d; want 200 and a healthy task", got.Status)
	}
	task.Deaf(t)
	if got := task.Get(t, "/api/x"); got.Status != 200 {
		t.Fatalf("on the connection that nginx keeps: got %d; want 200", got.Status)
	}
	if healthy(task) {
		t.Error("the task is healthy, though its application takes no new connection")
	}
}

func TestATaskWithAFullDiskIsNotHealthy(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Args: []string{"--tmpfs=/tmp:size=1m,mode=1777"}})
	if !healthy(task) {
		t.Fatal("the task is not healthy before")
	}
	imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", "cat /dev/zero >/tmp/nginx/fill 2>/dev/null || true")
	if healthy(task) {
		t.Error("the task is healthy, though no upload fits on its disk")
	}
	imagetest.Docker(t, "exec", task.Nginx, "rm", "/tmp/nginx/fill")
	if !healthy(task) {
		t.Error("the task is not healthy again, though its disk has room")
	}
}

func TestTheApplicationsStatusDecides(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/204": true, "/api/302": true, "/api/307": true, "/api/404": false, "/api/500": false, "/api/503": false,
	} {
		task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_APP_HEALTH_PATH=" + path}})
		if got := healthy(task); got != want {
			t.Errorf("%s: healthy: %v; want %v", path, got, want)
		}
	}
}

// Until then a request would be answered with 502, as NGINX no longer waits for a health check of the application's own.
func TestTheLoadBalancerSendsNothingBeforeTheApplicationHasAnswered(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Backend: []string{"-down"}, Env: []string{"NGINX_APP_HEALTH_PATH=/api/status"}})
	for range 3 {
		if got := task.Get(t, "/"); got.Status != 503 {
			t.Fatalf("health page before the application: got %d, want 503", got.Status)
		}
		time.Sleep(500 * time.Millisecond)
	}
	task.Up(t)
	eventually(t, "the health page is 200 once the application answers", func() bool { return task.Get(t, "/").Status == 200 })
	// From now on the page is the sidecar's own again: ECS replaces a task whose application fails.
	task.Down(t)
	time.Sleep(1500 * time.Millisecond)
	if got := task.Get(t, "/"); got.Status != 200 {
		t.Errorf("health page after the application: got %d, want 200", got.Status)
	}
	for line := range strings.Lines(task.Logs(t)) {
		// What the application answers to the container's own check, which on a busy machine runs meanwhile, is meant to be there.
		if !strings.HasPrefix(line, "app health:") && (strings.Contains(line, "/.sidecar/app") || strings.Contains(line, "/api/status")) {
			t.Errorf("the health check is in the log: %s", line)
		}
	}
}

// The page that asks the application is for the container's own check.
func TestNobodyElseCanAskForTheApplicationsHealth(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_APP_HEALTH_PATH=/internal/health", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
	eventually(t, "the application has answered", func() bool { return task.Get(t, "/").Status == 200 })
	task.Reset(t, true)
	for _, forged := range []string{"X: y", "X-Forwarded-For: 127.0.0.1"} {
		if got := task.Get(t, "/.sidecar/app", forged); got.Status != 404 {
			t.Errorf("%s: got %d, want 404", forged, got.Status)
		}
	}
	if seen := task.Seen(t); seen.Total != 0 {
		t.Errorf("application saw %q", lines(seen))
	}
}
