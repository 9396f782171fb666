package nginx_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// patternImage runs the directives that AWS's pattern documents.
var patternImage = imagetest.Tagged("test-pattern")

var buildPattern = sync.OnceValue(func() error {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		return err
	}
	base := regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`).FindSubmatch(text)[1]
	out, err := exec.Command("docker", "build", "--quiet", "--tag", patternImage, "--build-arg", "BASE_IMAGE="+string(base), filepath.Join("testdata", "pattern")).CombinedOutput() //nolint:gosec // arguments of this file
	if err != nil {
		return fmt.Errorf("docker build of the pattern's configuration: %w: %s", err, out)
	}
	return nil
})

// subject is one of the two configurations that each defect is looked for in.
type subject struct {
	pattern bool
	shared  *imagetest.Task
}

// task is one with default settings, for checks that leave it as it was.
func (s subject) task(t testing.TB) *imagetest.Task {
	s.shared.Reset(t, true)
	return s.shared
}

// start is a task of its own. The pattern's has no settings.
func (s subject) start(t testing.TB, env ...string) *imagetest.Task {
	if s.pattern {
		return imagetest.Start(t, imagetest.Options{Image: patternImage, Plain: true})
	}
	return imagetest.Start(t, imagetest.Options{Env: env})
}

// defect is something the pattern's directives do and ours must not. find says
// what it found, or nothing.
type defect struct {
	claim string // what holds for ours; the table in docs/sidecar.md
	find  func(t *testing.T, s subject) string
}

// reached says which of the targets the application saw.
func reached(t testing.TB, task *imagetest.Task, targets ...string) string {
	t.Helper()
	task.Reset(t, true)
	for _, target := range targets {
		task.Get(t, target)
	}
	return strings.Join(lines(task.Seen(t)), ", ")
}

var defects = []defect{
	{"the path filter cannot be walked around with `..`, plain or encoded", func(t *testing.T, s subject) string {
		return reached(t, s.task(t), "/internal/..%2fapi/", "/internal/%2e%2e/api", "/internal/../api/users/1")
	}},
	{"only `/api` and what lies below it is forwarded, not `/apifoo` and its like", func(t *testing.T, s subject) string {
		return reached(t, s.task(t), "/apifoo", "/api.php", "/api-docs", "//api", "/%61pi", "/api%2fusers", "/api;x")
	}},
	{"an h2c upgrade opens no tunnel", func(t *testing.T, s subject) string {
		return tunnel(t, s.task(t), "h2c")
	}},
	{"an upgrade to anything but WebSocket opens no tunnel", func(t *testing.T, s subject) string {
		return tunnel(t, s.task(t), "anything")
	}},
	{"700 requests at once are all answered", func(t *testing.T, s subject) string {
		task := s.start(t)
		var lost atomic.Int64
		var wg sync.WaitGroup
		for range 700 {
			wg.Go(func() {
				a, err := imagetest.Exchange(task.Addr, "GET /api/slow?ms=2500 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 20*time.Second)
				if err != nil || a.Status != 200 {
					lost.Add(1)
				}
			})
		}
		wg.Wait()
		return some(int(lost.Load()), "of 700 requests lost")
	}},
	{"1,200 half-open requests leave room for the health check", func(t *testing.T, s subject) string {
		task := s.start(t)
		for range 1200 {
			c := task.Dial(t, time.Minute)
			defer c.Close() //nolint:errcheck // a connection to be given up
			_, _ = c.Write([]byte("GET /api/x HTTP/1.1\r\n"))
			// nginx makes room by closing connections that have sent nothing yet;
			// an attacker lets each send first.
			time.Sleep(2 * time.Millisecond)
		}
		failed := 0
		for range 3 {
			if a, err := imagetest.Exchange(task.Addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 2*time.Second); err != nil || a.Status != 200 {
				failed++
			}
		}
		return some(failed, "of 3 health checks failed")
	}},
	{"the application is asked again as soon as it is back", func(t *testing.T, s subject) string {
		task := s.start(t)
		task.Down(t)
		for range 5 {
			task.Get(t, "/api/x", "Connection: close")
		}
		task.Up(t)
		from := time.Now()
		for time.Since(from) < 1500*time.Millisecond {
			if task.Get(t, "/api/x", "Connection: close").Status == 200 {
				return ""
			}
		}
		return "still 502 after 1.5 s"
	}},
	{"connections to the application are used again", func(t *testing.T, s subject) string {
		task := s.task(t)
		for range 50 {
			task.Get(t, "/api/x", "Connection: close")
		}
		if n := task.Seen(t).Connections; n > 5 {
			return fmt.Sprintf("%d connections for 50 requests", n)
		}
		return ""
	}},
	{"a refused path writes no error line", func(t *testing.T, s subject) string {
		task := s.start(t)
		for range 5 {
			task.Get(t, "/web/phpmyadmin")
		}
		return some(strings.Count(task.Logs(t), "open()"), "error lines for 5 requests")
	}},
	{"5 kB of response headers pass", func(t *testing.T, s subject) string {
		return unless(s.task(t).Get(t, "/api/headers?bytes=5000").Status, 200)
	}},
	{"it starts with a read-only root", func(t *testing.T, s subject) string {
		image := imagetest.NginxImage
		if s.pattern {
			image = patternImage
		}
		name := imagetest.Container(t, t, "--read-only", "--network=none", image)
		time.Sleep(time.Second)
		if imagetest.Docker(t, "inspect", "--format={{.State.Running}}", name) == "true\n" {
			return ""
		}
		return "ended: " + strings.TrimSpace(imagetest.Logs(t, name))
	}},
	{"a stop finishes the requests under way (the pattern's: under SIGTERM, as without a STOPSIGNAL)", func(t *testing.T, s subject) string {
		task := s.start(t)
		var lost atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if a, err := imagetest.Exchange(task.Addr, "GET /api/slow?ms=1500 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 10*time.Second); err != nil || a.Status != 200 {
					lost.Add(1)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		if s.pattern {
			imagetest.Docker(t, "kill", "--signal=TERM", task.Nginx)
		} else {
			imagetest.Docker(t, "stop", "--time=20", task.Nginx)
		}
		wg.Wait()
		return some(int(lost.Load()), "of 5 requests lost")
	}},
	{"X-Forwarded-For carries no address that the client made up", func(t *testing.T, s subject) string {
		return forged(t, s.task(t), "X-Forwarded-For: 6.6.6.6")
	}},
	{"X-Real-IP cannot be forged", func(t *testing.T, s subject) string {
		return forged(t, s.task(t), "X-Real-IP: 6.6.6.6")
	}},
	{"a `Proxy` header does not become HTTP_PROXY", func(t *testing.T, s subject) string {
		return forged(t, s.task(t), "Proxy: 6.6.6.6")
	}},
	{"the Host keeps its port", func(t *testing.T, s subject) string {
		task := s.task(t)
		task.Raw(t, "GET /api/x HTTP/1.1\r\nHost: a.example:8443\r\n\r\n")
		if host, _ := only(t, task).Header("Host"); host != "a.example:8443" {
			return "application got " + host
		}
		return ""
	}},
	{"a Host that is no host name is refused", func(t *testing.T, s subject) string {
		task := s.task(t)
		// Of the hosts that are no names, NGINX 1.30 refuses most itself, but not this one.
		task.Raw(t, "GET /api/x HTTP/1.1\r\nHost: a,b.example\r\n\r\n")
		return some(task.Seen(t).Total, "request reached the application")
	}},
	{"HTTP/0.9 is refused", func(t *testing.T, s subject) string {
		task := s.task(t)
		task.Raw(t, "GET /api/x\r\n")
		return some(task.Seen(t).Total, "request reached the application")
	}},
	{"a compressed answer has Vary", func(t *testing.T, s subject) string {
		a := s.task(t).Get(t, "/api/big?bytes=5000", "Accept-Encoding: gzip")
		if a.Header.Get("Content-Encoding") == "gzip" && a.Header.Get("Vary") == "" {
			return "gzip without Vary"
		}
		return ""
	}},
	{"a 405 has Allow", func(t *testing.T, s subject) string {
		if a := s.task(t).Send(t, "BREW /api/x HTTP/1.1"); a.Header.Get("Allow") == "" {
			return fmt.Sprintf("%d without Allow", a.Status)
		}
		return ""
	}},
	{"PATCH reaches the application", func(t *testing.T, s subject) string {
		return unless(s.task(t).Send(t, "PATCH /api/x HTTP/1.1").Status, 200)
	}},
	{"errors are JSON", func(t *testing.T, s subject) string {
		if kind := s.task(t).Get(t, "/nothing").Header.Get("Content-Type"); kind != "application/json" {
			return kind
		}
		return ""
	}},
	{"the version is not told", func(t *testing.T, s subject) string {
		if server := s.task(t).Get(t, "/").Header.Get("Server"); server != "nginx" {
			return server
		}
		return ""
	}},
	{"every answer but the health page has a request id", func(t *testing.T, s subject) string {
		if s.task(t).Get(t, "/api/x").Header.Get("X-Request-Id") == "" {
			return "none"
		}
		return ""
	}},
	{"the log has request id, trace id and the application's time", func(t *testing.T, s subject) string {
		task := s.start(t)
		task.Get(t, "/api/x", "X-Amzn-Trace-Id: Root=1-2-3")
		time.Sleep(1200 * time.Millisecond)
		if log := task.Logs(t); !strings.Contains(log, "Root=1-2-3") || !strings.Contains(log, "upstream_time") {
			return "not in the log"
		}
		return ""
	}},
	{"the log has no health checks", func(t *testing.T, s subject) string {
		task := s.start(t)
		for range 5 {
			task.Get(t, "/")
		}
		time.Sleep(1200 * time.Millisecond)
		return some(strings.Count(task.Logs(t), "/ HTTP/1.1\" 200")+strings.Count(task.Logs(t), `"path":"/"`), "lines for health checks")
	}},
	{"slow request headers are cut off", func(t *testing.T, s subject) string {
		c := s.start(t, "NGINX_CLIENT_TIMEOUT=1").Dial(t, 4*time.Second)
		defer c.Close() //nolint:errcheck // a connection to be given up
		_, _ = c.Write([]byte("GET /api/x HTTP/1.1\r\n"))
		return open(c)
	}},
	{"a slow request body is cut off", func(t *testing.T, s subject) string {
		c := s.start(t, "NGINX_CLIENT_TIMEOUT=1").Dial(t, 4*time.Second)
		defer c.Close() //nolint:errcheck // a connection to be given up
		_, _ = c.Write([]byte("POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1"))
		return open(c)
	}},
	{"a hung application gives 504 before the load balancer's idle timeout", func(t *testing.T, s subject) string {
		task := s.start(t, "NGINX_IDLE_TIMEOUT=5") // a test's time; the pattern's 60 s do not depend on it
		a, _ := imagetest.Exchange(task.Addr, "GET /api/hang HTTP/1.1\r\nHost: a\r\n\r\n", 5*time.Second)
		return unless(a.Status, 504)
	}},
	{"the number of workers follows from the task's CPU", func(t *testing.T, s subject) string {
		task := s.start(t, "NGINX_WORKER_PROCESSES=3")
		count := 0 // the first worker answers before the last one is started
		for deadline := time.Now().Add(3 * time.Second); count != 3 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			count = strings.Count(imagetest.Docker(t, "top", task.Nginx), "nginx: worker process")
		}
		return unless(count, 3)
	}},
	{"it does not run as root", func(t *testing.T, s subject) string {
		if strings.Contains(imagetest.Docker(t, "exec", s.task(t).Nginx, "cat", "/proc/1/status"), "Uid:\t0") {
			return "uid 0"
		}
		return ""
	}},
	{"the image has a health check", func(t *testing.T, s subject) string {
		if strings.Contains(imagetest.Docker(t, "inspect", "--format={{json .Config.Healthcheck}}", s.task(t).Nginx), "null") {
			return "none"
		}
		return ""
	}},
}

// some is empty for none.
func some(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}

// unless is empty when got is what it should be.
func unless(got, want int) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %d, want %d", got, want)
}

// open waits until the deadline of a connection for the other side to close it.
func open(c net.Conn) string {
	if _, err := c.Read(make([]byte, 1)); err != nil && strings.Contains(err.Error(), "i/o timeout") {
		return "still open after 4 s"
	}
	return ""
}

// tunnel asks for an upgrade and sends a second request into it.
func tunnel(t *testing.T, task *imagetest.Task, token string) string {
	t.Helper()
	a := task.Raw(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "+token+"\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n")
	if strings.Contains(a.Raw, "secret through the tunnel") {
		return "the tunnel reached /internal/secret"
	}
	return ""
}

// forged sends a header with 6.6.6.6 and looks for it behind nginx.
func forged(t *testing.T, task *imagetest.Task, header string) string {
	t.Helper()
	task.Get(t, "/api/x", header)
	if strings.Contains(only(t, task).Head, "6.6.6.6") {
		return "the application got it"
	}
	return ""
}

func TestEveryDefectOfThePatternsDirectivesIsThereAndIsNotInOurs(t *testing.T) {
	if err := buildPattern(); err != nil {
		t.Fatal(err)
	}
	ours := subject{shared: defaults(t)}
	theirs := subject{pattern: true}
	theirs.shared = theirs.start(t)
	for _, d := range defects {
		t.Run(d.claim, func(t *testing.T) {
			if found := d.find(t, ours); found != "" {
				t.Errorf("ours: %s", found)
			}
			found := d.find(t, theirs)
			if found == "" {
				t.Error("not found in the pattern's directives: this check cannot fail")
			}
			t.Logf("pattern's: %s", found)
		})
	}
}

// TestTheDocumentHasTheTableOfDefects keeps docs/sidecar.md in step.
func TestTheDocumentHasTheTableOfDefects(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n")
	for i, d := range defects {
		fmt.Fprintf(&b, "%d. %s\n", i+1, d.claim)
	}
	inDocument(t, "defects", b.String()+"\n")
}
