package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fargate-nginx-sidecar/local/cloud/cloudmap"

	"golang.org/x/time/rate"
)

// Limits of an HTTP API that cannot be changed.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxPayload = 10 << 20
	maxHeader  = 10_240 // request line and header values together
)

// api is one API that serves.
type api struct {
	gateway   *Gateway
	instances *http.Transport
	log       *accessLog
	limiter   *rate.Limiter
	turn      atomic.Uint64 // round robin

	mu       sync.Mutex
	settings settings
}

func newAPI(s settings, g *Gateway) *api {
	return &api{
		gateway:   g,
		instances: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1024},
		log:       newAccessLog(g.logs, g.log),
		limiter:   rate.NewLimiter(rate.Limit(s.rate), s.burst),
		settings:  s,
	}
}

// configure applies new settings of the same API.
func (a *api) configure(s settings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limiter.SetLimit(rate.Limit(s.rate))
	a.limiter.SetBurst(s.burst)
	a.settings = s
}

// close ends what an API holds when another one has taken its place, or none.
func (a *api) close() {
	a.instances.CloseIdleConnections()
	a.log.flush()
}

func (a *api) current() settings {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settings
}

// exchange is one request on its way through the API.
type exchange struct {
	settings settings
	request  *http.Request
	id       string
	began    time.Time
	client   string // its address

	status      int
	length      int
	integration int           // status of the instance's answer; 0 for none
	latency     time.Duration // of the instance
	failure     string
}

// ServeHTTP answers a request, and writes it down.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	e := &exchange{settings: a.current(), request: r, id: hex.EncodeToString(id[:]), began: time.Now(), client: client}
	w.Header().Set("Apigw-Requestid", e.id)
	a.answer(w, e)
	if e.settings.logGroup != "" {
		a.log.write(e.settings.logGroup, fill(e.settings.logFormat, e.variable))
	}
}

func (a *api) answer(w http.ResponseWriter, e *exchange) {
	body, refused := a.admit(w, e)
	if refused != 0 {
		e.refuse(w, refused)
		return
	}
	got, err := a.ask(e, body)
	if err != nil {
		e.failure = err.Error()
		a.gateway.log.Warn("instance failed", "path", e.request.URL.Path, "error", err)
		e.refuse(w, statusOf(err))
		return
	}
	dropHopByHop(got.header)
	for name, values := range got.header {
		w.Header()[name] = values
	}
	if e.request.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(got.body)))
	}
	e.status, e.length = got.status, len(got.body)
	w.WriteHeader(e.status)
	_, _ = w.Write(got.body)
}

// admit checks what API Gateway checks before it asks anybody, and reads the body: an HTTP API sends nothing on before it has
// all. It returns the status to refuse the request with, 0 for none.
func (a *api) admit(w http.ResponseWriter, e *exchange) (body []byte, refused int) {
	switch {
	case e.settings.unsupported != "":
		a.gateway.log.Error("not supported by the local run", "what", e.settings.unsupported)
		return nil, http.StatusInternalServerError
	case headerSize(e.request) > maxHeader:
		return nil, http.StatusRequestHeaderFieldsTooLarge
	case !a.limiter.Allow():
		return nil, http.StatusTooManyRequests
	case e.settings.service == "":
		return nil, http.StatusNotFound
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, e.request.Body, maxPayload))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil:
		return nil, http.StatusBadRequest
	}
	return body, 0
}

// headerSize is the size that maxHeader limits.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  ") + len(r.Host)
	for _, values := range r.Header {
		for _, value := range values {
			size += len(value)
		}
	}
	return size
}

// What goes wrong behind the API.
var (
	errNoInstance    = errors.New("no instance is registered")
	errLargeResponse = fmt.Errorf("the answer has more than %d bytes", maxPayload)
)

