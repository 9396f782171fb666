package nginx_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// check runs `sidecar -t` with settings and returns what it printed.
func check(t testing.TB, env ...string) (string, error) {
	t.Helper()
	imagetest.Build(t, imagetest.NginxImage)
	return checkIn(t, imagetest.NginxImage, env...)
}

func checkIn(t testing.TB, image string, env ...string) (string, error) {
	t.Helper()
	args := append([]string{"run", "--rm", "--network=none"}, imagetest.Hardened...)
	for _, e := range env {
		args = append(args, "--env="+e)
	}
	out, err := exec.CommandContext(t.Context(), "docker", append(args, image, "-t")...).CombinedOutput() //nolint:gosec // arguments of this package
	return string(out), err
}

// renderings are settings that must all give a configuration nginx accepts.
var renderings = map[string][]string{
	"defaults":       nil,
	"empty settings": {"NGINX_PORT=", "NGINX_TRUSTED_PROXIES=", "NGINX_PATH_PREFIXES=", "NGINX_RATE_LIMIT=", "NGINX_METHODS="},
	"smallest": {
		"NGINX_PORT=1025", "APP_PORT=1", "NGINX_WORKER_PROCESSES=1", "NGINX_WORKER_CONNECTIONS=64", "NGINX_IDLE_TIMEOUT=5",
		"NGINX_CLIENT_TIMEOUT=1", "NGINX_SHUTDOWN_TIMEOUT=1", "NGINX_UPSTREAM_KEEPALIVE=1", "NGINX_MAX_BODY_KB=1", "NGINX_RATE_LIMIT=1",
		"NGINX_RATE_BURST=0", "NGINX_GZIP_LEVEL=0", "NGINX_ACCESS_LOG=off", "NGINX_METHODS=GET", "NGINX_CACHE_SECONDS=1", "NGINX_CONCURRENCY_LIMIT=1", "NGINX_GZIP=safe",
		"NGINX_APP_HEALTH_PATH=/", "NGINX_APP_HEALTH_TIMEOUT=1",
		"NGINX_HEADER_KB=2", "NGINX_ALLOWED_HOSTS=a", "NGINX_PATH_RATES=/a:1:0",
	},
	"a site": {"NGINX_PATH_PREFIXES=/", "NGINX_ALLOW=encoded-slash,encoded-percent,dots,double-slash,semicolon", "NGINX_LOGIN_PATHS=/"},
	"largest": {
		"NGINX_PORT=65535", "APP_PORT=65534", "NGINX_WORKER_PROCESSES=16", "NGINX_WORKER_CONNECTIONS=200000", "NGINX_IDLE_TIMEOUT=4000",
		"NGINX_UPSTREAM_KEEPALIVE_TIMEOUT=4000", "NGINX_CLIENT_TIMEOUT=300", "NGINX_SHUTDOWN_TIMEOUT=120", "NGINX_UPSTREAM_KEEPALIVE=10000",
		"NGINX_MAX_BODY_KB=1048576", "NGINX_RATE_LIMIT=100000", "NGINX_RATE_BURST=100000", "NGINX_GZIP_LEVEL=9", "NGINX_ACCESS_LOG=text",
		"NGINX_LOG_HEALTH_CHECKS=on", "NGINX_PATH_PREFIXES=/api,/v1/orders,/a-b_c,/socket.io,/.well-known", "NGINX_METHODS=OPTIONS,GET,HEAD",
		"NGINX_TRUSTED_PROXIES=10.0.0.0/8,192.168.1.1,fd00::/8,::1", "NGINX_CACHE_SECONDS=3600", "NGINX_STOP_DELAY=110", "NGINX_STATUS_INTERVAL=3600",
		"NGINX_APP_SOCKET=/" + strings.Repeat("s", 106), "NGINX_CONCURRENCY_LIMIT=65535",
		"NGINX_APP_HEALTH_PATH=/healthz/v1.0_~-", "NGINX_APP_HEALTH_TIMEOUT=59", "NGINX_APP_HEALTH_HOST=www.example.com", "NGINX_STRIP_PREFIX=on", "NGINX_CORS_ORIGINS=https://a.example.com,http://localhost:5173", "NGINX_CORS_PREFLIGHT=on", "NGINX_INGRESS=api", "NGINX_LOGIN_PATHS=/api/admin,/v1",
		"NGINX_HEADER_KB=16", "NGINX_ALLOWED_HOSTS=example.com,*.shop.example.com,10.0.0.1", "NGINX_PATH_RATES=/api/login:999999:99999,/v1/orders:1:0",
	},
}

