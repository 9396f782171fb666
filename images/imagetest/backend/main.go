// Command backend is the application that the sidecar's tests put behind nginx.
// It writes down every request it receives, byte for byte, and misbehaves on
// demand.
//
// It does not use net/http on purpose: that package refuses or mends what is
// malformed, and a test that asks "did anything get through?" needs a reader
// that takes whatever comes, as careless applications do.
//
// It also has what must never be reached: a route /internal/…, and a listener
// that accepts any upgrade and then speaks HTTP inside the tunnel.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 6455's handshake is made of SHA-1
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// record is one request as it came in.
type record struct {
	Conn int    `json:"conn"` // number of the connection, from 1
	Head string `json:"head"` // request line and headers, raw
	Body int    `json:"body"` // bytes of the body
}

// recorder is all the state there is.
type recorder struct {
	mu       sync.Mutex
	addr     string
	listener net.Listener
	conns    int
	open     map[net.Conn]bool
	records  []record
	total    int
	keep     bool          // keep every head; off for floods
	idle     time.Duration // close idle connections after this; 0 is never
	protocol string
}

func main() {
	addr := flag.String("app", "127.0.0.1:3000", "where to be the application; empty: nowhere")
	socket := flag.String("socket", "", "a Unix socket where to be the application as well")
	control := flag.String("control", ":3001", "where tests read what came in")
	down := flag.Bool("down", false, "wait for POST /up before being the application")
	idle := flag.Duration("idle", 0, "close connections that are idle for this long; 0: never")
	protocol := flag.String("protocol", "http", "what the application speaks: http, fastcgi or uwsgi")
	attack := flag.String("flood", "", "instead of all that: send this flood to -to and print how often")
	to := flag.String("to", "127.0.0.1:8080", "where the flood goes")
	n := flag.Int("n", 4, "connections of the flood")
	duration := flag.Duration("for", 4*time.Second, "how long the flood lasts")
	flag.Parse()
	if *attack != "" {
		if err := flood(*attack, *to, *n, *duration); err != nil {
			log.Fatal(err)
		}
		return
	}
	r := &recorder{addr: *addr, open: map[net.Conn]bool{}, keep: true, idle: *idle, protocol: *protocol}
	if *addr != "" && !*down {
		if err := r.up(); err != nil {
			log.Fatal(err)
		}
	}
	if *socket != "" {
		if err := r.listenOn(*socket); err != nil {
			log.Fatal(err)
		}
	}
	http.HandleFunc("GET /requests", r.handleRequests)
	http.HandleFunc("POST /reset", r.handleReset)
	http.HandleFunc("POST /up", func(w http.ResponseWriter, _ *http.Request) {
		if err := r.up(); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	http.HandleFunc("POST /down", func(http.ResponseWriter, *http.Request) { r.down() })
	http.HandleFunc("POST /deaf", func(http.ResponseWriter, *http.Request) { r.deaf() })
	server := &http.Server{Addr: *control, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}

// up starts listening, down stops and cuts every connection, as a crash does.
func (r *recorder) up() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", r.addr) //nolint:noctx // a loopback port
	if err != nil {
		return err
	}
	r.listener = l
	go r.accept(l)
	return nil
}

// listenOn is up for a Unix socket, which nginx connects to as another user. It stays.
func (r *recorder) listenOn(socket string) error {
	l, err := net.Listen("unix", socket) //nolint:noctx // a local file
	if err != nil {
		return err
	}
	go r.accept(l)
	return os.Chmod(socket, 0o666)
}

func (r *recorder) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns++
		n := r.conns
		r.open[c] = true
		r.mu.Unlock()
		if r.protocol == "http" {
			go r.serve(c, n)
		} else {
			go r.serveCGI(c, n)
		}
	}
}

// reset makes the end of a connection a cut, as after a crash. A Unix socket knows no such difference.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

func (r *recorder) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	for c := range r.open {
		reset(c)
		_ = c.Close()
	}
}

// deaf accepts no new connection and serves those that are open.
func (r *recorder) deaf() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
}

func (r *recorder) handleRequests(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	records := r.records
	if records == nil {
		records = []record{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"connections": r.conns, "open": len(r.open), "total": r.total, "requests": records,
	})
}

func (r *recorder) handleReset(_ http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.total, r.conns = nil, 0, 0
	r.keep = req.URL.Query().Get("keep") != "0"
}

