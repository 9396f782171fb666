package load

import (
	"bytes"
	"errors"
	"strconv"
)

// answer reads one HTTP/1.1 response from pieces, and keeps nothing of its body.
type answer struct {
	status int
	close  bool // the other side will close the connection
	size   int64
	part   part
	head   []byte // of a head, or a line of the chunked form, that came in pieces
	left   int64  // bytes of the body, or of its chunk
}

type part int

const (
	inHead part = iota
	inBody
	inChunkLine
	inChunk
	inTrailer
	untilClose
)

var errNotHTTP = errors.New("answer: not HTTP/1.1")

// maxHead is far above what any proxy here sends.
const maxHead = 64 << 10

// feed takes bytes and reports how many belong to this answer and whether it is
// complete.
func (a *answer) feed(b []byte) (used int, done bool, err error) {
	for {
		n, done, more, err := a.step(b[used:])
		used += n
		if done {
			a.size += int64(used)
		}
		if done || err != nil {
			return used, done, err
		}
		if !more {
			a.size += int64(used)
			return used, false, nil
		}
	}
}

// step reads one part. more is false when it needs further bytes.
func (a *answer) step(b []byte) (used int, done, more bool, err error) {
	switch a.part {
	case inHead:
		head, n := a.upTo(b, "\r\n\r\n")
		if head == nil {
			if len(a.head) > maxHead {
				return n, false, false, errNotHTTP
			}
			return n, false, false, nil
		}
		if err := a.parse(head); err != nil {
			return n, false, false, err
		}
		a.head = a.head[:0]
		return n, a.part == inBody && a.left == 0, true, nil
	case inBody:
		n := min(int64(len(b)), a.left)
		a.left -= n
		return int(n), a.left == 0, false, nil
	case inChunkLine:
		line, n := a.upTo(b, "\r\n")
		if line == nil {
			return n, false, false, nil
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.SplitN(line, []byte(";"), 2)[0])), 16, 62)
		a.head = a.head[:0]
		if err != nil || size < 0 {
			return n, false, false, errNotHTTP
		}
		a.part, a.left = inChunk, size+2
		if size == 0 {
			a.part = inTrailer
		}
		return n, false, true, nil
	case inChunk:
		n := min(int64(len(b)), a.left)
		if a.left -= n; a.left == 0 {
			a.part = inChunkLine
		}
		return int(n), false, a.left == 0, nil
	case inTrailer:
		line, n := a.upTo(b, "\r\n")
		if line == nil {
			return n, false, false, nil
		}
		last := len(line) == 2
		a.head = a.head[:0]
		return n, last, !last, nil
	}
	return len(b), false, false, nil
}

// upTo returns everything up to and including the mark, or keeps b for later.
func (a *answer) upTo(b []byte, mark string) (text []byte, used int) {
	if len(a.head) == 0 {
		if i := bytes.Index(b, []byte(mark)); i >= 0 {
			return b[:i+len(mark)], i + len(mark)
		}
		a.head = append(a.head, b...)
		return nil, len(b)
	}
	before := len(a.head)
	a.head = append(a.head, b...)
	// The mark may have begun in the piece before.
	from := max(0, before-len(mark)+1)
	if i := bytes.Index(a.head[from:], []byte(mark)); i >= 0 {
		end := from + i + len(mark)
		return a.head[:end], end - before
	}
	return nil, len(b)
}

// parse reads a head: the status, and how the body ends.
// https://www.rfc-editor.org/rfc/rfc9112#section-6.3
func (a *answer) parse(head []byte) error {
	if len(head) < 13 || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return errNotHTTP
	}
	status, err := strconv.Atoi(string(head[9:12]))
	if err != nil {
		return errNotHTTP
	}
	a.status, a.close = status, head[7] == '0'
	a.part, a.left = untilClose, 0
	for rest := head; ; {
		i := bytes.Index(rest, []byte("\r\n"))
		rest = rest[i+2:]
		if len(rest) <= 2 {
			break
		}
		line := rest[:bytes.IndexByte(rest, '\r')]
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			if a.left, err = strconv.ParseInt(string(value), 10, 62); err != nil {
				return errNotHTTP
			}
			a.part = inBody
		case is(name, "transfer-encoding"):
			a.part = inChunkLine
		case is(name, "connection") && is(value, "close"):
			a.close = true
		}
	}
	if status == 204 || status == 304 || status < 200 {
		a.part, a.left = inBody, 0
	}
	a.close = a.close || a.part == untilClose
	return nil
}

func is(b []byte, lower string) bool {
	return len(b) == len(lower) && bytes.EqualFold(b, []byte(lower))
}

// closed reports whether an end of the connection at this point completes the answer.
func (a *answer) closed() bool { return a.part == untilClose && a.status != 0 }

func (a *answer) reset() { *a = answer{head: a.head[:0]} }
