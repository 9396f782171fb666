package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func pipe(t *testing.T, folder, name string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path string, lines int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		if _, err := fmt.Fprintf(f, "line %d %s\n", i, strings.Repeat("x", 200)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// wait asks until the stream has so many lines.
func wait(t *testing.T, r *Reader, name string, lines int) Stream {
	t.Helper()
	var s Stream
	for range 500 {
		if s = r.Streams()[name]; s.Lines >= lines {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.Lines != lines {
		t.Fatalf("%s: got %d lines, want %d", name, s.Lines, lines)
	}
	return s
}

// Far more than a pipe holds, by two writers one after the other.
func TestEveryLineIsReadAlsoOfTheNextWriter(t *testing.T) {
	folder := t.TempDir()
	path, other := pipe(t, folder, "app"), pipe(t, folder, "proxy")
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	write(t, path, 2000)
	wait(t, r, "app", 2000)
	write(t, path, 500)
	write(t, other, 3)
	if s := wait(t, r, "app", 2500); !strings.Contains(s.Tail, "\nline 499 x") || s.Bytes < 2500*200 {
		t.Errorf("its end: got %q", s.Tail)
	}
	if s := wait(t, r, "proxy", 3); !strings.Contains(s.Tail, "\nline 2 x") {
		t.Errorf("its end: got %q", s.Tail)
	}
}

func TestServeAnswersEachQuestion(t *testing.T) {
	folder := t.TempDir()
	pipe(t, folder, "app")
	var out strings.Builder
	if err := Serve(folder, strings.NewReader("true\ntrue\n"), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, `{"app":{"Lines":0`) != 2 {
		t.Errorf("got %s", got)
	}
}
