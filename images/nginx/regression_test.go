package nginx_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fargate-nginx-sidecar/images/imagetest"
)

// An app that sends X-Accel-Redirect, because a client made it, would send nginx past all that the sidecar checks.
func TestAnAppCannotRedirectNginx(t *testing.T) {
	task := defaults(t)
	got := task.Get(t, "/api/x", "X-Reply: X-Accel-Redirect: /api/other")
	seen := task.Seen(t)
	if got.Status != 200 || len(seen.Requests) != 1 || got.Header.Get("X-Accel-Redirect") != "" {
		t.Errorf("got %d, application saw %q; want its own answer to one request", got.Status, lines(seen))
	}
}

func TestTheMicroCacheTakesAZeroForAValue(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CACHE_SECONDS=60"}})
	const public = "X-Reply: Cache-Control: public"
	for name, headers := range map[string][]string{
		"Expires: 0":       {public, "X-Reply: Expires: 0"},
		"Authorization: 0": {public, "Authorization: 0"},
		"Cookie: 0":        {public, "Cookie: 0"},
		"Vary: Accept, *":  {public, "X-Reply: Vary: Accept, *"},
		"a body":           {public, "Content-Length: 1", "", "x"},
	} {
		task.Reset(t, true)
		for range 3 {
			task.Get(t, "/api/"+strings.ReplaceAll(strings.ToLower(name), " ", "")[:4], headers...)
		}
		if seen := task.Seen(t); seen.Total != 3 {
			t.Errorf("%s: %d of 3 reached the application", name, seen.Total)
		}
	}
}

func TestEarlyHintsAreNoFinalStatus(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	for _, code := range []int{200, 404, 500} {
		task.Get(t, fmt.Sprintf("/api/early?code=%d", code))
	}
	task.Get(t, "/last")
	statuses := ""
	for _, entry := range logLines(t, task, "/last") {
		statuses += fmt.Sprint(entry["status"], "/", entry["upstream_status"], " ")
	}
	if statuses != "200/200 404/404 500/500 404/ " {
		t.Errorf("got %s", statuses)
	}
}

func TestEveryLineOfTheLogIsJSONInUTF8(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_SHUTDOWN_TIMEOUT=1"}})
	task.Get(t, "/a\xff\xfe", "User-Agent: x\xc3\xbc\xff")
	task.Get(t, "/b", "User-Agent: \xe6\x9d\xb1")
	cut := task.Dial(t, 20*time.Second)
	defer cut.Close() //nolint:errcheck // cut by the stop
	_, _ = cut.Write([]byte("GET /api/hang HTTP/1.1\r\nHost: a\r\n\r\n"))
	time.Sleep(300 * time.Millisecond)
	imagetest.Docker(t, "stop", "--time=20", task.Nginx)
	found := 0
	for line := range strings.Lines(task.Logs(t)) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		found++
		if !utf8.ValidString(line) || !json.Valid([]byte(line)) {
			t.Errorf("%q", line)
		}
	}
	if found < 3 {
		t.Errorf("%d lines; want one for each request", found)
	}
}

func TestOrdinaryNamesAreNotKeptForAYear(t *testing.T) {
	names := []string{"Report-FY2024Q1.pdf", "beach-IMG_0001.jpg", "Roboto-Black900.woff2", "price-20240101a.pdf", "backup-20240101123045.zip", "a-00000000deadbeef00.js"}
	files := map[string]string{}
	for _, name := range names {
		files[name] = name
	}
	dir := directory(t, files)
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STATIC_FILES=/assets"}, Args: []string{"--volume=" + dir + ":/srv/static/1/assets:ro"}})
	for i, name := range names {
		got := task.Get(t, "/assets/"+name).Header.Get("Cache-Control")
		if immutable := strings.HasSuffix(got, "immutable"); immutable != (i == len(names)-1) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAStaticFileThatCannotBeServedWritesNoErrorLine(t *testing.T) {
	dir := directory(t, map[string]string{"page.txt": "0123456789", "page.txt.gz": "zipped", "secret.txt": "mine"})
	if err := os.Chmod(filepath.Join(dir, "secret.txt"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STATIC_FILES=/assets"}, Args: []string{"--volume=" + dir + ":/srv/static/1/assets:ro"}})
	for _, c := range []struct {
		name, header string
		status       int
	}{
		{"link.txt", "A: b", 404},
		{"secret.txt", "A: b", 404},
		{"page.txt", `If-Match: "other"`, 412},
		{"page.txt", "Range: bytes=100-", 416},
		{"page.txt", "Accept-Encoding: gzip\r\nRange: bytes=100-", 416},
	} {
		got := task.Get(t, "/assets/"+c.name, c.header)
		if got.Status != c.status || !json.Valid([]byte(got.Body)) || got.Header.Get("Content-Encoding") != "" || len(got.Header.Values("X-Request-Id")) != 1 {
			t.Errorf("%s, %s: got %d %q, %v", c.name, c.header, got.Status, got.Body, got.Header)
		}
	}
	if log := task.Logs(t); strings.Contains(log, "[crit]") || strings.Contains(log, "[warn]") {
		t.Errorf("log:\n%s", log)
	}
}

// A request on a kept connection that has broken may have been done. It is sent again where that is harmless by definition.
// https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
func TestWhatIsRepeatedAfterABrokenConnection(t *testing.T) {
	task := defaults(t)
	for method, sent := range map[string]int{"GET": 2, "HEAD": 2, "OPTIONS": 2, "PUT": 2, "DELETE": 2, "POST": 1, "PATCH": 1} {
		task.Get(t, "/api/x") // leaves one connection
		task.Reset(t, true)
		got := task.Send(t, method+" /api/reset HTTP/1.1", "Content-Length: 0")
		if seen := task.Seen(t); got.Status != 502 || seen.Total != sent {
			t.Errorf("%s: got %d and %d requests at the application, want 502 and %d", method, got.Status, seen.Total, sent)
		}
	}
}

// A signal is not lost, however soon after the start it comes.
func TestAStopSoonAfterTheStartIsNotLost(t *testing.T) {
	imagetest.Build(t, imagetest.NginxImage)
	for i := range 10 {
		name := imagetest.Container(t, t, "--network=none", imagetest.NginxImage)
		time.Sleep(time.Duration(i) * 5 * time.Millisecond)
		_ = exec.CommandContext(t.Context(), "docker", "kill", "--signal=QUIT", name).Run() //nolint:gosec // a container of ours
		begin := time.Now()
		for time.Since(begin) < 10*time.Second && imagetest.Docker(t, "inspect", "--format={{.State.Running}}", name) == "true\n" {
			time.Sleep(50 * time.Millisecond)
		}
		if imagetest.Docker(t, "inspect", "--format={{.State.Running}}", name) == "true\n" {
			t.Errorf("%d ms after the start: still running", i*5)
		}
	}
}
