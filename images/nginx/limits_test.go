package nginx_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// A login at the load balancer needs cookies of up to 16 KB, which is also the longest line that it takes.
func TestTheLongestLineIsASetting(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_HEADER_KB=16", "NGINX_CACHE_SECONDS=60"}})
	for _, c := range []struct {
		target, header string
		status         int
	}{
		{"/api/x", "Cookie: " + strings.Repeat("a", 16000), 200},
		{"/api/x", "Cookie: " + strings.Repeat("a", 16400), 431},
		{"/api/" + strings.Repeat("a", 16000), "X: y", 200},
		{"/api/" + strings.Repeat("a", 16000), "X-Reply: Cache-Control: public", 200}, // it is in front of what the cache keeps
		{"/api/" + strings.Repeat("a", 16400), "X: y", 414},
	} {
		if got := task.Get(t, c.target, c.header); got.Status != c.status {
			t.Errorf("target of %d bytes, header of %d: got %d, want %d", len(c.target), len(c.header), got.Status, c.status)
		}
	}
	if log := task.Logs(t); strings.Contains(log, "[alert]") || strings.Contains(log, "[error]") {
		t.Errorf("log:\n%s", log[:min(len(log), 2000)])
	}
	small := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_HEADER_KB=2"}})
	if got := small.Get(t, "/api/x", "Cookie: "+strings.Repeat("a", 2100)); got.Status != 431 {
		t.Errorf("2,100 bytes with a limit of 2 KiB: got %d, want 431", got.Status)
	}
}

// A Host that is nobody's is how caches are poisoned and links in mails are forged.
func TestOnlyTheAllowedHostsReachTheApplication(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_ALLOWED_HOSTS=example.com,*.shop.example.com"}})
	for host, want := range map[string]int{
		"example.com": 200, "EXAMPLE.com": 200, "example.com:8443": 200, "a.shop.example.com": 200,
		"shop.example.com": 400, "a.b.shop.example.com": 400, "evil-example.com": 400, "example.com.evil": 400, "exampleXcom": 400,
		"10.0.1.17:8080": 400, "[::1]": 400, "example.com:x": 400, "evil@example.com": 400, "": 400,
	} {
		task.Reset(t, true)
		got := task.Raw(t, "GET /api/x HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if reached := task.Seen(t).Total; got.Status != want || (reached == 1) != (want == 200) {
			t.Errorf("Host %q: got %d, %d requests reached the application; want %d", host, got.Status, reached, want)
		}
	}
	// The load balancer's check has the task's address as its Host.
	if got := task.Raw(t, "GET / HTTP/1.1\r\nHost: 10.0.1.17:8080\r\nConnection: close\r\n\r\n"); got.Status != 200 {
		t.Errorf("health check: got %d", got.Status)
	}
}

func TestAPathHasALimitOfItsOwn(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_PATH_RATES=/api/login:1:2,/api/mail:1:0", "NGINX_TRUSTED_PROXIES=0.0.0.0/0"}})
	for _, c := range []struct {
		client, target string
		status         int
	}{
		{"203.0.113.1", "/api/login", 200},
		{"203.0.113.1", "/api/login?a=b", 200},
		{"203.0.113.1", "/api/LOGIN/", 200}, // the same to many frameworks
		{"203.0.113.1", "/api/login/x", 429},
		{"203.0.113.1", "/api/login.json", 429}, // the same to Rails
		{"203.0.113.1", "/api/login.", 429},     // and to Windows
		{"203.0.113.1", "/api/login%20", 429},
		{"::ffff:203.0.113.1", "/api/login", 429}, // the same client
		{"::ffff:203.0.113.7", "/api/login", 200}, // another one
		{"203.0.113.1", "/api/logins", 200},       // another path
		{"203.0.113.1", "/api/users/1", 200},
		{"203.0.113.1", "/api/mail", 200}, // a limit of its own
		{"203.0.113.1", "/api/mail", 429},
		{"203.0.113.2", "/api/login", 200}, // another client
	} {
		got := task.Get(t, c.target, "X-Forwarded-For: "+c.client)
		if got.Status != c.status {
			t.Errorf("%s by %s: got %d, want %d", c.target, c.client, got.Status, c.status)
		}
		if c.status == 429 && got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: no Retry-After", c.target)
		}
	}
}

// Each piece has to leave when it comes, compressed or not: the backend sends one and then nothing more.
func TestAPieceOfAnAnswerLeavesAtOnce(t *testing.T) {
	task := defaults(t)
	for _, kind := range []string{"text/event-stream", "text/html", "application/json", "application/x-ndjson", "text/plain", "application/octet-stream"} {
		for _, form := range []string{"", "&unbuffered"} {
			for _, coding := range []string{"gzip", "identity"} {
				t.Run(kind+form+" "+coding, func(t *testing.T) {
					c := task.Dial(t, 10*time.Second)
					defer c.Close() //nolint:errcheck // only read
					_, _ = io.WriteString(c, "GET /api/events?type="+kind+form+" HTTP/1.1\r\nHost: a\r\nAccept-Encoding: "+coding+"\r\n\r\n")
					piece, compressed := firstPiece(t, c, len("data: one\n\n"))
					if piece != "data: one\n\n" || compressed != (coding == "gzip" && slices.Contains(compressedKinds, kind)) {
						t.Errorf("got %q, compressed: %v", piece, compressed)
					}
				})
			}
		}
	}
}

var compressedKinds = []string{"text/html", "application/json", "application/x-ndjson", "text/plain"}

// firstPiece reads the first bytes of an answer, and reports whether it is compressed.
func firstPiece(t *testing.T, c io.Reader, length int) (piece string, compressed bool) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // it has no end
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		compressed = true
		if body, err = gzip.NewReader(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	read := make([]byte, length)
	n, _ := io.ReadFull(body, read)

	return string(read[:n]), compressed
}

// One side has to say something from time to time, as the load balancer wants it; how long an answer may be silent is another matter.
func TestAWebSocketLivesAsLongAsSomebodyPings(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_IDLE_TIMEOUT=5", "NGINX_READ_TIMEOUT=1"}})
	open := func() io.ReadWriteCloser {
		c := task.Dial(t, 30*time.Second)
		_, _ = io.WriteString(c, "GET /api/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		buf := make([]byte, 1)
		for head := ""; !strings.HasSuffix(head, "\r\n\r\n"); head += string(buf) {
			if _, err := c.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	silent := open()
	defer silent.Close() //nolint:errcheck // only read
	if n, err := silent.Read(make([]byte, 1)); err == nil {
		t.Errorf("a silent WebSocket: read %d bytes, want its end", n)
	}
	busy := open()
	defer busy.Close() //nolint:errcheck // only read
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); time.Sleep(2500 * time.Millisecond) {
		_, _ = busy.Write(frame(1, []byte("ping")))
		if _, err := io.ReadFull(busy, make([]byte, 2+len("ping"))); err != nil {
			t.Fatalf("a WebSocket with a frame every 2.5 s: %v", err)
		}
	}
}