func TestNginxAcceptsEveryRendering(t *testing.T) {
	for name, env := range renderings {
		t.Run(name, func(t *testing.T) {
			if out, err := check(t, env...); err != nil || !strings.Contains(out, "test is successful") || strings.Contains(out, "[warn]") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestSettingsDoWhatTheySay(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{
		"NGINX_PATH_PREFIXES=/v1,/v2/orders", "NGINX_METHODS=GET,POST", "NGINX_MAX_BODY_KB=2", "NGINX_GZIP_LEVEL=0",
		"NGINX_LOG_HEALTH_CHECKS=on", "NGINX_ACCESS_LOG=text",
	}})
	for _, c := range []struct {
		line string
		want int
	}{
		{"GET /v1/x HTTP/1.1", 200},
		{"GET /v2/orders/1 HTTP/1.1", 200},
		{"GET /v2/other HTTP/1.1", 404},
		{"GET /api/x HTTP/1.1", 404},
		{"PUT /v1/x HTTP/1.1", 405},
		{"POST /v1/x HTTP/1.1\r\nContent-Length: 2049", 413},
	} {
		if got := task.Send(t, c.line); got.Status != c.want {
			t.Errorf("%s: got %d, want %d", c.line, got.Status, c.want)
		}
	}
	time.Sleep(1200 * time.Millisecond) // the log is flushed after a second
	if log := task.Logs(t); !strings.Contains(log, `"GET / HTTP/1.1" 200`) || !strings.Contains(log, `"GET /v1/x HTTP/1.1" 200`) {
		t.Errorf("no text line for the health check or the request:\n%s", log)
	}
}

func TestTheRateLimitIsPerClientAndOffByDefault(t *testing.T) {
	limited := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_RATE_LIMIT=2", "NGINX_RATE_BURST=3", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
	count := func(task *imagetest.Task, client string) (ok, refused int) {
		for range 20 {
			got := task.Get(t, "/api/x", "X-Forwarded-For: "+client, "Connection: close")
			switch {
			case got.Status == 200:
				ok++
			case got.Status == 429 && got.Header.Get("Retry-After") == "1":
				refused++
			default:
				t.Errorf("got %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
			}
		}
		return ok, refused
	}
	if ok, refused := count(limited, "203.0.113.1"); ok < 4 || ok > 10 || refused < 10 {
		t.Errorf("2/s and a burst of 3: got %d answered, %d refused of 20", ok, refused)
	}
	if got := limited.Get(t, "/api/x", "X-Forwarded-For: 203.0.113.2"); got.Status != 200 {
		t.Errorf("another client: got %d", got.Status)
	}
	if ok, refused := count(defaults(t), "203.0.113.1"); ok != 20 || refused != 0 {
		t.Errorf("by default: got %d answered, %d refused of 20", ok, refused)
	}
}

// Whoever has one address of an IPv6 network has all of its 2^64.
func TestAnIPv6ClientIsItsNetwork(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_RATE_LIMIT=1", "NGINX_RATE_BURST=0", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
	for _, c := range []struct {
		client string
		status int
	}{
		{"2001:db8:1:2::1", 200},
		{"2001:db8:1:2::1", 429},
		{"2001:db8:1:2:aaaa:bbbb:cccc:dddd", 429},
		{"2001:db8:1:2:ffff::", 429},
		{"2001:db8:1:3::1", 200},
		{"2001:db8::1:0:0:1", 200},
		{"2001:db8:0:0:1::", 429}, // the same network in another form
		{"::1", 200},
		{"203.0.113.1", 200},
		{"203.0.113.2", 200},
	} {
		if got := task.Get(t, "/api/x", "X-Forwarded-For: "+c.client); got.Status != c.status {
			t.Errorf("%s: got %d, want %d", c.client, got.Status, c.status)
		}
	}
}

func TestTheConcurrencyLimitIsPerClientAndOffByDefault(t *testing.T) {
	answers := func(task *imagetest.Task, client string) (ok, refused int) {
		statuses := make(chan int, 20)
		for range 20 {
			go func() {
				a, _ := imagetest.Exchange(task.Addr, "GET /api/slow?ms=1500 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "+client+"\r\n\r\n", 10*time.Second)
				statuses <- a.Status
			}()
		}
		for range 20 {
			switch <-statuses {
			case 200:
				ok++
			case 429:
				refused++
			}
		}
		return ok, refused
	}
	limited := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CONCURRENCY_LIMIT=5", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
	if ok, refused := answers(limited, "203.0.113.1"); ok != 5 || refused != 15 {
		t.Errorf("a limit of 5: got %d answered, %d refused of 20", ok, refused)
	}
	busy := make(chan struct{})
	go func() { defer close(busy); answers(limited, "203.0.113.1") }()
	time.Sleep(300 * time.Millisecond)
	if got := limited.Get(t, "/api/x", "X-Forwarded-For: 203.0.113.2"); got.Status != 200 {
		t.Errorf("another client: got %d", got.Status)
	}
	if got := limited.Get(t, "/", "X-Forwarded-For: 203.0.113.1"); got.Status != 200 {
		t.Errorf("the health page of a client at its limit: got %d", got.Status)
	}
	<-busy
	if log := limited.Logs(t); strings.Contains(log, "limiting connections") {
		t.Errorf("a refusal is in the access log, and needs no error line:\n%s", log)
	}
	if ok, refused := answers(defaults(t), "203.0.113.1"); ok != 20 || refused != 0 {
		t.Errorf("by default: got %d answered, %d refused of 20", ok, refused)
	}
}

func TestSafeCompressionLeavesAnswersToRequestsWithCredentialsAlone(t *testing.T) {
	for _, c := range []struct {
		env  []string
		with bool // credentials make a difference
	}{{nil, false}, {[]string{"NGINX_GZIP=safe"}, true}} {
		task := imagetest.Start(t, imagetest.Options{Env: c.env})
		for header, plain := range map[string]bool{"X: y": false, "Cookie: session=a": c.with, "Authorization: Bearer a": c.with} {
			got := task.Get(t, "/api/big?bytes=20000", "Accept-Encoding: gzip", header)
			if zipped := got.Header.Get("Content-Encoding") == "gzip"; got.Status != 200 || zipped == plain {
				t.Errorf("%v, %s: got %d, compressed: %v", c.env, header, got.Status, zipped)
			}
		}
		// The rest of the location's rules still hold.
		task.Reset(t, true)
		task.Send(t, "POST /api/x HTTP/1.1", "Cookie: session=a", "X-Client-IP: forged", "Content-Length: 2", "", "hi")
		if r := only(t, task); r.Line() != "POST /api/x HTTP/1.1" || strings.Contains(r.Head, "forged") || r.Body != 2 {
			t.Errorf("%v: application got\n%s", c.env, r.Head)
		}
	}
}

func TestTheMicroCacheKeepsOnlyWhatTheApplicationCallsPublic(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CACHE_SECONDS=60"}})
	const public = "X-Reply: Cache-Control: public"
	for _, c := range []struct {
		line    string
		headers []string
		reached int // of 3 requests
	}{
		{"GET /api/public HTTP/1.1", []string{public}, 1},
		{"GET /api/public?page=2 HTTP/1.1", []string{public}, 1},
		{"HEAD /api/public HTTP/1.1", []string{public}, 1},
		{"GET /api/list HTTP/1.1", []string{"X-Reply: Cache-Control: must-revalidate, Public , max-age=60"}, 1},
		{"GET /api/long HTTP/1.1", []string{public + ", max-age=31536000, s-maxage=100"}, 1},
		{"GET /api/vary HTTP/1.1", []string{public, "X-Reply: Vary: Origin"}, 1},
		// The application has not said so.
		{"GET /api/plain HTTP/1.1", nil, 3},
		{"GET /api/key HTTP/1.1", []string{"X-Custom-Key: secret"}, 3},
		{"GET /api/age HTTP/1.1", []string{"X-Reply: Cache-Control: max-age=600"}, 3},
		{"GET /api/expires HTTP/1.1", []string{"X-Reply: Expires: Thu, 01 Jan 2099 00:00:00 GMT"}, 3},
		{"GET /api/accel HTTP/1.1", []string{"X-Reply: X-Accel-Expires: 600"}, 3},
		{"GET /api/word HTTP/1.1", []string{"X-Reply: Cache-Control: x-public"}, 3},
		// It has said something else as well.
		{"GET /api/no1 HTTP/1.1", []string{public + ", no-store"}, 3},
		{"GET /api/no2 HTTP/1.1", []string{public + ", private"}, 3},
		{"GET /api/no3 HTTP/1.1", []string{public, "X-Reply: Cache-Control: no-cache"}, 3},
		{"GET /api/short1 HTTP/1.1", []string{public + ", max-age=59"}, 3},
		{"GET /api/short2 HTTP/1.1", []string{public + ", max-age=600, s-maxage=0"}, 3},
		{"GET /api/short3 HTTP/1.1", []string{public + ", max-age=6"}, 3},
		{"GET /api/past HTTP/1.1", []string{public, "X-Reply: Expires: Thu, 01 Jan 1970 00:00:00 GMT"}, 3},
		{"GET /api/cookie HTTP/1.1", []string{public}, 3}, // the answer sets a cookie
		{"GET /api/varies HTTP/1.1", []string{public, "X-Reply: Vary: *"}, 3},
		{"GET /api/status?code=404 HTTP/1.1", []string{public + ", max-age=600"}, 3},
		{"GET /api/status?code=500 HTTP/1.1", []string{public + ", max-age=600"}, 3},
		{"POST /api/public HTTP/1.1", []string{public}, 3},
		// The request says who asks.
		{"GET /api/public HTTP/1.1", []string{public, "Authorization: Bearer x"}, 3},
		{"GET /api/public HTTP/1.1", []string{public, "Cookie: a=b"}, 3},
		{"GET /api/public HTTP/1.1", []string{public, "X-Api-Key: secret"}, 3},
	} {
		task.Reset(t, true)
		for range 3 {
			task.Send(t, c.line, c.headers...)
		}
		seen := task.Seen(t)
		if seen.Total != c.reached {
			t.Errorf("%s %v: %d of 3 reached the application, want %d", c.line, c.headers, seen.Total, c.reached)
		}
		if method, _, _ := strings.Cut(c.line, " "); seen.Total > 0 && !strings.HasPrefix(seen.Requests[0].Line(), method+" ") {
			t.Errorf("%s became %s", c.line, seen.Requests[0].Line())
		}
	}
	// What is kept for one scheme, host or method is not the answer to another.
	task.Reset(t, true)
	for _, host := range []string{"a.example", "b.example"} {
		task.Raw(t, "GET /api/host HTTP/1.1\r\nHost: "+host+"\r\n"+public+"\r\n\r\n")
	}
	if seen := task.Seen(t); seen.Total != 2 {
		t.Errorf("two hosts: %d requests reached the application, want 2", seen.Total)
	}
}

func TestTheMicroCacheKeepsNothingLongerThanItsSetting(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CACHE_SECONDS=1"}})
	for range 2 {
		task.Get(t, "/api/x", "X-Reply: Cache-Control: public, max-age=3600")
		time.Sleep(2100 * time.Millisecond)
	}
	if seen := task.Seen(t); seen.Total != 2 {
		t.Errorf("two requests 2 s apart with a setting of 1 s: %d reached the application, want 2", seen.Total)
	}
}

func TestTheMicroCacheLeavesConditionsAndRangesAlone(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CACHE_SECONDS=60"}})
	for _, header := range []string{
		"Range: bytes=0-1", "If-Range: \"tag\"", "If-Match: \"tag\"", "If-None-Match: \"tag\"",
		"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "If-Unmodified-Since: Thu, 01 Jan 2099 00:00:00 GMT",
	} {
		for _, path := range []string{"/api/private", "/api/public"} {
			task.Reset(t, true)
			name, value, _ := strings.Cut(header, ": ")
			more := []string{header}
			if path == "/api/public" {
				more = append(more, "X-Reply: Cache-Control: public")
				task.Get(t, path, more[1])
				task.Reset(t, true)
			}
			task.Get(t, path, more...)
			if got, times := only(t, task).Header(name); got != value || times != 1 {
				t.Errorf("%s %s: the application got %q, %d times", path, header, got, times)
			}
		}
	}
}

func TestNobodyWaitsWhileTheMicroCacheRenewsAnAnswer(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CACHE_SECONDS=1"}})
	const slow = time.Second
	ask := func() (waited bool) {
		start := time.Now()
		if got := task.Get(t, fmt.Sprintf("/api/slow?ms=%d", slow.Milliseconds()), "X-Reply: Cache-Control: public"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
		return time.Since(start) >= slow/2
	}
	ask()
	task.Reset(t, true)
	var waited atomic.Int64
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if ask() {
					waited.Add(1)
				}
			}
		})
	}
	clients.Wait()
	// One at a time, a second each: 6 of them, or a few more on a busy machine.
	if renewed := task.Seen(t).Total; renewed < 1 || renewed > 9 || waited.Load() > int64(renewed) {
		t.Errorf("%d requests renewed the answer, want 1 to 9; %d waited, want only those", renewed, waited.Load())
	}
}