// statusOf is the status for a failed integration. An instance that cannot be reached or does not answer in time is
// 503, which users of HTTP APIs report; AWS documents no status.
func statusOf(err error) int {
	if errors.Is(err, errLargeResponse) {
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable
}

// answered is what an instance answered.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request to one instance and reads the whole answer.
func (a *api) ask(e *exchange, body []byte) (answered, error) {
	instance, err := a.choose(e.settings.service)
	if err != nil {
		return answered{}, err
	}
	began := time.Now()
	defer func() { e.latency = time.Since(began) }()
	ctx, cancel := context.WithTimeout(e.request.Context(), e.settings.timeout)
	defer cancel()
	response, err := a.instances.RoundTrip(e.forInstance(ctx, instance, body))
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxPayload+1))
	if err != nil {
		return answered{}, err
	}
	if len(content) > maxPayload {
		return answered{}, errLargeResponse
	}
	e.integration = response.StatusCode
	return answered{response.StatusCode, response.Header, content}, nil
}

// choose takes the instances in turn.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html
func (a *api) choose(service string) (cloudmap.Instance, error) {
	found := a.gateway.options.Instances.Discover(service)
	if len(found) == 0 {
		return cloudmap.Instance{}, errNoInstance
	}
	return found[a.turn.Add(1)%uint64(len(found))], nil
}

// forInstance is the request as an instance gets it.
func (e *exchange) forInstance(ctx context.Context, instance cloudmap.Instance, body []byte) *http.Request {
	out := e.request.Clone(ctx)
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = "http", instance.Address
	// Path and query go on byte for byte: Go would re-encode some of them.
	if path, _, _ := strings.Cut(e.request.RequestURI, "?"); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		out.URL.Opaque = path
	}
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	dropHopByHop(out.Header)
	if _, sent := out.Header["User-Agent"]; !sent {
		out.Header["User-Agent"] = nil // or Go would invent one
	}
	out.Header["Forwarded"] = []string{e.forwarded()}
	out.Header["Via"] = []string{strings.Join(append(out.Header.Values("Via"), e.request.Proto+" AmazonAPIGateway"), ", ")}
	out.Header.Set("X-Amzn-Trace-Id", fmt.Sprintf("Root=1-%08x-%s%s", e.began.Unix(), e.id, e.id[:8]))
	for name, value := range e.settings.headers {
		out.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{fill(value, e.variable)}
	}
	return out
}

// forwarded appends the client to what the client says of others. AWS's documentation names the header only among those
// that a mapping cannot change; what is in it was seen by users.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html#http-api-mapping-reserved-headers
// https://github.com/aliasunder/vault-cortex/pull/484
func (e *exchange) forwarded() string {
	by, _, _ := net.SplitHostPort(localAddress(e.request))
	own := fmt.Sprintf("by=%s;for=%s;host=%s;proto=https", node(by), node(e.client), e.request.Host)
	return strings.Join(append(e.request.Header.Values("Forwarded"), own), ", ")
}

// node is an address as the header has it, which for IPv6 needs brackets and quotes.
// https://www.rfc-editor.org/rfc/rfc7239#section-6
func node(address string) string {
	if strings.Contains(address, ":") {
		return `"[` + address + `]"`
	}
	return address
}

func localAddress(r *http.Request) string {
	if address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return address.String()
	}
	return ""
}

// hopByHop are the headers that concern one connection only; without Upgrade there is no WebSocket.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func dropHopByHop(header http.Header) {
	for _, value := range header.Values("Connection") {
		for name := range strings.SplitSeq(value, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
}

func (e *exchange) refuse(w http.ResponseWriter, status int) {
	e.status, e.length = status, refuse(w, status)
}

// refuse answers as API Gateway does.
func refuse(w http.ResponseWriter, status int) (length int) {
	text := http.StatusText(status)
	if status == http.StatusRequestEntityTooLarge {
		text = "Request Entity Too Large"
	}
	body, _ := json.Marshal(map[string]string{"message": text}) // text always encodes
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return len(body)
}
