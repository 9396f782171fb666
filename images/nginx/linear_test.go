package nginx_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// growth is an input for one of the patterns, for any length up to the limits.
type growth struct {
	name    string
	status  int // of the longest
	request func(n int) string
}

// fill repeats a text up to n bytes.
func fill(text string, n int) string { return strings.Repeat(text, n/len(text)) }

// inTarget puts a long text into the request's target.
func inTarget(name string, status int, before, text, after string) growth {
	return growth{name, status, func(n int) string {
		return "GET " + before + fill(text, n-len(before)-len(after)) + after + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	}}
}

var targetNumber atomic.Int64

// inHeader puts a long text into a header. The target is always another one, so that no answer comes from the cache.
func inHeader(name string, status int, header, before, text, after string, more ...string) growth {
	return growth{name, status, func(n int) string {
		lines := append([]string{header + ": " + before + fill(text, n-len(header)-len(before)-len(after)-2) + after}, more...)
		host := "Host: a\r\n"
		if header == "Host" {
			host = ""
		}
		return fmt.Sprintf("GET /api/%d HTTP/1.1\r\n", targetNumber.Add(1)) + host + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}}
}

const webSocket = "Upgrade: websocket"

// growths has for each map and location what costs it most: what matches to the end, what fails at the end, and what
// could be split in many ways.
var growths = []growth{
	inTarget("one long segment", 200, "/api/", "a", ""),
	inTarget("many segments", 200, "/api", "/a", ""),
	inTarget("many segments, and a slash at the end", 200, "/api", "/a", "/"),
	inTarget("names with dots", 200, "/api/", "a.", ""),
	inTarget("encoded characters of two bytes", 200, "/api/", "%C3%BC", ""),
	inTarget("encoded characters of three bytes", 200, "/api/", "%E6%9D%B1", ""),
	inTarget("encoded characters of four bytes", 200, "/api/", "%F0%9F%98%80", ""),
	inTarget("encoded percent signs", 200, "/api/", "%25-", ""),
	inTarget("plain and encoded by turns", 200, "/api", "/a%20", ""),
	inTarget("one long segment with a fault at the end", 400, "/api/", "a", ";"),
	inTarget("many segments with a fault at the end", 400, "/api", "/a", "//"),
	inTarget("encoded characters with a fault at the end", 400, "/api/", "%C3%BC", "%C3"),
	inTarget("four bytes with a fault at the end", 400, "/api/", "%F0%9F%98%80", "%F0%9F%98"),
	inTarget("the prefix again and again", 200, "", "/api", ""),
	inTarget("slashes", 400, "/api", "/", ""),
	inTarget("a long query", 200, "/api/x?", "a", ""),
	inTarget("a query of question marks", 200, "/api/x?", "?", ""),
	inTarget("a long query with a fault at the end", 400, "/api/x?", "a=b&", "#"),
	inTarget("a long path without the prefix", 404, "/", "a", ""),
	inTarget("dots and slashes without the prefix", 404, "/x", "/a", "/.."),
	inTarget("the health page's query", 200, "/?", "a", ""),
	inTarget("a long name of a file", 200, "/static/", "a", ""),
	inTarget("what could be hashes", 404, "/static/", "-1a", ".js"),
	inTarget("what could be long hashes", 404, "/static/", "-a1b2c3d4.", "js"),
	inTarget("directories", 200, "/static", "/a", ""),
	inTarget("a compressed file's own path", 404, "/.sidecar/encoded/br/1/", "a", ""),
	{"encodings that are refused", 200, func(n int) string {
		return "GET /static/app.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: " + fill("br;q=0.000,", n-100) + "\r\n\r\n"
	}},
	{"blanks between encodings", 200, func(n int) string {
		return "GET /static/app.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: x," + fill(" \t", n-100) + "br;q=\r\n\r\n"
	}},
	inTarget("what is escaped in the log", 404, "/", `"`, ""),
	{"a long method", 405, func(n int) string { return fill("G", n) + " /api/x HTTP/1.1\r\nHost: a\r\n\r\n" }},
	inHeader("a long host", 400, "Host", "", "a", ""),
	inHeader("a host of dots", 400, "Host", "a", ".", ""),
	inHeader("an address of colons", 400, "Host", "[", ":", "]"),
	inHeader("a list with upgrade at its end", 101, "Connection", "", "a,", "upgrade", webSocket),
	inHeader("upgrade many times", 101, "Connection", "", "upgrade,", "upgrade", webSocket),
	inHeader("upgrade many times, without Upgrade", 200, "Connection", "", "upgrade,", "upgrade"),
	inHeader("upgrade many times, to something else", 200, "Connection", "", "upgrade,", "upgrade", "Upgrade: h2c"),
	inHeader("upgrade many times, and never alone", 200, "Connection", "", "upgrade ", "x", webSocket),
	inHeader("commas", 200, "Connection", "", ",", "x", webSocket),
	inHeader("commas and blanks", 200, "Connection", "", ", ", "x", webSocket),
	inHeader("blanks", 200, "Connection", "x,", " ", "x", webSocket),
	inHeader("a list of words with blanks", 200, "Connection", "", "a-b , ", "x", webSocket),
	{"upgrade on several lines", 101, func(n int) string {
		line := "Connection: " + fill("upgrade,", n/4) + "upgrade\r\n"
		return "GET /api/x HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(line, 4) + webSocket + "\r\n\r\n"
	}},
	inHeader("a list of upgrades", 200, "Upgrade", "", "websocket,", "", "Connection: upgrade"),
	inHeader("a long agent", 200, "User-Agent", "", "a", ""),
	inHeader("an agent of quotes", 200, "User-Agent", "", `"`, ""),
	inHeader("a long trace", 200, "X-Amzn-Trace-Id", "", "a", ""),
	inHeader("a trace of blanks", 200, "X-Amzn-Trace-Id", "a", " ", "a"),
	inHeader("a long W3C trace", 200, "Traceparent", "00-", "0af7651916cd43dd", "-01"),
	inHeader("a W3C trace of hyphens", 200, "Traceparent", "00", "-", ""),
	inHeader("a long scheme", 200, "X-Forwarded-Proto", "", "https", ""),
	inHeader("a chain of addresses", 200, "X-Forwarded-For", "", "10.1.1.1, ", "10.1.1.1"),
	inHeader("a chain of what is no address", 200, "X-Forwarded-For", "", "x, ", "x"),
	inHeader("a long cookie", 200, "Cookie", "", "a=b; ", ""),
	inHeader("an answer's long Cache-Control", 200, "X-Reply", "Cache-Control: ", "public,", "x"),
	inHeader("an answer's many ages", 200, "X-Reply", "Cache-Control: ", "max-age=60,", "x"),
	inHeader("an answer's long age", 200, "X-Reply", "Cache-Control: max-age=1", "0", ""),
	inHeader("an answer's commas", 200, "X-Reply", "Cache-Control: ", ",", "x"),
}

