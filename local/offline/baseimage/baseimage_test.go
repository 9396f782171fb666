package baseimage

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBaseImageIsTheDefaultOfTheArgument(t *testing.T) {
	a := write(t, "# ARG BASE_IMAGE=not/this\nARG BASE_IMAGE=example.com/x/node:24-slim\nFROM ${BASE_IMAGE}\n")
	b := write(t, "ARG BASE_IMAGE=example.com/x/nginx:1\nFROM ${BASE_IMAGE}\n")
	got, err := baseRefs([]string{a, b, a})
	if want := []string{"example.com/x/node:24-slim", "example.com/x/nginx:1"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func TestEveryUnusableDockerfileIsNamed(t *testing.T) {
	none := write(t, "FROM scratch\n")
	missing := filepath.Join(t.TempDir(), "Dockerfile")
	_, err := baseRefs([]string{none, missing})
	if err == nil || !strings.Contains(err.Error(), none+": no line") || !strings.Contains(err.Error(), missing+": no such file") {
		t.Fatalf("got %v", err)
	}
}

func TestTheProjectsDockerfilesHaveRecipes(t *testing.T) {
	refs, err := baseRefs([]string{"../../../images/app/Dockerfile", "../../../images/nginx/Dockerfile"})
	if err != nil || len(refs) != 2 {
		t.Fatalf("got %q, %v", refs, err)
	}
	for _, ref := range refs {
		for _, arch := range []string{"amd64", "arm64"} {
			if _, err := recipeFor(ref, arch); err != nil {
				t.Errorf("%s, %s: %v", ref, arch, err)
			}
		}
	}
}

func TestTheTagOfNginxSaysWhichDebianHasIt(t *testing.T) {
	for ref, suite := range map[string]string{
		"nginx:1.22": "bookworm", "nginx:1.26-alpine-slim": "trixie", "public.ecr.aws/docker/library/nginx:1.30-alpine-slim": "forky",
	} {
		if rec, err := recipeFor(ref, "amd64"); err != nil || rec.suite != suite {
			t.Errorf("%s: got %q, %v, want %q", ref, rec.suite, err, suite)
		}
	}
}

func TestUnknownImagesAndMachinesAreRefused(t *testing.T) {
	for _, c := range []struct{ ref, arch, want string }{
		{"example.com/postgres:17", "amd64", "image name: got postgres, allowed: nginx, node"},
		{"example.com/nginx:1", "riscv64", "architecture: got riscv64, allowed: amd64, arm64"},
	} {
		if _, err := recipeFor(c.ref, c.arch); err == nil || err.Error() != c.want {
			t.Errorf("%s on %s: got %v, want %s", c.ref, c.arch, err, c.want)
		}
	}
}

func TestACertificateChangesTheImageAndNotTheDebianPart(t *testing.T) {
	plain, behindProxy := nginxRecipe("amd64", "forky", ""), nginxRecipe("amd64", "forky", "-----BEGIN CERTIFICATE-----")
	if plain.digest() == behindProxy.digest() {
		t.Error("one digest for two images")
	}
	if plain.rootfsDigest() != behindProxy.rootfsDigest() {
		t.Error("a certificate would unpack Debian again")
	}
	if strings.Contains(plain.steps, "ca.crt") || !strings.Contains(behindProxy.steps, "COPY ca.crt") {
		t.Error("certificate copied where there is none, or not where there is one")
	}
}

func TestAnOldStandInIsReplacedAndAnOfficialImageIsNot(t *testing.T) {
	rec := nodeRecipe("amd64", "x64", "")
	for _, c := range []struct {
		have imageInfo
		want bool
	}{
		{imageInfo{}, false},
		{imageInfo{exists: true}, true},
		{imageInfo{exists: true, standIn: rec.digest()}, true},
		{imageInfo{exists: true, standIn: "0123456789abcdef"}, false},
	} {
		if _, got := usable(c.have, rec); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.have, got, c.want)
		}
	}
}

func TestAFullDiskIsReportedWithFigures(t *testing.T) {
	err := enoughSpace(t.TempDir(), 1<<62)
	if err == nil || !strings.Contains(err.Error(), "needed: 4398046511104 MiB") {
		t.Fatalf("got %v", err)
	}
	err = run(t.Context(), "", nil, "sh", "-c", "echo 'write: No space left on device' >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "disk full; free some space") {
		t.Fatalf("got %v", err)
	}
}

func TestAFailedCommandShowsItsLastLines(t *testing.T) {
	err := run(t.Context(), "", nil, "sh", "-c", "seq 1 40; echo E: broken packages >&2; exit 3")
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if !strings.Contains(text, "exit status 3") || !strings.Contains(text, "E: broken packages") || strings.Contains(text, "\n  20\n") {
		t.Fatalf("got %s", text)
	}
}

func TestAMissingEngineSaysWhatToDo(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	err := dockerReachable(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start it, or set DOCKER_HOST") {
		t.Fatalf("got %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	err = dockerReachable(t.Context())
	if err == nil || !strings.Contains(err.Error(), "install Docker Engine") {
		t.Fatalf("got %v", err)
	}
}

func TestAMissingToolIsNotInstalledByAnybodyButRoot(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no apt-get either
	m := &maker{progress: progressTo(nil)}
	err := m.install(t.Context(), "mmdebstrap", "mmdebstrap")
	if err == nil || !strings.Contains(err.Error(), "install mmdebstrap, or load the base image by hand") {
		t.Fatalf("got %v", err)
	}
}

func TestARegistryThatSaysNothingIsGivenUpInTime(t *testing.T) {
	from := time.Now()
	// A port of the discard service that nothing listens on here.
	err := answers(context.Background(), "127.0.0.1:9", 2*time.Second)
	if err == nil || time.Since(from) > 3*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(from))
	}
}

// Ensure as a whole: the second call finds what the first one made. On a
// machine without the images the first call takes about 40 s.
func TestEnsureLeavesImagesThatTheNextRunFinds(t *testing.T) {
	opts := Options{Dockerfiles: []string{"../../../images/app/Dockerfile", "../../../images/nginx/Dockerfile"}}
	if _, err := Ensure(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	results, err := Ensure(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Source != FromLocalCache {
			t.Errorf("second run: %s", r)
		}
	}
}
