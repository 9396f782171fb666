package nginx

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The two forms in which the kernel lists addresses.
func TestAddressesOfTheKernelAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:0BB8":                          "127.0.0.1:3000",
		"00000000:1F90":                          "0.0.0.0:8080",
		"00000000000000000000000001000000:0BB8":  "[::1]:3000",
		"0000000000000000FFFF00000300 13AC:0BB8": "",
		"0000000000000000FFFF0000030013AC:0BB8":  "172.19.0.3:3000",
	} {
		if got, err := parseAddress(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestTheListenersOfTheTaskAreFound(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()                                 //nolint:errcheck // the test ends
	resolver, err := net.Listen("tcp", dockerResolver+"0") // the kernel has the whole network 127.0.0.0/8
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close() //nolint:errcheck // the test ends
	if all := listeners(); !slices.Contains(all, listener.Addr().String()) || slices.Contains(all, resolver.Addr().String()) {
		t.Errorf("%v; want one to be %s, and none %s", all, listener.Addr(), resolver.Addr())
	}
}

func TestWhatTheAppAnsweredIsNamed(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	answering := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "localhost" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer answering.Close()
	encrypted := httptest.NewTLSServer(nil)
	defer encrypted.Close()
	for address, want := range map[string]string{
		closed.Listener.Addr().String():       "connection refused; listening in this task: ",
		answering.Listener.Addr().String():    "status 502",
		encrypted.Listener.Addr().String():    "status 400", // Go's server says so in clear
		filepath.Join(t.TempDir(), "no.sock"): "no such file",
	} {
		network := "tcp"
		if strings.HasPrefix(address, "/") {
			network = "unix"
		}
		if got := askApp(network, address, "localhost", "/"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q; want %q", address, got, want)
		}
	}
}

func TestTheLineNamesAddressPathAndAnswer(t *testing.T) {
	s := Settings{AppPort: 3000, AppHealthPath: "/healthz", AppHealthTimeout: 2}
	for status, want := range map[int]string{
		404: "app health: 127.0.0.1:3000/healthz: status 404",
		400: "app health: 127.0.0.1:3000/healthz: status 400 for Host localhost",
		504: "app health: 127.0.0.1:3000/healthz: no answer within 2 s",
	} {
		if got := s.explain(status, "", nil).Error(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	const clear = "Client sent an HTTP request to an HTTPS server."
	if got, want := s.explain(400, clear, nil).Error(), "app health: 127.0.0.1:3000/healthz: no HTTP answer: it expects HTTPS"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestWithoutAnAnswerOfNGINXNothingIsSaidOfTheApp(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	err := Settings{AppPort: 3000, AppHealthPath: "/healthz"}.explain(0, "", refused)
	if of := (appError{}); errors.As(err, &of) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

// The second request is in HTTP, which an app of another protocol does not speak.
func TestAnAppOfAnotherProtocolIsToldFromOneThatIsMissing(t *testing.T) {
	for answer, want := range map[string]string{
		"status 404": "no fastcgi answer: it speaks HTTP", `no HTTP answer: the connection ended (EOF)`: "no fastcgi answer", "connection refused": "connection refused",
	} {
		if got := (Settings{AppProtocol: FastCGI}).inProtocol(answer); got != want {
			t.Errorf("%s: got %q; want %q", answer, got, want)
		}
		if got := (Settings{}).inProtocol(answer); got != answer {
			t.Errorf("%s over HTTP: got %q", answer, got)
		}
	}
}
