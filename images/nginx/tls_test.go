package nginx_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// certificate is what a client is shown.
func certificate(t testing.TB, task *imagetest.Task) tls.ConnectionState {
	t.Helper()
	c := task.Dial(t, 10*time.Second).(*tls.Conn)
	defer c.Close() //nolint:errcheck // only asked
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState()
}

func TestBehindTLSTheContractIsTheSame(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{TLS: true})
	task.Reset(t, true)
	for _, c := range []struct {
		line    string
		status  int
		reached bool
	}{
		{"GET / HTTP/1.1", 200, false},
		{"GET /api/users/1 HTTP/1.1", 200, true},
		{"GET /apifoo HTTP/1.1", 404, false},
		{"GET /internal/..%2fapi/ HTTP/1.1", 404, false},
		{"GET /api/%2e%2e/internal HTTP/1.1", 400, false},
		{"TRACE /api/x HTTP/1.1", 405, false},
	} {
		before := task.Seen(t).Total
		if got := task.Send(t, c.line); got.Status != c.status {
			t.Errorf("%s: got %d, want %d", c.line, got.Status, c.status)
		}
		if reached := task.Seen(t).Total > before; reached != c.reached {
			t.Errorf("%s: reached the application: %v, want %v", c.line, reached, c.reached)
		}
	}
}

func TestPlainHTTPOnTheTLSPortIsRefusedInJSON(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{TLS: true})
	task.Reset(t, true)
	got, err := imagetest.Exchange(task.Addr, "GET /api/users/1 HTTP/1.1\r\nHost: a\r\n\r\n", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 400 || !strings.Contains(got.Body, `"error":"bad request"`) {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if n := task.Seen(t).Total; n != 0 {
		t.Errorf("%d requests reached the application", n)
	}
}

func TestEveryContainerMakesAKeyOfItsOwn(t *testing.T) {
	first := imagetest.Start(t, imagetest.Options{TLS: true})
	second := imagetest.Start(t, imagetest.Options{TLS: true})
	a, b := certificate(t, first), certificate(t, second)
	if a.PeerCertificates[0].Equal(b.PeerCertificates[0]) || a.Version != tls.VersionTLS13 {
		t.Errorf("got the same certificate twice, or version %x", a.Version)
	}
	if years := time.Until(a.PeerCertificates[0].NotAfter).Hours() / 24 / 365; years < 9 {
		t.Errorf("the certificate is good for %.1f years: a task could outlive it", years)
	}
	if mode := imagetest.Docker(t, "exec", first.Nginx, "stat", "-c", "%a %u", "/tmp/nginx/tls.key"); mode != "600 101\n" {
		t.Errorf("mode and owner of the key: got %q", mode)
	}
	if out := imagetest.Docker(t, "run", "--rm", "--user=0", "--entrypoint=find", imagetest.NginxImage, "/", "-xdev", "-name", "tls.key"); out != "" {
		t.Errorf("the image has a key: %s", out)
	}
}

func TestOldProtocolsAreRefused(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{TLS: true})
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}} //nolint:gosec // on purpose
		c, err := dialer.DialContext(t.Context(), "tcp", task.Addr)
		if (err == nil) != ok {
			t.Errorf("TLS version %x: got %v", version, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestTheHealthCheckSpeaksTLS(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{TLS: true})
	isHealthy(t, task)
	failedHealth(t, task, "--env=NGINX_PORT=8099")
	// A process that is there and does not answer is no healthy one.
	worker := "kill -STOP $(cat /proc/$(cat /tmp/nginx/nginx.pid)/task/*/children)"
	imagetest.Docker(t, "exec", task.Nginx, "sh", "-c", worker)
	start := time.Now()
	if out := failedHealth(t, task, "--env=A=b"); !strings.Contains(out, "timeout") || time.Since(start) > 10*time.Second {
		t.Errorf("nginx does not answer: got %q after %v, want a time-out after 2 s", out, time.Since(start))
	}
}
