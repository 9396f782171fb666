package nginx

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func rendered(t testing.TB, s Settings) string {
	t.Helper()
	var text strings.Builder
	if err := s.Render(&text, 1<<20); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestAllTimeoutsFollowFromOneNumber(t *testing.T) {
	for idle, answer := range map[int]int{5: 4, 30: 29, 60: 29, 61: 60, 120: 119} { // 29: what a stopping task has time for
		text := rendered(t, ForIdleTimeout(idle))
		for _, want := range []string{
			fmt.Sprintf("\n    keepalive_timeout %ds;", idle+10),  // client side: after the load balancer
			fmt.Sprintf("proxy_read_timeout %ds;", answer),        // before the load balancer
			fmt.Sprintf("\n        keepalive_timeout %ds;", idle), // application side: before the application
		} {
			if !strings.Contains(text, want) {
				t.Errorf("idle timeout %d s: no %q", idle, strings.TrimSpace(want))
			}
		}
	}
}

// Pings come every 30 s from many a library, and every 55 s from few. The side that closes is NGINX, whose log says why.
func TestAWebSocketPingedEvery30SecondsLives(t *testing.T) {
	text := rendered(t, Defaults())
	_, websocket, _ := strings.Cut(text, "location @websocket {")
	websocket, _, _ = strings.Cut(websocket, "\n        location ")
	silence := regexp.MustCompile(`proxy_read_timeout (\d+)s;`).FindStringSubmatch(websocket)
	if silence == nil || silence[1] != "59" {
		t.Errorf("a WebSocket may be silent for %v s; want 59: more than 30, and less than the load balancer's 60", silence)
	}
}

func TestCompressedTypesAreWholeNames(t *testing.T) {
	directive := regexp.MustCompile(`\n    gzip_types ([^;]+);`).FindStringSubmatch(rendered(t, Defaults()))
	if directive == nil || !strings.Contains(directive[1], "application/vnd.ms-fontobject") {
		t.Fatalf("gzip_types: %q", directive)
	}
	name := regexp.MustCompile(`^[a-z]+/[a-z0-9.+-]*[a-z0-9]$`)
	for _, kind := range strings.Fields(directive[1]) {
		if !name.MatchString(kind) {
			t.Errorf("gzip_types: %q is no content type", kind)
		}
	}
}

// everything turns on all that can be.
func everything() Settings {
	s := Defaults()
	s.CacheSeconds, s.RateLimit, s.ConcurrencyLimit, s.StatusInterval, s.TLS, s.Gzip = 60, 1, 1, 1, true, GzipSafe
	s.StaticPaths, s.StaticHistory, s.SPAFallback = []string{"/assets", "/api/files"}, true, true
	s.AppSocket, s.AppHealthPath, s.LoginPaths = "/run/app/http.sock", "/healthz", []string{"/api/admin"}
	s.PathRates = []PathRate{{"/api/login", 10, 5}}
	return s
}

func TestEveryDirectiveHasItsReasonAndLink(t *testing.T) {
	php := everything()
	php.AppProtocol, php.AppRoot, php.CacheSeconds, php.Allow = FastCGI, "/app/public", 0, PathForms
	text := rendered(t, everything()) + rendered(t, php)
	if n := strings.Count(text, "https://nginx.org/"); n < 60 {
		t.Errorf("got %d links to nginx.org, want one for each kind of directive: at least 60", n)
	}
	// The line above a directive is a comment, another directive of the same kind, or the opening of its block.
	kinds := map[string]bool{}
	previous, entries := "", false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if entries = strings.HasPrefix(line, "map ") || entries && line != "}"; entries {
			previous = line
			continue
		}
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

// isDirective leaves out the entries of maps and types, and what is clear by its place.
func isDirective(word string) bool {
	if strings.ContainsAny(word, `~/"':$@.0123456789`) {
		return false
	}
	switch word {
	case "default", "return", "internal", "health", "websocket", "default_type", "fastcgi_temp_path":
		return false
	}
	return true
}

// Every block is closed, and nothing of the template is left, whatever the settings are. That NGINX accepts it is tested
// with the image.
func TestEveryRenderingIsWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same in each run
	quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)
	for range 300 {
		s := someSettings(r)
		text := rendered(t, s)
		depth := 0
		for _, line := range strings.Split(text, "\n") {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
				continue
			}
			line = quoted.ReplaceAllString(line, "")
			depth += strings.Count(line, "{") - strings.Count(line, "}")
		}
		if depth != 0 || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
			t.Fatalf("%+v: depth %d", s, depth)
		}
	}
}

func TestAtLeastFitsTheWholeNumbersFromOneUpwards(t *testing.T) {
	for _, least := range []int{1, 9, 10, 60, 99, 101, 3600} {
		// Go's patterns know no lookahead, so the end stands for it.
		pattern := regexp.MustCompile("^" + strings.TrimSuffix(atLeast(least), "(?![0-9])") + "$")
		for n := range 11000 {
			if got := pattern.MatchString(fmt.Sprint(n)); got != (n >= least) {
				t.Fatalf("%d at least %d: %v", n, least, got)
			}
		}
	}
}
