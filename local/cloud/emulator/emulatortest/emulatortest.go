// Package emulatortest gives a test the AWS emulator in the way in which a local run gets it.
package emulatortest

import (
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

// Program returns the emulator's program. Where there is none on the machine it is installed, as `make local` would;
// the test fails where that cannot be done.
func Program(t *testing.T) string {
	t.Helper()
	finder, err := toolchain.New("", machine.NewPrinter(log{t})) // no checkout: the emulator is not built from one
	if err != nil {
		t.Fatal(err)
	}
	program, err := finder.Emulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Start runs an emulator of the test's own until the test ends, and returns its URL.
func Start(t *testing.T) (url string) {
	t.Helper()
	running, err := emulator.Start(t.Context(), Program(t), t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
	})
	return running.URL
}

// log shows with a test's output what was found or installed.
type log struct{ t *testing.T }

func (l log) Write(line []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}
