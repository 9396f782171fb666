package nginx

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// reading reads settings from NAME=value lines.
func reading(lines ...string) (Settings, error) {
	variables := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		variables[name] = value
	}
	return Read(func(name string) string { return variables[name] })
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	_, err := reading("NGINX_PORT=0", "APP_PORT=http", "NGINX_IDLE_TIMEOUT=4001", "NGINX_CLIENT_TIMEOUT=10s", "NGINX_SHUTDOWN_TIMEOUT=-1",
		"NGINX_UPSTREAM_KEEPALIVE=99999999999999999999", "NGINX_MAX_BODY_KB=1.5", "NGINX_RATE_LIMIT=0x10", "NGINX_RATE_BURST=007", "NGINX_CACHE_SECONDS= 1",
		"NGINX_ACCESS_LOG=combined", "NGINX_LOG_HEALTH_CHECKS=yes", "NGINX_PATH_PREFIXES=api,/a b,/ok,", "NGINX_METHODS=GET,get", "NGINX_APP_SOCKET=run/app.sock")
	want := `NGINX_PORT: got "0", allowed: 1 to 65535
APP_PORT: got "http", allowed: 1 to 65535
NGINX_IDLE_TIMEOUT: got "4001", allowed: 5 to 4000 s
NGINX_CLIENT_TIMEOUT: got "10s", allowed: 1 to 300 s
NGINX_SHUTDOWN_TIMEOUT: got "-1", allowed: 1 to 120 s
NGINX_UPSTREAM_KEEPALIVE: got "99999999999999999999", allowed: 1 to 10000
NGINX_MAX_BODY_KB: got "1.5", allowed: 1 to 1048576 KiB
NGINX_RATE_LIMIT: got "0x10", allowed: 0 to 100000 requests a second
NGINX_RATE_BURST: got "007", allowed: 0 to 100000 requests
NGINX_CACHE_SECONDS: got " 1", allowed: 0 to 3600 seconds
NGINX_ACCESS_LOG: got "combined", allowed: json, text, off
NGINX_LOG_HEALTH_CHECKS: got "yes", allowed: on, off
NGINX_PATH_PREFIXES: got "api", allowed: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores; several are separated by commas
NGINX_PATH_PREFIXES: got "/a b", allowed: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores; several are separated by commas
NGINX_PATH_PREFIXES: got "", allowed: /, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores; several are separated by commas
NGINX_METHODS: got "get", allowed: a registered method in upper case, such as GET, PATCH or PROPFIND, other than CONNECT, PRI and TRACE; several are separated by commas
NGINX_APP_SOCKET: got "run/app.sock", allowed: a path such as /run/app/http.sock, of at most 107 letters, digits and . _ - /`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// Each number is allowed from one end of its range to the other, and no further.
func TestTheRangeOfANumberIsWhatIsRead(t *testing.T) {
	for _, each := range all {
		n, ok := each.(Number)
		if !ok {
			continue
		}
		for value, allowed := range map[int]bool{n.Min - 1: false, n.Min: true, n.Max: true, n.Max + 1: false} {
			var s Settings
			*n.at(&s) = value
			if got := n.read(&s, n.write(s)); (got == nil) != allowed {
				t.Errorf("%s=%d: %v", n.Name, value, got)
			}
		}
	}
}

