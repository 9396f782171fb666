// Package load sends HTTP requests and WebSocket messages to one address, from
// one thread, and measures how long the answers take.
//
// It has two ways. In a closed loop each connection sends its next request when
// it has its answer; that finds out how much the other side can do. At a fixed
// rate every request has a moment at which it is due, and the time of its answer
// counts from then, also when no connection was free at that moment: a slow
// answer that holds up the requests behind it shows in their times as well. A
// client that starts its clock when it sends would leave that out (coordinated
// omission).
//
// One epoll loop on raw sockets does it all, so that one CPU of load is enough
// for one CPU of proxy.
package load

import "time"

// Job is one measurement.
type Job struct {
	Address string // host:port
	TLS     bool
	// Warm runs the load without measuring it, Window measures it. After that
	// nothing is sent any more, and Drain is how long the answers may take that
	// are still missing.
	Warm, Window, Drain time.Duration
	Streams             []Stream
	// Counters are files that are read at the moments, by the load itself: on a busy
	// machine anybody else would come too late.
	Counters []string
}

// Stream is requests of one kind over connections of their own.
type Stream struct {
	Connections int
	Rate        float64 // requests a second over all connections; 0: a closed loop
	Request     []byte  // as it goes over the wire; with Message: what opens the WebSocket
	Want        []int   // the status codes that count as an answer
	Fresh       bool    // a connection for each request; the time counts from before it is opened
	Message     int     // not 0: WebSocket messages of so many bytes, each of which comes back
}

// The moments that Run tells of.
const (
	WindowBegins = "window begins"
	WindowEnds   = "window ends"
)

// Result is what one stream measured.
type Result struct {
	// Within the window.
	Answers int           // of the wanted status
	Bytes   int64         // of these answers, with their headers
	Window  time.Duration // as long as it really was
	// Of all answers whose request was sent, or due, within the window.
	P50, P90, P99, P999, Max time.Duration
	// Over the whole job.
	Responses int // of any status
	Lost      Lost
	Cipher    string // of TLS
}

// Lost is what a client would call a failed request.
type Lost struct {
	Wrong      int // answered with another status
	Cut        int // the connection ended before the answer
	Refused    int // no connection
	Unanswered int // no answer until the end of the drain, or never sent because no connection was free
}

// Total is how many requests were lost.
func (l Lost) Total() int { return l.Wrong + l.Cut + l.Refused + l.Unanswered }

// Reply is a moment of a running job, or its end.
type Reply struct {
	Moment   string   `json:",omitempty"`
	Counters []string `json:",omitempty"` // what the job's files say at the moment
	Results  []Result `json:",omitempty"`
	Error    string   `json:",omitempty"`
}
