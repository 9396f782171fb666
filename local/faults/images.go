package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// images builds what the stack runs and keeps it in a registry of its own, which can be switched off. The stack takes its
// images as prebuilt ones, so that a deploy is nothing but a deploy.
type images struct {
	root string // the checkout
	work string // a folder for build contexts
	arch string // of the engine, in Go's words

	address  string // of the registry
	handler  http.Handler
	server   *http.Server
	revision int
}

func newImages(ctx context.Context, root, work string) (*images, error) {
	arch, err := command(ctx, "docker", "version", "--format", "{{.Server.Arch}}")
	if err != nil {
		return nil, err
	}
	i := &images{root: root, work: work, arch: strings.TrimSpace(arch), address: "127.0.0.1:0"}
	blobs := filepath.Join(work, "blobs")
	if err := os.Mkdir(blobs, 0o755); err != nil {
		return nil, err
	}
	i.handler = registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.Logger(log.New(io.Discard, "", 0)),
	)
	return i, i.open()
}

// open starts the registry, again under the address that it had before.
func (i *images) open() error {
	listener, err := net.Listen("tcp", i.address) //nolint:noctx // a port of this machine: at once
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	i.address = listener.Addr().String()
	i.server = &http.Server{Handler: i.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = i.server.Serve(listener) }()
	return nil
}

// close makes the registry unreachable.
func (i *images) close() error { return i.server.Close() }

// remove deletes the images from the engine, all their names first: an image goes with its last one.
func (i *images) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const names = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
	listed, err := command(ctx, "docker", "images", "--digests", "--format", names, "--filter", "reference="+i.address+"/*")
	for _, name := range strings.Fields(listed) {
		if strings.Contains(name, "<none>") {
			continue
		}
		if _, failed := command(ctx, "docker", "image", "rm", name); failed != nil && !strings.Contains(failed.Error(), "No such image") {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// app builds the next revision of the app, for the engine's architecture unless another one is given.
func (i *images) app(ctx context.Context, arch string) (string, error) {
	if arch == "" {
		arch = i.arch
	}
	folder := filepath.Join(i.work, "app-"+arch)
	if _, err := os.Stat(folder); err != nil {
		build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", filepath.Join(folder, "app"), "./faults/app")
		build.Dir = filepath.Join(i.root, "local")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build of the app: %w\n%s", err, output)
		}
	}
	i.revision++
	dockerfile := fmt.Sprintf("FROM scratch\nCOPY app /app\nLABEL revision=%d\nENTRYPOINT [\"/app\"]\n", i.revision)
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return "", err
	}
	return i.push(ctx, "app", folder, "--platform=linux/"+arch)
}

// sidecar builds the sidecar that ships.
func (i *images) sidecar(ctx context.Context) (string, error) {
	return i.push(ctx, "nginx", filepath.Join(i.root, "images", "nginx"))
}

// brokenSidecar builds it with a mistake in its configuration.
func (i *images) brokenSidecar(ctx context.Context) (string, error) {
	folder := filepath.Join(i.work, "broken")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(i.root, "images", "nginx"))); err != nil {
		return "", err
	}
	err := edit(filepath.Join(folder, "nginx.conf.tmpl"), "\nworker_shutdown_timeout ", "\nworker_shutdown_timeuot ")
	if err != nil {
		return "", err
	}
	return i.push(ctx, "nginx", folder)
}

// patternSidecar builds NGINX with the directives that AWS's pattern documents. The task lets it write to one directory
// alone, and asks for a program that checks its health, so these are added.
func (i *images) patternSidecar(ctx context.Context) (string, error) {
	base, err := baseImage(filepath.Join(i.root, "images", "nginx", "Dockerfile"))
	if err != nil {
		return "", err
	}
	folder := filepath.Join(i.work, "pattern")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(i.root, "images", "nginx", "testdata", "pattern"))); err != nil {
		return "", err
	}
	writable := "http {\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		writable += fmt.Sprintf("    %s_temp_path /tmp/%s;\n", kind, kind)
	}
	check := "#!/bin/sh\nexec wget -q -T 2 -O /dev/null http://127.0.0.1:8080/\n"
	more := "COPY healthcheck.sh /usr/local/bin/sidecar\nVOLUME /tmp\nSTOPSIGNAL SIGQUIT\n" +
		"ENTRYPOINT [\"nginx\", \"-g\", \"daemon off; pid /tmp/nginx.pid;\"]\n"
	if err := errors.Join(
		edit(filepath.Join(folder, "nginx.conf"), "http {\n", writable),
		os.WriteFile(filepath.Join(folder, "healthcheck.sh"), []byte(check), 0o755),
		appendTo(filepath.Join(folder, "Dockerfile"), more),
	); err != nil {
		return "", err
	}
	return i.push(ctx, "nginx", folder, "--build-arg=BASE_IMAGE="+base)
}

var baseLine = regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`)

func baseImage(dockerfile string) (string, error) {
	content, err := os.ReadFile(dockerfile)
	if err != nil {
		return "", err
	}
	line := baseLine.FindSubmatch(content)
	if line == nil {
		return "", fmt.Errorf("%s: no line ARG BASE_IMAGE=…", dockerfile)
	}
	return string(line[1]), nil
}

// push builds an image and returns its reference in the registry, by digest.
func (i *images) push(ctx context.Context, name, folder string, arguments ...string) (string, error) {
	tag := fmt.Sprintf("%s/%s:%d", i.address, name, time.Now().UnixNano())
	build := append([]string{"build", "--quiet", "--tag", tag}, arguments...)
	if _, err := command(ctx, "docker", append(build, folder)...); err != nil {
		return "", err
	}
	if _, err := command(ctx, "docker", "push", "--quiet", tag); err != nil {
		return "", err
	}
	// The same content may have been pushed to other registries as well.
	digests, err := command(ctx, "docker", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", tag)
	for _, reference := range strings.Fields(digests) {
		if strings.HasPrefix(reference, i.address+"/"+name+"@") {
			return reference, nil
		}
	}
	return "", errors.Join(err, fmt.Errorf("%s: no digest of the registry's among %q", tag, digests))
}

// missing is a reference to an image that the registry does not have.
func (i *images) missing() string {
	return i.address + "/app@sha256:" + strings.Repeat("0", 64)
}

// command runs a program and returns what it printed.
func command(ctx context.Context, name string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arguments...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return string(output), fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(output), nil
}

// edit replaces a text in a file. The text must be there.
func edit(file, before, after string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(content, []byte(before)) {
		return fmt.Errorf("%s does not hold %q", file, before)
	}
	return os.WriteFile(file, bytes.Replace(content, []byte(before), []byte(after), 1), 0o644)
}

func appendTo(file, text string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, text...), 0o644)
}
