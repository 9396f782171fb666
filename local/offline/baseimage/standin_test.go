package baseimage

import (
	"io"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine"
)

func TestUnknownImagesAndMachinesAreRefused(t *testing.T) {
	for _, c := range []struct{ ref, arch, want string }{
		{"example.com/postgres:17", "amd64", "image name: got postgres, allowed: debian, golang, nginx, node"},
		{"example.com/debian:13-slim", "amd64", "tag of debian: got 13-slim, allowed: one that begins with bookworm, trixie, forky"},
		{"example.com/nginx:1", "riscv64", "architecture: got riscv64, allowed: amd64, arm64"},
	} {
		if _, err := For(c.ref, c.arch); err == nil || err.Error() != c.want {
			t.Errorf("%s on %s: got %v, want %s", c.ref, c.arch, err, c.want)
		}
	}
}

func TestTheTagOfNginxSaysWhichDebianHasIt(t *testing.T) {
	for ref, suite := range map[string]string{
		"nginx:1.22": "bookworm", "nginx:1.26-alpine-slim": "trixie", "public.ecr.aws/docker/library/nginx:1.30-alpine-slim": "forky",
	} {
		if rec, err := For(ref, "amd64"); err != nil || rec.suite != suite {
			t.Errorf("%s: got %q, %v, want %q", ref, rec.suite, err, suite)
		}
	}
}

func TestTheTagOfDebianSaysWhichReleaseItIs(t *testing.T) {
	rec, err := For("public.ecr.aws/docker/library/debian:bookworm-20260406-slim", "amd64")
	if err != nil || rec.suite != "bookworm" {
		t.Errorf("got %q, %v, want bookworm", rec.suite, err)
	}
}

func TestTheCompilerIsTheMachines(t *testing.T) {
	amd, errAMD := For("golang:1.26-trixie", "amd64")
	arm, errARM := For("golang:1.26-trixie", "arm64")
	if errAMD != nil || errARM != nil || amd.modules[0] == arm.modules[0] || amd.Digest() == arm.Digest() {
		t.Errorf("got %q, %v and %q, %v, want a toolchain for each", amd.modules, errAMD, arm.modules, errARM)
	}
}

func TestACertificateChangesTheImageAndNotTheDebianPart(t *testing.T) {
	plain, behindProxy := nginxRecipe("amd64", "forky", ""), nginxRecipe("amd64", "forky", "-----BEGIN CERTIFICATE-----")
	if plain.Digest() == behindProxy.Digest() {
		t.Error("one digest for two images")
	}
	if plain.rootfsDigest() != behindProxy.rootfsDigest() {
		t.Error("a certificate would unpack Debian again")
	}
	if strings.Contains(plain.steps, "ca.crt") || !strings.Contains(behindProxy.steps, "COPY ca.crt") {
		t.Error("certificate copied where there is none, or not where there is one")
	}
}

func TestAMissingToolIsNotInstalledByAnybodyButRoot(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no apt-get either
	m := Maker{Progress: machine.NewPrinter(io.Discard)}
	err := m.install(t.Context(), "mmdebstrap", "mmdebstrap")
	if err == nil || !strings.Contains(err.Error(), "install mmdebstrap, or load the base image by hand") {
		t.Fatalf("got %v", err)
	}
}
