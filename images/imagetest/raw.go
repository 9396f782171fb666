package imagetest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Answer is what came back on a raw connection.
type Answer struct {
	Status   int         // of the first response; 0 when there was none
	Header   http.Header // of the first response
	Body     string      // of the first response
	More     int         // further responses on the same connection
	Raw      string      // every byte
	TimedOut bool        // the other side neither answered nor closed
}

// quiet is how long a connection says nothing before it counts as done.
const quiet = 60 * time.Millisecond

// Exchange writes raw bytes to an address and reads what comes, until the other
// side closes, is quiet after an answer, or limit has passed.
func Exchange(addr, raw string, limit time.Duration) (Answer, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second) //nolint:noctx // bounded by its time-out
	if err != nil {
		return Answer{}, err
	}
	defer c.Close() //nolint:errcheck // the answer is there or not
	return Talk(c, raw, limit)
}

// Talk is Exchange on a connection that is there.
func Talk(c net.Conn, raw string, limit time.Duration) (Answer, error) {
	end := time.Now().Add(limit)
	_ = c.SetDeadline(end)
	// An error here is no failure: the other side may refuse before it has read all.
	_, _ = io.WriteString(c, raw)
	method, _, _ := strings.Cut(strings.TrimLeft(raw, "\r\n"), " ")
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for {
		wait := end
		if complete(got.Bytes(), method) {
			if q := time.Now().Add(quiet); q.Before(end) {
				wait = q
			}
		}
		_ = c.SetReadDeadline(wait)
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err == nil && got.Len() < 16<<20 {
			continue
		}
		return parseAnswers(got.Bytes(), method, errors.Is(err, os.ErrDeadlineExceeded) && wait.Equal(end)), nil
	}
}

// complete reports whether a whole response is there.
func complete(raw []byte, method string) bool {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), &http.Request{Method: method})
	if err != nil {
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // read from a buffer
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode == http.StatusContinue {
		return true
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}

func parseAnswers(raw []byte, method string, timedOut bool) Answer {
	a := Answer{Raw: string(raw), TimedOut: timedOut}
	br := bufio.NewReader(bytes.NewReader(raw))
	for i := 0; ; i++ {
		resp, err := http.ReadResponse(br, &http.Request{Method: method}) //nolint:bodyclose // read to its end from a buffer
		if err != nil {
			return a
		}
		body, err := io.ReadAll(resp.Body)
		if i == 0 {
			a.Status, a.Header, a.Body = resp.StatusCode, resp.Header, string(body)
		} else {
			a.More++
		}
		if err != nil || resp.StatusCode == http.StatusSwitchingProtocols {
			return a
		}
	}
}

// Get is a plain GET with further header lines.
func (task *Task) Get(t testing.TB, target string, headers ...string) Answer {
	t.Helper()
	return task.Send(t, "GET "+target+" HTTP/1.1", headers...)
}

// Send sends one request line with a Host and further header lines, each
// without its line end.
func (task *Task) Send(t testing.TB, line string, headers ...string) Answer {
	t.Helper()
	raw := line + "\r\nHost: api.example.com\r\n"
	for _, h := range headers {
		raw += h + "\r\n"
	}
	return task.Raw(t, raw+"\r\n")
}

// Raw sends bytes and fails the test when nothing could be sent at all.
func (task *Task) Raw(t testing.TB, raw string) Answer {
	t.Helper()
	c := task.Dial(t, 10*time.Second)
	defer c.Close() //nolint:errcheck // the answer is there or not
	a, err := Talk(c, raw, 10*time.Second)
	if err != nil {
		t.Fatalf("nginx at %s: %v", task.Addr, err)
	}
	return a
}
