package nginx

import (
	"fmt"
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

// check runs `entrypoint -t` with settings and returns what it printed.
func check(t testing.TB, env ...string) (string, error) {
	t.Helper()
	imagetest.Build(t, imagetest.NginxImage)
	args := append([]string{"run", "--rm", "--network=none"}, imagetest.Hardened...)
	for _, e := range env {
		args = append(args, "--env="+e)
	}
	out, err := exec.Command("docker", append(args, imagetest.NginxImage, "-t")...).CombinedOutput() //nolint:gosec,noctx // arguments of this file; the test's time limit bounds it
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
	"a site": {"NGINX_PATH_PREFIXES=/", "NGINX_ENCODED_SLASHES=on", "NGINX_LOGIN_PATHS=/"},
	"largest": {
		"NGINX_PORT=65535", "APP_PORT=65534", "NGINX_WORKER_PROCESSES=16", "NGINX_WORKER_CONNECTIONS=200000", "NGINX_IDLE_TIMEOUT=4000",
		"NGINX_UPSTREAM_KEEPALIVE_TIMEOUT=4000", "NGINX_CLIENT_TIMEOUT=300", "NGINX_SHUTDOWN_TIMEOUT=120", "NGINX_UPSTREAM_KEEPALIVE=10000",
		"NGINX_MAX_BODY_KB=1048576", "NGINX_RATE_LIMIT=100000", "NGINX_RATE_BURST=100000", "NGINX_GZIP_LEVEL=9", "NGINX_ACCESS_LOG=text",
		"NGINX_LOG_HEALTH_CHECKS=on", "NGINX_PATH_PREFIXES=/api,/v1/orders,/a-b_c", "NGINX_METHODS=OPTIONS,GET,HEAD",
		"NGINX_TRUSTED_PROXIES=10.0.0.0/8,192.168.1.1,fd00::/8,::1", "NGINX_CACHE_SECONDS=3600", "NGINX_STOP_DELAY=110", "NGINX_STATUS_INTERVAL=3600",
		"NGINX_APP_SOCKET=/" + strings.Repeat("s", 106), "NGINX_CONCURRENCY_LIMIT=65535",
		"NGINX_APP_HEALTH_PATH=/healthz/v1.0_~-", "NGINX_APP_HEALTH_TIMEOUT=59", "NGINX_INGRESS=api", "NGINX_LOGIN_PATHS=/api/admin,/v1",
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

// render lets the image write its configuration and returns a copy on the host
// whose paths are the host's.
func render(t testing.TB, env ...string) string {
	t.Helper()
	args := []string{}
	for _, e := range env {
		args = append(args, "--env="+e)
	}
	// With a command, `-t` included, the container ends and its files stay.
	name := imagetest.Container(t, t, append(append([]string{"--network=none"}, args...), imagetest.NginxImage, "-t")...)
	imagetest.Docker(t, "wait", name)
	dir := t.TempDir()
	imagetest.Docker(t, "cp", name+":/tmp/nginx", dir)
	files, _ := filepath.Glob(filepath.Join(dir, "nginx", "*.conf"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "/tmp/nginx/", dir+"/nginx/")), 0o644); err != nil { //nolint:gosec // a temporary folder
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "nginx", "nginx.conf")
}

func TestEveryWrongSettingIsNamedAtOnceAndNginxDoesNotStart(t *testing.T) {
	out, err := check(t,
		"NGINX_PORT=0", "APP_PORT=http", "NGINX_WORKER_PROCESSES=auto", "NGINX_WORKER_CONNECTIONS=63", "NGINX_IDLE_TIMEOUT=4001",
		"NGINX_CLIENT_TIMEOUT=10s", "NGINX_SHUTDOWN_TIMEOUT=-1", "NGINX_UPSTREAM_KEEPALIVE=99999999999999999999", "NGINX_MAX_BODY_KB=1.5",
		"NGINX_RATE_LIMIT=0x10", "NGINX_RATE_BURST=007", "NGINX_GZIP_LEVEL=10", "NGINX_ACCESS_LOG=combined", "NGINX_LOG_HEALTH_CHECKS=yes",
		"NGINX_PATH_PREFIXES=api,/,/a b,/v1/,/v1//x,/.*,/ok", "NGINX_METHODS=GET,TRACE,get",
		"NGINX_TRUSTED_PROXIES=10.0.0.0/33,256.1.1.1,evil,10.0.0.0/8", "NGINX_LOGIN_PATHS=/ok,admin,/a.b", "NGINX_INGRESS=nlb", "NGINX_CACHE_SECONDS=3601",
		"NGINX_CONCURRENCY_LIMIT=65536", "NGINX_GZIP=off", "NGINX_STOP_DELAY=111", "NGINX_STATUS_INTERVAL=1m",
		"NGINX_APP_SOCKET=run/app.sock", "NGINX_APP_HEALTH_PATH=healthz", "NGINX_APP_HEALTH_TIMEOUT=60", "NGINX_HEADER_KB=17",
		"NGINX_ALLOWED_HOSTS=Example.com,a..b,*,*.*.example.com,example.com:80,ok", "NGINX_PATH_RATES=/api,/api:0:1,/a.b:1:1,/api:1:-1,/ok:1:1")
	want := `NGINX_PORT: got "0", allowed: 1 to 65535
APP_PORT: got "http", allowed: 1 to 65535
NGINX_WORKER_PROCESSES: got "auto", allowed: 1 to 64
NGINX_WORKER_CONNECTIONS: got "63", allowed: 64 to 200000
NGINX_IDLE_TIMEOUT: got "4001", allowed: 5 to 4000 s
NGINX_CLIENT_TIMEOUT: got "10s", allowed: 1 to 300 s
NGINX_SHUTDOWN_TIMEOUT: got "-1", allowed: 1 to 120 s
NGINX_STOP_DELAY: got "111", allowed: 0 to 110 s
NGINX_UPSTREAM_KEEPALIVE: got "99999999999999999999", allowed: 1 to 10000
NGINX_MAX_BODY_KB: got "1.5", allowed: 1 to 1048576 KiB
NGINX_HEADER_KB: got "17", allowed: 2 to 16 KiB
NGINX_RATE_LIMIT: got "0x10", allowed: 0 to 100000 requests per second and client
NGINX_RATE_BURST: got "007", allowed: 0 to 100000 requests
NGINX_CONCURRENCY_LIMIT: got "65536", allowed: 0 to 65535 requests at once and client
NGINX_GZIP_LEVEL: got "10", allowed: 0 to 9
NGINX_CACHE_SECONDS: got "3601", allowed: 0 to 3600 s
NGINX_STATUS_INTERVAL: got "1m", allowed: 0 to 3600 s
NGINX_APP_HEALTH_TIMEOUT: got "60", allowed: 1 to 59 s
NGINX_GZIP: got "off", allowed: all safe
NGINX_ACCESS_LOG: got "combined", allowed: json text off
NGINX_LOG_HEALTH_CHECKS: got "yes", allowed: on off
NGINX_INGRESS: got "nlb", allowed: balancer api
NGINX_PATH_PREFIXES: got "api", allowed: / alone, or paths like /api or /v1/orders, separated by commas
NGINX_PATH_PREFIXES: got "api,/,/a b,/v1/,/v1//x,/.*,/ok", allowed: / alone, or paths without it
NGINX_PATH_PREFIXES: got "/a b", allowed: / alone, or paths like /api or /v1/orders, separated by commas
NGINX_PATH_PREFIXES: got "/v1/", allowed: / alone, or paths like /api or /v1/orders, separated by commas
NGINX_PATH_PREFIXES: got "/v1//x", allowed: / alone, or paths like /api or /v1/orders, separated by commas
NGINX_PATH_PREFIXES: got "/.*", allowed: / alone, or paths like /api or /v1/orders, separated by commas
NGINX_METHODS: got "TRACE", allowed: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, separated by commas
NGINX_METHODS: got "get", allowed: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, separated by commas
NGINX_ALLOWED_HOSTS: got "Example.com", allowed: host names like example.com or *.example.com in small letters, separated by commas
NGINX_ALLOWED_HOSTS: got "a..b", allowed: host names like example.com or *.example.com in small letters, separated by commas
NGINX_ALLOWED_HOSTS: got "*", allowed: host names like example.com or *.example.com in small letters, separated by commas
NGINX_ALLOWED_HOSTS: got "*.*.example.com", allowed: host names like example.com or *.example.com in small letters, separated by commas
NGINX_ALLOWED_HOSTS: got "example.com:80", allowed: host names like example.com or *.example.com in small letters, separated by commas
NGINX_PATH_RATES: got "/api", allowed: a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, like /api/login:10:5, separated by commas
NGINX_PATH_RATES: got "/api:0:1", allowed: a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, like /api/login:10:5, separated by commas
NGINX_PATH_RATES: got "/a.b:1:1", allowed: a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, like /api/login:10:5, separated by commas
NGINX_PATH_RATES: got "/api:1:-1", allowed: a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, like /api/login:10:5, separated by commas
NGINX_TRUSTED_PROXIES: got "10.0.0.0/33", allowed: address ranges like 10.0.0.0/16, separated by commas
NGINX_TRUSTED_PROXIES: got "256.1.1.1", allowed: address ranges like 10.0.0.0/16, separated by commas
NGINX_TRUSTED_PROXIES: got "evil", allowed: address ranges like 10.0.0.0/16, separated by commas
NGINX_LOGIN_PATHS: got "admin", allowed: /, or paths like /api or /v1/orders, separated by commas
NGINX_LOGIN_PATHS: got "/a.b", allowed: /, or paths like /api or /v1/orders, separated by commas
NGINX_APP_SOCKET: got "run/app.sock", allowed: a path like /run/app/http.sock, of at most 107 letters, digits and . _ - /
NGINX_APP_HEALTH_PATH: got "healthz", allowed: a path like /healthz, of letters, digits and . _ ~ - /
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 { //nolint:errorlint // exec.Cmd returns it bare
		t.Errorf("got %v, want exit status 1", err)
	}
}

func TestASettingCannotBecomeConfiguration(t *testing.T) {
	names := []string{"NGINX_PORT", "NGINX_ACCESS_LOG", "NGINX_PATH_PREFIXES", "NGINX_METHODS", "NGINX_TRUSTED_PROXIES", "NGINX_LOGIN_PATHS", "NGINX_APP_SOCKET", "NGINX_APP_HEALTH_PATH", "NGINX_ALLOWED_HOSTS", "NGINX_PATH_RATES"}
	for _, value := range []string{"/api;return 200", "/api)|(.*", "/api\nevil", "$(id)", "`id`", "/api'", `/api"`, "/api\\", "/api&", "*"} {
		var env []string
		for _, name := range names {
			env = append(env, name+"="+value)
		}
		out, err := check(t, env...)
		for _, name := range names {
			if err == nil || !strings.Contains("\n"+out, "\n"+name+": got ") {
				t.Errorf("%s=%q: got %v: %s", name, value, err, out)
			}
		}
	}
}

func TestAnEncodedSlashIsRefusedBesideWhatItWouldEvade(t *testing.T) {
	for other, want := range map[string]string{
		"NGINX_PATH_RATES=/api/login:10:5":   "off with NGINX_PATH_RATES, which an encoded slash would evade",
		"NGINX_LOGIN_PATHS=/api/admin":       "off with NGINX_LOGIN_PATHS other than /, which an encoded slash would evade",
		"NGINX_LOGIN_PATHS=/api/admin,/api/": "off with NGINX_LOGIN_PATHS other than /, which an encoded slash would evade",
	} {
		out, err := check(t, "NGINX_ENCODED_SLASHES=on", other)
		if err == nil || !strings.Contains(out, `NGINX_ENCODED_SLASHES: got "on", allowed: `+want) {
			t.Errorf("%s: got %v: %s", other, err, out)
		}
	}
}

func TestAWrongOrderOfTimeoutsIsAnError(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"NGINX_KEEPALIVE_TIMEOUT=30"}, `NGINX_KEEPALIVE_TIMEOUT: got "30", allowed: more than NGINX_IDLE_TIMEOUT (30 s)`},
		{[]string{"NGINX_IDLE_TIMEOUT=60", "NGINX_READ_TIMEOUT=60"}, `NGINX_READ_TIMEOUT: got "60", allowed: less than NGINX_IDLE_TIMEOUT (60 s)`},
		{[]string{"KEEP_ALIVE_TIMEOUT_MS=30000"}, `NGINX_UPSTREAM_KEEPALIVE_TIMEOUT: got "30", allowed: less than the application's KEEP_ALIVE_TIMEOUT_MS (30000 ms)`},
		{[]string{"APP_PORT=8080"}, `APP_PORT: got "8080", allowed: another port than NGINX_PORT: both are in one network namespace`},
	} {
		if out, err := check(t, c.env...); err == nil || strings.TrimSpace(out) != c.want {
			t.Errorf("%v: got %v %q, want %q", c.env, err, out, c.want)
		}
	}
}

