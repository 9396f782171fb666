package alb

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb/oidc"
	"fargate-nginx-sidecar/local/cloud/selfsigned"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Limits of an Application Load Balancer that cannot be changed.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
const (
	maxHeaderBytes = 64 << 10
	connectTimeout = 10 * time.Second
)

// server is one listener.
type server struct {
	balancer *Balancer
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	settings atomic.Pointer[listenerSettings]
	proxy    *httputil.ReverseProxy
	targets  *http.Transport
}

// listen opens the local port that stands for a listener's.
func (b *Balancer) listen(port int) (net.Listener, error) {
	if held, is := b.options.Ports[port]; is {
		return held.Listen()
	}
	return net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a port of this machine: at once
}

// open starts a listener on its local address.
func (b *Balancer) open(settings listenerSettings) (*server, error) {
	listener, err := b.listen(settings.port)
	if err != nil {
		return nil, fmt.Errorf("listener of port %d: %w", settings.port, err)
	}
	s := &server{balancer: b, log: b.log.With("listener", settings.port), listener: listener}
	s.settings.Store(&settings)
	s.targets = s.newTransport()
	s.proxy = &httputil.ReverseProxy{
		Rewrite:      s.rewrite,
		Transport:    s.targets,
		ErrorHandler: s.failed,
		ErrorLog:     log.New(io.Discard, "", 0), // what it would say is in the status already
		// Bytes go on as they come: the load balancer holds no response back.
		FlushInterval: -1,
	}
	s.http = &http.Server{
		Handler:           s,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: settings.idle,
		ConnState:         newIdleConns(s.idle).note,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	if settings.https {
		certificate, err := selfsigned.Certificate(settings.hostname)
		if err != nil {
			_ = listener.Close()
			return nil, err
		}
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	go s.serve(settings.https)
	b.log.Info("listener open", "port", settings.port, "address", listener.Addr().String())
	return s, nil
}

func (s *server) serve(https bool) {
	var err error
	if https {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("listener ended", "error", err)
	}
}

// configure applies new settings; false means that the listener must be opened again for them.
func (s *server) configure(settings listenerSettings) bool {
	before := s.settings.Swap(&settings)
	return before.https == settings.https && before.port == settings.port
}

func (s *server) idle() time.Duration { return s.settings.Load().idle }

func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) close() {
	_ = s.http.Close()
	s.targets.CloseIdleConnections()
}

// newTransport connects to targets. It never validates a target's certificate: neither does ELB.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-routing-configuration
func (s *server) newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: connectTimeout}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &idleConn{Conn: conn, idle: s.idle}, nil
		},
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a load balancer does not validate its targets' certificates
		MaxIdleConnsPerHost: 1024,
		DisableCompression:  true,
	}
}

// idleConns closes clients' connections between two requests after the idle timeout, which may change while they are open: Go's
// own server would have to be replaced for it, and requests with it.
type idleConns struct {
	timeout func() time.Duration

	mu     sync.Mutex
	timers map[net.Conn]*time.Timer
}

func newIdleConns(timeout func() time.Duration) *idleConns {
	return &idleConns{timeout: timeout, timers: map[net.Conn]*time.Timer{}}
}

// note follows http.Server.ConnState.
func (c *idleConns) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if timer, waits := c.timers[conn]; waits {
		timer.Stop()
		delete(c.timers, conn)
	}
	if state == http.StateNew || state == http.StateIdle {
		c.timers[conn] = time.AfterFunc(c.timeout(), func() { _ = conn.Close() })
	}
}

// idleConn fails a connection on which no byte has moved for the idle timeout.
type idleConn struct {
	net.Conn
	idle func() time.Duration
}

func (c *idleConn) Read(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(c.idle()))
	return c.Conn.Read(p)
}

func (c *idleConn) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(c.idle()))
	return c.Conn.Write(p)
}

// ServeHTTP finds the first rule that matches and does what it says. The way back from an identity provider comes before
// all rules.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	settings := s.settings.Load()
	if logins := settings.logins(); len(logins) > 0 && r.URL.Path == oidc.CallbackPath {
		answer(w, s.balancer.login.Callback(w, r, logins))
		return
	}
	for _, rule := range settings.rules {
		ok, unknown := rule.matches(r)
		if unknown != "" {
			s.log.Error("rule not supported by the local run", "condition", unknown)
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		if ok {
			s.act(w, r, rule.actions)
			return
		}
	}
	refuse(w, http.StatusServiceUnavailable)
}

// act carries out a rule's actions; the last one answers.
func (s *server) act(w http.ResponseWriter, r *http.Request, actions []types.Action) {
	for _, action := range actions {
		switch kind := action.Type; {
		case forwardsTo(action) != "":
			s.forward(w, r, forwardsTo(action))
			return
		case kind == types.ActionTypeEnumFixedResponse:
			fixed(w, action.FixedResponseConfig)
			return
		case kind == types.ActionTypeEnumRedirect:
			settings := s.settings.Load()
			location, code := redirectTo(*action.RedirectConfig, r, settings.https, strconv.Itoa(settings.port), s.localPort)
			w.Header().Set("Location", location)
			answer(w, code)
			return
		case kind == types.ActionTypeEnumAuthenticateOidc && action.AuthenticateOidcConfig != nil:
			login := oidc.Action{AuthenticateOidcActionConfig: *action.AuthenticateOidcConfig, Signer: s.settings.Load().balancer}
			if status := s.balancer.login.Authenticate(w, r, login); status != 0 {
				answer(w, status)
				return
			}
		default: // of authenticate-cognito too: never let a request past a check that is missing here
			s.log.Error("action not supported by the local run", "action", action.Type)
			refuse(w, http.StatusServiceUnavailable)
			return
		}
	}
	refuse(w, http.StatusServiceUnavailable)
}

