package nginx_test

import (
	"bufio"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
	"fargate-nginx-sidecar/images/nginx"
)

// only returns the one request the backend has received.
func only(t testing.TB, task *imagetest.Task) imagetest.Request {
	t.Helper()
	seen := task.Seen(t)
	if len(seen.Requests) != 1 {
		t.Fatalf("application saw %q, want one request", lines(seen))
	}
	return seen.Requests[0]
}

func TestHeadersThatAnybodyCanForgeDoNotReachTheApplication(t *testing.T) {
	task := defaults(t)
	answer := task.Get(t, "/api/x", "X-Forwarded-For: 6.6.6.6, 7.7.7.7", "X-Real-IP: 6.6.6.6", "X-Forwarded-Proto: https",
		"X-Request-Id: forged", "Forwarded: for=6.6.6.6", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1", "Proxy: evil:1",
		"X-Original-URL: /internal", "X-Rewrite-URL: /internal", "X-HTTP-Method-Override: TRACE", "X-HTTP-Method: TRACE",
		"X-Method-Override: TRACE", "True-Client-IP: 6.6.6.6", "X-Client-IP: 6.6.6.6", "X_Forwarded_For: 6.6.6.6",
		"TE: trailers", "Keep-Alive: timeout=9", "Authorization: Bearer kept", "Cookie: kept=1")
	req := only(t, task)
	for _, bad := range []string{"6.6.6.6", "7.7.7.7", "forged", "evil", "/internal", "TRACE", "trailers", "Keep-Alive", "https"} {
		if strings.Contains(req.Head, bad) {
			t.Errorf("application got %q in\n%s", bad, req.Head)
		}
	}
	peer, _ := req.Header("X-Real-IP")
	for name, want := range map[string]string{
		"Host": "api.example.com", "Authorization": "Bearer kept", "Cookie": "kept=1", "X-Forwarded-For": peer,
		"X-Forwarded-Proto": "http", "X-Request-Id": answer.Header.Get("X-Request-Id"),
	} {
		if got, times := req.Header(name); got != want || times != 1 || got == "" {
			t.Errorf("%s: got %q, %d times, want %q", name, got, times, want)
		}
	}
	if got, times := req.Header("Connection"); times != 0 {
		t.Errorf("Connection: got %q; the connection to the application must stay open", got)
	}
}

// forgeable are headers that anybody can send and that some library believes.
var forgeable = []string{
	"Sidecar-Client", "Forwarded", "Forwarded-For", "X-Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Ssl",
	"X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Forwarded-Server", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL", "X-Host",
	"X-Url-Scheme", "Front-End-Https", "X-Client-IP", "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr",
	"True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Pseudo-IPv4", "Fastly-Client-IP", "Fly-Client-IP", "DO-Connecting-IP",
	"X-Appengine-User-IP", "X-Azure-ClientIP", "Client-IP", "Proxy-Client-IP", "WL-Proxy-Client-IP", "X-Scheme", "X-Middleware-Subrequest",
	"X-Sendfile-Type", "X-Accel-Mapping", "X-Forwarded-Client-Cert", "X-ARR-ClientCert", "Remote-User", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity",
	"X-Amzn-Mtls-Clientcert", "X-Amzn-Mtls-Clientcert-Issuer", "X-Amzn-Mtls-Clientcert-Leaf", "X-Amzn-Mtls-Clientcert-Serial-Number",
	"X-Amzn-Mtls-Clientcert-Subject", "X-Amzn-Mtls-Clientcert-Validity", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "Proxy",
}

func TestNoForgedHeaderReachesTheApplication(t *testing.T) {
	task := defaults(t)
	for _, name := range forgeable {
		task.Reset(t, true)
		task.Get(t, "/api/x", name+": forged", strings.ToLower(name)+": forged", strings.ReplaceAll(name, "-", "_")+": forged")
		if head := only(t, task).Head; strings.Contains(head, "forged") {
			t.Errorf("%s: application got\n%s", name, head)
		}
	}
	// The document names the same.
	text, err := os.ReadFile(filepath.Join(imagetest.Root(), "docs", "sidecar.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range forgeable {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/sidecar.md does not name %s", name)
		}
	}
}

