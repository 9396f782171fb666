package machine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

func TestADiskThatFillsUpIsNamed(t *testing.T) {
	err := machine.Run(t.Context(), "sh", "-c", "echo 'write: No space left on device' >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "disk full; free some space") {
		t.Fatalf("got %v", err)
	}
}

func TestAFailedCommandShowsItsLastLines(t *testing.T) {
	err := machine.Run(t.Context(), "sh", "-c", "seq 1 40; echo E: broken packages >&2; exit 3")
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if !strings.Contains(text, "exit status 3") || !strings.Contains(text, "E: broken packages") || strings.Contains(text, "\n  20\n") {
		t.Fatalf("got %s", text)
	}
}

// aptGet puts an apt-get on PATH, and nothing else but a shell, and returns the file into which it writes what it was asked.
func aptGet(t *testing.T) (asked string) {
	t.Helper()
	dir := t.TempDir()
	asked = filepath.Join(dir, "asked")
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\necho \"$@\" >>'"+asked+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return asked
}

func missing() bool { return false }

func TestNothingIsInstalledWhereThatIsForbidden(t *testing.T) {
	for given, want := range map[string]string{
		"no":    "INSTALL=no forbids `apt-get install docker.io`",
		"never": "INSTALL=never says neither yes nor no to `apt-get install docker.io`; allowed: yes, no",
	} {
		asked := aptGet(t)
		t.Setenv("INSTALL", given)
		if err := machine.NewPrinter(&bytes.Buffer{}).Install(t.Context(), missing, "docker.io"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if content, err := os.ReadFile(asked); err == nil {
			t.Errorf("INSTALL=%s: apt-get was asked to %s", given, content)
		}
	}
}

func TestAnInstallationIsAnnouncedBeforeItBegins(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root installs")
	}
	asked := aptGet(t)
	t.Setenv("INSTALL", "")
	var said bytes.Buffer
	begun := ""
	out := writer(func(line []byte) {
		if content, err := os.ReadFile(asked); err == nil && said.Len() == 0 {
			begun = string(content)
		}
		said.Write(line)
	})
	if err := machine.NewPrinter(out).Install(t.Context(), missing, "docker.io"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(said.String(), "install   apt-get install docker.io: changes this system; INSTALL=no forbids it\n") || begun != "" {
		t.Errorf("said %q after apt-get was asked to %q", said.String(), begun)
	}
	content, err := os.ReadFile(asked)
	if err != nil || !strings.Contains(string(content), "install -y -qq --no-install-recommends docker.io") {
		t.Errorf("apt-get was asked to %q, %v", content, err)
	}
	if err := machine.NewPrinter(out).Install(t.Context(), func() bool { return true }, "other"); err != nil || strings.Contains(said.String(), "other") {
		t.Errorf("what is there is installed: %v, %s", err, said.String())
	}
}

// writer is called with each line.
type writer func(line []byte)

func (w writer) Write(line []byte) (int, error) {
	w(line)
	return len(line), nil
}
