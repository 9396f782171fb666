// Package emulatortest gives tests the AWS emulator in the way in which a local run gets it. The tests of a package share one,
// each in an AWS account of its own.
package emulatortest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

// shared is the emulator of this test binary.
var shared struct {
	sync.Mutex
	running *emulator.Emulator
	dir     string
}

// Main runs the tests of a package, and ends the emulator that they have started.
func Main(m *testing.M) {
	code := m.Run()
	if shared.running != nil {
		if err := errors.Join(shared.running.Stop(), os.RemoveAll(shared.dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Start returns the URL of the emulator as an account of the test's own sees it, until the test ends. The package's TestMain
// calls Main.
func Start(t *testing.T) (endpoint string) {
	t.Helper()
	emulator, err := url.Parse(start(t))
	if err != nil {
		t.Fatal(err)
	}
	account := fmt.Sprintf("%012d", rand.Int64N(1e12)) //nolint:gosec // a name, not a secret
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(emulator)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Moto-Account-Id", account) // https://docs.getmoto.org/en/latest/docs/multi_account.html
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Python is the interpreter that has the emulator. If the emulator is not on the machine, it is installed, as `make local` would
// do it; if that cannot be done, the test fails.
func Python(t *testing.T) string {
	t.Helper()
	finder, err := toolchain.New("", machine.NewPrinter(log{t})) // no checkout: the emulator is not built from one
	if err != nil {
		t.Fatal(err)
	}
	python, err := finder.Emulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return python
}

// start runs the emulator unless an earlier test has done so.
func start(t *testing.T) (endpoint string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.running != nil {
		return shared.running.URL
	}
	python := Python(t)
	dir, err := os.MkdirTemp("", "emulator")
	if err != nil {
		t.Fatal(err)
	}
	shared.dir = dir
	if shared.running, err = emulator.Start(context.Background(), python, dir, ""); err != nil {
		t.Fatal(err)
	}
	return shared.running.URL
}

// log shows with a test's output what was found or installed.
type log struct{ t *testing.T }

func (l log) Write(line []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}
