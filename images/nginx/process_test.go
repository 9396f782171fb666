package nginx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnErrorLineLosesItsQueryAndReferer(t *testing.T) {
	for line, want := range map[string]string{
		`[error] 7#7: *1 upstream timed out, request: "GET /api/x?token=secret HTTP/1.1", upstream: "http://127.0.0.1:3000/api/x?token=secret", host: "a"`: `[error] 7#7: *1 upstream timed out, request: "GET /api/x HTTP/1.1", upstream: "http://127.0.0.1:3000/api/x", host: "a"`,
		`[error] no query`:                                                                           `[error] no query`,
		`[error] request: "GET /x?a=secret"`:                                                         `[error] request: "GET /x"`,
		`[error] host: "a", referrer: "https://a.example/?b=secret"`:                                 `[error] host: "a"`,
		"[error] request: \"GET /x?a\tsecret?b HTTP/1.1\", host: \"a\"":                              `[error] request: "GET /x secret HTTP/1.1", host: "a"`,
		`[error] connect() to unix:/run/app/http.sock failed (11: Resource temporarily unavailable)`: "",
	} {
		if got, _ := filterError(line); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", line, got, want)
		}
	}
	var out strings.Builder
	filterErrors(&out, strings.NewReader("one?secret\n\ntwo\nthe last without its end"))
	if out.String() != "one\n\ntwo\nthe last without its end\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestTheStatusPageBecomesALineOfTheLog(t *testing.T) {
	page := "Active connections: 3 \nserver accepts handled requests\n 105 104 220 \nReading: 0 Writing: 2 Waiting: 1 \n"
	c, err := parseCounts(page)
	if err != nil {
		t.Fatal(err)
	}
	got := c.line(counts{accepted: 100, handled: 100, requests: 200}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	want := `{"time":"2026-11-30T12:00:00+00:00","event":"connections","connections":2,"reading":0,"writing":1,"waiting":1,"accepted":4,"dropped":1,"requests":19}` + "\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := parseCounts("404"); err == nil {
		t.Error("a page without counts is taken for one")
	}
}

func TestAnAnswersStatusAndBody(t *testing.T) {
	for raw, want := range map[string]struct {
		status int
		body   string
	}{
		"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nwell": {200, "well"},
		"HTTP/1.1 503 \r\n\r\n":                        {503, ""},
		"HTTP/1.1 two\r\n\r\n":                         {0, ""},
		"no HTTP":                                      {0, ""},
		"":                                             {0, ""},
	} {
		status, body, err := readAnswer(strings.NewReader(raw))
		if status != want.status || body != want.body || (err != nil) != (want.status == 0) {
			t.Errorf("%q: got %d %q, %v", raw, status, body, err)
		}
	}
}

func TestOnlyNamesWithAHashAreKept(t *testing.T) {
	root, history := t.TempDir(), t.TempDir()
	for _, name := range []string{"index-BfUl3Xy9.js", "deep/er/main.3f2a9c1d.css", "index.html", "a b-Ab3dE5fG.txt", ".git/pack-Ab3dE5fG.js", ".x-Ab3dE5fG.js"} {
		file := filepath.Join(root, "1", "assets", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := Settings{StaticPaths: []string{"/assets"}}
	for range 2 { // a second time changes nothing
		if err := s.keepFiles(root, history); err != nil {
			t.Fatal(err)
		}
	}
	var kept []string
	_ = filepath.WalkDir(history, func(path string, entry os.DirEntry, _ error) error {
		if !entry.IsDir() {
			kept = append(kept, strings.TrimPrefix(path, history))
		}
		return nil
	})
	want := []string{"/assets/a b-Ab3dE5fG.txt", "/assets/deep/er/main.3f2a9c1d.css", "/assets/index-BfUl3Xy9.js"}
	if strings.Join(kept, "\n") != strings.Join(want, "\n") {
		t.Errorf("kept %q, want %q", kept, want)
	}
	before, _ := os.Stat(filepath.Join(root, "1/assets/index-BfUl3Xy9.js"))
	after, err := os.Stat(filepath.Join(history, "assets/index-BfUl3Xy9.js"))
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Mode().Perm() != 0o644 {
		t.Errorf("%v: time %v and mode %v, want %v and 644", err, after.ModTime(), after.Mode(), before.ModTime())
	}
	if err := os.Chmod(history, 0o500); err != nil {
		t.Fatal(err)
	}
}
