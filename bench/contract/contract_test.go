package contract

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const testdata = "../../images/nginx/testdata"

// recorder stands for the recording backend: the application and its control.
type recorder struct {
	mu    sync.Mutex
	heads []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch req.URL.Path {
	case "/requests":
		requests := []map[string]string{}
		for _, head := range r.heads {
			requests = append(requests, map[string]string{"head": head})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"connections": 0, "total": len(r.heads), "requests": requests})
	case "/reset":
		r.heads = nil
	default:
		head, _ := httputil.DumpRequest(req, false)
		r.heads = append(r.heads, string(head))
	}
}

// A proxy that forwards everything and does nothing else must fail what asks for
// more than forwarding, or the check proves nothing.
func TestAProxyThatOnlyForwardsFailsWhatItDoesNotDo(t *testing.T) {
	app := httptest.NewServer(&recorder{})
	t.Cleanup(app.Close)
	target, _ := url.Parse(app.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	t.Cleanup(proxy.Close)
	cases := Cases{
		Good:    [][]byte{get("/api/users/1")},
		Attacks: [][]byte{get("/api/users/2"), get("/internal/secret"), get("/api/..%2finternal"), []byte("PROPFIND /api/x HTTP/1.1\r\nHost: a\r\n\r\n")},
	}
	report, err := Check(proxy.Listener.Addr().String(), app.Listener.Addr().String(), cases)
	if err != nil {
		t.Fatal(err)
	}
	if report.Attacks != 4 || report.Forwarded != 4 || report.Outside != 3 || report.Why["path"] != 2 || report.Why["method"] != 1 {
		t.Errorf("attacks: got %+v, want 3 of 4 outside", report)
	}
	var failed []string
	for _, f := range report.Failed {
		failed = append(failed, f.Demand)
	}
	meets := []string{"forwards /api with its query", "keeps its connections to the application", "leaves smaller answers as they are", "passes no other upgrade on", goodDemand, LogDemand}
	for _, demand := range Demands() {
		if slices.Contains(meets, demand) == slices.Contains(failed, demand) && demand != "lets nobody forge the client's address" {
			t.Errorf("%s: failed %v", demand, slices.Contains(failed, demand))
		}
	}
}

// The client cannot tell such a refusal from one that spared the application.
func TestARefusalByTheApplicationIsNone(t *testing.T) {
	app := httptest.NewServer(&recorder{})
	t.Cleanup(app.Close)
	target, _ := url.Parse(app.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode = http.StatusNotFound; r.Request.Method == "PROPFIND" {
				r.StatusCode = http.StatusMethodNotAllowed
				r.Header.Set("Allow", "GET")
			}
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	report, err := Check(proxy.Listener.Addr().String(), app.Listener.Addr().String(), Cases{})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range report.Failed {
		if (f.Demand == demands[2].name || f.Demand == demands[3].name) && strings.Contains(f.Got, "the application was asked: ") {
			found++
		}
	}
	if found != 2 {
		t.Errorf("got %+v", report.Failed)
	}
}

func TestARequestIsJudgedByEveryWayToReadIt(t *testing.T) {
	const rest = "\r\nHost: a\r\n\r\n"
	for head, want := range map[string]string{
		"GET /api/users/1?x=/../y HTTP/1.1" + rest:                                                  "",
		"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n":                                "",
		"GET /apifoo HTTP/1.1" + rest:                                                               "path",
		"GET /api/../internal HTTP/1.1" + rest:                                                      "path",
		"GET /api/%2e%2e/internal HTTP/1.1" + rest:                                                  "path",
		"GET /api/%252e%252e/internal HTTP/1.1" + rest:                                              "path",
		`GET /api\..\internal HTTP/1.1` + rest:                                                      "path",
		"GET /api/x%00 HTTP/1.1" + rest:                                                             "control byte in the path",
		"TRACE /api/x HTTP/1.1" + rest:                                                              "method",
		"GET /api/x HTTP/0.9" + rest:                                                                "request line",
		"GET /api/x y HTTP/1.1" + rest:                                                              "request line",
		"GET /api/x HTTP/1.1\r\n\r\n":                                                               "Host not once",
		"GET /api/x HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n":                                         "Host not once",
		"GET /api/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n":                                         "control byte in a header",
		"GET /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n":          "length of the body in doubt",
		"GET /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": "length of the body in doubt",
	} {
		if got := outside(head); got != want {
			t.Errorf("%q: got %q, want %q", head, got, want)
		}
	}
}

func TestTheCasesAreThoseOfTheSidecarsTests(t *testing.T) {
	cases, err := Read(testdata)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases.Good) < 15 || len(cases.Attacks) < 2000 {
		t.Errorf("got %d good ones and %d attacks", len(cases.Good), len(cases.Attacks))
	}
	for _, good := range cases.Good {
		head, _ := bufio.NewReader(strings.NewReader(string(good))).ReadString('\n')
		if why := outside(string(good)); why != "" {
			t.Errorf("%q is outside the contract: %s", head, why)
		}
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("no files, and no error")
	}
}

func TestACaseIsSentByteForByte(t *testing.T) {
	if got, want := unescape(`a\x00\xff\r\n\t\\\0{bc*3}`), "a\x00\xff\r\n\t\\\x00bcbcbc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Also through JSON, on the way into the namespace.
	sent, err := json.Marshal(Question{Cases: Cases{Attacks: [][]byte{[]byte("\xff\x00")}}})
	if err != nil {
		t.Fatal(err)
	}
	var got Question
	if err := json.Unmarshal(sent, &got); err != nil || string(got.Cases.Attacks[0]) != "\xff\x00" {
		t.Errorf("got %q, %v", got.Cases.Attacks, err)
	}
}

func TestALogLineHasWhatOneLooksForInIt(t *testing.T) {
	const good = `{"request_id":"abc","request":{"method":"GET","uri":"/api/users/logged"},"status":200}`
	if err := LogLine(good, "abc"); err != nil {
		t.Error(err)
	}
	for line, want := range map[string]string{
		"":                                                 "no JSON",
		"127.0.0.1 - GET /api/users/logged":                "no JSON",
		strings.Replace(good, "abc", "abd", 1):             `"abc" is not in it`,
		strings.Replace(good, "200", "404", 1):             `"200" is not in it`,
		strings.Replace(good, "GET", "HEAD", 1):            `"GET" is not in it`,
		good[:len(good)-1] + `,"q":"` + loggedQuery + `"}`: "the query is in it",
	} {
		if err := LogLine(line, "abc"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	if err := LogLine(good, ""); err == nil {
		t.Error("no id, and no error")
	}
}

func TestNobodyThereIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback port
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	if _, err := Check(address, address, Cases{}); err == nil {
		t.Error("no recording backend, and no error")
	}
}