// meter reads how long a worker of nginx has been on a processor, which no other process on the machine lengthens much.
type meter struct {
	ask  io.Writer
	told *bufio.Reader
}

func newMeter(t *testing.T, task *imagetest.Task) meter {
	t.Helper()
	const script = `read -r worker rest <"/proc/$(cat /tmp/nginx/nginx.pid)/task/$(cat /tmp/nginx/nginx.pid)/children"
while read -r _; do cat "/proc/$worker/schedstat"; done`
	cmd := exec.CommandContext(t.Context(), "docker", "exec", "--interactive", task.Nginx, "sh", "-c", script) //nolint:gosec // a container of ours
	ask, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	told, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ask.Close(); _ = cmd.Wait() })
	return meter{ask, bufio.NewReader(told)}
}

// time is in nanoseconds since the worker's start.
// https://docs.kernel.org/scheduler/sched-stats.html
func (m meter) time(t *testing.T) float64 {
	t.Helper()
	if _, err := io.WriteString(m.ask, "\n"); err != nil {
		t.Fatal(err)
	}
	line, err := m.told.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseFloat(strings.Fields(line)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// A pattern that goes back over what it has matched takes four times as long for twice the input, and one that keeps
// a note for each step back has no room for them at some length. Neither may be in the configuration.
func TestEveryPatternTakesTimeInProportionToItsInput(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{
		"NGINX_TRUSTED_PROXIES=0.0.0.0/0,::/0", "NGINX_CACHE_SECONDS=60", "NGINX_GZIP=safe", "NGINX_RATE_LIMIT=100000",
		"NGINX_RATE_BURST=100000", "NGINX_CONCURRENCY_LIMIT=65535", "NGINX_PATH_PREFIXES=/api,/api/v2,/v1/orders",
		"NGINX_PATH_RATES=/api:999999:99999", "NGINX_STATIC_FILES=/static", "NGINX_SPA_FALLBACK=on", "NGINX_STATIC_HISTORY=on",
	}, Args: []string{"--volume=" + assets(t) + ":/srv/static/1/static:ro", "--tmpfs=/srv/static/history:mode=1777"}})
	task.Reset(t, false)
	meter := newMeter(t, task)
	// Up to the longest line that nginx takes: 8 KiB with the line's other parts.
	sizes := []int{1000, 2000, 4000, 8000}
	const requests, rounds, most = 10, 3, 2.5
	for _, g := range growths {
		t.Run(g.name, func(t *testing.T) {
			if got := task.Raw(t, g.request(sizes[len(sizes)-1])); got.Status != g.status {
				t.Fatalf("%d bytes: got %d, want %d", sizes[len(sizes)-1], got.Status, g.status)
			}
			best := []float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
			measure := func() (worst float64) {
				for i, size := range sizes {
					begin := meter.time(t)
					for range requests {
						ask(t, task, g.request(size))
					}
					best[i] = min(best[i], (meter.time(t)-begin)/requests)
					if i > 0 {
						worst = max(worst, best[i]/best[i-1])
					}
				}
				return worst
			}
			// The best of several rounds is what the work itself takes. A busy machine gets more of them.
			worst := math.Inf(1)
			for round := 0; round < rounds || worst > most && round < 10*rounds; round++ {
				worst = measure()
			}
			report := ""
			for i, size := range sizes {
				report += fmt.Sprintf(" %d bytes %.0f µs;", size, best[i]/1000)
			}
			if worst > most {
				t.Errorf("twice the input takes %.1f times as long, want at most %.1f:%s", worst, most, report)
			}
			t.Logf("at most × %.2f:%s", worst, report)
		})
	}
	if _, alert, found := strings.Cut(task.Logs(t), "[alert]"); found {
		t.Errorf("a pattern gave up:%s", alert[:min(len(alert), 200)])
	}
}

// ask sends one request and waits for the first byte of the answer.
func ask(t *testing.T, task *imagetest.Task, request string) {
	t.Helper()
	c := task.Dial(t, 10*time.Second)
	defer c.Close() //nolint:errcheck // its answer has begun
	_, _ = io.WriteString(c, request)
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