// X_Real_IP is X-Real-IP to a CGI application. That such names are dropped is nginx's default; it must not depend on it.
func TestNamesWithUnderscoresAreDroppedByOurOwnWord(t *testing.T) {
	var text strings.Builder
	if err := nginx.Defaults().Render(&text, 1024); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"underscores_in_headers off;", "ignore_invalid_headers on;"} {
		if !strings.Contains(text.String(), "\n    "+want+"\n") {
			t.Errorf("the configuration does not say %s", want)
		}
	}
}

func TestTheClientBehindATrustedProxyIsTheOneThatItNamed(t *testing.T) {
	// Everything the published port's traffic can come from.
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_TRUSTED_PROXIES=172.16.0.0/12,10.0.0.0/8,192.168.0.0/16,fd00::/8"}})
	peer := ""
	for _, c := range []struct{ sent, client string }{
		{"203.0.113.9", "203.0.113.9"},
		{"6.6.6.6, 203.0.113.9", "203.0.113.9"},                    // the leftmost is the client's own invention
		{"6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"},          // one more proxy of ours in between
		{"6.6.6.6\r\nX-Forwarded-For: 203.0.113.9", "203.0.113.9"}, // two header lines
		{"2001:db8::7", "2001:db8::7"},
		{"", ""}, // nobody named: the peer itself
	} {
		task.Reset(t, true)
		headers := []string{"X-Forwarded-Proto: https"}
		if c.sent != "" {
			headers = append(headers, "X-Forwarded-For: "+c.sent)
		}
		task.Get(t, "/api/x", headers...)
		req := only(t, task)
		client, _ := req.Header("X-Real-IP")
		chain, _ := req.Header("X-Forwarded-For")
		if c.sent == "" {
			if chain != client || client == "" {
				t.Errorf("no header: X-Real-IP %q, X-Forwarded-For %q", client, chain)
			}
			continue
		}
		if client != c.client {
			t.Errorf("%q: X-Real-IP: got %q, want %q", c.sent, client, c.client)
		}
		first, last, _ := strings.Cut(chain, ", ")
		if first != c.client || net.ParseIP(last) == nil || (peer != "" && last != peer) {
			t.Errorf("%q: X-Forwarded-For: got %q, want the client and the peer", c.sent, chain)
		}
		peer = last
		if proto, _ := req.Header("X-Forwarded-Proto"); proto != "https" {
			t.Errorf("X-Forwarded-Proto: got %q, want the load balancer's https", proto)
		}
	}
}

func TestTheHostIsForwardedWithItsPortOrRefused(t *testing.T) {
	task := defaults(t)
	for _, c := range []struct {
		host string
		want int
	}{
		{"api.example.com", 200},
		{"api.example.com:8443", 200},
		{"10.0.0.1:8080", 200},
		{"[::1]:8080", 200},
		{"under_score.example", 200},
		{"<script>alert(1)</script>", 400},
		{"a b", 400},
		{"api.example.com/..", 400},
		{"user@api.example.com", 400},
		{"api.example.com:port", 400},
		{"", 400},
	} {
		task.Reset(t, true)
		got := task.Raw(t, "GET /api/x HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n")
		if got.Status != c.want {
			t.Errorf("Host %q: got %d, want %d", c.host, got.Status, c.want)
			continue
		}
		if c.want != 200 {
			if seen := task.Seen(t); seen.Total != 0 {
				t.Errorf("Host %q: application saw %q", c.host, lines(seen))
			}
			continue
		}
		if host, times := only(t, task).Header("Host"); host != c.host || times != 1 {
			t.Errorf("Host: got %q %d times, want %q", host, times, c.host)
		}
	}
}

