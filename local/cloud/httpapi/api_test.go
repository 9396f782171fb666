package httpapi

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/cloudmap"
)

// instances are a service's instances by their local addresses.
type instances []string

func (i instances) Discover(string) (all []cloudmap.Instance) {
	for _, address := range i {
		all = append(all, cloudmap.Instance{ID: address, Address: address})
	}
	return all
}

// serveAPI serves an API in front of instances, over TLS as the gateway does.
func serveAPI(t *testing.T, behind instances, adjust func(*settings)) *httptest.Server {
	t.Helper()
	g, err := New(Options{Endpoint: "http://127.0.0.1:1", Region: "eu-central-1", Port: freePort(t), Instances: behind, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	s := settings{id: "api", service: "arn:aws:servicediscovery:eu-central-1:1:service/srv", timeout: 5 * time.Second, rate: 1e6, burst: 1e6}
	if adjust != nil {
		adjust(&s)
	}
	server := httptest.NewTLSServer(newAPI(s, g))
	t.Cleanup(server.Close)
	return server
}

// echo is an instance that answers with what it was sent.
func echo(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(echoed))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func echoed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "X-Own")
	w.Header().Set("X-Own", "between instance and gateway")
	body, _ := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s host=%s body=%d\n", r.Method, r.RequestURI, r.Host, len(body))
	_ = r.Header.Write(w)
}

// raw sends bytes over TLS, and returns the answer and its body.
func raw(t *testing.T, server *httptest.Server, request string) (answered, string) {
	t.Helper()
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }() // an answer may come before a large request is out
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, err)
	_ = response.Body.Close()
	return answered{status: response.StatusCode, header: response.Header}, string(body)
}

func TestRequestReachesTheInstanceAsItWasPlusTheGatewaysHeaders(t *testing.T) {
	server := serveAPI(t, instances{echo(t)}, func(s *settings) {
		s.headers = map[string]string{"sidecar-client": "$context.identity.sourceIp", "x-fixed": "a b"}
	})
	response, got := raw(t, server, "POST /api/..%2fa\"b;c?x=1;y=%zz HTTP/1.1\r\nHost: shop.example\r\nForwarded: for=1.2.3.4;proto=http\r\nSidecar-Client: 6.6.6.6\r\n"+
		"X-Forwarded-For: 9.9.9.9\r\nConnection: Upgrade, X-Hop\r\nUpgrade: websocket\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\nabc")
	for _, want := range []string{
		"POST /api/..%2fa\"b;c?x=1;y=%zz host=shop.example body=3\n",
		"Forwarded: for=1.2.3.4;proto=http, by=127.0.0.1;for=127.0.0.1;host=shop.example;proto=https\r\n",
		"Sidecar-Client: 127.0.0.1\r\n", "X-Fixed: a b\r\n", "Via: HTTP/1.1 AmazonAPIGateway\r\n", "X-Amzn-Trace-Id: Root=1-", "X-Forwarded-For: 9.9.9.9\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, never := range []string{"Upgrade", "X-Hop", "6.6.6.6", "User-Agent"} {
		if strings.Contains(got, never) {
			t.Errorf("%q reached the instance:\n%s", never, got)
		}
	}
	if _, got := raw(t, server, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"); strings.Contains(got, "Upgrade") {
		t.Errorf("an Upgrade that Connection does not name reached the instance:\n%s", got)
	}
	if response.status != http.StatusOK || response.header.Get("X-Own") != "" || response.header.Get("Apigw-Requestid") == "" {
		t.Errorf("answer: got %d %v", response.status, response.header)
	}
}

func TestAddressesInForwardedAreNodes(t *testing.T) {
	for address, want := range map[string]string{"1.2.3.4": "1.2.3.4", "2001:db8::1": `"[2001:db8::1]"`} {
		if got := node(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestInstancesTakeTurns(t *testing.T) {
	var behind instances
	counts := map[string]int{}
	for _, name := range []string{"a", "b", "c"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(server.Close)
		behind = append(behind, strings.TrimPrefix(server.URL, "http://"))
	}
	server := serveAPI(t, behind, nil)
	for range 9 {
		_, who := raw(t, server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		counts[who]++
	}
	if counts["a"] != 3 || counts["b"] != 3 || counts["c"] != 3 {
		t.Errorf("9 requests over 3 instances: got %v", counts)
	}
}

func TestLimitsAreThoseOfAnHTTPAPI(t *testing.T) {
	server := serveAPI(t, instances{echo(t)}, nil)
	post := func(size int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	}
	get := func(size int) string { // request line, Host and header values have size bytes together
		return "GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", size-len("GET / HTTP/1.1a")) + "\r\n\r\n"
	}
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"10 MiB": {post(10 << 20), 200}, "one byte more": {post(10<<20 + 1), 413},
		"header of 10,240 bytes": {get(10_240), 200}, "header of 10,241 bytes": {get(10_241), 431},
	} {
		if response, body := raw(t, server, c.request); response.status != c.want {
			t.Errorf("%s: got %d %.100s, want %d", name, response.status, body, c.want)
		}
	}

	throttled := serveAPI(t, instances{echo(t)}, func(s *settings) { s.rate, s.burst = 0.001, 2 })
	for i, want := range []int{200, 200, 429} {
		response, body := raw(t, throttled, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if response.status != want || want == 429 && body != `{"message":"Too Many Requests"}` {
			t.Errorf("request %d with a burst of 2: got %d %s", i+1, response.status, body)
		}
	}
}

func TestInstancesThatFailGiveTheGatewaysAnswers(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_ = gone.Close()
	started := make(chan struct{}, 1)
	ended := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { started <- struct{}{}; <-ended }))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(ended) })
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20+1)) }))
	t.Cleanup(large.Close)
	for name, c := range map[string]struct {
		behind instances
		adjust func(*settings)
		want   int
	}{
		"no instance":                  {nil, nil, 503},
		"no connection":                {instances{gone.Addr().String()}, nil, 503},
		"no answer in time":            {instances{strings.TrimPrefix(hangs.URL, "http://")}, func(s *settings) { s.timeout = 100 * time.Millisecond }, 503},
		"answer larger than 10 MiB":    {instances{strings.TrimPrefix(large.URL, "http://")}, nil, 500},
		"no route":                     {instances{gone.Addr().String()}, func(s *settings) { s.service = "" }, 404},
		"something unknown configured": {instances{echo(t)}, func(s *settings) { s.unsupported = "a JWT authorizer" }, 500},
	} {
		response, body := raw(t, serveAPI(t, c.behind, c.adjust), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if want := fmt.Sprintf(`{"message":%q}`, http.StatusText(c.want)); response.status != c.want || body != want || response.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s, want %d %s", name, response.status, body, c.want, want)
		}
	}
	<-started // the one that hangs was asked
}

func TestANewThrottleCountsAtOnce(t *testing.T) {
	g, err := New(Options{Endpoint: "http://127.0.0.1:1", Region: "eu-central-1", Port: freePort(t), Instances: instances{echo(t)}, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	s := settings{id: "api", service: "srv", timeout: time.Second, rate: 1e6, burst: 1e6}
	a := newAPI(s, g)
	ask := func() int {
		recorder := httptest.NewRecorder()
		a.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		return recorder.Code
	}
	if got := ask(); got != http.StatusOK {
		t.Errorf("before: got %d", got)
	}
	s.rate, s.burst = 0.001, 0
	a.configure(s)
	if got := ask(); got != http.StatusTooManyRequests {
		t.Errorf("after: got %d, want 429", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
