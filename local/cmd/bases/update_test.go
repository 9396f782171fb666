package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// registryWith runs a registry that has an image under each tag, and returns its address.
func registryWith(t *testing.T, tags ...string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tag := range tags {
		push(t, host+"/"+tag)
	}
	return host
}

func push(t *testing.T, tag string) v1.Hash {
	t.Helper()
	index, err := random.Index(64, 1, 2)
	must(t, err)
	reference, err := name.NewTag(tag)
	must(t, err)
	must(t, remote.WriteIndex(reference, index))
	digest, err := index.Digest()
	must(t, err)
	return digest
}

// project writes Dockerfiles and returns their project's folder.
func project(t *testing.T, dockerfiles map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for folder, base := range dockerfiles {
		put(t, filepath.Join(root, "images", folder, "Dockerfile"), "# before\nARG BASE_IMAGE="+base+"\nFROM ${BASE_IMAGE}\n")
	}
	return root
}

func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func text(t *testing.T, root, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	must(t, err)
	return string(content)
}

func TestANewerVersionOfTheSameLineIsTaken(t *testing.T) {
	for _, c := range []struct {
		image, from string
		tags        []string
		to          string
	}{
		{"nginx", "1.30.6-alpine-slim", []string{"1.30.7-alpine-slim"}, "1.30.7-alpine-slim"},
		{"nginx", "1.30.9-alpine-slim", []string{"1.30.10-alpine-slim", "1.30.8-alpine-slim"}, "1.30.10-alpine-slim"},
		{"nginx", "1.30.6-alpine-slim", []string{"1.31.1-alpine-slim", "2.0.0-alpine-slim"}, "1.30.6-alpine-slim"},
		{"nginx", "1.30.6-alpine-slim", []string{"1.30.7-alpine", "1.30.7", "1.30-alpine-slim", "1.30.7-alpine3.24-slim"}, "1.30.6-alpine-slim"},
		{"node", "26.13.0-trixie-slim", []string{"26.13.1-trixie-slim", "26.14.0-trixie-slim", "27.0.0-trixie-slim"}, "26.14.0-trixie-slim"},
		{"node", "26.13.2-trixie-slim", []string{"26.12.9-trixie-slim"}, "26.13.2-trixie-slim"},
		{"golang", "1.26.11-trixie", []string{"1.26.12-trixie", "1.27.4-trixie"}, "1.26.12-trixie"},
	} {
		host := registryWith(t)
		for _, tag := range append(c.tags, c.from) {
			push(t, host+"/"+c.image+":"+tag)
		}
		root := project(t, map[string]string{"x": host + "/" + c.image + ":" + c.from})
		news, err := update(t.Context(), root)
		must(t, err)
		if got := text(t, root, "images/x/Dockerfile"); got != "# before\nARG BASE_IMAGE="+host+"/"+c.image+":"+c.to+"\nFROM ${BASE_IMAGE}\n" {
			t.Errorf("%s %s with %q: %q", c.image, c.from, c.tags, got)
		}
		if lock := text(t, root, lockFile); !strings.Contains(lock, "/"+c.image+":"+c.to+" sha256:") {
			t.Errorf("%s %s with %q: %q", c.image, c.from, c.tags, lock)
		}
		from, _, _ := strings.Cut(c.from, "-")
		to, _, _ := strings.Cut(c.to, "-")
		want := c.image + " " + from + " → " + to
		if from == to {
			want = c.image + " " + from + ": pinned"
		}
		if !slices.Equal(news, []string{want}) {
			t.Errorf("%s %s with %q: %q", c.image, c.from, c.tags, news)
		}
	}
}

func TestAnImageThatIsBuiltAnewUnderItsTagIsTold(t *testing.T) {
	host := registryWith(t)
	first := push(t, host+"/nginx:1.30.7-alpine-slim")
	root := project(t, map[string]string{"nginx": host + "/nginx:1.30.7-alpine-slim"})
	for _, want := range []string{"nginx 1.30.7: pinned", "nginx 1.30.7: up to date"} {
		news, err := update(t.Context(), root)
		if err != nil || !slices.Equal(news, []string{want}) {
			t.Errorf("%q, %v; want %s", news, err, want)
		}
		if got := text(t, root, lockFile); got != header+host+"/nginx:1.30.7-alpine-slim "+first.String()+"\n" {
			t.Errorf("lock file: %q", got)
		}
	}
	second := push(t, host+"/nginx:1.30.7-alpine-slim")
	news, err := update(t.Context(), root)
	if err != nil || !slices.Equal(news, []string{"nginx 1.30.7: built anew, with newer packages of its distribution"}) {
		t.Errorf("%q, %v", news, err)
	}
	if got := text(t, root, lockFile); !strings.HasSuffix(got, " "+second.String()+"\n") {
		t.Errorf("lock file: %q; want %s", got, second)
	}
}

func TestNothingIsWrittenUnlessEveryRegistryAnswers(t *testing.T) {
	host := registryWith(t, "nginx:1.30.6-alpine-slim", "nginx:1.30.7-alpine-slim")
	root := project(t, map[string]string{"a": host + "/nginx:1.30.6-alpine-slim", "b": host + "/missing:1.0.0"})
	before := text(t, root, "images/a/Dockerfile")
	news, err := update(t.Context(), root)
	if err == nil || !strings.HasPrefix(err.Error(), host+"/missing:1.0.0: ") {
		t.Errorf("%q, %v", news, err)
	}
	if text(t, root, "images/a/Dockerfile") != before {
		t.Error("the first Dockerfile is changed")
	}
	if _, err := os.Stat(filepath.Join(root, lockFile)); err == nil {
		t.Error("there is a lock file")
	}
}

func TestABaseWithoutAnExactVersionIsRefused(t *testing.T) {
	for _, base := range []string{"nginx:1.30-alpine-slim", "nginx", "127.0.0.1:5000/nginx", "nginx:stable"} {
		root := project(t, map[string]string{"x": base})
		_, err := update(t.Context(), root)
		want := filepath.Join(root, "images/x/Dockerfile") + ": base image " + base + "; allowed: a tag with three numbers, such as nginx:1.30.7-alpine"
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// The program takes a digest only for exactly the reference that the Dockerfile has.
func TestTheProjectsLockFileNamesEveryBaseImageAndNoOther(t *testing.T) {
	bases, err := read("../../..")
	must(t, err)
	var want []string
	for _, b := range bases {
		want = append(want, strings.TrimSpace(b.now.tagged()+" "+b.now.digest))
	}
	if len(want) != 3 {
		t.Errorf("%d base images; want those of app, app-go and nginx", len(want))
	}
	if got := text(t, "../../..", lockFile); got != header+strings.Join(want, "\n")+"\n" {
		t.Errorf("lock file:\n%s\nDockerfiles: %q", got, want)
	}
}
