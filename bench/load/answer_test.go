package load

import (
	"strings"
	"testing"
)

// Every answer, cut into two pieces at every place, ends where it ends.
func TestAnAnswerEndsWhereItEndsHoweverItIsCut(t *testing.T) {
	const next = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		text   string
		status int
		close  bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false},
		{"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nConnection: Close\r\n\r\n", 404, true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na;x=y\r\n0123456789\r\n0\r\n\r\n", 200, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: yes\r\n\r\n", 200, false},
		{"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, false},
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", 101, false},
	} {
		for cut := range len(c.text) {
			a := &answer{}
			n, done, err := a.feed([]byte(c.text[:cut]))
			if done || err != nil || n != cut {
				t.Fatalf("%q: the first %d bytes: used %d, done %v, %v", c.text, cut, n, done, err)
			}
			n, done, err = a.feed([]byte(c.text[cut:] + next))
			if !done || err != nil || n != len(c.text)-cut {
				t.Fatalf("%q cut at %d: used %d, done %v, %v", c.text, cut, n, done, err)
			}
			if a.status != c.status || a.close != c.close || a.size != int64(len(c.text)) {
				t.Fatalf("%q cut at %d: got status %d, close %v, size %d", c.text, cut, a.status, a.close, a.size)
			}
		}
	}
}

func TestAnAnswerWithoutALengthEndsWithTheConnection(t *testing.T) {
	a := &answer{}
	_, done, err := a.feed([]byte("HTTP/1.1 200 OK\r\nX: y\r\n\r\nall until the end"))
	if done || err != nil || !a.closed() || !a.close {
		t.Errorf("done %v, closed %v, %v", done, a.closed(), err)
	}
	a.reset()
	if _, _, _ = a.feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")); a.closed() {
		t.Error("half an answer counts as a whole one")
	}
}

func TestWhatIsNotHTTPIsAnError(t *testing.T) {
	for _, text := range []string{"this is no HTTP at all\r\n\r\n", "HTTP/1.1 abc\r\n\r\nxx", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", strings.Repeat("a", maxHead+1)} {
		a := &answer{}
		if _, done, err := a.feed([]byte(text)); err == nil || done {
			t.Errorf("%.30q: done %v, %v", text, done, err)
		}
	}
}

func TestAFrameEndsWhereItEndsHoweverItIsCut(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 1000} {
		// What comes back is the message without its mask.
		text := message(size)
		mask := len(text) - size - 4
		text = append(text[:mask:mask], text[mask+4:]...)
		text[1] &= 0x7f
		for cut := range len(text) {
			f := &frame{}
			if n, done := f.feed(text[:cut]); done || n != cut {
				t.Fatalf("%d bytes, the first %d: used %d, done %v", size, cut, n, done)
			}
			n, done := f.feed(append(text[cut:len(text):len(text)], 0x81, 0x01))
			if !done || n != len(text)-cut || f.size != int64(len(text)) {
				t.Fatalf("%d bytes cut at %d: used %d, done %v, size %d", size, cut, n, done, f.size)
			}
		}
	}
}
