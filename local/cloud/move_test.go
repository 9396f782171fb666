package cloud

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/ports"
)

func listener(t *testing.T) net.Listener {
	t.Helper()
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// free is an address that nothing listens on.
func free(t *testing.T) string {
	t.Helper()
	opened := listener(t)
	_ = opened.Close()
	return opened.Addr().String()
}

func TestAllPortsMoveOrNone(t *testing.T) {
	c := &cloud{options: Options{
		Ports: map[int]*ports.Port{80: ports.Hold(listener(t)), 443: ports.Hold(listener(t))},
		Log:   slog.New(slog.DiscardHandler),
	}}
	server := httptest.NewServer(http.HandlerFunc(c.move))
	t.Cleanup(server.Close)
	at := func() [2]string {
		return [2]string{c.options.Ports[80].Addr().String(), c.options.Ports[443].Addr().String()}
	}
	before, wanted, taken := at(), [2]string{free(t), free(t)}, listener(t).Addr().String()

	err := Move(t.Context(), server.URL, map[int]string{80: wanted[0], 443: taken})
	if err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a port that is taken: %v", err)
	}
	if at() != before {
		t.Errorf("one of the ports moved: %v, before %v", at(), before)
	}
	again, err := net.Listen("tcp", wanted[0])
	if err != nil {
		t.Fatalf("the port that could be had is still held: %v", err)
	}
	_ = again.Close()

	for range 2 { // the second time they are there already
		if err := Move(t.Context(), server.URL, map[int]string{80: wanted[0], 443: wanted[1]}); err != nil {
			t.Fatal(err)
		}
		if at() != wanted {
			t.Errorf("the ports are at %v, want %v", at(), wanted)
		}
	}
	if err := Move(t.Context(), server.URL, map[int]string{81: free(t)}); err == nil || !strings.Contains(err.Error(), "port 81 is not one of the run's") {
		t.Errorf("a port that the run does not have: %v", err)
	}
}
