package row

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"fargate-nginx-sidecar/bench/opponent"
)

func TestEveryRowIsARequestThatOthersCanRead(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range All {
		if seen[r.Name] {
			t.Errorf("%s: two of them", r.Name)
		}
		seen[r.Name] = true
		for _, o := range opponent.All {
			if !r.For(o) {
				continue
			}
			s := r.Stream(o)
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(s.Request))))
			if err != nil {
				t.Fatalf("%s: %v in %q", r.Name, err, s.Request)
			}
			if body, err := io.ReadAll(req.Body); err != nil || string(body) != r.Body {
				t.Errorf("%s: body: got %q, %v", r.Name, body, err)
			}
			if len(s.Want) != 1 || s.Want[0] < 100 || s.Connections == 0 || s.Fresh != req.Close {
				t.Errorf("%s: got %+v", r.Name, s)
			}
		}
	}
	for _, name := range []string{Paces.Of, "small-512", "small-9800"} {
		if _, ok := Find(name); !ok {
			t.Errorf("%s: no such row", name)
		}
	}
}

// Memory only grows: what a larger load has taken is not given back for a smaller one.
func TestMemoryIsMeasuredInRisingOrderBeforeAnythingElse(t *testing.T) {
	last, over := 0, false
	for _, r := range All {
		if r.Memory && (over || r.Connections <= last) {
			t.Errorf("%s: after a larger load", r.Name)
		}
		over = over || !r.Memory
		last = r.Connections
	}
}

func TestWhoCannotTakePartDoesNot(t *testing.T) {
	direct, _ := opponent.Find(opponent.Direct)
	pattern, _ := opponent.Find(opponent.Published)
	ours, _ := opponent.Find(opponent.Ours)
	tls, _ := Find("tls")
	if tls.For(direct) || tls.For(pattern) || !tls.For(ours) {
		t.Error("TLS: the application or the pattern takes part, or the sidecar does not")
	}
	control, _ := opponent.Find(opponent.Control)
	many, _ := Find("small-9800")
	if many.For(control) || !many.For(ours) || !many.For(direct) {
		t.Error("9,800 connections: the control takes part, or somebody else does not")
	}
	static, _ := Find("static")
	if static.For(pattern) || !static.For(ours) || !static.For(direct) || !static.For(control) {
		t.Error("files: the pattern takes part, or somebody who serves them does not")
	}
	method, _ := Find("method")
	if method.Stream(direct).Want[0] != 404 || method.Stream(ours).Want[0] != 405 {
		t.Error("405: the application has no such answer")
	}
}