func TestGzipStartsAt1000BytesOfTextOrJSON(t *testing.T) {
	task := defaults(t)
	for _, c := range []struct {
		target, accept string
		zipped         bool
	}{
		{"/api/big?bytes=1000", "gzip", true},
		{"/api/big?bytes=1000&type=text/plain", "gzip", true},
		{"/api/big?bytes=20000&type=application/problem%2Bjson", "br, gzip", true},
		{"/api/big?bytes=999", "gzip", false},
		{"/api/big?bytes=1000&type=text/html", "gzip", true},
		{"/api/big?bytes=1000&type=text/css", "gzip", true},
		{"/api/big?bytes=1000&type=text/javascript%3Bcharset=utf-8", "gzip", true},
		{"/api/big?bytes=1000&type=application/javascript", "gzip", true},
		{"/api/big?bytes=1000&type=application/ld%2Bjson", "gzip", true},
		{"/api/big?bytes=1000&type=application/manifest%2Bjson", "gzip", true},
		{"/api/big?bytes=1000&type=application/wasm", "gzip", true},
		{"/api/big?bytes=1000&type=image/svg%2Bxml", "gzip", true},
		{"/api/big?bytes=1000&type=font/ttf", "gzip", true},
		{"/api/big?bytes=20000&type=font/woff2", "gzip", false}, // compressed itself
		{"/api/big?bytes=20000&type=text/event-stream", "gzip", false},
		{"/api/big?bytes=20000&type=image/png", "gzip", false},
		{"/api/big?bytes=20000", "", false},
		{"/api/big?bytes=20000", "gzip;q=0", false},
	} {
		got := task.Get(t, c.target, "Accept-Encoding: "+c.accept, "Via: 1.1 cdn", "Connection: close")
		if zipped := got.Header.Get("Content-Encoding") == "gzip"; zipped != c.zipped {
			t.Errorf("%s, %q: compressed: got %v, want %v", c.target, c.accept, zipped, c.zipped)
			continue
		}
		if !c.zipped {
			continue
		}
		r, err := gzip.NewReader(strings.NewReader(got.Body))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !strings.Contains(string(text), `"name":"user-`) {
			t.Errorf("%s: %d bytes, %v", c.target, len(text), err)
		}
		if got.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary: got %q", c.target, got.Header.Get("Vary"))
		}
	}
}

func TestOneConnectionToTheApplicationCarriesManyRequests(t *testing.T) {
	task := defaults(t)
	before := task.Seen(t).Open
	for range 200 {
		if got := task.Get(t, "/api/x", "Connection: close"); got.Status != 200 {
			t.Fatalf("got %d", got.Status)
		}
	}
	if seen := task.Seen(t); seen.Total != 200 || seen.Connections > 2 {
		t.Errorf("got %d requests over %d new connections (%d were open), want 200 over at most 2", seen.Total, seen.Connections, before)
	}
}

func TestLongResponseHeadersAndLargeBodiesPass(t *testing.T) {
	task := defaults(t)
	// A load balancer passes 32 KiB in an answer, and 16 KiB in each header and 64 KiB together in a request.
	if got := task.Get(t, "/api/headers?bytes=32000"); got.Status != 200 || len(got.Header.Get("X-Long")) != 32000 {
		t.Errorf("32 kB of response headers: got %d, %d bytes", got.Status, len(got.Header.Get("X-Long")))
	}
	var cookies []string
	for i := range 5 {
		cookies = append(cookies, fmt.Sprintf("X-Reply: Set-Cookie: c%d=%s", i, strings.Repeat("c", 3900)))
	}
	if got := task.Get(t, "/api/x", cookies...); got.Status != 200 || len(got.Header.Values("Set-Cookie")) != 5 {
		t.Errorf("five cookies of 3.9 kB: got %d, %d cookies", got.Status, len(got.Header.Values("Set-Cookie")))
	}
	if got := task.Get(t, "/api/x", "Cookie: "+strings.Repeat("c", 16000), "X-Long: "+strings.Repeat("x", 16000)); got.Status != 200 {
		t.Errorf("two headers of 16 kB: got %d", got.Status)
	}
	if got := task.Get(t, "/api/headers?bytes=40000"); got.Status != 502 {
		t.Errorf("40 kB of response headers: got %d, want 502", got.Status)
	}
	body := strings.Repeat("b", 900_000)
	got := task.Send(t, "POST /api/x HTTP/1.1", "Content-Length: 900000", "", body)
	if req := only2(t, task, "POST"); got.Status != 200 || req.Body != len(body) {
		t.Errorf("900 kB body, through a file in /tmp: got %d, application read %d bytes", got.Status, req.Body)
	}
	if got := task.Get(t, "/api/big?bytes=3000000"); got.Status != 200 || len(got.Body) != 3_000_000 {
		t.Errorf("3 MB answer: got %d, %d bytes", got.Status, len(got.Body))
	}
}