func TestTheWordsOfEachList(t *testing.T) {
	long := strings.Repeat("s", 107)
	for _, c := range []struct {
		name, good, bad string // words without commas, separated by blanks
	}{
		{"NGINX_PATH_PREFIXES", "/api /v1/orders /a-b_c /socket.io /.well-known /a..b /.a", "api /v1/ /v1//x /.* /a/. /a/.. /..a /.sidecar /.sidecar/x /a%20 //"},
		{"NGINX_STATIC_FILES", "/assets /docs/v1", "assets /x/ /a.b /.git"},
		{"NGINX_LOGIN_PATHS", "/ /api/admin", "admin /a*"},
		{"NGINX_METHODS", "GET PATCH", "TRACE get CONNECT"},
		{"NGINX_ALLOWED_HOSTS", "a example.com *.shop.example.com 10.0.0.1", "Example.com a..b * *.*.example.com example.com:80 -a a. .a a_b"},
		{"NGINX_PATH_RATES", "/api:1:0 /a.b:999999:99999", "/api /api:0:1 /api:1:-1 /:1:1 /api:01:1 /api:1000000:1 /api:1:100000 /api:1:1:1"},
		{"NGINX_TRUSTED_PROXIES", "10.0.0.0/8 192.168.1.1 fd00::/8 ::1 0.0.0.0/0", "10.0.0.0/33 10.0.0.1/8 256.1.1.1 evil ::ffff:1.2.3.0/120 ::ffff:1.2.3.4 fe80::1%eth0 10.0.0.0/08"},
		{"NGINX_APP_SOCKET", "/run/app/http.sock /" + long[1:], "run/app.sock /" + long + " /run/ / /a;b"},
		{"NGINX_APP_HEALTH_PATH", "/ /healthz /v1.0_~-/x /health/", "healthz //x /a?b /a%20"},
	} {
		for _, word := range strings.Fields(c.good) {
			if _, err := reading(c.name + "=" + word); err != nil {
				t.Errorf("%s=%s: %v", c.name, word, err)
			}
		}
		for _, word := range strings.Fields(c.bad) {
			if _, err := reading(c.name + "=" + word); err == nil || !strings.HasPrefix(err.Error(), c.name+`: got "`+word+`"`) {
				t.Errorf("%s=%s: %v", c.name, word, err)
			}
		}
	}
}

func TestSettingsThatContradictEachOther(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"NGINX_KEEPALIVE_TIMEOUT=60", `NGINX_KEEPALIVE_TIMEOUT: got "60", allowed: more than NGINX_IDLE_TIMEOUT (60 s)`},
		{"NGINX_IDLE_TIMEOUT=60 NGINX_READ_TIMEOUT=60", `NGINX_READ_TIMEOUT: got "60", allowed: less than NGINX_IDLE_TIMEOUT (60 s)`},
		{"KEEP_ALIVE_TIMEOUT_MS=60000", `NGINX_UPSTREAM_KEEPALIVE_TIMEOUT: got "60", allowed: less than the application's KEEP_ALIVE_TIMEOUT_MS (60000 ms)`},
		{"APP_PORT=8080", `APP_PORT: got "8080", allowed: another port than NGINX_PORT: both are in one network namespace`},
		{"NGINX_PATH_PREFIXES=/,/api", `NGINX_PATH_PREFIXES: got "/,/api", allowed: / alone, or paths without it`},
		{"NGINX_STATIC_FILES=/api", `NGINX_STATIC_FILES: got "/api", allowed: a path that is no prefix of the application and is there once`},
		{"NGINX_STATIC_FILES=/a,/a", `NGINX_STATIC_FILES: got "/a", allowed: a path that is no prefix of the application and is there once`},
		{"NGINX_SPA_FALLBACK=on", `NGINX_SPA_FALLBACK: got "on", allowed: off without NGINX_STATIC_FILES`},
		{"NGINX_STATIC_FILES=/a NGINX_STATIC_HASHED=/b", `NGINX_STATIC_HASHED: got "/b", allowed: a path of NGINX_STATIC_FILES, or one below it`},
		{"NGINX_ALLOW=dots NGINX_PATH_RATES=/api/login:10:5", `NGINX_ALLOW: got "dots", allowed: none with NGINX_PATH_RATES, which such a path would evade`},
		{"NGINX_ALLOW=semicolon NGINX_LOGIN_PATHS=/api/admin", `NGINX_ALLOW: got "semicolon", allowed: none with NGINX_LOGIN_PATHS other than /, which such a path would evade`},
		{"NGINX_APP_PROTOCOL=fastcgi", `NGINX_APP_ROOT: got "", allowed: the document root of an application that speaks fastcgi`},
		{"NGINX_APP_ROOT=/app", `NGINX_APP_ROOT: got "/app", allowed: none unless NGINX_APP_PROTOCOL is fastcgi`},
		{"NGINX_APP_WRITTEN=/uploads", `NGINX_APP_WRITTEN: got "/uploads", allowed: none without NGINX_APP_ROOT`},
		{"NGINX_APP_PROTOCOL=fastcgi NGINX_APP_ROOT=/app NGINX_STRIP_PREFIX=on", `NGINX_STRIP_PREFIX: got "on", allowed: off with fastcgi, whose scripts are files at their paths`},
		{"NGINX_APP_PROTOCOL=uwsgi NGINX_CACHE_SECONDS=5", `NGINX_CACHE_SECONDS: got "5", allowed: 0 unless NGINX_APP_PROTOCOL is http`},
		{"NGINX_STREAMED_PATHS=/files", `NGINX_STREAMED_PATHS: got "/files", allowed: a path of NGINX_PATH_PREFIXES, or one below it`},
		{"NGINX_APP_PROTOCOL=uwsgi NGINX_STREAMED_PATHS=/api", `NGINX_STREAMED_PATHS: got "/api", allowed: none unless NGINX_APP_PROTOCOL is http: the variables of CGI hold the length`},
		{"NGINX_ALLOW=slash", `NGINX_ALLOW: got "slash", allowed: one of encoded-slash, encoded-percent, dots, double-slash, semicolon; several are separated by commas`},
	} {
		if _, err := reading(strings.Fields(c.lines)...); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.lines, err, c.want)
		}
	}
}

