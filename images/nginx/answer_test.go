package nginx_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// Answers of the application, of NGINX and of files have the header once, and the application's own is left as it is.
func TestEveryAnswerHasTheHeadersThatAreSet(t *testing.T) {
	task := static(t, "/assets", "NGINX_ANSWER_HEADERS=Strict-Transport-Security: max-age=31536000; includeSubDomains\nX-Frame-Options: DENY\n"+
		`Permissions-Policy: geolocation=(self "https://a.example"), camera=()`)
	for line, status := range map[string]int{
		"GET /api/x HTTP/1.1": 200, "GET /api/status?code=404 HTTP/1.1": 404, "GET /none HTTP/1.1": 404, "GET /api//x HTTP/1.1": 400, "BREW /api HTTP/1.1": 405,
		"POST /api HTTP/1.1\r\nContent-Length: 2000000": 413, "GET /api/reset HTTP/1.1": 502, "GET /assets/app.js HTTP/1.1": 200,
		"GET /assets/app.js HTTP/1.1\r\nRange: bytes=999999-": 416, "GET /assets/ready.css HTTP/1.1\r\nAccept-Encoding: br": 200, "GET /assets/none HTTP/1.1": 404,
	} {
		got := task.Send(t, line)
		for name, want := range map[string]string{
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Frame-Options": "DENY", "Permissions-Policy": `geolocation=(self "https://a.example"), camera=()`,
		} {
			if values := got.Header.Values(name); got.Status != status || strings.Join(values, "|") != want {
				t.Errorf("%.50s: %d with %s %q, want %d with %q", line, got.Status, name, values, status, want)
			}
		}
	}
	own := task.Get(t, "/api/x", "X-Reply: X-Frame-Options: SAMEORIGIN")
	if values := own.Header.Values("X-Frame-Options"); strings.Join(values, "|") != "SAMEORIGIN" {
		t.Errorf("the application's own: %q", values)
	}
}

// What the load balancer has written down last is who has connected to it.
func TestOnlyATrustedProxyNamesTheHostThatItsClientAskedFor(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{everyPeer}})
	for _, c := range []struct{ chain, named, want string }{
		{"198.51.100.7, 10.9.9.9", "shop.example.com", "shop.example.com"},
		{"198.51.100.7, 10.9.9.9", "shop.example.com:8443", "shop.example.com:8443"},
		{"198.51.100.7,fd00::1", "shop.example.com", "shop.example.com"},
		{"198.51.100.7, 10.9.9.9", "<script>", ""},
		{"10.9.9.9, 198.51.100.7", "evil.example", ""},
		{"198.51.100.7", "evil.example", ""},
		{"10.9.9.9 ,", "evil.example", ""},
		{"", "evil.example", ""},
	} {
		task.Reset(t, true)
		task.Get(t, "/api/x", "X-Forwarded-For: "+c.chain, "X-Forwarded-Host: "+c.named)
		if got, _ := only(t, task).Header("X-Forwarded-Host"); got != c.want {
			t.Errorf("%q names %q: got %q, want %q", c.chain, c.named, got, c.want)
		}
	}
}

// Without the setting the application gets a body whole, and none that is too long.
func TestABodyReachesTheApplicationAsItComesWhereThatIsSet(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_STREAMED_PATHS=/api/v2"}})
	for path, want := range map[string]int{"/api/x": 0, "/api/v2x": 0, "/api/v2": 1, "/api/v2/layer": 1} {
		before := task.Seen(t).Connections
		c := half(t, task, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", 500_000)
		opened := 0
		for range 20 {
			if opened = task.Seen(t).Connections - before; opened > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if opened != want {
			t.Errorf("%s: the application has %d new connections with half a body, want %d", path, opened, want)
		}
		_ = c.Close()
	}
	if got := task.Raw(t, "POST /api/v2/layer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n"+strings.Repeat("b", 3_000_000)); got.Status != 200 {
		t.Errorf("a long body: got %d", got.Status)
	}
	if got := task.Send(t, "POST /api/x HTTP/1.1\r\nContent-Length: 3000000"); got.Status != 413 {
		t.Errorf("a long body elsewhere: got %d", got.Status)
	}
}

// half sends a head, and so much of a body.
func half(t *testing.T, task *imagetest.Task, head string, body int) net.Conn {
	t.Helper()
	c := task.Dial(t, 10*time.Second)
	if _, err := c.Write([]byte(head + strings.Repeat("b", body))); err != nil {
		t.Fatal(err)
	}
	return c
}
