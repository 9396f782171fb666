// Package row lists what is measured, as data: each row is one kind of load.
package row

import (
	"fmt"
	"strings"

	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/opponent"
)

// Row is one kind of load.
type Row struct {
	Name        string // in flags
	Title       string // in the document
	Method      string // GET unless given
	Path        string
	Headers     []string
	Body        string
	Connections int
	Want        int      // the status that counts as an answer; 200 unless given
	WantDirect  int      // from the application itself, where it is another; -1: it is not asked
	Fresh       bool     // a connection for each request
	Message     int      // WebSocket messages of so many bytes
	TLS         bool     // from the client to the proxy
	Cached      bool     // through the sidecar alone, without and with its cache
	Static      bool     // through those that serve files themselves, set up for that
	CPUs        float64  // limit for application and proxy together; 0: none
	Silent      bool     // nobody logs it
	BothCPUs    bool     // measured once more with everything on both CPUs
	BothWays    []string // opponents that are measured once more through the other way to the application
	Without     string   // an opponent that is left out
	Memory      bool     // memory is shown: rows in rising order, before any other load
	Afresh      bool     // the proxies are started anew after it
}

// MostConnections stands for as many as the machine's limit on open files allows.
const MostConnections = 9800

// socketed are the opponents that can reach the application through a socket.
var socketed = []string{opponent.Ours, opponent.Control, "haproxy", "caddy"}

// All are the rows in the order in which they are measured and shown.
var All = []Row{
	{Name: "small-64", Title: "Small answer, 64 connections", Path: "/api/users/1", Connections: 64, BothCPUs: true, BothWays: socketed, Memory: true},
	{Name: "small-512", Title: "Small answer, 512 connections", Path: "/api/users/1", Connections: 512, BothWays: socketed, Memory: true},
	{Name: "small-9800", Title: "Small answer, %d connections", Path: "/api/users/1", Connections: MostConnections, BothWays: []string{opponent.Ours, "haproxy"}, Without: opponent.Control, Memory: true, Afresh: true},
	{Name: "gzip", Title: "20 kB of JSON, compressed, 64 connections", Path: "/api/big", Headers: []string{"Accept-Encoding: gzip"}, Connections: 64, BothCPUs: true},
	{Name: "post", Title: "POST of 2 kB of JSON, 64 connections", Method: "POST", Path: "/api/items", Headers: []string{"Content-Type: application/json"}, Body: items(), Connections: 64, BothWays: socketed},
	{Name: "health", Title: "Health page, 64 connections", Path: "/", Connections: 64, Silent: true, BothCPUs: true},
	{Name: "refused", Title: "Refused path (404), 64 connections", Path: "/web/phpmyadmin", Connections: 64, Want: 404, BothCPUs: true},
	{Name: "method", Title: "Refused method (405), 64 connections", Method: "PROPFIND", Path: "/api/users/1", Connections: 64, Want: 405, WantDirect: 404},
	{Name: "close", Title: "A connection for each request, 64 at once", Path: "/api/users/1", Headers: []string{"Connection: close"}, Connections: 64, Fresh: true},
	{Name: "tls", Title: "Small answer over TLS, 64 connections", Path: "/api/users/1", Connections: 64, TLS: true, WantDirect: -1},
	{Name: "cached", Title: "Small answer that may be kept, 64 connections", Path: "/api/public", Connections: 64, Cached: true},
	{Name: "static", Title: "File of 20 kB of JavaScript, compressed form there, 64 connections", Path: opponent.StaticPath + "/app.js", Headers: []string{"Accept-Encoding: gzip"}, Connections: 64, Static: true},
	{Name: "websocket", Title: "WebSocket messages of 100 bytes, 64 connections", Path: "/api/ws", Message: 100, Connections: 64, Want: 101, Silent: true},
	{Name: "quota", Title: "Small answer, 64 connections, application and proxy together at 0.25 vCPU", Path: "/api/users/1", Connections: 64, CPUs: 0.25},
}

// Pace is the fixed rates at which answers are timed: parts of what the slowest of
// all can do in the row Of.
type Pace struct {
	Of    string
	Parts []float64
}

// Paces are with much room, half way, and near the limit.
var Paces = Pace{Of: "small-64", Parts: []float64{0.3, 0.5, 0.7}}

// Flood is good requests at a fixed rate, alone and with ten bad ones beside each.
var Flood = struct {
	Good, Bad   float64 // a second
	Connections int
	BadPath     string
}{500, 5000, 16, "/web/phpmyadmin"}

// Find is the row of a name.
func Find(name string) (Row, bool) {
	for _, r := range All {
		if r.Name == name {
			return r, true
		}
	}
	return Row{}, false
}

// For reports whether an opponent takes part.
func (r Row) For(o opponent.Opponent) bool {
	if o.Name == opponent.Direct {
		return r.WantDirect >= 0
	}
	if r.Cached {
		return o.Name == opponent.Ours
	}
	return o.Name != r.Without && (!r.TLS || o.TLS) && (!r.Static || o.Static)
}

// Stream is the load of the row for an opponent.
func (r Row) Stream(o opponent.Opponent) load.Stream {
	want := r.Want
	if o.Name == opponent.Direct && r.WantDirect > 0 {
		want = r.WantDirect
	}
	if want == 0 {
		want = 200
	}
	return load.Stream{Connections: r.Connections, Request: r.request(), Want: []int{want}, Fresh: r.Fresh, Message: r.Message}
}

// request is what goes over the wire.
func (r Row) request() []byte {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench\r\n", method, r.Path)
	for _, h := range r.Headers {
		b.WriteString(h + "\r\n")
	}
	if r.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	if r.Message > 0 {
		b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	}
	b.WriteString("\r\n" + r.Body)
	return []byte(b.String())
}

// items is a JSON body of about 2 kB.
func items() string {
	var list []string
	for i := range 32 {
		list = append(list, fmt.Sprintf(`{"id":%d,"name":"item-%d","mail":"user%d@example.com"}`, i, i*7919%10007, i))
	}
	return `{"items":[` + strings.Join(list, ",") + `]}`
}