// someSettings are settings that are allowed, each as random as it can be.
func someSettings(r *rand.Rand) Settings {
	s := ForIdleTimeout(IdleTimeout.Min + r.IntN(3900))
	for _, each := range all {
		if n, ok := each.(Number); ok && n.follows == nil && n.Name != IdleTimeout.Name {
			*n.at(&s) = n.Min + r.IntN(n.Max-n.Min+1)
		}
	}
	s.AppPort = s.Port%65535 + 1
	some := func(words ...string) []string {
		r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		return append([]string(nil), words[:r.IntN(len(words)+1)]...)
	}
	if s.PathPrefixes = some("/api", "/socket.io", "/v1/orders", "/.well-known"); s.PathPrefixes == nil {
		s.PathPrefixes = []string{Site}
	}
	s.Methods = append(some(knownMethods[1:]...), "GET")
	s.AllowedHosts, s.StaticPaths = some("example.com", "*.example.com", "a"), some("/assets", "/docs", "/api/files")
	s.HashedPaths = some(s.StaticPaths...)
	if r.IntN(2) == 0 {
		s.PathRates = []PathRate{{"/api/login", 1 + r.IntN(mostPerMinute), r.IntN(mostBurst + 1)}}
	}
	for _, text := range some("10.0.0.0/8", "192.168.1.1/32", "fd00::/8", "::/0") {
		s.TrustedProxies = append(s.TrustedProxies, netip.MustParsePrefix(text))
	}
	s.Gzip, s.AccessLog, s.Ingress = []GzipMode{GzipAll, GzipSafe}[r.IntN(2)], []LogFormat{LogJSON, LogText, LogOff}[r.IntN(3)], []IngressKind{Balancer, API}[r.IntN(2)]
	s.TLS, s.LogHealthChecks, s.StaticHistory = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	s.SPAFallback = len(s.StaticPaths) > 0 && r.IntN(2) == 0
	if len(s.PathRates) == 0 {
		s.Allow = append([]PathForm(nil), PathForms[:r.IntN(len(PathForms)+1)]...)
	}
	if len(s.Allow) > 0 || r.IntN(2) == 0 {
		s.LoginPaths = some(Site)
	} else {
		s.LoginPaths = some("/api/admin", "/v1")
	}
	if r.IntN(2) == 0 {
		s.AnswerHeaders = []AnswerHeader{{"Strict-Transport-Security", "max-age=31536000"}, {"Permissions-Policy", `geolocation=(self "https://a.example"), camera=()`}}
	}
	s.CORSOrigins = some("https://a.example.com", "http://localhost:5173")
	s.CORSPreflight = len(s.CORSOrigins) > 0 && r.IntN(2) == 0
	s.StripPrefix = !slices.Contains(s.PathPrefixes, Site) && r.IntN(2) == 0
	switch s.AppProtocol = []Protocol{HTTP, FastCGI, UWSGI}[r.IntN(3)]; s.AppProtocol {
	case FastCGI:
		s.AppRoot, s.StripPrefix, s.CacheSeconds = "/app/public", false, 0
		s.AppWritten = some("/wp-content/uploads", "/cache.d")
	case UWSGI:
		s.CacheSeconds = 0
	}
	if s.AppProtocol == HTTP {
		s.StreamedPaths = some(s.PathPrefixes...)
	}
	s.AppHealthHost = []string{"", "www.example.com"}[r.IntN(2)]
	s.AppSocket, s.AppHealthPath = []string{"", "/run/app/http.sock"}[r.IntN(2)], []string{"", "/healthz"}[r.IntN(2)]
	return s
}

func TestTheEnvironmentIsReadAsItWasWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in each run
	for range 500 {
		want := someSettings(r)
		variables, err := want.Environment()
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		got, err := Read(func(name string) string { return variables[name] })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n%+v\nbecame\n%+v, %v", variables, want, got, err)
		}
	}
}

func TestTheEnvironmentHasWhatIsSetAndWhatIsAlwaysShown(t *testing.T) {
	s := Defaults()
	s.StopDelay = 20
	variables, err := s.Environment()
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(shown), StopDelay.Name)
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(variables)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("::ffff:1.2.3.0/120")}
	if _, err := s.Environment(); err == nil {
		t.Error("no error for a setting that would end the container")
	}
}

// FuzzEnvironment reads any variables. What is accepted means the same when it is written and read again, and cannot have
// become a directive of NGINX's configuration.
func FuzzEnvironment(f *testing.F) {
	f.Add("NGINX_PATH_RATES", "/api:1:1\nevil")
	f.Add("NGINX_PATH_PREFIXES", "/api;return 200")
	f.Add("NGINX_ALLOWED_HOSTS", `a"; return 200 "x`)
	f.Add("NGINX_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8")
	f.Add("NGINX_APP_SOCKET", "/run/$(id)")
	f.Add("NGINX_APP_HEALTH_PATH", "/api)|(.*")
	f.Fuzz(func(t *testing.T, name, value string) {
		s, err := reading(name + "=" + value)
		if err != nil {
			return
		}
		variables, err := s.Environment()
		if err != nil {
			t.Fatalf("%s=%q was read, and then: %v", name, value, err)
		}
		again, err := Read(func(name string) string { return variables[name] })
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%s=%q: %+v became %+v, %v", name, value, s, again, err)
		}
		for _, written := range variables {
			if strings.ContainsAny(written, " \t\r\n;{}\"'\\$`()|#") {
				t.Fatalf("%s=%q: a value with %q", name, value, written)
			}
		}
	})
}

// A value becomes a word of NGINX's configuration.
func TestAHeaderOfEveryAnswerIsOneLineThatNginxTakesForText(t *testing.T) {
	for line, allowed := range map[string]bool{
		"Strict-Transport-Security: max-age=31536000; includeSubDomains": true, `Permissions-Policy: geolocation=(self "https://a.example"), camera=()`: true,
		"Content-Security-Policy: default-src 'self'; img-src *": true, "X-Powered: a$host": false, `X-A: a\b`: false, "X-A: ": false, "X-A:a": false,
		"X A: a": false, "X-A: a\rb": false, "Content-Length: 1": false, "access-control-allow-origin: *": false, "Cache-Control: no-store": false, "X-A: \u00fc": false,
	} {
		if AnswerHeaders.Allows(line) != allowed {
			t.Errorf("%q: %v; want %v", line, !allowed, allowed)
		}
	}
	if _, err := reading("NGINX_ANSWER_HEADERS=X-A: a\nx-a: b"); err == nil {
		t.Error("the same header twice")
	}
}
