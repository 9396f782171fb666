package toolchain

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onlyPrograms makes scripts the only programs on PATH.
func onlyPrograms(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(script, "DIR", dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("INSTALL", "no")
	return dir
}

// pythonScript answers as a Python of this version does, with or without a venv module, that has this version of moto.
func pythonScript(version string, venv bool, moto string) string {
	modules := "exit 0"
	if !venv {
		modules = "echo \"No module named 'ensurepip'\" >&2; exit 1"
	}
	return "#!/bin/sh\ncase \"$*\" in *sys.version_info*) echo " + version + ";; *ensurepip*) " + modules + ";; *metadata*) echo " + moto + ";; " +
		"*'-m venv'*) mkdir -p \"$3/bin\" 2>/dev/null || exit 3;; *) exit 2;; esac\n"
}

func TestAnEmulatorThatCannotBeHadIsNamedInOneLineWithTheWayOut(t *testing.T) {
	for _, test := range []struct {
		claim   string
		scripts map[string]string
		want    string
	}{
		{"no Python", nil, "no python3 is on PATH"},
		{"an old Python", map[string]string{"python3": pythonScript("3.9", true, "")}, "DIR/python3 is Python 3.9; moto needs 3.10 or newer"},
		{"no venv module", map[string]string{"python3": pythonScript("3.12", false, "")}, "DIR/python3 has no venv module; on Debian and Ubuntu: apt-get install python3-venv"},
	} {
		dir := onlyPrograms(t, test.scripts)
		_, err := finder(t, "", &bytes.Buffer{}).Emulator(t.Context())
		want := "emulator: moto_server is not on PATH and cannot be installed: " + strings.ReplaceAll(test.want, "DIR", dir) +
			" (INSTALL=no forbids `apt-get install python3-venv`); or install it yourself: pipx install 'moto[server]==5.2.1'"
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", test.claim, err, want)
		}
	}
}

func TestANewerPythonBesideAnOldOneIsFound(t *testing.T) {
	dir := onlyPrograms(t, map[string]string{"python3": pythonScript("3.9", true, ""), "python3.13": pythonScript("3.13", true, "")})
	if got, err := finder(t, "", &bytes.Buffer{}).python(t.Context()); err != nil || got != filepath.Join(dir, "python3.13") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAnEmulatorOnPathIsUsedIfItIsNotTooOld(t *testing.T) {
	for version, want := range map[string]string{
		"5.2.1":  "moto_server 5.2.1 found at DIR/moto_server",
		"5.10.0": "moto_server 5.10.0 found at DIR/moto_server",
		"5.0.28": "DIR/moto_server is not used: its version is 5.0.28; allowed: 5.2.1 and newer",
	} {
		dir := onlyPrograms(t, map[string]string{"moto_server": "#!DIR/python3\n", "python3": pythonScript("3.9", true, version)})
		var out bytes.Buffer
		program, err := finder(t, "", &out).Emulator(t.Context())
		if want := "emulator  " + strings.ReplaceAll(want, "DIR", dir) + "\n"; out.String() != want {
			t.Errorf("said %q, want %q", out.String(), want)
		}
		if used := program == filepath.Join(dir, "moto_server"); used == strings.Contains(want, "not used") {
			t.Errorf("version %s: got %s, %v", version, program, err)
		}
	}
}
