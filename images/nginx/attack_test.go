package nginx_test

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fargate-nginx-sidecar/images/imagetest"
)

// mode is one way to set up what is forwarded, and the paths that the contract then admits.
type mode struct {
	name   string
	env    []string
	admits func(path string) bool
	// reads are what an application may make of a path, beside decoding it.
	reads []func(path string) string
	// empty segments are admitted.
	empty bool
	// protocol is what the application speaks, if it is not HTTP.
	protocol string
	// streams says that a body may come in chunks, as the client sends it.
	streams bool
}

// start runs the mode with the recording backend.
func (m mode) start(t *testing.T) *imagetest.Task {
	t.Helper()
	if m.protocol == "" {
		return imagetest.Start(t, imagetest.Options{Env: m.env})
	}
	return startSpeaking(t, m.protocol, m.env...)
}

var modes = []mode{
	{name: "a prefix", admits: belowAPI},
	{name: "a site", env: []string{"NGINX_PATH_PREFIXES=/"}, admits: ofASite},
	{name: "behind an API", env: []string{everyPeer, "NGINX_INGRESS=api"}, admits: belowAPI},
	{name: "with encoded-slash", env: []string{"NGINX_ALLOW=encoded-slash"}, admits: belowAPI},
	{name: "with encoded-percent", env: []string{"NGINX_ALLOW=encoded-percent"}, admits: belowAPI},
	{name: "with dots", env: []string{"NGINX_ALLOW=dots"}, admits: belowAPI, reads: []func(string) string{withoutBlanks}},
	{name: "with double-slash", env: []string{"NGINX_ALLOW=double-slash"}, admits: belowAPI, empty: true},
	{name: "with semicolon", env: []string{"NGINX_ALLOW=semicolon"}, admits: belowAPI, reads: []func(string) string{withoutParameters}},
	{name: "with all forms", env: []string{"NGINX_ALLOW=" + everyForm}, admits: belowAPI, reads: []func(string) string{withoutParameters, withoutBlanks}, empty: true},
	{name: "with all forms of a site", env: []string{"NGINX_PATH_PREFIXES=/", "NGINX_ALLOW=" + everyForm}, admits: ofASiteInAnyForm,
		reads: []func(string) string{withoutParameters, withoutBlanks}, empty: true},
	// Whoever has signed in is the load balancer's word on the login's paths alone; the cases take others.
	{name: "beside a login", env: []string{everyPeer, "NGINX_LOGIN_PATHS=/api/admin"}, admits: belowAPI},
	{name: "with fastcgi", protocol: "fastcgi", admits: belowAPI},
	{name: "with fastcgi and all forms of a site", protocol: "fastcgi", env: []string{"NGINX_PATH_PREFIXES=/", "NGINX_ALLOW=" + everyForm}, admits: ofASiteInAnyForm,
		reads: []func(string) string{withoutParameters, withoutBlanks}, empty: true},
	{name: "with streamed bodies", env: []string{"NGINX_STREAMED_PATHS=/api/users"}, admits: belowAPI, streams: true},
	{name: "with uwsgi and all forms of a site", protocol: "uwsgi", env: []string{"NGINX_PATH_PREFIXES=/", "NGINX_ALLOW=" + everyForm}, admits: ofASiteInAnyForm,
		reads: []func(string) string{withoutParameters, withoutBlanks}, empty: true},
}

const everyForm = "encoded-slash,encoded-percent,dots,double-slash,semicolon"

var (
	parameters = regexp.MustCompile(`;[^/]*`)
	blanks     = regexp.MustCompile(` +(/|$)`)
	slashes    = regexp.MustCompile(`//+`)
)

// withoutParameters is what Java's servers make of a path, and withoutBlanks what Windows makes of one.
func withoutParameters(p string) string { return parameters.ReplaceAllString(p, "") }
func withoutBlanks(p string) string     { return blanks.ReplaceAllString(p, "$1") }