// only2 finds the one request with a method.
func only2(t testing.TB, task *imagetest.Task, method string) imagetest.Request {
	t.Helper()
	for _, r := range task.Seen(t).Requests {
		if strings.HasPrefix(r.Line(), method+" ") {
			return r
		}
	}
	t.Fatalf("application saw no %s", method)
	return imagetest.Request{}
}

// frame is one masked WebSocket frame with up to 65,535 bytes.
// https://www.rfc-editor.org/rfc/rfc6455#section-5.2
func frame(opcode byte, payload []byte) []byte {
	out := []byte{0x80 | opcode}
	if len(payload) < 126 {
		out = append(out, 0x80|byte(len(payload))) //nolint:gosec // below 126
	} else {
		out = append(out, 0x80|126, byte(len(payload)>>8), byte(len(payload))) //nolint:gosec // two bytes of a length below 65,536
	}
	var mask [4]byte
	_, _ = rand.Read(mask[:])
	out = append(out, mask[:]...)
	for i, b := range payload {
		out = append(out, b^mask[i%4])
	}
	return out
}

// readFrame reads one unmasked frame.
func readFrame(br *bufio.Reader) (byte, []byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(head[1] & 0x7f)
	if size == 126 {
		var ext [2]byte
		if _, err := io.ReadFull(br, ext[:]); err != nil {
			return 0, nil, err
		}
		size = int(ext[0])<<8 | int(ext[1])
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(br, payload)
	return head[0] & 0x0f, payload, err
}

func TestAWebSocketEchoesThroughTheSidecar(t *testing.T) {
	task := defaults(t)
	c := task.Dial(t, 10*time.Second)
	defer c.Close() //nolint:errcheck // the echo is there or not
	_, _ = io.WriteString(c, "GET /api/socket HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil) //nolint:bodyclose // the connection goes on as a WebSocket
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: got %v, %v", resp, err)
	}
	// The answer to RFC 6455's own example key.
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("Sec-WebSocket-Accept: got %q", got)
	}
	for _, text := range []string{"hello", "", strings.Repeat("x", 60_000)} {
		if _, err := c.Write(frame(1, []byte(text))); err != nil {
			t.Fatal(err)
		}
		op, echo, err := readFrame(br)
		if err != nil || op != 1 || string(echo) != text {
			t.Fatalf("echo of %d bytes: got opcode %d, %d bytes, %v", len(text), op, len(echo), err)
		}
	}
}

