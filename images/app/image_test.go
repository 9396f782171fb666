package app

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// start runs nginx and the sample API as one task.
func start(t *testing.T) (task *imagetest.Task, app string) {
	t.Helper()
	imagetest.Build(t, imagetest.AppImage)
	return imagetest.StartApp(t, imagetest.AppImage)
}

func TestThePatternsThreeRequestsThroughBothImages(t *testing.T) {
	task, app := start(t)
	imagetest.AnswersThePattern(t, task, app)
}

func TestControlBytesInAHeaderAreRefused(t *testing.T) {
	task, app := start(t)
	imagetest.RefusesControlBytes(t, task, app)
}

func TestBothLogsCarryTheSameRequestID(t *testing.T) {
	task, app := start(t)
	id := task.Get(t, "/api/users/77").Header.Get("X-Request-Id")
	time.Sleep(300 * time.Millisecond) // its lines wait for each other
	if id == "" || !strings.Contains(imagetest.Logs(t, app), `"request_id":"`+id+`"`) {
		t.Errorf("id %q is not in the application's log:\n%s", id, imagetest.Logs(t, app))
	}
}

func TestScriptInAPathIsRefusedOrPlainText(t *testing.T) {
	task, _ := start(t)
	if got := task.Get(t, "/api/users/<script>alert(1)</script>"); got.Status != 400 {
		t.Errorf("raw: got %d %q", got.Status, got.Body)
	}
	got := task.Get(t, "/api/users/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	if got.Status != 400 { // it has an encoded slash
		t.Errorf("encoded: got %d %q", got.Status, got.Body)
	}
	got = task.Get(t, "/api/users/%3Cscript%3E")
	if got.Body != "User <script> found!" || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %q as %q", got.Body, got.Header.Get("Content-Type"))
	}
}

func TestTheImageIsWhatTheTaskDefinitionSaysOfIt(t *testing.T) {
	imagetest.Build(t, imagetest.AppImage)
	var c struct {
		User, StopSignal, WorkingDir string
		Cmd                          []string
		Healthcheck                  any
	}
	if err := json.Unmarshal([]byte(imagetest.Docker(t, "image", "inspect", "--format={{json .Config}}", imagetest.AppImage)), &c); err != nil {
		t.Fatal(err)
	}
	if c.User != "1000:1000" || c.StopSignal != "SIGTERM" || c.WorkingDir != "/app" || !slices.Equal(c.Cmd, []string{"node", "server.js"}) {
		t.Errorf("got %+v", c)
	}
	// To start Node for a check takes a tenth of a second of CPU. The sidecar asks instead.
	if c.Healthcheck != nil {
		t.Errorf("health check: got %v, want none", c.Healthcheck)
	}
}

func TestTheProcessHasNoRightsAndNothingToWriteTo(t *testing.T) {
	_, app := start(t)
	status := imagetest.Docker(t, "exec", app, "cat", "/proc/1/status")
	for _, want := range []string{`(?m)^Uid:\t1000\t1000\t1000\t1000$`, `(?m)^CapEff:\t0+$`, `(?m)^CapBnd:\t0+$`, `(?m)^NoNewPrivs:\t1$`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("no %s in\n%s", want, status)
		}
	}
	if line := imagetest.Docker(t, "exec", app, "cat", "/proc/1/cmdline"); line != "node\x00server.js\x00" {
		t.Errorf("first process: got %q, want node itself", line)
	}
	if diff := strings.TrimSpace(imagetest.Docker(t, "diff", app)); diff != "" {
		t.Errorf("the container's file system changed:\n%s", diff)
	}
	if out := imagetest.Docker(t, "exec", app, "sh", "-c", "ls /app; command -v npm || echo no npm"); strings.Contains(out, "test") || !strings.Contains(out, "no npm") {
		t.Errorf("more in the image than it needs:\n%s", out)
	}
}

func TestTheAPIListensOnLoopbackOnly(t *testing.T) {
	_, app := start(t)
	// /proc/net/tcp in hexadecimal: 0100007F is 127.0.0.1, 0BB8 is 3000, 0A is LISTEN.
	sockets := imagetest.Docker(t, "exec", app, "cat", "/proc/net/tcp", "/proc/net/tcp6")
	if found := regexp.MustCompile(`(?m)^\s*\d+: (\S+):0BB8 \S+ 0A `).FindAllStringSubmatch(sockets, -1); len(found) != 1 || found[0][1] != "0100007F" {
		t.Errorf("got %q", found)
	}
}

func TestDockersStopEndsTheAPICleanlyAndSoon(t *testing.T) {
	_, app := start(t)
	from := time.Now()
	imagetest.Docker(t, "stop", "--time=20", app)
	if took := time.Since(from); took > 5*time.Second {
		t.Errorf("took %v: SIGTERM did not arrive", took)
	}
	if code := imagetest.Docker(t, "inspect", "--format={{.State.ExitCode}}", app); code != "0\n" {
		t.Errorf("exit code: got %q, want 0", code)
	}
}

func TestTheAPIsOwnTestsPassOnTheImagesNode(t *testing.T) {
	imagetest.Build(t, imagetest.AppImage)
	name := "fns-test-npm"
	_ = exec.Command("docker", "rm", "--force", name).Run() //nolint:noctx // cleaning up must not be cut short
	imagetest.Docker(t, "create", "--name", name, "--network=none", "--workdir=/app", imagetest.AppImage, "node", "--test")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", name).Run() }) //nolint:noctx // cleaning up must not be cut short
	imagetest.Docker(t, "cp", filepath.Join(imagetest.Root(), "images", "app", "test"), name+":/app/test")
	out, err := exec.Command("docker", "start", "--attach", name).CombinedOutput() //nolint:noctx // the test's time limit bounds it
	if err != nil || !regexp.MustCompile(`(?m)^\S+ fail 0$`).Match(out) || regexp.MustCompile(`(?m)^\S+ pass [0-9]$`).Match(out) {
		t.Errorf("%v:\n%s", err, out)
	}
}
