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
	l, err := New(t.Context(), "../..", machine.NewPrinter(out))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// base makes sure of the base images of the project's own Dockerfiles.
func base(t *testing.T, l *Local) error {
	t.Helper()
	return l.BaseImages(t.Context(), l.Dockerfiles()...)
}

func TestBaseImageIsTheDefaultOfTheArgument(t *testing.T) {
	a := writeDockerfile(t, "# ARG BASE_IMAGE=not/this\nARG BASE_IMAGE=example.com/x/node:24-slim\nFROM ${BASE_IMAGE}\n")
	b := writeDockerfile(t, "ARG BASE_IMAGE=example.com/x/nginx:1\nARG GO_IMAGE=example.com/x/golang:1\nFROM ${GO_IMAGE}\nFROM ${BASE_IMAGE}\n")
	got, err := baseImages([]string{a, b, a})
	if want := []string{"example.com/x/node:24-slim", "example.com/x/nginx:1", "example.com/x/golang:1"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func TestOnlyADockerfileThatNamesABaseImageNeedsOne(t *testing.T) {
	references, err := baseImages([]string{writeDockerfile(t, "FROM scratch\nCOPY app /\n")})
	if err != nil || len(references) > 0 {
		t.Errorf("got %q, %v", references, err)
	}
	missing := filepath.Join(t.TempDir(), "Dockerfile")
	if _, err := baseImages([]string{missing}); err == nil || !strings.Contains(err.Error(), missing+": no such file") {
		t.Errorf("got %v", err)
	}
}

func TestTheBaseImagesAreThoseOfWhatTheStackBuilds(t *testing.T) {
	given := map[string]any{appContext: "web", appDockerfile: "docker/Dockerfile"}
	setting := func(name string) any { return given[name] }
	if got, want := dockerfiles("/x", setting), []string{"/x/web/docker/Dockerfile", "/x/images/nginx/Dockerfile"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	given[appImage] = "public.ecr.aws/x/app:1"
	if got, want := dockerfiles("/x", setting), []string{"/x/images/nginx/Dockerfile"}; !slices.Equal(got, want) {
		t.Errorf("with a prebuilt app: got %q, want %q", got, want)
	}
}

func TestTheProjectsDockerfilesHaveRecipes(t *testing.T) {
	examples, err := filepath.Glob("../../examples/apps/*/Dockerfile")
	if err != nil || len(examples) == 0 {
		t.Fatalf("examples: %q, %v", examples, err)
	}
	references, err := baseImages(append(examples, here(t, io.Discard).Dockerfiles()...))
	if err != nil || len(references) != 4 {
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
		{presentImage{exists: true, architecture: "amd64"}, true},
		{presentImage{exists: true, architecture: "arm64"}, false},
		{presentImage{exists: true, architecture: "amd64", recipe: recipe.Digest()}, true},
		{presentImage{exists: true, architecture: "amd64", recipe: "0123456789abcdef"}, false},
	} {
		if _, got := c.present.usable(recipe, "amd64"); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.present, got, c.want)
		}
	}
}

// The engine's architecture counts, whatever this program's own is.
func TestTheArchitectureIsTheEngines(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for said, want := range map[string]string{"arm64": "", "amd64": "", "riscv64": "docker: the engine's architecture is riscv64; Fargate has amd64 and arm64"} {
		if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\necho "+said+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := engineArchitecture(t.Context())
		if want == "" && (err != nil || got != said) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %q, %v", said, got, err)
		}
	}
}

func TestAMissingEngineSaysWhatToDo(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	if err := base(t, here(t, io.Discard)); err == nil || !strings.Contains(err.Error(), "start it, or set DOCKER_HOST") {
		t.Fatalf("got %v", err)
	}
	l := here(t, io.Discard)
	t.Setenv("PATH", t.TempDir())
	if err := base(t, l); err == nil || !strings.Contains(err.Error(), "install Docker Engine") {
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
	if err := base(t, here(t, io.Discard)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := base(t, here(t, &out)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Errorf("got %d lines, want one for each image:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		if !strings.Contains(line, "already there") && !strings.Contains(line, "built earlier") {
			t.Errorf("second run: %s", line)
		}
	}
}