func (r *recorder) note(rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if r.keep {
		r.records = append(r.records, rec)
	}
}

// end closes a connection that has been served.
func (r *recorder) end(c net.Conn) {
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
	_ = c.Close()
}

// serve reads requests from one connection until it ends.
func (r *recorder) serve(c net.Conn, n int) {
	defer r.end(c)
	br := bufio.NewReaderSize(c, 64<<10)
	for {
		if r.idle > 0 {
			_ = c.SetReadDeadline(time.Now().Add(r.idle))
		}
		head, err := readHead(br)
		if len(head) == 0 {
			return
		}
		_ = c.SetReadDeadline(time.Time{})
		if err != nil { // half a head: it got here, so it counts
			r.note(record{Conn: n, Head: head})
			return
		}
		req := parse(head)
		body, err := req.readBody(br)
		r.note(record{Conn: n, Head: head, Body: body})
		if err != nil || !r.answer(c, br, req, n) {
			return
		}
	}
}

// readHead takes lines up to the first empty one; a bare LF ends a line too.
func readHead(br *bufio.Reader) (string, error) {
	var head strings.Builder
	for head.Len() < 1<<20 {
		line, err := br.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return head.String(), err
		}
		if strings.TrimRight(line, "\r\n") == "" && head.Len() > len(line) {
			return head.String(), nil
		}
	}
	return head.String(), fmt.Errorf("head of more than 1 MiB")
}

// request is as much of a head as the answers need.
type request struct {
	method, path string
	query        url.Values
	header       textproto.MIMEHeader
}

func parse(head string) request {
	lines := strings.Split(head, "\n")
	words := append(strings.Fields(lines[0]), "", "")
	path, query, _ := strings.Cut(words[1], "?")
	values, _ := url.ParseQuery(query)
	req := request{method: words[0], path: path, query: values, header: textproto.MIMEHeader{}}
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r"), ":"); ok {
			req.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return req
}

// readBody believes Transfer-Encoding first, like RFC 9112.
func (req request) readBody(br *bufio.Reader) (int, error) {
	if strings.Contains(strings.ToLower(req.header.Get("Transfer-Encoding")), "chunked") {
		total := 0
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return total, err
			}
			size, err := strconv.ParseInt(strings.TrimSpace(strings.Split(line, ";")[0]), 16, 32)
			if err != nil {
				return total, err
			}
			if _, err := io.CopyN(io.Discard, br, size+2); err != nil {
				return total, err
			}
			if total += int(size); size == 0 {
				return total, nil
			}
		}
	}
	n, _ := strconv.Atoi(req.header.Get("Content-Length"))
	copied, err := io.CopyN(io.Discard, br, int64(n))
	return int(copied), err
}

func (req request) number(name string, fallback int) int {
	if n, err := strconv.Atoi(req.query.Get(name)); err == nil {
		return n
	}
	return fallback
}

// statusPath is a status in the path, for who cannot send a query.
var statusPath = regexp.MustCompile(`^/api/[2-5][0-9]{2}$`)

// answer reports whether the connection goes on.
func (r *recorder) answer(c net.Conn, br *bufio.Reader, req request, n int) bool {
	if token := req.header.Get("Upgrade"); token != "" {
		r.tunnel(c, br, req, token, n)
		return false
	}
	switch {
	case strings.HasPrefix(req.path, "/internal"):
		return reply(c, req, 200, "text/plain", "internal secret")
	case req.path == "/api/hang":
		_, _ = io.Copy(io.Discard, br)
		return false
	case req.path == "/api/slow":
		time.Sleep(time.Duration(req.number("ms", 100)) * time.Millisecond)
		return reply(c, req, 200, "text/plain", "slow")
	case req.path == "/api/reset":
		reset(c)
		return false
	case req.path == "/api/half":
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nhalf of it")
		time.Sleep(50 * time.Millisecond)
		reset(c)
		return false
	case req.path == "/api/garbage":
		_, _ = io.WriteString(c, "this is no HTTP\r\n\r\n")
		return false
	case statusPath.MatchString(req.path):
		code, _ := strconv.Atoi(req.path[len("/api/"):])
		return reply(c, req, code, "text/plain", "", "Location: https://elsewhere.example/")
	case req.path == "/api/status":
		code := req.number("code", 200)
		return reply(c, req, code, "text/plain", strconv.Itoa(code), "Allow: PATCH", "X-Powered-By: backend")
	case req.path == "/api/early":
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
		return reply(c, req, req.number("code", 200), "text/plain", "late")
	case req.path == "/api/big":
		kind := "application/json"
		if t := req.query.Get("type"); t != "" {
			kind = t
		}
		if req.query.Has("noise") {
			return reply(c, req, 200, kind, noise(req.number("bytes", 20000)))
		}
		return reply(c, req, 200, kind, text(req.number("bytes", 20000)))
	case req.path == "/api/events":
		kind := cmp.Or(req.query.Get("type"), "text/event-stream")
		if req.query.Has("unbuffered") { // up to the end of the connection
			_, _ = fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\ndata: one\n\n", kind)
		} else {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n", kind)
		}
		_, _ = io.Copy(io.Discard, br)
		return false
	case req.path == "/api/headers":
		return reply(c, req, 200, "text/plain", "long headers", "X-Long: "+text(req.number("bytes", 5000)))
	case req.path == "/api/cookie":
		return reply(c, req, 200, "text/plain", strconv.Itoa(n), "Set-Cookie: a=b")
	}
	return reply(c, req, 200, "text/plain", "ok")
}