func TestNothingButAWebSocketIsUpgraded(t *testing.T) {
	task := defaults(t)
	for _, c := range []struct{ line, connection, upgrade string }{
		{"GET /api/x HTTP/1.1", "Upgrade, HTTP2-Settings", "h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		{"GET /api/x HTTP/1.1", "upgrade", "h2c"},
		{"GET /api/x HTTP/1.1", "upgrade", "websocket, h2c"},
		{"GET /api/x HTTP/1.1", "upgrade", "h2c\r\nUpgrade: websocket"},
		{"GET /api/x HTTP/1.1", "upgrade", "TLS/1.0"},
		{"GET /api/x HTTP/1.1", "upgrade", "anything"},
		{"GET /api/x HTTP/1.1", "close", "websocket"},
		{"POST /api/x HTTP/1.1", "upgrade", "websocket"},
		{"GET /api/x HTTP/1.0", "upgrade", "websocket"},
	} {
		task.Reset(t, true)
		got := task.Raw(t, c.line+"\r\nHost: a.example\r\nConnection: "+c.connection+"\r\nUpgrade: "+c.upgrade+
			"\r\n\r\nGET /internal/secret HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if got.Status == 101 || strings.Contains(got.Raw, "secret through the tunnel") {
			t.Errorf("%s %q: a tunnel: %q", c.line, c.upgrade, got.Raw)
		}
		for _, r := range task.Seen(t).Requests {
			if _, times := r.Header("Upgrade"); times != 0 || strings.Contains(r.Line(), "internal") {
				t.Errorf("%s %q: application saw\n%s", c.line, c.upgrade, r.Head)
			}
		}
	}
	// h2c without asking first.
	got := task.Raw(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if seen := task.Seen(t); got.Status == 200 || got.Status == 101 || strings.Contains(strings.Join(lines(seen), " "), "PRI") {
		t.Errorf("HTTP/2 with prior knowledge: got %d, application saw %q", got.Status, lines(seen))
	}
}

// logLines waits until the log has a line for the target and returns all that
// are JSON. The log is written a second late.
func logLines(t testing.TB, task *imagetest.Task, target string) []map[string]any {
	t.Helper()
	for range 50 {
		if strings.Contains(task.Logs(t), `"path":"`+target+`"`) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var list []map[string]any
	for _, line := range strings.Split(task.Logs(t), "\n") {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("log line is no JSON: %v: %s", err, line)
		}
		list = append(list, entry)
	}
	return list
}

func TestTheAccessLogHasALinePerRequestAndNoneForHealthChecks(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{})
	got := task.Get(t, `/api/users/1?token=secret`, `User-Agent: a "quoted" \ agent`, "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	task.Get(t, "/api/nothing", "Traceparent: 00-not-a-trace-01")
	task.Get(t, "/")
	task.Get(t, "/api/"+strings.Repeat("x", 3000))
	task.Get(t, "/last")
	entries := logLines(t, task, "/last")
	if len(entries) != 4 {
		t.Fatalf("got %d lines, want 4 (none for the health check):\n%v", len(entries), entries)
	}
	first := entries[0]
	for key, want := range map[string]any{
		"method": "GET", "path": "/api/users/1", "status": 200.0, "bytes": 2.0, "upstream_status": "200", "protocol": "HTTP/1.1",
		"user_agent": `a "quoted" \ agent`, "trace_id": "Root=1-67891233-abcdef012345678912345678",
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "request_id": got.Header.Get("X-Request-Id"),
	} {
		if first[key] != want {
			t.Errorf("%s: got %v, want %v", key, first[key], want)
		}
	}
	if trace := entries[1]["traceparent"]; trace != "" {
		t.Errorf("a malformed trace is logged as %q", trace)
	}
	if _, ok := first["request_time"].(float64); !ok || net.ParseIP(first["client"].(string)) == nil {
		t.Errorf("got %v", first)
	}
	if _, err := time.Parse(time.RFC3339, first["time"].(string)); err != nil {
		t.Error(err)
	}
	if path := entries[2]["path"].(string); len(path) != 800 {
		t.Errorf("a path of 3,005 bytes is logged with %d, want 800", len(path))
	}
	if strings.Contains(task.Logs(t), "secret") {
		t.Error("the query is in the log")
	}
	for _, line := range strings.Split(task.Logs(t), "\n") {
		if strings.Contains(line, "[error]") {
			t.Errorf("error line: %s", line)
		}
	}
}

func TestARefusalHasAShorterLineWithAllThatItsMetricNeeds(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_MAX_BODY_KB=2", "NGINX_RATE_LIMIT=1", "NGINX_RATE_BURST=0"}})
	cases := []struct {
		method, target, path string
		status               float64
		reason               string
	}{
		{"GET", "/web/phpmyadmin?secret=1", "/web/phpmyadmin", 404, "path: http.paths"},
		{"GET", "/%61pi/users", "/%61pi/users", 404, "path: http.paths"},
		{"GET", "/api/../secret", "/api/../secret", 400, "path: dot segment"},
		{"PROPFIND", "/api/users", "/api/users", 405, "method: http.methods"},
		{"PURGE", "/other", "/other", 405, "method: http.methods"},
		{"POST", "/", "/", 405, "method: http.methods"},
		{"GET", "/api/second", "/api/second", 429, "requests of this client: http.limits"},
		{"POST", "/api/large", "/api/large", 413, "body over 2 KiB: http.bodyLimit"},
	}
	task.Get(t, "/api/first") // spends the rate
	ids := map[string]string{}
	for _, c := range cases {
		header := []string{"User-Agent: scanner"}
		if c.status == 413 {
			header = append(header, "Content-Length: 2049")
		}
		ids[c.path] = task.Send(t, c.method+" "+c.target+" HTTP/1.1", header...).Header.Get("X-Request-Id")
	}
	found := map[any]map[string]any{}
	for _, entry := range logLines(t, task, "/api/large") {
		found[entry["path"]] = entry
	}
	for _, c := range cases {
		entry := found[c.path]
		if client, _ := entry["client"].(string); net.ParseIP(client) == nil {
			t.Errorf("%s %s: client: %v", c.method, c.target, entry["client"])
		}
		if at, _ := entry["time"].(string); len(at) != len("2006-01-02T15:04:05+00:00") {
			t.Errorf("%s %s: time: %v", c.method, c.target, entry["time"])
		}
		want := map[string]any{
			"request_id": ids[c.path], "client": entry["client"], "method": c.method, "path": c.path,
			"status": c.status, "upstream_status": "", "reason": c.reason, "user_agent": "scanner", "time": entry["time"],
		}
		if !reflect.DeepEqual(entry, want) {
			t.Errorf("%s %s: got the line\n%v, want\n%v", c.method, c.target, entry, want)
		}
	}
}

// What the application fails to answer is no refusal: its line has the times.
func TestAFailureOfTheApplicationHasTheWholeLine(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"APP_PORT=1"}})
	task.Get(t, "/api/failed")
	found := false
	for _, entry := range logLines(t, task, "/api/failed") {
		found = found || entry["path"] == "/api/failed"
		if entry["upstream_status"] != "502" || entry["upstream_time"] == nil || entry["trace_id"] == nil {
			t.Errorf("got %v", entry)
		}
	}
	if !found {
		t.Error("no line for the request")
	}
}

