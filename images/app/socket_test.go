package app

import (
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// startOnSocket is start with a socket between the two containers.
func startOnSocket(t *testing.T) (task *imagetest.Task, app string) {
	t.Helper()
	imagetest.Build(t, imagetest.AppImage)
	return imagetest.StartAppOnSocket(t, imagetest.AppImage)
}

func TestTheAPIAnswersThroughASocket(t *testing.T) {
	task, app := startOnSocket(t)
	imagetest.AnswersThePattern(t, task, app)
	imagetest.UsesTheSocket(t, task, app)
	imagetest.IsFoundHealthy(t, task, app)
	imagetest.Docker(t, "stop", "--time=20", app)
	if code := imagetest.Docker(t, "inspect", "--format={{.State.ExitCode}}", app); code != "0\n" {
		t.Errorf("exit code: got %q, want 0", code)
	}
}

// The two containers run as different users, and neither may do with the socket what is not its part.
func TestTheSocketBelongsToTheAPIAlone(t *testing.T) {
	task, app := startOnSocket(t)
	for path, want := range map[string]string{"/run/app": "drwxr-xr-x 1000 1000\n", imagetest.Socket: "srw-rw-rw- 1000 1000\n"} {
		if got := imagetest.Docker(t, "exec", app, "stat", "-c", "%A %u %g", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	out := imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", "rm "+imagetest.Socket+" 2>&1; touch /run/app/x 2>&1; exit 0")
	if strings.Count(out, "Read-only file system") != 2 {
		t.Errorf("nginx's container tried to remove the socket and to write beside it: %q", out)
	}
}

// A socket's queue holds 4,096 connections, and what comes on top is refused at once, where a port lets it wait. Node
// takes one connection in each turn of its event loop, so a burst fills the queue.
func TestABurstOfNewConnectionsLosesNothing(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*imagetest.Task, string){"port": start, "socket": startOnSocket} {
		t.Run(name, func(t *testing.T) {
			task, _ := start(t)
			before := len(task.Logs(t)) // nginx was there before the application
			const clients = "9800"
			out := imagetest.Docker(t, "exec", task.Backend, "/backend", "-flood=burst", "-n="+clients, "-for=60s")
			if answered := strings.TrimSpace(out); answered != clients {
				t.Errorf("%s of %s answered", answered, clients)
			}
			if log := task.Logs(t)[before:]; strings.Contains(log, "[error]") || strings.Contains(log, "[crit]") || strings.Contains(log, "[alert]") {
				t.Errorf("log: %s", log[:min(len(log), 300)])
			}
		})
	}
}
