package imagetest

import (
	"strings"
	"testing"
	"time"
)

// StartApp runs nginx and an application's image as one task, both as hardened as ECS runs them, and returns the
// application's container beside it. The recording backend only holds the network namespace.
func StartApp(t testing.TB, image string) (task *Task, app string) {
	t.Helper()
	task = Start(t, Options{Backend: []string{"-app="}})
	args := append([]string{"--network=container:" + task.Backend}, Hardened...)
	app = Container(t, t, append(args, image)...)
	for range 200 {
		if task.Get(t, "/api/users/0").Status == 200 {
			return task, app
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not answer through nginx:\n%s", image, Logs(t, app))
	return nil, ""
}

// AnswersThePattern makes the pattern's requests, and one more that nginx must refuse without a trace in the
// application's log.
func AnswersThePattern(t testing.TB, task *Task, app string) {
	t.Helper()
	for _, c := range []struct {
		target string
		status int
		body   string
	}{
		{"/", 200, "Service is healthy"},
		{"/api/users/1", 200, "User 1 found!"},
		{"/api/users/by/username/ada", 200, "User ada found!"},
		{"/api/nothing", 404, `{"error":"not found"}`},
	} {
		if got := task.Get(t, c.target); got.Status != c.status || got.Body != c.body {
			t.Errorf("%s: got %d %q, want %d %q", c.target, got.Status, got.Body, c.status, c.body)
		}
	}
	before := Logs(t, app)
	if got := task.Get(t, "/web/phpmyadmin"); got.Status != 404 {
		t.Errorf("/web/phpmyadmin: got %d, want 404", got.Status)
	}
	if after := Logs(t, app); after != before {
		t.Errorf("the application's log changed by %q", strings.TrimPrefix(after, before))
	}
}