// belowAPI admits /api and what lies below it, in every way an application might clean the path.
func belowAPI(p string) bool {
	backslash := strings.ReplaceAll(p, `\`, "/")
	for _, form := range []string{p, path.Clean(p), path.Clean(backslash), strings.ToLower(path.Clean(backslash))} {
		if form != "/api" && !strings.HasPrefix(form, "/api/") {
			return false
		}
	}
	return true
}

// ofASite admits every path that stays the same when it is cleaned, but those of the sidecar itself.
func ofASite(p string) bool {
	backslash := strings.ReplaceAll(p, `\`, "/")
	clean := path.Clean(backslash)
	return (clean == strings.TrimSuffix(backslash, "/") || backslash == "/") && clean != "/.sidecar" && !strings.HasPrefix(clean, "/.sidecar/")
}

// ofASiteInAnyForm is ofASite for an application that merges slashes.
func ofASiteInAnyForm(p string) bool {
	return !strings.HasPrefix(p, "//") && ofASite(slashes.ReplaceAllString(p, "/"))
}

// outsidePath says whether a path is outside the contract, in some way to read it.
func (m mode) outsidePath(p string) bool {
	if !m.empty && strings.Contains(p, "//") || !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) {
		return true
	}
	for _, read := range append([]func(string) string{func(p string) string { return p }}, m.reads...) {
		if !m.admits(read(p)) {
			return true
		}
	}
	return false
}

// outside says what about a request that reached the application is outside the
// contract. It is written without a look at the configuration: it decodes and
// cleans the path in every way an application might.
func (m mode) outside(r imagetest.Request) string {
	words := strings.Split(r.Line(), " ")
	if len(words) != 3 || words[2] != "HTTP/1.1" {
		return "request line"
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, words[0]) {
		return "method"
	}
	p, _, _ := strings.Cut(words[1], "?")
	for range 4 { // as it is, and decoded up to three times
		if m.outsidePath(p) {
			return "path " + strconv.Quote(p)
		}
		decoded, err := url.PathUnescape(p)
		if err != nil {
			break
		}
		p = decoded
	}
	for _, name := range forgeable {
		if _, times := r.Header(name); times != 0 {
			return name
		}
	}
	for _, name := range []string{"Host", "X-Request-Id", "X-Forwarded-For", "X-Real-Ip"} {
		if _, times := r.Header(name); times != 1 {
			return fmt.Sprintf("%d × %s", times, name)
		}
	}
	if why := m.outsideCGI(r); why != "" {
		return why
	}
	if _, te := r.Header("Transfer-Encoding"); te > 1 || te == 1 && !m.streams {
		return "Transfer-Encoding"
	}
	if _, cl := r.Header("Content-Length"); cl > 1 {
		return "two Content-Lengths"
	}
	for _, line := range strings.Split(strings.TrimSuffix(r.Head, "\r\n\r\n"), "\r\n") {
		if strings.ContainsAny(line, "\x00\r\n") {
			return "header " + strconv.Quote(line)
		}
	}
	return ""
}

// outsideCGI is outside for what comes beside headers. No script but the front controller is there, and no variable comes twice.
func (m mode) outsideCGI(r imagetest.Request) string {
	if script, times := r.Header("CGI-SCRIPT-FILENAME"); m.protocol == "fastcgi" && (times != 1 || script != "/app/public/index.php") {
		return "script " + strconv.Quote(script)
	}
	if p, times := r.Header("CGI-PATH-INFO"); m.protocol == "uwsgi" && (times != 1 || m.outsidePath(p)) {
		return "path " + strconv.Quote(p)
	}
	for _, line := range strings.Split(r.Head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if _, times := r.Header(name); strings.HasPrefix(name, "CGI-") && times != 1 {
			return fmt.Sprintf("%d × %s", times, name)
		}
	}
	return ""
}

func caseLines(t testing.TB, file string) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/attacks/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(string(data), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

var (
	repeat = regexp.MustCompile(`(?s)\{(.+?)\*(\d+)\}`)
	escape = regexp.MustCompile(`\\(x[0-9a-f]{2}|[rnt0\\])`)
)

// raw turns a line of raw.txt into bytes.
func raw(line string) string {
	text := escape.ReplaceAllStringFunc(line, func(e string) string {
		switch e[1] {
		case 'r':
			return "\r"
		case 'n':
			return "\n"
		case 't':
			return "\t"
		case '0':
			return "\x00"
		case '\\':
			return `\`
		}
		n, _ := strconv.ParseUint(e[2:], 16, 8)
		return string([]byte{byte(n)})
	})
	return repeat.ReplaceAllStringFunc(text, func(e string) string {
		m := repeat.FindStringSubmatch(e)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
}

func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// scannerCases sends what scanners ask for, plainly and disguised.
func scannerCases(t testing.TB) (cases []string) {
	for _, p := range caseLines(t, "paths.txt") {
		dots := strings.ReplaceAll(p, ".", "%2e")
		cases = append(cases, get(p), get("/"+p), get(dots), get("/api/.."+p), get("/api/..%2f"+p[1:]), get("/api/%2e%2e"+p),
			get("/x/../.."+p), get(strings.ToUpper(p)), get(p+"?/api/"), get(p+"%23/api/"), get("/%2e/"+p[1:]),
			"POST "+p+" HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b", "HEAD "+p+" HTTP/1.0\r\n\r\n")
	}
	return cases
}

// traversalCases combines every way to write a step up, a separator and a start.
func traversalCases(testing.TB) (cases []string) {
	ups := []string{"..", ".%2e", "%2e.", "%2e%2e", "%2E%2E", "%252e%252e", "..%00", "...", "..;", "..;x=y", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
		"%uff0e%uff0e", "．．", "..%09", "..%20", ".%00.", "%2e%2e%3b", ".;", "%2e%2e%20", "%2e%2e;a", ".%252e", ";a/.."}
	separators := []string{"/", "%2f", "%2F", "%252f", `\`, "%5c", "%255c", "//", "/./", "/%2e/", "%c0%af", "／", ";/", "/;/"}
	starts := []string{"/api", "/api/users", "/api/users/1", "/api%2f", "/api;", "/static", ""}
	for _, start := range starts {
		for _, up := range ups {
			for _, separator := range separators {
				step := separator + up
				for depth := 1; depth <= 4; depth++ {
					cases = append(cases, get(start+strings.Repeat(step, depth)+separator+"internal/secret"))
				}
			}
		}
	}
	return cases
}

// bytesInPlaces puts each byte value where a parser has to decide something.
func bytesInPlaces(testing.TB) (cases []string) {
	for b := range 256 {
		s := string([]byte{byte(b)})
		cases = append(cases,
			"GET"+s+"/internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /internal/secret"+s+"/api/ HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /api"+s+"/../internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /api/x"+s+" HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /api/x?"+s+" HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /api/x HTTP/1.1"+s+"\r\nHost: a\r\n\r\n",
			"GET /api/x HTTP/1.1\r\nHost: a"+s+"b\r\n\r\n",
			"POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding"+s+": chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:"+s+"chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"+s+"\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0"+s+"\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0"+s+"\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			fmt.Sprintf("GET /api%%%02x/../internal/secret HTTP/1.1\r\nHost: a\r\n\r\n", b),
			fmt.Sprintf("GET /api/users/..%%%02xinternal/secret HTTP/1.1\r\nHost: a\r\n\r\n", b),
		)
	}
	return cases
}

// encodedBytes puts percent-encoded bytes where UTF-8 has to decide: each alone, each behind each kind of first byte, and
// each in the place of the last.
func encodedBytes(testing.TB) (cases []string) {
	firsts := []string{"%c0", "%c1", "%c2", "%df", "%e0", "%e0%a0", "%e1%80", "%ed", "%ed%9f", "%ee%80", "%ef%bf", "%f0", "%f0%90", "%f0%90%80", "%f1%80%80",
		"%f4", "%f4%8f", "%f4%8f%bf", "%f4%90%80", "%f5%80%80", "%f8%88%80%80", "%fc%84%80%80%80"}
	for b := range 256 {
		encoded := fmt.Sprintf("%%%02x", b)
		cases = append(cases, get("/api/users/"+encoded), get("/api/"+strings.ToUpper(encoded)+"/internal"), get("/api/users/.."+encoded+"/internal/secret"))
		for _, first := range firsts {
			cases = append(cases, get("/api/users/"+first+encoded))
		}
	}
	return cases
}

// longCases are up to the limits and beyond, where a pattern could give up.
func longCases(testing.TB) (cases []string) {
	for _, n := range []int{1000, 1360, 1370, 2000, 4000, 8192, 16000, 16384} {
		for _, g := range growths {
			cases = append(cases, g.request(n))
		}
		for _, text := range []string{"a", "/a", "%20", "%c3%bc", "/..", "%2e%2e/", "../"} {
			cases = append(cases, get("/api/"+fill(text, n)+"/../../internal/secret"), get("/internal/"+fill(text, n)+"/../api/"), get("/internal/secret?/api/"+fill(text, n)))
		}
		for _, name := range forgeable {
			cases = append(cases, "GET /api/x HTTP/1.1\r\nHost: a\r\n"+name+": "+fill("f", min(n, 7000))+"\r\n\r\n")
		}
		cases = append(cases, fill("G", n)+" /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: "+fill("upgrade,", n)+"\r\nUpgrade: h2c\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	return cases
}

func rawCases(t testing.TB) (cases []string) {
	for _, line := range caseLines(t, "raw.txt") {
		cases = append(cases, raw(line))
	}
	return cases
}

// answerWithin only ends what hangs. How long an answer takes says more about the machine than about NGINX: a busy one is slow
// without any attack.
const answerWithin = time.Minute

// goodTraffic sends what any client sends, until stopped, and counts.
type goodTraffic struct {
	sent, lost atomic.Int64
	worst      atomic.Int64 // slowest answer, ns
	stop       func()
}

func good(task *imagetest.Task) *goodTraffic {
	g := &goodTraffic{}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
				from := time.Now()
				a, err := imagetest.Exchange(task.Addr, "GET /api/users/1 HTTP/1.1\r\nHost: a\r\nX-Good: yes\r\nConnection: close\r\n\r\n", answerWithin)
				g.sent.Add(1)
				if err != nil || a.Status != 200 {
					g.lost.Add(1)
				}
				if took := int64(time.Since(from)); took > g.worst.Load() {
					g.worst.Store(took)
				}
			}
		})
	}
	g.stop = func() { close(done); wg.Wait() }
	return g
}

// String is the line of the report.
func (g *goodTraffic) String() string {
	sent, lost := g.sent.Load(), g.lost.Load()
	return fmt.Sprintf("good requests meanwhile: %d of %d answered (%.2f %%), slowest %v", sent-lost, sent,
		100*float64(sent-lost)/float64(max(sent, 1)), time.Duration(g.worst.Load()).Round(time.Millisecond))
}

func TestNothingOutsideTheContractReachesTheApplication(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { attack(t, m) })
	}
}

// group is a kind of cases.
type group struct {
	name  string
	cases func(testing.TB) []string
	least int
}

// Groups of cases: of requests that could hide another one, and of paths.
var (
	smuggling = []group{
		{"malformed and smuggled requests", rawCases, 100},
		{"every byte where it hurts", bytesInPlaces, 3000},
	}
	paths = []group{
		{"scanner paths", scannerCases, 1500},
		{"ways up and out", traversalCases, 5000},
		{"encoded bytes where UTF-8 decides", encodedBytes, 5000},
		{"up to the limits and beyond", longCases, 500},
	}
)

// attack sends every group of cases to a sidecar in one mode.
func attack(t *testing.T, m mode) {
	t.Helper()
	task := m.start(t)
	saw := task.Seen(t).Total // a site's first page, asked for until NGINX was there
	for _, g := range smuggling {
		t.Run(g.name, func(t *testing.T) { saw += m.attack(t, task, g) })
	}
	t.Run("the application saw what NGINX forwarded", func(t *testing.T) { assertForwarded(t, task, saw) })
	for _, g := range paths {
		t.Run(g.name, func(t *testing.T) { m.attack(t, task, g) })
	}
}

// attack sends a group, with good requests beside it that must be answered, and returns how many requests the application saw.
func (m mode) attack(t *testing.T, task *imagetest.Task, group group) int {
	t.Helper()
	task.Reset(t, true)
	cases := group.cases(t)
	if len(cases) < group.least {
		t.Fatalf("got %d cases, want at least %d", len(cases), group.least)
	}
	g := good(task)
	answered := send(task, cases)
	g.stop()
	seen := task.Seen(t)
	bad, inside := 0, 0
	for _, r := range seen.Requests {
		if _, ours := r.Header("X-Good"); ours > 0 {
			continue
		}
		inside++
		if why := m.outside(r); why != "" {
			bad++
			t.Errorf("%s: application saw %q", why, r.Head)
		}
	}
	if g.lost.Load() > 0 {
		t.Errorf("%v", g)
	}
	t.Logf("cases tried %d (%d answered, the others cut), inside the contract and forwarded %d, outside it and reached the app: %d; %v",
		len(cases), answered, inside-bad, bad, g)

	return seen.Total
}

// send tries every case, 48 at a time, and counts the answers.
func send(task *imagetest.Task, cases []string) int {
	var answered atomic.Int64
	queue := make(chan string)
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for c := range queue {
				if a, err := imagetest.Exchange(task.Addr, c, 400*time.Millisecond); err == nil && a.Status != 0 {
					answered.Add(1)
				}
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	wg.Wait()
	return int(answered.Load())
}

// assertForwarded compares what the application saw with NGINX's log: a smuggled request is one that NGINX did not see.
func assertForwarded(t *testing.T, task *imagetest.Task, saw int) {
	t.Helper()
	time.Sleep(1500 * time.Millisecond) // the log is flushed after a second
	forwarded, unanswered := 0, 0
	for _, line := range strings.Split(task.Logs(t), "\n") {
		if strings.HasPrefix(line, "{") && !strings.Contains(line, `"upstream_status":""`) {
			forwarded++
		}
		if strings.Contains(line, `"upstream_status":"502"`) {
			unanswered++
		}
	}
	if saw != forwarded || forwarded < 100 || unanswered > 0 {
		t.Errorf("application saw %d requests, nginx forwarded %d, of which %d found a closed connection", saw, forwarded, unanswered)
	}
	t.Logf("forwarded %d, seen by the application %d", forwarded, saw)
}
