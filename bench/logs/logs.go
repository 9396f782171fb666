// Package logs reads what containers write, as a container runtime does: each
// stream is a pipe of the kernel's usual size, and a reader takes it away in
// pieces. A program that writes faster waits, or drops lines, and which of the
// two is seen in the count.
package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// piece is how much is read at once; containerd's shim copies 32 KiB.
const piece = 32 << 10

// Stream is what one pipe has carried so far.
type Stream struct {
	Lines int
	Bytes int64
	Tail  string // its last 4 KiB
}

// Reader reads every pipe of a folder until it is closed.
type Reader struct {
	mu      sync.Mutex
	streams map[string]*Stream
	files   []*os.File
}

// Open starts reading all pipes of a folder. It opens them for writing too, so
// that one whose writer has ended waits for the next.
func Open(folder string) (*Reader, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return nil, err
	}
	r := &Reader{streams: map[string]*Stream{}}
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("logs: %w", err)
		}
		r.files = append(r.files, f)
		s := &Stream{}
		r.streams[filepath.Base(path)] = s
		go r.read(f, s)
	}
	return r, nil
}

func (r *Reader) read(f *os.File, s *Stream) {
	b := make([]byte, piece)
	for {
		n, err := f.Read(b)
		if err != nil {
			return
		}
		r.mu.Lock()
		s.Lines += bytes.Count(b[:n], []byte{'\n'})
		s.Bytes += int64(n)
		s.Tail += string(b[max(0, n-4096):n])
		s.Tail = s.Tail[max(0, len(s.Tail)-4096):]
		r.mu.Unlock()
	}
}

// Streams is what every pipe has carried so far, by its file's name.
func (r *Reader) Streams() map[string]Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]Stream{}
	for name, s := range r.streams {
		all[name] = *s
	}
	return all
}

// Close ends the reading.
func (r *Reader) Close() {
	for _, f := range r.files {
		_ = f.Close()
	}
}

// Serve reads the pipes of a folder and answers every line of in with one line
// of JSON: the streams.
func Serve(folder string, in io.Reader, out io.Writer) error {
	r, err := Open(folder)
	if err != nil {
		return err
	}
	defer r.Close()
	questions := json.NewDecoder(in)
	answers := json.NewEncoder(out)
	for {
		var question bool
		if err := questions.Decode(&question); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("logs: %w", err)
		}
		if err := answers.Encode(r.Streams()); err != nil {
			return fmt.Errorf("logs: %w", err)
		}
	}
}
