package faults

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// patience bounds one request: more than any answer takes, and more than the load balancer waits for one.
const patience = 40 * time.Second

// longest is the slowest answer that a client asks for.
const longest = 20 * time.Second

// A WebSocket stays open for a session, which is shorter than the time that the load balancer gives a task to finish. A
// longer one would be cut by every deploy, and its client would have to connect again.
const (
	session      = 5 * time.Second
	messageEvery = 100 * time.Millisecond
)

// uploadLength is more than NGINX keeps in memory, so that the upload goes through its disk.
const uploadLength = 200_000

// client is one kind of client, of which several run side by side: each sends its next request when it has its answer.
type client struct {
	kind  string
	count int
	pause time.Duration
	send  func(ctx context.Context, t *Traffic, random *rand.Rand) error
}

// clients are the steady load of every part. Requests that keep their connection are posts, which nothing between client and
// app may send a second time, so that a lost one shows.
var clients = []client{
	{"kept connection", 2, 20 * time.Millisecond, func(ctx context.Context, t *Traffic, random *rand.Rand) error {
		return t.ask(ctx, t.keeping, http.MethodPost, waitPath(20*time.Millisecond, random), http.NoBody, "done")
	}},
	{"new connection", 2, 20 * time.Millisecond, func(ctx context.Context, t *Traffic, random *rand.Rand) error {
		return t.ask(ctx, t.closing, http.MethodGet, waitPath(20*time.Millisecond, random), http.NoBody, "done")
	}},
	{"slow answer", 6, 0, func(ctx context.Context, t *Traffic, random *rand.Rand) error {
		return t.ask(ctx, t.keeping, http.MethodGet, waitPath(longest, random), http.NoBody, "done")
	}},
	{"upload", 2, 50 * time.Millisecond, func(ctx context.Context, t *Traffic, _ *rand.Rand) error {
		body := &slowly{Reader: bytes.NewReader(make([]byte, uploadLength))}
		return t.ask(ctx, t.closing, http.MethodPost, "/api/upload", body, strconv.Itoa(uploadLength))
	}},
	{"WebSocket", 2, 50 * time.Millisecond, func(ctx context.Context, t *Traffic, _ *rand.Rand) error { return t.talk(ctx) }},
}

// waitPath asks for an answer after a time between a millisecond and a limit. All orders of magnitude are equally likely.
func waitPath(limit time.Duration, random *rand.Rand) string {
	const least = float64(time.Millisecond)
	after := least * math.Pow(float64(limit)/least, random.Float64())
	return "/api/wait?for=" + time.Duration(after).Round(time.Millisecond).String()
}

// slowly is a body that arrives in pieces over about half a second.
type slowly struct{ io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 20_000)])
}

// Request is what became of one request.
type Request struct {
	Kind  string
	Begun time.Time
	Took  time.Duration
	Lost  string // why it was lost; empty for an answer as it should be
}

// Traffic is a steady load on one address.
type Traffic struct {
	url              string
	keeping, closing *http.Client
	end              chan struct{} // closed by Stop: no client sends another request
	running          sync.WaitGroup

	mu   sync.Mutex
	done []Request
}