// localPort is the local port that stands for a listener's port, where there is one.
func (s *server) localPort(port string) string {
	n, _ := strconv.Atoi(port)
	held, is := s.balancer.options.Ports[n]
	if !is {
		return port
	}
	_, local, _ := net.SplitHostPort(held.Addr().String()) // a listener's address has a port
	return local
}

func fixed(w http.ResponseWriter, c *types.FixedResponseActionConfig) {
	code, err := strconv.Atoi(aws.ToString(c.StatusCode))
	if err != nil {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Server", serverName)
	if kind := aws.ToString(c.ContentType); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, aws.ToString(c.MessageBody))
}

// chosen is the target of a request, on its way through the proxy.
type chosen struct {
	address string
	https   bool
}

type chosenKey struct{}

// forward sends the request to a target of a group.
func (s *server) forward(w http.ResponseWriter, r *http.Request, arn string) {
	g := s.balancer.find(arn)
	t := g.stick(w, r)
	if t == nil {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	// A panic in the proxy means the client is gone; the target is free in any case.
	defer g.release(t)
	ctx, cut := context.WithCancelCause(context.WithValue(r.Context(), chosenKey{}, chosen{t.address, g.isHTTPS()}))
	defer cut(nil)
	defer context.AfterFunc(t.removed, func() { cut(errDelayOver) })()
	s.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// errDelayOver ends a request that its target could not answer within the deregistration delay.
var errDelayOver = errors.New("the deregistration delay is over")

func (g *group) isHTTPS() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings.https
}

// rewrite prepares the request for the target: the same line, plus the headers ELB adds.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
func (s *server) rewrite(p *httputil.ProxyRequest) {
	settings := s.settings.Load()
	to := p.In.Context().Value(chosenKey{}).(chosen)
	p.Out.URL.Scheme = "http"
	if to.https {
		p.Out.URL.Scheme = "https"
	}
	p.Out.URL.Host = to.address
	p.Out.Host = p.In.Host
	keepLine(p)
	header := p.Out.Header
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} { // ELB leaves these to the target
		if values, ok := p.In.Header[name]; ok {
			header[name] = values
		}
	}
	if settings.dropNames {
		for name := range header {
			if !validName.MatchString(name) {
				delete(header, name)
			}
		}
	}
	setForwardedFor(header, p.In)
	header.Set("X-Forwarded-Port", strconv.Itoa(settings.port))
	header.Set("X-Forwarded-Proto", "http")
	if settings.https {
		header.Set("X-Forwarded-Proto", "https")
	}
	header.Set("X-Amzn-Trace-Id", traceID(p.In.Header.Get("X-Amzn-Trace-Id"), time.Now()))
}

// keepLine passes path and query on byte for byte: Go would re-encode some of them.
func keepLine(p *httputil.ProxyRequest) {
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.URL.ForceQuery = p.In.URL.ForceQuery
	path, _, _ := strings.Cut(p.In.RequestURI, "?")
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		p.Out.URL.Opaque = path
	}
}

// validName is what routing.http.drop_invalid_header_fields.enabled lets through.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
var validName = regexp.MustCompile(`^[-A-Za-z0-9]+$`)

// setForwardedFor appends the client's address, as a load balancer does unless it is told otherwise.
func setForwardedFor(header http.Header, in *http.Request) {
	client, _, _ := net.SplitHostPort(in.RemoteAddr)
	header.Set("X-Forwarded-For", strings.Join(append(in.Header.Values("X-Forwarded-For"), client), ", "))
}

// traceID starts a trace, or adds a Self field to the one that arrives.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
func traceID(arrived string, now time.Time) string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	fresh := fmt.Sprintf("1-%08x-%s", now.Unix(), hex.EncodeToString(random[:]))
	if !strings.Contains(arrived, "Root=") {
		if arrived != "" {
			return "Root=" + fresh + ";" + arrived
		}
		return "Root=" + fresh
	}
	fields := []string{"Self=" + fresh}
	for field := range strings.SplitSeq(arrived, ";") {
		if !strings.HasPrefix(strings.TrimSpace(field), "Self=") {
			fields = append(fields, field)
		}
	}
	return strings.Join(fields, ";")
}

// failed answers for a target that gave no answer: 504 when time ran out, 502 otherwise.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	late := errors.Is(context.Cause(r.Context()), errDelayOver)
	if r.Context().Err() != nil && !late {
		return // the client is gone; ELB only logs its 460
	}
	var timeout net.Error
	code := http.StatusBadGateway
	if late {
		err = errDelayOver
	} else if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		code = http.StatusGatewayTimeout
	}
	s.log.Warn("target failed", "status", code, "path", r.URL.Path, "error", err)
	refuse(w, code)
}

// serverName is the Server header of the load balancer's own answers.
const serverName = "awselb/2.0"

// answer sends a redirect whose Location is set already, or an error page.
func answer(w http.ResponseWriter, code int) {
	if code >= http.StatusBadRequest {
		refuse(w, code)
		return
	}
	w.Header().Set("Server", serverName)
	w.WriteHeader(code)
}

// refuse is one of the load balancer's own error pages.
func refuse(w http.ResponseWriter, code int) {
	text := map[int]string{
		401: "401 Authorization Required", 500: "500 Internal Server Error",
		502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out",
		561: "561 Unauthorized",
	}[code]
	page := "<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n</body>\r\n</html>\r\n"
	w.Header().Set("Server", serverName)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(code)
	_, _ = io.WriteString(w, page)
}