// reply adds the headers that the request asks for: X-Reply: Name: value.
func reply(c net.Conn, req request, status int, kind, body string, headers ...string) bool {
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), kind, len(body))
	for _, h := range append(headers, req.header["X-Reply"]...) {
		head.WriteString(h + "\r\n")
	}
	head.WriteString("\r\n")
	if req.method == http.MethodHead {
		body = ""
	}
	// A thousand clients may wait for the same long body: no copy for each.
	if _, err := c.Write(head.Bytes()); err != nil {
		return false
	}
	_, err := io.WriteString(c, body)
	return err == nil
}

// texts and noises are those that have been made, by their length.
var texts, noises sync.Map

func made(all *sync.Map, n int, makeText func(int) string) string {
	once, _ := all.LoadOrStore(n, sync.OnceValue(func() string { return makeText(n) }))
	return once.(func() string)()
}

// text is n bytes that look like an API's answer, and compress like one.
func text(n int) string { return made(&texts, n, makeText) }

// noise is n hexadecimal digits, which compress to a half and no further.
func noise(n int) string {
	return made(&noises, n, func(n int) string {
		raw := make([]byte, (n+1)/2)
		_, _ = rand.NewChaCha8([32]byte{}).Read(raw)
		return hex.EncodeToString(raw)[:n]
	})
}

func makeText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"user-%d","mail":"user%d@example.com"},`, i, i*7919%10007, i)
	}
	return b.String()[:n]
}

// tunnel accepts every upgrade. WebSocket gets an echo; any other protocol gets
// a tunnel with HTTP inside, which is what h2c would be to an attacker.
func (r *recorder) tunnel(c net.Conn, br *bufio.Reader, req request, token string, n int) {
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + token + "\r\n"
	if !strings.EqualFold(token, "websocket") {
		_, _ = io.WriteString(c, head+"\r\n")
		for {
			inner, err := readHead(br)
			if len(inner) == 0 {
				return
			}
			r.note(record{Conn: n, Head: inner})
			if err != nil || !reply(c, parse(inner), 200, "text/plain", "secret through the tunnel") {
				return
			}
		}
	}
	sum := sha1.Sum([]byte(req.header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	_, _ = io.WriteString(c, head+"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	var err error
	for err == nil {
		err = echoFrame(c, br)
	}
}

// echoFrame sends one frame back unmasked; lengths up to 65,535 bytes.
// https://www.rfc-editor.org/rfc/rfc6455#section-5.2
func echoFrame(w io.Writer, br *bufio.Reader) error {
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return err
	}
	size := int(head[1] & 0x7f)
	out := []byte{head[0], byte(size)}
	if size == 126 {
		var ext [2]byte
		if _, err := io.ReadFull(br, ext[:]); err != nil {
			return err
		}
		size = int(ext[0])<<8 | int(ext[1])
		out = append(out, ext[:]...)
	}
	var mask [4]byte
	if _, err := io.ReadFull(br, mask[:]); err != nil {
		return err
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(br, payload); err != nil {
		return err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	_, err := w.Write(append(out, payload...))
	if head[0]&0x0f == 8 { // close
		return io.EOF
	}
	return err
}