func TestAllTimeoutsFollowFromOneNumber(t *testing.T) {
	imagetest.Build(t, imagetest.NginxImage)
	for _, idle := range []int{5, 30, 120} {
		text, err := os.ReadFile(render(t, fmt.Sprintf("NGINX_IDLE_TIMEOUT=%d", idle)))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			fmt.Sprintf("\n    keepalive_timeout %ds;", idle+10),  // client side: after the load balancer
			fmt.Sprintf("proxy_read_timeout %ds;", idle-1),        // before the load balancer
			fmt.Sprintf("\n        keepalive_timeout %ds;", idle), // application side: before the application
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("idle timeout %d s: no %q", idle, strings.TrimSpace(want))
			}
		}
	}
}

func TestEveryDirectiveHasItsReasonAndLink(t *testing.T) {
	text, err := os.ReadFile("nginx.conf.template")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "https://nginx.org/"); n < 45 {
		t.Errorf("got %d links to nginx.org, want one per kind of directive: at least 45", n)
	}
	// The line above a directive is a comment, another directive of the same
	// kind, or the opening of its block.
	kinds := map[string]bool{}
	previous := ""
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		single := strings.HasSuffix(line, ";") && len(words) > 1 && !strings.HasPrefix(line, "#")
		if single && !kinds[words[0]] && isDirective(words[0]) && !strings.HasPrefix(previous, "#") && !strings.HasPrefix(previous, words[0]) {
			t.Errorf("line %d: %s has no reason above it (found %q)", i+1, words[0], previous)
		}
		if single {
			kinds[words[0]] = true
		}
		if line != "" {
			previous = line
		}
	}
}