// A pipe writes 4,096 bytes in one piece; a longer line of one worker can have another's in the middle.
// https://man7.org/linux/man-pages/man7/pipe.7.html
func TestNoLineOfTheAccessLogIsLongerThanAPipeWritesAtOnce(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_ACCESS_LOG=" + format, "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
		agent, quotes := "User-Agent: "+strings.Repeat("\x01", 5000), strings.Repeat(`"`, 5000)
		more := []string{agent, "X-Amzn-Trace-Id: " + quotes, "X-Forwarded-For: 2001:db8:1234:1234:1234:1234:1234:1234"}
		task.Send(t, "GET /"+quotes+" HTTP/1.1", more...)
		task.Send(t, "GET /api/"+strings.Repeat("a", 5000)+"?"+quotes[:2000]+" HTTP/1.1", more...)
		task.Send(t, strings.Repeat("M", 5000)+" /api HTTP/1.1", more...)
		task.Send(t, "GET /last HTTP/1.1")
		for range 50 {
			if strings.Contains(task.Logs(t), "/last") {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		longest := 0
		for _, line := range strings.SplitAfter(task.Logs(t), "\n") {
			longest = max(longest, len(line))
		}
		if longest > 4096 || longest < 1500 {
			t.Errorf("%s: the longest line has %d bytes, want at most 4,096 (and at least 1,500, or nothing long was sent)", format, longest)
		}
		t.Logf("%s: the longest line has %d bytes", format, longest)
	}
}

func TestTheLogIsCompleteWhenTheContainerStops(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{})
	for range 20 {
		task.Get(t, "/api/x", "Connection: close")
	}
	imagetest.Docker(t, "stop", task.Nginx)
	if n := strings.Count(task.Logs(t), `"path":"/api/x"`); n != 20 {
		t.Errorf("got %d lines, want 20", n)
	}
}

