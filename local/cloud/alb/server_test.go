package alb

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// listen opens a listener whose default rule forwards to one target, or to none when address is "".
func listen(t *testing.T, address string, adjust func(*listenerSettings)) *server {
	t.Helper()
	b, err := New(Options{Endpoint: "http://127.0.0.1:1", Region: "eu-central-1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	settings := listenerSettings{arn: "listener", port: 80, idle: 300 * time.Millisecond, hostname: "web.example", rules: []rule{
		{actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("group")}}}}}
	if adjust != nil {
		adjust(&settings)
	}
	g := b.find("group")
	g.configure(groupSettings{used: true})
	if address != "" {
		g.register(key{"10.0.0.1", 80}, address) // health checks are off: it gets requests at once
	}
	s, err := b.open(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	t.Cleanup(g.close)
	return s
}

// raw sends bytes and returns the whole answer.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, request)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// echo is a target that answers with what it was sent.
func echo(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestRequestReachesTheTargetAsItWasPlusELBsHeaders(t *testing.T) {
	s := listen(t, echo(t), nil)
	got := raw(t, s.address(), "GET /internal/..%2fapi/a\"b;c?x=1;y=%zz HTTP/1.1\r\nHost: a.example:8080\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: h\r\nX_Bad: 1\r\nConnection: close\r\n\r\n")
	for _, want := range []string{
		"GET /internal/..%2fapi/a\"b;c?x=1;y=%zz host=a.example:8080\n", "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n", "X-Forwarded-Host: h\r\n",
		"X-Forwarded-Port: 80\r\n", "X-Forwarded-Proto: http\r\n", "X-Amzn-Trace-Id: Root=1-", "X_bad: 1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "User-Agent") {
		t.Errorf("a User-Agent was invented:\n%s", got)
	}
}

func TestInvalidHeaderFieldsAreDropped(t *testing.T) {
	s := listen(t, echo(t), func(l *listenerSettings) { l.dropNames = true })
	got := raw(t, s.address(), "GET / HTTP/1.1\r\nHost: a\r\nX_Bad: 1\r\nX-Good: 1\r\nConnection: close\r\n\r\n")
	if strings.Contains(got, "X_bad") || !strings.Contains(got, "X-Good: 1") {
		t.Errorf("got\n%s", got)
	}
}

func TestTraceIDStartsOrContinues(t *testing.T) {
	now := time.Unix(0x5759e988, 0)
	fresh := regexp.MustCompile(`^Root=1-5759e988-[0-9a-f]{24}$`)
	if got := traceID("", now); !fresh.MatchString(got) {
		t.Errorf("new: got %s", got)
	}
	continued := regexp.MustCompile(`^Self=1-5759e988-[0-9a-f]{24};Root=1-1-1;CalledFrom=x$`)
	if got := traceID("Self=old;Root=1-1-1;CalledFrom=x", now); !continued.MatchString(got) {
		t.Errorf("continued: got %s", got)
	}
	if got := traceID("CalledFrom=x", now); !regexp.MustCompile(`^Root=1-5759e988-[0-9a-f]{24};CalledFrom=x$`).MatchString(got) {
		t.Errorf("without a root: got %s", got)
	}
}

func TestTargetsThatFailGiveELBsAnswers(t *testing.T) {
	broken := func(behave func(net.Conn)) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go behave(conn)
			}
		}()
		return listener.Addr().String()
	}
	hangs := broken(func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		time.Sleep(30 * time.Second)
		_ = c.Close()
	})
	closes := broken(func(c net.Conn) { _, _ = bufio.NewReader(c).ReadString('\n'); _ = c.Close() })
	babbles := broken(func(c net.Conn) { _, _ = io.WriteString(c, "babble\r\n\r\n"); time.Sleep(time.Second); _ = c.Close() })
	for _, c := range []struct {
		name, address, want string
	}{
		{"no target", "", "503 Service Temporarily Unavailable"}, {"refuses", "127.0.0.1:1", "502 Bad Gateway"},
		{"closes without an answer", closes, "502 Bad Gateway"}, {"answers no HTTP", babbles, "502 Bad Gateway"}, {"never answers", hangs, "504 Gateway Time-out"},
	} {
		s := listen(t, c.address, patient)
		got := raw(t, s.address(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.want[:3]) || !strings.Contains(got, "Server: awselb/2.0") || !strings.Contains(got, "<center><h1>"+c.want+"</h1></center>") {
			t.Errorf("%s: got\n%s", c.name, got)
		}
	}
}