// isDirective leaves out the entries of maps and what is clear by its place.
func isDirective(word string) bool {
	if strings.ContainsAny(word, `~/"':$@.0123456789`) {
		return false
	}
	switch word {
	case "default", "include", "return", "internal", "health", "websocket", "default_type", "fastcgi_temp_path":
		return false
	}
	return true
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

// meanings of the settings, for the table in docs/sidecar.md.
var meanings = map[string]string{
	"NGINX_PORT":                       "where nginx listens; above 1024, because it runs without rights",
	"APP_PORT":                         "where the application listens, on 127.0.0.1",
	"NGINX_APP_SOCKET":                 "where the application listens as well, on a volume that both containers share: it costs less than the port, which stays for what the socket has no room for",
	"NGINX_APP_HEALTH_PATH":            "where the container's health check asks the application, through nginx; until it has answered once, the health page is 503. None: the check asks nginx alone",
	"NGINX_APP_HEALTH_TIMEOUT":         "how long the application may take for that answer, whose status may be 200 to 399",
	"NGINX_WORKER_PROCESSES":           "one for each whole vCPU of the task",
	"NGINX_WORKER_CONNECTIONS":         "clients and connections to the application together, per worker; about 420 bytes each",
	"NGINX_IDLE_TIMEOUT":               "the load balancer's idle timeout; the next four follow from it",
	"NGINX_KEEPALIVE_TIMEOUT":          "how long an idle client connection stays: more than the load balancer's, by default 10 s more",
	"NGINX_READ_TIMEOUT":               "how long the application may be silent: less than the load balancer's, by default 1 s less",
	"NGINX_UPSTREAM_KEEPALIVE_TIMEOUT": "how long an idle connection to the application stays: by default the idle timeout itself",
	"KEEP_ALIVE_TIMEOUT_MS":            "the application's own idle timeout; both containers get the same value. More than the line above, by default 35 s more",
	"NGINX_CLIENT_TIMEOUT":             "all headers within it; between two reads of a body; between two writes of an answer",
	"NGINX_SHUTDOWN_TIMEOUT":           "how long requests under way may take after a stop; less than the task's stopTimeout",
	"NGINX_STOP_DELAY":                 "how long requests are served on after the signal to stop, while the health page answers 503; the line above counts from then on",
	"NGINX_UPSTREAM_KEEPALIVE":         "idle connections to the application kept per worker",
	"NGINX_MAX_BODY_KB":                "largest request body; more is 413",
	"NGINX_HEADER_KB":                  "longest request line and header line; all of them together may be four times as long. More is 414 or 431",
	"NGINX_ALLOWED_HOSTS":              "host names that a request may be for, each exact or with `*.` for one label; others are 400. None: any",
	"NGINX_PATH_RATES":                 "requests a minute of one client at a path and below it, in any case, and the burst beyond: `/api/login:10:5`; more is 429",
	"NGINX_RATE_LIMIT":                 "requests a second of one client; more is 429. 0: no limit",
	"NGINX_RATE_BURST":                 "requests above the rate that are let through at once",
	"NGINX_CONCURRENCY_LIMIT":          "requests of one client under way at once; more is 429. A WebSocket counts as long as it is open. 0: no limit",
	"NGINX_GZIP_LEVEL":                 "0: no compression",
	"NGINX_STATUS_INTERVAL":            "how often a line with the numbers of connections and requests goes into the log. 0: never",
	"NGINX_GZIP":                       "safe: no compression of answers to requests with Cookie or Authorization",
	"NGINX_CACHE_SECONDS":              "keep answers that the application calls `public` for so long, and while one request renews them. 0: no cache",
	"NGINX_ACCESS_LOG":                 "form of the access log",
	"NGINX_LOG_HEALTH_CHECKS":          "whether the health page is logged",
	"NGINX_PATH_PREFIXES":              "what is forwarded: each prefix and what lies below it. With `/` everything is but the paths below `/.sidecar`, and the health page is `/.sidecar/health`",
	"NGINX_STATIC_FILES":               "paths whose files nginx serves itself, each from a volume: the first from `/srv/static/1` and the path, and so on",
	"NGINX_STATIC_HISTORY":             "whether files whose names have a hash are kept at `/srv/static/history`, a volume of all tasks, and looked for there",
	"NGINX_SPA_FALLBACK":               "whether a path of static files that has no file and no dot in its last segment is answered with the path's index.html",
	"NGINX_ENCODED_SLASHES":            "whether a path may have an encoded slash (`%2F`) inside a segment; not together with a login or a rate at single paths, which it could evade",
	"NGINX_METHODS":                    "methods that are forwarded; others are 405",
	"NGINX_TLS":                        "whether the port speaks TLS, with a certificate made at the start; needs an image with openssl (`--target tls`)",
	"NGINX_TRUSTED_PROXIES":            "address ranges whose word about client and scheme counts: the load balancer's subnets, or those of the VPC link",
	"NGINX_INGRESS":                    "whose word that is. A balancer's X-Forwarded-For and X-Forwarded-Proto, or the header Sidecar-Client of an api, which has no http",
	"NGINX_LOGIN_PATHS":                "paths with what lies below them, `/` for all, on which the load balancer's X-Amzn-Oidc headers reach the application",
}

// paths are the settings that hold one, with what it is the path of.
var paths = map[string]string{"NGINX_APP_SOCKET": "path of a Unix socket", "NGINX_APP_HEALTH_PATH": "path that the application answers"}

// TestTheDocumentHasTheTableOfSettings makes the table from the entrypoint, so
// that a new setting cannot be forgotten.
func TestTheDocumentHasTheTableOfSettings(t *testing.T) {
	script, err := os.ReadFile("entrypoint.sh")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("\n| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n")
	found := 0
	row := func(name, fallback, allowed string) {
		meaning, ok := meanings[name]
		if !ok {
			t.Errorf("%s has no meaning", name)
		}
		found++
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, fallback, allowed, meaning)
	}
	for _, m := range regexp.MustCompile(`(?m)^number (\w+) (\$\(\(.+?\)\)|\S+) (\d+) (\d+)(?: (.*))?$`).FindAllStringSubmatch(string(script), -1) {
		fallback := m[2]
		if strings.ContainsAny(fallback, "$") {
			fallback = "computed"
		}
		row(m[1], fallback, strings.TrimSpace(m[3]+" to "+m[4]+" "+strings.Trim(m[5], "'")))
	}
	for _, m := range regexp.MustCompile(`(?m)^choice (\w+) (\w+) (.+)$`).FindAllStringSubmatch(string(script), -1) {
		row(m[1], m[2], strings.ReplaceAll(m[3], " ", ", "))
	}
	for _, m := range regexp.MustCompile(`(?m)^for word in \$\{(NGINX_\w+):-(.*)\}; do$`).FindAllStringSubmatch(string(script), -1) {
		fallback := m[2]
		if fallback == "" {
			fallback = "none"
		}
		row(m[1], fallback, "list with commas")
	}
	for _, m := range regexp.MustCompile(`(?m)^(NGINX_\w+)=\$\{\w+:-\}$`).FindAllStringSubmatch(string(script), -1) {
		row(m[1], "none", paths[m[1]])
	}
	if found != len(meanings) {
		t.Errorf("got %d settings in entrypoint.sh, %d meanings", found, len(meanings))
	}
	inDocument(t, "settings", b.String()+"\n")
}