// An application that compares tags exactly gets its own back, compressed or not.
func TestAConditionalRequestHasTheApplicationsOwnTag(t *testing.T) {
	task := defaults(t)
	big := "/api/big?bytes=5000"
	tag := func(target string, headers ...string) string {
		return task.Get(t, target, headers...).Header.Get("ETag")
	}
	compressed := tag(big, "Accept-Encoding: gzip", `X-Reply: ETag: "abc"`)
	if compressed != `W/"abc~gzip"` {
		t.Fatalf("a compressed answer: got the tag %s", compressed)
	}
	for name, got := range map[string]string{
		"not compressed": tag(big, `X-Reply: ETag: "abc"`),
		"too small":      tag("/api/x", "Accept-Encoding: gzip", `X-Reply: ETag: "abc"`),
		"a picture":      tag(big+"&type=image/png", "Accept-Encoding: gzip", `X-Reply: ETag: "abc"`),
		"not accepted":   tag(big, "Accept-Encoding: gzip;q=0", `X-Reply: ETag: "abc"`),
	} {
		if got != `"abc"` {
			t.Errorf("%s: got the tag %s", name, got)
		}
	}
	if got := tag(big, "Accept-Encoding: gzip", `X-Reply: ETag: W/"abc"`); got != `W/"abc"` {
		t.Errorf("a weak tag: got %s", got)
	}
	if got := tag(big, "Accept-Encoding: gzip"); got != "" {
		t.Errorf("an answer without a tag: got %s", got)
	}
	for _, header := range []string{"If-None-Match", "If-Match"} {
		for sent, want := range map[string]string{
			compressed: `"abc"`, `"abc"`: `"abc"`, `W/"abc"`: `W/"abc"`, "*": "*",
			compressed + ", " + strings.Replace(compressed, "abc", "def", 1): `"abc", "def"`,
		} {
			task.Reset(t, true)
			task.Get(t, "/api/304", "Accept-Encoding: gzip", header+": "+sent)
			if got, _ := task.Seen(t).Requests[0].Header(header); got != want {
				t.Errorf("%s: %s: the application got %s, want %s", header, sent, got, want)
			}
		}
	}
	if got := task.Get(t, "/api/304", "If-None-Match: "+compressed, `X-Reply: ETag: "abc"`); got.Status != 304 || got.Header.Get("ETag") != compressed {
		t.Errorf("an answer without a body: got %d with the tag %s", got.Status, got.Header.Get("ETag"))
	}
}