func TestFixedResponseRedirectAndUnknownActions(t *testing.T) {
	s := listen(t, echo(t), func(l *listenerSettings) {
		path := func(p string) []types.RuleCondition {
			return []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{p}}}
		}
		l.rules = append([]rule{
			{path("/fixed"), []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
				StatusCode: aws.String("418"), ContentType: aws.String("text/plain"), MessageBody: aws.String("fixed")}}}},
			{path("/moved"), []types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
				Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: types.RedirectActionStatusCodeEnumHttp301}}}},
			{path("/secret"), []types.Action{{Type: types.ActionTypeEnumAuthenticateCognito, Order: aws.Int32(1)}, {Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("group")}}},
			{[]types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/strange"}}, {Field: aws.String("strange")}}, []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("group")}}},
		}, l.rules...)
	})
	get := func(path string) string {
		return raw(t, s.address(), "GET "+path+" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
	}
	if got := get("/fixed"); !strings.HasPrefix(got, "HTTP/1.1 418") || !strings.HasSuffix(got, "fixed") || !strings.Contains(got, "Content-Type: text/plain") {
		t.Errorf("fixed: got\n%s", got)
	}
	if got := get("/moved"); !strings.HasPrefix(got, "HTTP/1.1 301") || !strings.Contains(got, "Location: https://a.example/moved\r\n") {
		t.Errorf("redirect: got\n%s", got)
	}
	if got := get("/secret"); !strings.HasPrefix(got, "HTTP/1.1 503") {
		t.Errorf("authentication is missing here, so nothing may pass: got\n%s", got)
	}
	if got := get("/strange"); !strings.HasPrefix(got, "HTTP/1.1 503") {
		t.Errorf("a condition that is not supported: got\n%s", got)
	}
	if got := get("/else"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("default rule: got\n%s", got)
	}
}

// patient is an idle timeout that a busy machine does not reach between two bytes.
func patient(l *listenerSettings) { l.idle = 1500 * time.Millisecond }

func TestWebSocketUpgradePassesAndIdleTimeoutEndsIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		_, _ = io.Copy(conn, buffered)
	}))
	t.Cleanup(server.Close)
	s := listen(t, strings.TrimPrefix(server.URL, "http://"), patient)
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: got %v %v", response, err)
	}
	_ = response.Body.Close() // empty: what follows is the tunnel's
	began := time.Now()
	for range 4 { // longer than the idle timeout in all, never idle that long
		time.Sleep(500 * time.Millisecond)
		_, _ = io.WriteString(conn, "ping\n")
		if line, err := reader.ReadString('\n'); err != nil || line != "ping\n" {
			t.Fatalf("echo after %s: got %q %v", time.Since(began), line, err)
		}
	}
	idle := time.Now()
	if _, err := reader.ReadString('\n'); err == nil || time.Since(idle) > 10*time.Second {
		t.Errorf("idle tunnel: got %v after %s, want its end after 1.5 s", err, time.Since(idle))
	}
}

func TestANewIdleTimeoutCutsNoRequest(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "whole")
	}))
	t.Cleanup(slow.Close)
	s := listen(t, strings.TrimPrefix(slow.URL, "http://"), func(l *listenerSettings) { l.idle = time.Minute })
	answered := make(chan string)
	go func() { answered <- raw(t, s.address(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") }()
	<-arrived
	changed := *s.settings.Load()
	changed.idle = 300 * time.Millisecond
	if !s.configure(changed) {
		t.Error("a new idle timeout reopens the listener, which cuts requests")
	}
	close(release)
	if got := <-answered; !strings.HasSuffix(got, "whole") {
		t.Errorf("the request that was under way: got %q", got)
	}
	began := time.Now()
	if got := raw(t, s.address(), ""); got != "" || time.Since(began) > 3*time.Second {
		t.Errorf("a connection without a request: %q after %s, want its end after the new idle timeout of %s", got, time.Since(began), changed.idle)
	}
}

func TestAnswerMayTakeLongerThanTheIdleTimeoutWhileBytesMove(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "6")
		for range 6 {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(300 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	s := listen(t, strings.TrimPrefix(server.URL, "http://"), patient)
	began := time.Now()
	response, err := http.Get("http://" + s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	first := make([]byte, 1)
	if _, err := io.ReadFull(response.Body, first); err != nil || time.Since(began) > time.Second {
		t.Errorf("first byte: %v after %s, want it as soon as the target sent it", err, time.Since(began))
	}
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "xxxxx" {
		t.Errorf("rest of the answer: got %q %v", rest, err)
	}
}

func TestHTTPSListenerSpeaksTLSWithASelfMadeCertificate(t *testing.T) {
	s := listen(t, echo(t), func(l *listenerSettings) { l.port, l.https = 443, true })
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get("https://" + s.address() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if !strings.Contains(string(body), "X-Forwarded-Proto: https") || !strings.Contains(string(body), "X-Forwarded-Port: 443") {
		t.Errorf("got\n%s", body)
	}
	if names := response.TLS.PeerCertificates[0].DNSNames; names[0] != "web.example" {
		t.Errorf("certificate: got %v, want the load balancer's name", names)
	}
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-502-issues
func TestARequestThatOutlastsTheDeregistrationDelayGets502(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	s := listen(t, strings.TrimPrefix(slow.URL, "http://"), func(l *listenerSettings) { l.idle = time.Minute })
	g := s.balancer.find("group")
	g.configure(groupSettings{used: true, delay: 100 * time.Millisecond})

	answered := make(chan string)
	go func() { answered <- raw(t, s.address(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") }()
	<-arrived
	<-g.deregister(t.Context(), key{"10.0.0.1", 80})
	if got := <-answered; !strings.HasPrefix(got, "HTTP/1.1 502 ") {
		t.Errorf("answer: %q; want 502", got)
	}
}