// The official base image is Alpine, the stand-in Debian: the entrypoint must run
// on BusyBox's shell and tools as well as on Debian's.
func TestTheEntrypointRunsOnBusyBox(t *testing.T) {
	imagetest.Build(t, imagetest.NginxImage)
	const script = `mkdir /tmp/bb && busybox --install -s /tmp/bb && PATH=/tmp/bb:/usr/sbin exec /tmp/bb/sh /usr/local/bin/entrypoint -t`
	run := func(env ...string) string {
		args := append([]string{"run", "--rm", "--network=none", "--entrypoint=/bin/sh"}, imagetest.Hardened...)
		for _, e := range env {
			args = append(args, "--env="+e)
		}
		out, _ := exec.CommandContext(t.Context(), "docker", append(args, imagetest.NginxImage, "-c", script)...).CombinedOutput() //nolint:gosec // arguments of this file
		return string(out)
	}
	if out := run(renderings["largest"]...); !strings.Contains(out, "test is successful") {
		t.Errorf("largest: %s", out)
	}
	out := run("NGINX_PORT=0", "NGINX_ACCESS_LOG=xml", "NGINX_TRUSTED_PROXIES=10.0.0.0/33,10.0.0.0/8", "NGINX_PATH_PREFIXES=*,/api")
	for _, want := range []string{`NGINX_PORT: got "0"`, `NGINX_ACCESS_LOG: got "xml", allowed: json text off`, `NGINX_TRUSTED_PROXIES: got "10.0.0.0/33"`, `NGINX_PATH_PREFIXES: got "*"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Count(out, "\n") != 4 {
		t.Errorf("got %q, want four lines", out)
	}
}
