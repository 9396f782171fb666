package stage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fargate-nginx-sidecar/bench/opponent"
)

// Where the opponents come from.
const (
	debianMirror = "http://deb.debian.org/debian"
	// Debian's testing: this year's HAProxy and Caddy. The tables name the versions.
	debianSuite    = "forky"
	debianPackages = "haproxy,caddy,ca-certificates"
	traefikModule  = "github.com/traefik/traefik/v3"
	// The newest release that the module proxy has whole: later ones have a part of
	// themselves (pkg/config/dynamic/ext) as a module that is published nowhere.
	traefikVersion = "v3.6.12"
)

func tag(name string) string { return "fargate-nginx-sidecar/bench-" + name }

// images builds what the targets need.
func (s *Stage) images(ctx context.Context, root string, wanted map[opponent.Image]bool) error {
	base, err := baseImage(root)
	if err != nil {
		return err
	}
	nginx := filepath.Join(root, "images", "nginx")
	steps := []struct {
		name  string
		build func() error
	}{
		{"agent", func() error { return s.agentImage(ctx, root) }},
		{"app", func() error { return build(ctx, "app", filepath.Join(root, "images", "app")) }},
	}
	add := func(image opponent.Image, build func() error) {
		if wanted[image] {
			steps = append(steps, struct {
				name  string
				build func() error
			}{string(image), build})
		}
	}
	add(opponent.Sidecar, func() error { return build(ctx, "nginx", nginx) })
	add(opponent.Pattern, func() error {
		return build(ctx, "pattern", filepath.Join(nginx, "testdata", "pattern"), "--build-arg=BASE_IMAGE="+base)
	})
	add(opponent.Packages, func() error { return s.debianImage(ctx) })
	add(opponent.Traefik, func() error {
		err := s.traefikImage(ctx)
		if err != nil && ctx.Err() == nil {
			s.drop(opponent.Traefik, err)
			return nil
		}
		return err
	})
	for _, step := range steps {
		s.progress("image %s", step.name)
		if err := step.build(); err != nil {
			return fmt.Errorf("image %s: %w", step.name, err)
		}
	}
	return nil
}

// drop takes the targets of an image off the stage.
func (s *Stage) drop(image opponent.Image, why error) {
	reason, _, _ := strings.Cut(why.Error(), "\n")
	s.Missing = append(s.Missing, fmt.Sprintf("%s, which could not be built: %s", image, reason))
	s.progress("without %s: %v", image, why)
	s.Targets = slices.DeleteFunc(s.Targets, func(t *Target) bool { return t.Opponent.Image == image })
}

func build(ctx context.Context, name, folder string, args ...string) error {
	_, err := docker(ctx, append(append([]string{"build", "--quiet", "--tag", tag(name)}, args...), folder)...)
	return err
}

// buildFiles builds an image from a Dockerfile and files that a program made.
func (s *Stage) buildFiles(ctx context.Context, name, dockerfile string, programs map[string][]string) error {
	dir, err := os.MkdirTemp(s.dir, "build-")
	if err != nil {
		return err
	}
	for file, args := range programs {
		cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-ldflags=-s -w", "-o", filepath.Join(dir, file)}, args[1:]...)...) //nolint:gosec // packages of this function's callers
		cmd.Dir = args[0]
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w: %s", args[1:], err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	return build(ctx, name, dir)
}

// agentImage has what runs beside the proxies: our agent, and the recording
// backend of the image tests.
func (s *Stage) agentImage(ctx context.Context, root string) error {
	return s.buildFiles(ctx, "agent", "FROM scratch\nCOPY agent backend /\nENTRYPOINT [\"/agent\"]\n", map[string][]string{
		"agent":   {filepath.Join(root, "bench"), "./agent"},
		"backend": {root, "./images/imagetest/backend"},
	})
}

// debianImage is a root file system of Debian with the packaged opponents. It is
// made again when this file changes what is in it, or somebody removes the image.
func (s *Stage) debianImage(ctx context.Context) error {
	sum := sha256.Sum256([]byte(debianMirror + debianSuite + debianPackages))
	rootfs := tag("packages-rootfs") + ":" + hex.EncodeToString(sum[:6])
	if id, err := docker(ctx, "image", "ls", "--quiet", rootfs); err != nil || id == "" {
		if err := s.debootstrap(ctx, rootfs); err != nil {
			return err
		}
	}
	return s.buildFiles(ctx, "packages", "FROM "+rootfs+"\n", nil)
}

func (s *Stage) debootstrap(ctx context.Context, rootfs string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"}} {
			if _, err := command(ctx, nil, "apt-get", args...); err != nil {
				return fmt.Errorf("mmdebstrap: not installed, and %w", err)
			}
		}
	}
	s.progress("Debian %s with %s: about a minute", debianSuite, debianPackages)
	tarball := filepath.Join(s.dir, "packages.tar")
	// A mirror's lists may be older than they allow: the versions are in the table.
	if _, err := command(ctx, nil, "mmdebstrap", "--quiet", "--variant=minbase", "--include="+debianPackages,
		`--aptopt=APT::Install-Recommends "false"`, `--aptopt=Acquire::Check-Valid-Until "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		debianSuite, tarball, debianMirror); err != nil {
		return err
	}
	_, err := docker(ctx, "import", tarball, rootfs)
	return err
}

// traefikImage compiles Traefik, which Debian has not. In its own module, because
// it has 400 dependencies.
func (s *Stage) traefikImage(ctx context.Context) error {
	s.progress("Traefik %s from the Go module proxy: many minutes the first time", traefikVersion)
	module, err := traefikFolder(ctx, s.dir)
	if err != nil {
		return err
	}
	return s.buildFiles(ctx, "traefik", "FROM "+tag("packages")+"\nCOPY traefik /usr/local/bin/traefik\n", map[string][]string{
		"traefik": {module, "-mod=mod", "-ldflags=-s -w -X " + traefikModule + "/pkg/version.Version=" + traefikVersion, traefikModule + "/cmd/traefik"},
	})
}

// traefikFolder makes a module that needs Traefik alone. Its requirements and
// replacements must be Traefik's own: those of a module that is needed by another
// one do not count.
func traefikFolder(ctx context.Context, dir string) (string, error) {
	folder := filepath.Join(dir, "traefik-module")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", traefikModule+"@"+traefikVersion)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w: %s", traefikModule, err, out)
	}
	found := regexp.MustCompile(`"GoMod": "([^"]+)"`).FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("go mod download %s: no go.mod in %s", traefikModule, out)
	}
	text, err := os.ReadFile(string(found[1]))
	if err != nil {
		return "", err
	}
	text = bytes.Replace(text, []byte("module "+traefikModule+"\n"),
		[]byte("module fargate-nginx-sidecar/bench/traefik\n\nrequire "+traefikModule+" "+traefikVersion+"\n"), 1)
	return folder, os.WriteFile(filepath.Join(folder, "go.mod"), text, 0o644) //nolint:gosec // a folder of our own
}

// baseImage is the name that the sidecar's Dockerfile gives.
func baseImage(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "images", "nginx", "Dockerfile"))
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^ARG BASE_IMAGE=(\S+)$`).FindSubmatch(text)
	if found == nil {
		return "", errors.New("images/nginx/Dockerfile: no ARG BASE_IMAGE")
	}
	return string(found[1]), nil
}

// socketVariable is the sidecar's setting for the application's Unix socket.
const socketVariable = "NGINX_APP_SOCKET"
