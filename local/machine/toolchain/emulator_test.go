package toolchain

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
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
			" (INSTALL=no forbids `apt-get install python3-venv`); nor is its image to be had: Head \"http://127.0.0.1:1\": dial tcp 127.0.0.1:1: connect: connection refused; or install it yourself: pipx install 'moto[server]==5.2.1'"
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
		if used := program == filepath.Join(dir, "python3"); used == strings.Contains(want, "not used") {
			t.Errorf("version %s: got %s, %v", version, program, err)
		}
	}
}

// dockerOfMoto pulls moto's image, and runs a program in it: it writes down with which arguments, and for which run.
const dockerOfMoto = `#!/bin/sh
case "$1 $2" in
"image inspect") test -e DIR/pulled ;;
"pull --quiet") touch DIR/pulled ;;
"create --rm") echo "$*" >>DIR/ran && echo 4e1f ;;
cp*|start*) echo "$*" >>DIR/ran ;;
esac
`

func TestWithoutPythonTheEmulatorIsItsOwnImage(t *testing.T) {
	path := os.Getenv("PATH")
	dir := onlyPrograms(t, map[string]string{"docker": dockerOfMoto})
	for _, needed := range []string{"sh", "touch"} {
		for _, folder := range filepath.SplitList(path) {
			if program := filepath.Join(folder, needed); exists(program) && os.Symlink(program, filepath.Join(dir, needed)) == nil {
				break
			}
		}
	}
	registry := httptest.NewServer(http.NotFoundHandler())
	defer registry.Close()
	var out bytes.Buffer
	f := finder(t, "", &out)
	f.motoImage, f.motoRegistry = "example.test/moto:1", registry.URL
	program, err := f.Emulator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "emulator  the image example.test/moto:1: moto_server cannot be installed: no python3 is on PATH"; !strings.Contains(out.String(), want) {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	registry.Close() // online yesterday, offline today
	if again, err := f.Emulator(t.Context()); err != nil || again != program {
		t.Errorf("offline: got %s, %v", again, err)
	}
	run := machine.Command{Env: []string{"FARGATE_LOCAL_RUN=local-1"}, Name: program, Args: []string{"DIR/localrun", "-H", "127.0.0.1", "-p", "4711"}}
	if err := run.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ran, err := os.ReadFile(filepath.Join(dir, "ran"))
	want := "create --rm --publish 127.0.0.1:4711:5000 --label fargate-nginx-sidecar.run=local-1 --env MOTO_IAM_LOAD_MANAGED_POLICIES --env MOTO_ACM_VALIDATION_WAIT " +
		"--entrypoint python3 example.test/moto:1 /localrun -H 0.0.0.0 -p 5000\ncp DIR/localrun 4e1f:/localrun\nstart --attach 4e1f\n"
	if err != nil || string(ran) != want {
		t.Errorf("ran %q, %v, want %q", ran, err, want)
	}
}