// startTraffic lets the clients send requests until Stop.
func startTraffic(ctx context.Context, url string, seed uint64) *Traffic {
	t := &Traffic{
		url: url, end: make(chan struct{}),
		keeping: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		closing: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	stream := uint64(0)
	for _, c := range clients {
		for range c.count {
			stream++
			random := rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // the same requests for the same seed
			t.running.Go(func() { t.run(ctx, c, random) })
		}
	}
	return t
}

func (t *Traffic) run(ctx context.Context, c client, random *rand.Rand) {
	for ctx.Err() == nil {
		select {
		case <-t.end:
			return
		case <-time.After(c.pause):
		}
		begun := time.Now()
		within, cancel := context.WithTimeout(ctx, patience)
		err := c.send(within, t, random)
		cancel()
		if ctx.Err() != nil {
			return // the whole run is being interrupted
		}
		request := Request{Kind: c.kind, Begun: begun, Took: time.Since(begun)}
		if err != nil {
			request.Lost = err.Error()
			time.Sleep(50 * time.Millisecond) // a client that is refused at once must not count a thousand times
		}
		t.mu.Lock()
		t.done = append(t.done, request)
		t.mu.Unlock()
	}
}

// Stop sends no more requests, waits for the answers to those under way, and returns all.
func (t *Traffic) Stop() Requests {
	close(t.end)
	t.running.Wait()
	t.keeping.CloseIdleConnections()
	return t.since(time.Time{})
}

// since returns the requests that have ended and were begun at a time or later.
func (t *Traffic) since(begun time.Time) Requests {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Requests(t.done).since(begun)
}

// ask sends one request, which must be answered with 200 and a text.
func (t *Traffic) ask(ctx context.Context, client *http.Client, method, path string, body io.Reader, want string) error {
	request, err := http.NewRequestWithContext(ctx, method, t.url+path, body)
	if err != nil {
		return err
	}
	if _, uploads := body.(*slowly); uploads {
		request.ContentLength = uploadLength
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("answer cut off: %w", err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s, by %s", response.Status, cmp.Or(response.Header.Get("Server"), "the app"))
	case string(text) != want:
		return fmt.Errorf("answer %q; want %q", text, want)
	}
	return nil
}

// talk is one session over a WebSocket: every message must come back.
func (t *Traffic) talk(ctx context.Context) error {
	connection, _, err := websocket.Dial(ctx, strings.Replace(t.url, "http", "ws", 1)+"/api/socket", nil) //nolint:bodyclose // Dial says that it need not be closed
	if err != nil {
		return err
	}
	defer func() { _ = connection.CloseNow() }()
	for end := time.Now().Add(session); time.Now().Before(end); time.Sleep(messageEvery) {
		want := time.Now().String()
		if err := connection.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			return err
		}
		_, got, err := connection.Read(ctx)
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("message %q came back as %q", want, got)
		}
	}
	return connection.Close(websocket.StatusNormalClosure, "")
}

// Requests are those of one part, in the order in which they ended.
type Requests []Request

func (r Requests) since(begun time.Time) Requests {
	var found Requests
	for _, request := range r {
		if !request.Begun.Before(begun) {
			found = append(found, request)
		}
	}
	return found
}

func (r Requests) of(kind string) Requests {
	var found Requests
	for _, request := range r {
		if request.Kind == kind {
			found = append(found, request)
		}
	}
	return found
}

func (r Requests) lost() Requests {
	var found Requests
	for _, request := range r {
		if request.Lost != "" {
			found = append(found, request)
		}
	}
	return found
}

// lostBetween are those that were lost, and ended between two times.
func (r Requests) lostBetween(from, to time.Time) Requests {
	var found Requests
	for _, request := range r.lost() {
		if end := request.Begun.Add(request.Took); !end.Before(from) && end.Before(to) {
			found = append(found, request)
		}
	}
	return found
}

// lastEnd is when the last of them ended.
func (r Requests) lastEnd() time.Time {
	var last time.Time
	for _, request := range r {
		if end := request.Begun.Add(request.Took); end.After(last) {
			last = end
		}
	}
	return last
}

// reasons says why requests were lost, and how many for each reason.
func (r Requests) reasons() string {
	counts := map[string]int{}
	for _, request := range r.lost() {
		counts[request.Kind+": "+brief(request.Lost)]++
	}
	var all []string
	for reason, n := range counts {
		all = append(all, fmt.Sprintf("%d × %s", n, reason))
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// brief leaves out what differs from request to request: addresses.
func brief(reason string) string {
	switch {
	case strings.Contains(reason, "deadline exceeded"):
		return fmt.Sprintf("no answer within %s", patience)
	case strings.Contains(reason, "EOF"), strings.Contains(reason, "connection reset"), strings.Contains(reason, "closed"):
		return "connection cut"
	case strings.Contains(reason, "refused"):
		return "connection refused"
	case strings.Contains(reason, "expected handshake response status code 101 but got "):
		_, status, _ := strings.Cut(reason, "but got ")
		return "handshake answered with " + status
	}
	return reason
}
