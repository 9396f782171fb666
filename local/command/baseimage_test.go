package command

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/offline/baseimage"
)

func writeDockerfile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// here is the local run of this checkout.
func here(t *testing.T, out io.Writer) *Local {
	t.Helper()
	l, err := New("../..", machine.NewPrinter(out))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestBaseImageIsTheDefaultOfTheArgument(t *testing.T) {
	a := writeDockerfile(t, "# ARG BASE_IMAGE=not/this\nARG BASE_IMAGE=example.com/x/node:24-slim\nFROM ${BASE_IMAGE}\n")
	b := writeDockerfile(t, "ARG BASE_IMAGE=example.com/x/nginx:1\nFROM ${BASE_IMAGE}\n")
	got, err := baseImages([]string{a, b, a})
	if want := []string{"example.com/x/node:24-slim", "example.com/x/nginx:1"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func TestEveryUnusableDockerfileIsNamed(t *testing.T) {
	none := writeDockerfile(t, "FROM scratch\n")
	missing := filepath.Join(t.TempDir(), "Dockerfile")
	_, err := baseImages([]string{none, missing})
	if err == nil || !strings.Contains(err.Error(), none+": no line") || !strings.Contains(err.Error(), missing+": no such file") {
		t.Fatalf("got %v", err)
	}
}

func TestTheProjectsDockerfilesHaveRecipes(t *testing.T) {
	references, err := baseImages(here(t, io.Discard).dockerfiles())
	if err != nil || len(references) != 2 {
		t.Fatalf("got %q, %v", references, err)
	}
	for _, reference := range references {
		for _, arch := range []string{"amd64", "arm64"} {
			if _, err := baseimage.For(reference, arch); err != nil {
				t.Errorf("%s, %s: %v", reference, arch, err)
			}
		}
	}
}

func TestAnOldStandInIsReplacedAndAnOfficialImageIsNot(t *testing.T) {
	recipe, err := baseimage.For("node", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		present presentImage
		want    bool
	}{
		{presentImage{}, false},
		{presentImage{exists: true}, true},
		{presentImage{exists: true, recipe: recipe.Digest()}, true},
		{presentImage{exists: true, recipe: "0123456789abcdef"}, false},
	} {
		if _, got := c.present.usable(recipe); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.present, got, c.want)
		}
	}
}

func TestAMissingEngineSaysWhatToDo(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	if err := here(t, io.Discard).BaseImages(t.Context()); err == nil || !strings.Contains(err.Error(), "start it, or set DOCKER_HOST") {
		t.Fatalf("got %v", err)
	}
	l := here(t, io.Discard)
	t.Setenv("PATH", t.TempDir())
	if err := l.BaseImages(t.Context()); err == nil || !strings.Contains(err.Error(), "install Docker Engine") {
		t.Fatalf("got %v", err)
	}
}

func TestARegistryThatSaysNothingIsGivenUpInTime(t *testing.T) {
	from := time.Now()
	// A port of the discard service that nothing listens on here.
	err := registryAnswers(context.Background(), "127.0.0.1:9", 2*time.Second)
	if err == nil || time.Since(from) > 3*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(from))
	}
}

// BaseImages as a whole: the second call finds what the first one made. On a machine without the images the first call
// takes about 40 s.
func TestBaseImagesLeavesImagesThatTheNextRunFinds(t *testing.T) {
	if err := here(t, io.Discard).BaseImages(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := here(t, &out).BaseImages(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Errorf("got %d lines, want one for each image:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		if !strings.Contains(line, "already there") && !strings.Contains(line, "built earlier") {
			t.Errorf("second run: %s", line)
		}
	}
}
