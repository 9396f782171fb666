package imagetest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// StartApp runs nginx and an application's image as one task, both as hardened as ECS runs them, and returns the
// application's container beside it. The recording backend only holds the network namespace.
func StartApp(t testing.TB, image string) (task *Task, app string) {
	t.Helper()
	return startApp(t, image, Options{}, nil)
}

// Socket is where the next function lets the application listen.
const Socket = "/run/app/http.sock"

// StartAppOnSocket is StartApp with a socket between the two containers, on a volume that only the application can
// write to.
func StartAppOnSocket(t testing.TB, image string) (task *Task, app string) {
	t.Helper()
	volume := volume(t)
	return startApp(t, image,
		Options{Env: []string{"NGINX_APP_SOCKET=" + Socket}, Args: []string{"--volume=" + volume + ":/run/app:ro"}},
		[]string{"--env=SOCKET=" + Socket, "--volume=" + volume + ":/run/app"})
}

// volume makes one for the containers that are started after it, hence removed before it.
func volume(t testing.TB) string {
	t.Helper()
	name := strings.TrimSpace(Docker(t, "volume", "create"))
	t.Cleanup(func() { _, _ = docker("volume", "rm", name) })
	return name
}

// StartOnSocket is Start with a socket to the recording backend, which also listens on its port.
func StartOnSocket(t testing.TB, opts Options) *Task {
	t.Helper()
	opts.Volume = volume(t)
	opts.Backend = append(slices.Clone(opts.Backend), "-socket="+Socket)
	opts.Env = append(slices.Clone(opts.Env), "NGINX_APP_SOCKET="+Socket)
	return Start(t, opts)
}

// UsesTheSocket finds out whether requests come through the socket, and still do after a crash that leaves its file
// behind.
func UsesTheSocket(t testing.TB, task *Task, app string) {
	t.Helper()
	// Without the port there is one way left.
	port := strings.Count(Docker(t, "exec", task.Nginx, "cat", "/proc/net/tcp"), ":0BB8 ") // 3000
	for range 50 {
		if got := task.Get(t, "/api/users/1"); got.Status != 200 {
			t.Fatalf("got %d", got.Status)
		}
	}
	if after := strings.Count(Docker(t, "exec", task.Nginx, "cat", "/proc/net/tcp"), ":0BB8 "); after != port {
		t.Errorf("%d connections on the port before 50 requests, %d after: they do not come through the socket", port, after)
	}
	Docker(t, "kill", "--signal=KILL", app)
	if got := task.Get(t, "/api/users/1"); got.Status != 502 {
		t.Errorf("without the application: got %d, want 502", got.Status)
	}
	Docker(t, "start", app)
	for range 200 {
		if task.Get(t, "/api/users/2").Status == 200 {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	before := task.Logs(t)
	if got := task.Get(t, "/api/users/3"); got.Status != 200 {
		t.Errorf("after a crash: got %d:\n%s", got.Status, Logs(t, app))
	}
	time.Sleep(100 * time.Millisecond)
	if after := strings.TrimPrefix(task.Logs(t), before); strings.Contains(after, "unix:") {
		t.Errorf("the socket does not answer after a crash: %s", after)
	}
}

// IsFoundHealthy lets the sidecar check an application that answers, one that hangs, and one that goes on.
func IsFoundHealthy(t testing.TB, task *Task, app string) {
	t.Helper()
	for _, signal := range []string{"CONT", "STOP", "CONT"} {
		Docker(t, "kill", "--signal="+signal, app)
		err := task.Healthy()
		if answers := signal == "CONT"; (err == nil) != answers {
			t.Errorf("after SIG%s the health check says %v", signal, err)
		}
	}
}

func startApp(t testing.TB, image string, opts Options, more []string) (task *Task, app string) {
	t.Helper()
	opts.Backend = []string{"-app="}
	opts.Env = append(opts.Env, "NGINX_APP_HEALTH_PATH=/healthz")
	task = Start(t, opts)
	args := append([]string{"--network=container:" + task.Backend}, Hardened...)
	app = Container(t, t, append(append(args, more...), image)...)
	for range 200 {
		// The health page is there once the sidecar has found the application healthy.
		if task.Get(t, "/").Status == 200 && task.Get(t, "/api/users/0").Status == 200 {
			return task, app
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not answer through nginx:\n%s", image, Logs(t, app))
	return nil, ""
}

// RefusesControlBytes sends control characters in the value of a header, which NGINX has no way to look for: it has a
// variable for each header by name, and none for all of them.
func RefusesControlBytes(t testing.TB, task *Task, app string) {
	t.Helper()
	for b := range 0x20 {
		if b == '\t' || b == '\n' || b == '\r' || b == 0 {
			continue // a tab is allowed; NGINX itself takes the others for the end of a line, or refuses them
		}
		refusesControlByte(t, task, byte(b))
	}
	refusesControlByte(t, task, 0x7f)
	if got := task.Get(t, "/api/users/1"); got.Status != 200 {
		t.Errorf("the next request: got %d", got.Status)
	}
	if lines := strings.Count(Logs(t, app), "/api/control"); lines != 0 {
		t.Errorf("%d of these requests reached the application's own code", lines)
	}
}

func refusesControlByte(t testing.TB, task *Task, b byte) {
	t.Helper()
	if got := task.Get(t, "/api/control", "X-Any: a"+string([]byte{b})+"b"); got.Status != 400 {
		t.Errorf("byte %#02x in a header's value: got %d, want 400", b, got.Status)
	}
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
	const written = 300 * time.Millisecond // a line of the application may wait for others
	time.Sleep(written)
	before := Logs(t, app)
	if got := task.Get(t, "/web/phpmyadmin"); got.Status != 404 {
		t.Errorf("/web/phpmyadmin: got %d, want 404", got.Status)
	}
	time.Sleep(written)
	if after := Logs(t, app); after != before {
		t.Errorf("the application's log changed by %q", strings.TrimPrefix(after, before))
	}
}