// A page of an allowed origin can read the sidecar's refusals and failures; another one cannot.
func TestAnAllowedOriginReadsTheSidecarsAnswers(t *testing.T) {
	t.Parallel()
	const origin = "https://shop.example.com"
	const wanted = "Access-Control-Allow-Origin"
	errors := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CORS_ORIGINS=" + origin}})
	whole := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_CORS_ORIGINS=" + origin + ",http://localhost:5173", "NGINX_CORS_PREFLIGHT=on"}})
	preflight := []string{"Origin: " + origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-token"}
	for _, c := range []struct {
		name    string
		task    *imagetest.Task
		line    string
		headers []string
		status  int
		origins string
	}{
		{"a body that is too large", errors, "POST /api/x HTTP/1.1", []string{"Origin: " + origin, "Content-Length: 2000000"}, 413, origin},
		{"an unknown path", errors, "GET /other HTTP/1.1", []string{"Origin: " + origin}, 404, origin},
		{"an application that fails", errors, "GET /api/reset HTTP/1.1", []string{"Origin: " + origin}, 502, origin},
		{"another origin", errors, "GET /api/reset HTTP/1.1", []string{"Origin: https://other.example.com"}, 502, ""},
		{"no origin", errors, "GET /api/reset HTTP/1.1", nil, 502, ""},
		{"the application's answer", errors, "GET /api/x HTTP/1.1", []string{"Origin: " + origin}, 200, ""},
		{"the application's own header", errors, "GET /api/x HTTP/1.1", []string{"Origin: " + origin, "X-Reply: " + wanted + ": *"}, 200, "*"},
		{"the application's preflight", errors, "OPTIONS /api/x HTTP/1.1", preflight, 200, ""},
		{"a preflight", whole, "OPTIONS /api/x HTTP/1.1", preflight, 204, origin},
		{"an answer with preflights", whole, "GET /api/x HTTP/1.1", []string{"Origin: http://localhost:5173"}, 200, "http://localhost:5173"},
		{"its own header with preflights", whole, "GET /api/x HTTP/1.1", []string{"Origin: " + origin, "X-Reply: " + wanted + ": *"}, 200, "*"},
		{"another origin's preflight", whole, "OPTIONS /api/x HTTP/1.1", []string{"Origin: https://other.example.com", "Access-Control-Request-Method: PUT"}, 200, ""},
	} {
		got := c.task.Send(t, c.line, c.headers...)
		if all := strings.Join(got.Header.Values(wanted), "|"); got.Status != c.status || all != c.origins {
			t.Errorf("%s: got %d and %q, want %d and %q", c.name, got.Status, all, c.status, c.origins)
		}
		if got.Header.Get("Vary") == "" {
			t.Errorf("%s: no Vary", c.name)
		}
	}
	got := whole.Send(t, "OPTIONS /api/x HTTP/1.1", preflight...).Header
	if got.Get("Access-Control-Allow-Headers") != "x-token" || !strings.Contains(got.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("a preflight: got %v", got)
	}
}

// The prefix is cut off from the form that was checked.
func TestTheApplicationGetsPathsWithoutTheirPrefix(t *testing.T) {
	t.Parallel()
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STRIP_PREFIX=on", "NGINX_PATH_PREFIXES=/api,/api/v2", "NGINX_ALLOW=double-slash,encoded-slash"}})
	for target, want := range map[string]string{
		"/api/users?a=/api": "/users?a=/api", "/api": "/", "/api/": "/", "/api?a=b": "/?a=b", "/api/v2/users/": "/users/", "/api/v2": "/", "/api/v20": "/v20",
		"/api//evil.example": "/evil.example", "/api/a%20b%2Fc": "/a%20b%2Fc", "/api/a//b": "/a//b",
	} {
		task.Reset(t, true)
		task.Get(t, target, "X-Forwarded-Prefix: /evil")
		seen := task.Seen(t)
		if len(seen.Requests) != 1 || seen.Requests[0].Line() != "GET "+want+" HTTP/1.1" {
			t.Errorf("%s: the application saw %q, want %s", target, lines(seen), want)
			continue
		}
		prefix := "/api"
		if strings.HasPrefix(target+"/", "/api/v2/") {
			prefix = "/api/v2"
		}
		if got, times := seen.Requests[0].Header("X-Forwarded-Prefix"); got != prefix || times != 1 {
			t.Errorf("%s: X-Forwarded-Prefix: got %d × %q", target, times, got)
		}
	}
	for _, target := range []string{"/api/../x", "/other", "/apifoo"} {
		task.Reset(t, true)
		if got := task.Get(t, target); got.Status < 400 || task.Seen(t).Total != 0 {
			t.Errorf("%s: got %d, the application saw %q", target, got.Status, lines(task.Seen(t)))
		}
	}
}
