package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const get = "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n"

func job(address string, streams ...Stream) Job {
	address = strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://")
	return Job{Address: address, Warm: 20 * time.Millisecond, Window: 200 * time.Millisecond, Drain: 10 * time.Second, Streams: streams}
}

func run(t *testing.T, j Job) []Result {
	t.Helper()
	var moments []string
	results, err := Run(j, func(m string) { moments = append(moments, m) })
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(moments) != fmt.Sprint([]string{WindowBegins, WindowEnds}) {
		t.Errorf("moments: got %q", moments)
	}
	return results
}

// counting is a server that knows how many requests it answered.
func counting(t *testing.T, handler http.HandlerFunc) (address string, asked *atomic.Int64) {
	address, asked, _ = watched(t, false, handler)
	return address, asked
}

// watched also counts the connections.
func watched(t *testing.T, secure bool, handler http.HandlerFunc) (address string, asked, opened *atomic.Int64) {
	asked, opened = &atomic.Int64{}, &atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL, asked, opened
}

func ok(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "ok")
}

func TestEveryRequestOfTheServerIsAnAnswerOfTheResult(t *testing.T) {
	post := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000)
	for name, c := range map[string]struct {
		secure bool
		stream Stream
	}{
		"closed loop":        {false, Stream{Connections: 5, Request: []byte(get), Want: []int{200}}},
		"fixed rate":         {false, Stream{Connections: 5, Rate: 200, Request: []byte(get), Want: []int{200}}},
		"connection each":    {false, Stream{Connections: 5, Fresh: true, Request: []byte(strings.Replace(get, "Host", "Connection: close\r\nHost", 1)), Want: []int{200}}},
		"connection cut off": {false, Stream{Connections: 5, Fresh: true, Request: []byte(get), Want: []int{200}}},
		"TLS":                {true, Stream{Connections: 5, Request: []byte(get), Want: []int{200}}},
		"body":               {false, Stream{Connections: 5, Request: []byte(post), Want: []int{200}}},
		"body over TLS":      {true, Stream{Connections: 5, Request: []byte(post), Want: []int{200}}},
	} {
		t.Run(name, func(t *testing.T) {
			address, asked, opened := watched(t, c.secure, ok)
			j := job(address, c.stream)
			j.TLS = c.secure
			r := run(t, j)[0]
			if r.Lost.Total() != 0 || int64(r.Responses) != asked.Load() || r.Responses == 0 || r.Answers > r.Responses {
				t.Errorf("server answered %d; got %+v", asked.Load(), r)
			}
			if c.stream.Fresh != (opened.Load() >= asked.Load()) || (!c.stream.Fresh && opened.Load() != 5) {
				t.Errorf("%d connections for %d requests", opened.Load(), asked.Load())
			}
			if c.secure != (r.Cipher != "") {
				t.Errorf("cipher: got %q", r.Cipher)
			}
		})
	}
}

func TestAnAnswerOfTheWrongKindIsLost(t *testing.T) {
	address, asked := counting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r := run(t, job(address, Stream{Connections: 2, Request: []byte(get), Want: []int{200}}))[0]
	if r.Answers != 0 || int64(r.Lost.Wrong) != asked.Load() || r.Lost.Wrong == 0 || r.P50 != 0 {
		t.Errorf("server answered %d; got %+v", asked.Load(), r)
	}
}

func TestCutConnectionsAreLostAndOpenedAgain(t *testing.T) {
	address, asked := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			_ = c.Close()
		}
	})
	r := run(t, job(address, Stream{Connections: 2, Request: []byte(get), Want: []int{200}}))[0]
	if int64(r.Lost.Cut) != asked.Load() || r.Lost.Cut < 3 || r.Answers != 0 {
		t.Errorf("server cut %d; got %+v", asked.Load(), r)
	}
}

func TestNobodyThereIsCountedAsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback port
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	r := run(t, job(address, Stream{Connections: 1, Fresh: true, Request: []byte(get), Want: []int{200}}))[0]
	if r.Lost.Refused == 0 || r.Lost.Total() != r.Lost.Refused || r.Responses != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestAnAnswerThatNeverComesIsLost(t *testing.T) {
	done := make(chan struct{})
	address, _ := counting(t, func(http.ResponseWriter, *http.Request) { <-done })
	t.Cleanup(func() { close(done) }) // before the server's own
	j := job(address, Stream{Connections: 3, Request: []byte(get), Want: []int{200}})
	j.Drain = 50 * time.Millisecond
	if r := run(t, j)[0]; r.Lost.Unanswered != 3 || r.Lost.Total() != 3 {
		t.Errorf("got %+v", r)
	}
}

// The server stands still for 300 ms, once. With one connection and 100 requests
// a second, the 30 that are due meanwhile wait too, so that half of all 50 take
// more than 50 ms. A clock that starts when a request is sent would show one.
func TestARequestThatWaitsForAConnectionIsLateFromWhenItWasDue(t *testing.T) {
	var once atomic.Bool
	warm := time.Now().Add(40 * time.Millisecond)
	address, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		if time.Now().After(warm) && once.CompareAndSwap(false, true) {
			time.Sleep(300 * time.Millisecond)
		}
		ok(w, r)
	})
	j := job(address, Stream{Connections: 1, Rate: 100, Request: []byte(get), Want: []int{200}})
	j.Window = 500 * time.Millisecond
	r := run(t, j)[0]
	if r.P50 < 50*time.Millisecond || r.Max < 250*time.Millisecond || r.Lost.Total() != 0 {
		t.Errorf("got %+v, want half of the answers later than 50 ms", r)
	}
}

func TestEachStreamHasItsOwnAccount(t *testing.T) {
	address, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		ok(w, r)
	})
	r := run(t, job(address,
		Stream{Connections: 2, Rate: 100, Request: []byte(get), Want: []int{200}},
		Stream{Connections: 2, Rate: 500, Request: []byte(strings.Replace(get, "/api/x", "/none", 1)), Want: []int{404}}))
	if r[0].Lost.Total() != 0 || r[1].Lost.Total() != 0 || r[0].Responses == 0 || r[1].Responses <= r[0].Responses {
		t.Errorf("got %+v", r)
	}
}

func TestMessagesComeBackThroughAWebSocket(t *testing.T) {
	var echoed atomic.Int64
	address, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close() //nolint:errcheck // a test
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		echo(c, rw.Reader, &echoed)
	})
	upgrade := "GET /api/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	r := run(t, job(address, Stream{Connections: 3, Request: []byte(upgrade), Message: 100, Want: []int{101}}))[0]
	if r.Lost.Total() != 0 || r.Responses == 0 || int64(r.Responses) != echoed.Load() || r.Answers > 0 && r.Bytes/int64(r.Answers) != 102 {
		t.Errorf("echoed %d; got %+v", echoed.Load(), r)
	}
}

func echo(w io.Writer, br *bufio.Reader, echoed *atomic.Int64) {
	frame := make([]byte, 2+4+100)
	for {
		if _, err := io.ReadFull(br, frame); err != nil {
			return
		}
		echoed.Add(1)
		if _, err := w.Write(append([]byte{0x81, 100}, frame[6:]...)); err != nil {
			return
		}
	}
}

func TestAnAddressThatIsNoneIsNamed(t *testing.T) {
	_, err := Run(job("localhost:80"), func(string) {})
	if err == nil || !strings.Contains(err.Error(), `address: got "localhost:80"`) {
		t.Errorf("got %v", err)
	}
}
