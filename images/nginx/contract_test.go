package nginx_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

var update = flag.Bool("update", false, "write the tables in docs/sidecar.md anew")

// target is one line of a file such as testdata/targets.txt.
type target struct {
	heading string
	line    string // raw request line
	text    string // the same as it is written in the file
	want    string // "app" or a status
}

var byteEscape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// unescape turns \xNN into the byte.
func unescape(text string) string {
	return byteEscape.ReplaceAllStringFunc(text, func(e string) string {
		n, _ := strconv.ParseUint(e[2:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// The files of request lines: with a prefix, and where the application is a whole site.
const (
	prefixTargets = "testdata/targets.txt"
	siteTargets   = "testdata/targets-site.txt"
)

func targets(t testing.TB, file string) []target {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []target
	heading := ""
	for i, line := range strings.Split(string(data), "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("%s:%d: no ` => `", file, i+1)
		}
		list = append(list, target{heading: heading, line: unescape(text), text: text, want: want})
	}
	if len(list) < 30 {
		t.Fatalf("%s: got %d cases, want at least 30", file, len(list))
	}
	return list
}

func TestExactlyTheseRequestLinesReachTheApplication(t *testing.T) {
	task := defaults(t)
	for _, c := range targets(t, prefixTargets) {
		t.Run(c.text, func(t *testing.T) { contract(t, task, c) })
	}
}

func TestASiteGetsEveryPathThatHasOneMeaning(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_PATH_PREFIXES=/"}})
	for _, c := range targets(t, siteTargets) {
		t.Run(c.text, func(t *testing.T) { contract(t, task, c) })
	}
}

// allowed are request targets for each form that can be allowed, with what becomes of them then. Each is refused where nothing is
// allowed. What an application decodes or leaves out must never lead out of the prefix, nor make another path of it.
var allowed = map[string]map[string]string{
	"encoded-slash": {
		"/@scope%2Fpackage": "app", "/projects/group%2fname/issues": "app", "/a%2Fb%2Fc": "app", "/%24%3A%2FStoryList": "app", "/a%2F.hidden?b": "app",
		"/%2Fa": "400", "/a%2F": "400", "/a%2F?b": "400", "/a%2F/b": "400", "/a%2F%2Fb": "400", "/a%2F..": "400", "/a%2F../b": "400", "/a%2F..%2Fb": "400",
		"/a%2F.": "400", "/a%2F./b": "400", "/a%2F.%2Fb": "400", "/a/.%2Fb": "400", "/a/..%2Fb": "400", "/a%5Cb": "400", "/a%252Fb": "400",
		"/.sidecar%2Fhealth": "400", "/a%2F%2e%2e%2Fb": "400",
	},
	"encoded-percent": {
		"/100%2525": "app", "/a%2520b": "app", "/J%25C3%25BCrgen": "app", "/50%2525%20off": "app", "/%25E6%259D%25B1": "app",
		"/a%252Fb": "400", "/a%252e": "400", "/%252e%252e/a": "400", "/.%252e/a": "400", "/a%255cb": "400", "/a%2541": "400", "/a%2500": "400",
		"/a%25C3": "400", "/a%C3%25BC": "400", "/a%25252e": "400", "/a%252520b": "400", "/a%2Fb": "400",
	},
	"dots": {
		"/..hidden": "app", "/...": "app", "/a/...slug": "app", "/report%2Etxt": "app", "/%2Ehidden": "app", "/%2e%2e%2e": "app",
		"/..": "400", "/../a": "400", "/a/..": "400", "/a/../b": "400", "/%2e%2e/a": "400", "/.%2e/a": "400", "/%2E./a": "400", "/%2e": "400", "/%2e/a": "400",
		"/./a": "400", "/..%20/a": "400", "/..;/a": "400", "/..%2Fa": "400", "/..%5Ca": "400", "/%252e%252e/a": "400", "/x/%2e%2e": "400", "/%2e?a": "400",
	},
	"double-slash": {
		"/a//b": "app", "/unsafe/300x200/http://example.com/a.png": "app", "/a//": "app", "/a///b": "app",
		"//": "400", "//a": "400", "//.sidecar/health": "400", "/a//../b": "400", "/a//..": "400", "/a//./b": "400", "/a//%2Fb": "400", "/..//a": "400",
	},
	"semicolon": {
		"/a;jsessionid=0A1B": "app", "/;jsessionid=0A1B": "app", "/cars;color=red;year=2012/engine": "app", "/a;": "app", "/a;v=1?b=2": "app", "/a;b/": "app",
		"/..;/a": "400", "/..;x=y/a": "400", "/.;/a": "400", "/.;": "400", "/;/a": "400", "/;x=y/a": "400", "/a;/../b": "400", "/a/..;": "400", "/a;%2Fb": "400",
		"/;x=%2e%2e/a": "400",
	},
	// What only two of them together can say.
	"encoded-slash,encoded-percent": {
		"/a%252Fb": "app", "/a%252F..": "400", "/a%252F..%252Fb": "400", "/a%2F%252Fb": "400", "/%252Fa": "400", "/a%252F": "400", "/a%25252Fb": "400", "/.%252Fa": "400",
	},
	"dots,encoded-percent,encoded-slash": {"/a%252F%2e%2e": "400", "/%2e%2e%252Fa": "400", "/a%2F..%20%2Fb": "400", "/%252e%252e": "400", "/a%2F..b": "app"},
	"double-slash,encoded-slash":         {"/a//%2Fb": "400", "/a%2F//b": "400", "/a//b%2Fc": "app"},
	"semicolon,encoded-slash":            {"/a%2F;x/b": "400", "/a%2F..;b": "400", "/a;x%2Fb": "app", "/a%2F;x": "app"},
	"semicolon,dots":                     {"/..;": "400", "/%2e%2e;a/b": "400", "/%2e;": "400", "/...;a": "app", "/.%2e%3ba": "400"},
}

func TestAFormPassesWhereItIsAllowedAndLeadsNowhereElse(t *testing.T) {
	strict := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_PATH_PREFIXES=/"}})
	for forms, paths := range allowed {
		task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_PATH_PREFIXES=/", "NGINX_ALLOW=" + forms}})
		for path, want := range paths {
			line := "GET " + path + " HTTP/1.1"
			t.Run(forms+path, func(t *testing.T) {
				contract(t, task, target{line: line, text: line, want: want})
				contract(t, strict, target{line: line, text: line, want: "400"})
			})
		}
	}
}

// The sidecar's own page is where the load balancer and the container's health check ask, and it still asks nobody.
func TestASitesHealthPageIsTheSidecars(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_PATH_PREFIXES=/"}})
	task.Down(t)
	isHealthy(t, task)
	got := task.Raw(t, "GET /.sidecar/health HTTP/1.1\r\nHost: 10.0.1.17:8080\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n")
	if got.Status != 200 || got.Body != "Service is healthy" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if got := task.Get(t, "/"); got.Status != 502 {
		t.Errorf("/ without the application: got %d, want 502", got.Status)
	}
	imagetest.Docker(t, "exec", task.Nginx, "touch", "/tmp/nginx/maintenance")
	healthPage(t, task, "/.sidecar/health", 503)
	isHealthy(t, task)
}

// contract sends one request line and compares who answers it, and how.
func contract(t *testing.T, task *imagetest.Task, c target) {
	t.Helper()
	task.Reset(t, true)
	got := task.Send(t, c.line)
	seen := task.Seen(t)
	if c.want == "app" {
		words := strings.SplitN(c.line, " ", 3)
		want := words[0] + " " + words[1] + " HTTP/1.1"
		if len(seen.Requests) != 1 || seen.Requests[0].Line() != want {
			t.Errorf("%s: application saw %+q, want %q; status %d", c.text, lines(seen), want, got.Status)
		}
		return
	}
	if strconv.Itoa(got.Status) != c.want {
		t.Errorf("%s: status: got %d, want %s", c.text, got.Status, c.want)
	}
	if seen.Total != 0 {
		t.Errorf("%s: application saw %+q", c.text, lines(seen))
	}
}

func TestAPathMayBeAsLongAsARequestLine(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	for _, length := range []int{1360, 1370, 2000, 8160, 16350} {
		for _, text := range []string{"a", "a/", "%C3%BC"} {
			target := "/api/" + fill(text, length-5)
			if got := task.Get(t, target); got.Status != 200 {
				t.Errorf("%d bytes of %s: got %d, want 200", len(target), text, got.Status)
			}
		}
	}
	if got := task.Get(t, "/api/"+strings.Repeat("a", 16400)); got.Status != 414 {
		t.Errorf("16,405 bytes: got %d, want 414", got.Status)
	}
	if log := task.Logs(t); strings.Contains(log, "[alert]") || strings.Contains(log, "[error]") {
		t.Errorf("log:\n%s", log)
	}
}

func TestErrorsAreJSONWithTheRequestsID(t *testing.T) {
	task := defaults(t)
	for _, c := range []struct {
		line   string
		status int
		error  string
	}{
		{"GET /nothing HTTP/1.1", 404, "not found"},
		{"GET /api/.. HTTP/1.1", 400, "bad request"},
		{"GET /api//x HTTP/1.1", 400, "bad request"},
		{"GET / HTTP/1.1\r\nbad header", 400, "bad request"},
		{"BREW /api HTTP/1.1", 405, "method not allowed"},
		{"TRACE /api HTTP/1.1", 405, "method not allowed"},
		{"GET /api HTTP/2.0", 505, "protocol version not supported"},
		{"GET /api/" + strings.Repeat("a", 17000) + " HTTP/1.1", 414, "request target too long"},
		{"GET /api HTTP/1.1\r\nX-Long: " + strings.Repeat("a", 17000), 431, "headers too large"},
		{"POST /api HTTP/1.1\r\nContent-Length: 2000000", 413, "body too large"},
		{"POST /api HTTP/1.1\r\nTransfer-Encoding: gzip", 501, "not implemented"},
		{"GET /api/reset HTTP/1.1", 502, "application unavailable"},
	} {
		got := task.Send(t, c.line)
		name, _, _ := strings.Cut(c.line[:min(40, len(c.line))], "\r")
		var body struct {
			Error     string
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
			t.Errorf("%s: %d, body %q: %v", name, got.Status, got.Body, err)
			continue
		}
		if got.Status != c.status || body.Error != c.error {
			t.Errorf("%s: got %d %q, want %d %q", name, got.Status, body.Error, c.status, c.error)
		}
		if id := got.Header.Get("X-Request-Id"); id == "" || id != body.RequestID {
			t.Errorf("%s: id in the header %q, in the body %q", name, id, body.RequestID)
		}
		if kind := got.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: content type: got %s", name, kind)
		}
		if server := got.Header.Get("Server"); server != "nginx" {
			t.Errorf("%s: Server: got %q, want no version", name, server)
		}
	}
}

// Who meets a refusal finds the setting in the answer.
func TestARefusalNamesItsReason(t *testing.T) {
	strict := defaults(t)
	some := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_ALLOW=encoded-slash", "NGINX_ALLOWED_HOSTS=a.example.com", "NGINX_MAX_BODY_KB=2048"}})
	for _, c := range []struct {
		task   *imagetest.Task
		line   string
		reason string
	}{
		{strict, "GET /nothing HTTP/1.1", "path: http.paths"},
		{strict, "GET /api/a%2Fb HTTP/1.1", "path: encoded slash: http.allow"},
		{strict, "GET /api/a%252Fb HTTP/1.1", "path: encoded percent: http.allow"},
		{strict, "GET /api/a;b HTTP/1.1", "path: semicolon: http.allow"},
		{strict, "GET /api//a HTTP/1.1", "path: double slash: http.allow"},
		{strict, "GET /api/a%2Eb HTTP/1.1", "path: dots: http.allow"},
		{strict, "GET /api/...a HTTP/1.1", "path: dots: http.allow"},
		{strict, "GET /api/../a HTTP/1.1", "path: dot segment"},
		{strict, "GET /api/%2e%2E/a HTTP/1.1", "path: dot segment"},
		{strict, `GET /api/a\b HTTP/1.1`, "path: backslash"},
		{strict, "GET /api/%61 HTTP/1.1", "path: encoded letter or digit"},
		{strict, "GET /api/%07 HTTP/1.1", "path: encoded control character"},
		{strict, "GET /api/%C3 HTTP/1.1", "path: encoded bytes that are not UTF-8"},
		{strict, "GET /api/<b> HTTP/1.1", "path: a character that has to be encoded"},
		{strict, "GET /api/a?\xc3 HTTP/1.1", "query: a character that has to be encoded"},
		{strict, "GET http://a/api/a HTTP/1.1", "request line: a method and a path"},
		{strict, "GET /api/a HTTP/1.1\r\nbad header", "request: malformed, or without a Host"},
		{strict, "BREW /api HTTP/1.1", "method: http.methods"},
		{strict, "POST /api HTTP/1.1\r\nContent-Length: 2000000", "body over 1 MiB: http.bodyLimit"},
		{strict, "GET /api/" + strings.Repeat("a", 17000) + " HTTP/1.1", "request line over 16 KiB: http.headerLimit"},
		{strict, "GET /api HTTP/1.1\r\nX-Long: " + strings.Repeat("a", 17000), "header over 16 KiB, or all over 64 KiB: http.headerLimit"},
		{strict, "GET /api/a HTTP/1.1\r\nHost: b", "request: malformed, or without a Host"},
		{some, "GET /api/a HTTP/1.1", "host: http.hosts"},
		{some, "POST /api HTTP/1.1\r\nContent-Length: 3000000", "body over 2 MiB: http.bodyLimit"},
	} {
		var body struct{ Reason string }
		got := c.task.Send(t, c.line)
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil || body.Reason != c.reason {
			t.Errorf("%.60s: got %d %q, want the reason %q", c.line, got.Status, got.Body, c.reason)
		}
	}
	got := some.Raw(t, "GET /api/a%2F/b HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n")
	if want := "path: encoded slash at a place where it has two meanings"; !strings.Contains(got.Body, want) {
		t.Errorf("got %s, want %s", got.Body, want)
	}
}

// Any registered method can be listed.
func TestAMethodOfWebDAVPassesWhereItIsListed(t *testing.T) {
	methods := []string{"PROPFIND", "REPORT", "MKCOL", "QUERY", "VERSION-CONTROL"}
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_METHODS=" + strings.Join(methods, ",")}})
	for _, method := range methods {
		line := method + " /api/x HTTP/1.1"
		contract(t, task, target{line: line, text: line, want: "app"})
	}
	contract(t, task, target{line: "GET /api/x HTTP/1.1", text: "GET", want: "405"})
}

func TestTheHealthPageNeverAsksTheApplication(t *testing.T) {
	task := defaults(t)
	task.Down(t)
	defer task.Up(t)
	got := task.Get(t, "/")
	if got.Status != 200 || got.Body != "Service is healthy" || got.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %d %q %q", got.Status, got.Body, got.Header.Get("Content-Type"))
	}
	// What the load balancer sends: no more than this, and its own address as Host.
	got = task.Raw(t, "GET / HTTP/1.1\r\nHost: 10.0.1.17:8080\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n")
	if got.Status != 200 {
		t.Errorf("ELB health check: got %d", got.Status)
	}
}

func TestA405SaysWhatIsAllowedAndTheApplicationsOwnIsLeftAlone(t *testing.T) {
	task := defaults(t)
	for _, c := range []struct{ line, allow string }{
		{"BREW /api/users/1 HTTP/1.1", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
		{"BREW /anywhere HTTP/1.1", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
		{"POST / HTTP/1.1", "GET, HEAD"},
		{"GET /api/status?code=405 HTTP/1.1", "PATCH"},
		{"GET /api/status?code=200 HTTP/1.1", "PATCH"},
		{"GET /nothing HTTP/1.1", ""},
	} {
		got := task.Send(t, c.line)
		if allow := strings.Join(got.Header.Values("Allow"), "|"); allow != c.allow {
			t.Errorf("%s: Allow: got %q, want %q", c.line, allow, c.allow)
		}
	}
}

func TestTheApplicationsErrorsPassUnchanged(t *testing.T) {
	task := defaults(t)
	for _, code := range []int{400, 401, 403, 404, 409, 418, 422, 429, 500, 503} {
		got := task.Get(t, fmt.Sprintf("/api/status?code=%d", code))
		if got.Status != code || got.Body != strconv.Itoa(code) || got.Header.Get("Retry-After") != "" {
			t.Errorf("got %d %q, Retry-After %q, want the application's %d", got.Status, got.Body, got.Header.Get("Retry-After"), code)
		}
		if got.Header.Get("X-Powered-By") != "" {
			t.Errorf("X-Powered-By passed on")
		}
	}
}

// TestTheDocumentHasTheTableOfTargets keeps docs/sidecar.md in step.
func TestTheDocumentHasTheTableOfTargets(t *testing.T) {
	inDocument(t, "targets", targetsTable(t, prefixTargets))
	inDocument(t, "site targets", targetsTable(t, siteTargets))
}

func targetsTable(t *testing.T, file string) string {
	t.Helper()
	var b strings.Builder
	heading := ""
	for _, c := range targets(t, file) {
		if c.heading != heading {
			heading = c.heading
			fmt.Fprintf(&b, "\n**%s**\n\n| Request line | Answer |\n|---|---|\n", heading)
		}
		answer := c.want
		if answer == "app" {
			answer = "application"
		}
		fmt.Fprintf(&b, "| <code>%s</code> | %s |\n", cell(c.text), answer)
	}
	return b.String() + "\n"
}

// cell makes a text safe for a Markdown table cell.
func cell(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "*", "&#42;", "_", "&#95;", "\\", "&#92;", "`", "&#96;").Replace(text)
}

// inDocument compares the part of docs/sidecar.md between two markers with what
// it should be, and writes it with -update.
func inDocument(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join(imagetest.Root(), "docs", "sidecar.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- begin "+name+" -->\n"), []byte("<!-- end "+name+" -->\n")
	i, j := bytes.Index(doc, begin), bytes.Index(doc, end)
	if i < 0 || j < i {
		t.Fatalf("%s: no markers %s", path, name)
	}
	i += len(begin)
	if string(doc[i:j]) == want {
		return
	}
	if !*update {
		t.Fatalf("%s: the table %s is not what the tests say; run `go test ./images/nginx -run Document -update`", path, name)
	}
	doc = append(doc[:i:i], append([]byte(want), doc[j:]...)...)
	if err := os.WriteFile(path, doc, 0o644); err != nil { //nolint:gosec // a file of this repository
		t.Fatal(err)
	}
}
