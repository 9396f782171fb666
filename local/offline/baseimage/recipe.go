// Package baseimage builds stand-ins for the base images of the project's Dockerfiles, for machines that cannot reach the
// registry these images come from.
//
// A stand-in is built from Debian packages, npm packages and Go's toolchain module, and carries exactly the tag that the
// Dockerfile names, so `docker build` needs no change and asks no registry. It has the same paths and the same users as the
// official image as far as these Dockerfiles use them, and it is nothing more than that: no image that goes to production is
// meant to be built on it.
package baseimage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Versions of what stand-ins are made of, the newest of the official image's line
// that there is. The npm packages carry the binaries of nodejs.org, the toolchain
// module those of go.dev; Debian's are what the suite has on the day.
const (
	debianMirror = "http://deb.debian.org/debian"
	nodeVersion  = "26.10.0"
	npmVersion   = "11.21.2"
	goVersion    = "1.26.11"
)

// Recipe is all that decides what a stand-in contains.
type Recipe struct {
	arch     string
	suite    string   // Debian release; the newest nginx that installs without other sources
	packages []string // Debian packages on top of mmdebstrap's minbase
	npm      []string // npm packages put into the build context
	modules  []string // Go modules put into the build context
	steps    string   // Dockerfile after FROM: users, links, stop signal
	caBundle string   // the host's extra CA certificates, PEM; empty when it has none
	Contents string   // for people
}

// Digest identifies the image a recipe makes. It changes with every field.
func (r Recipe) Digest() string {
	parts := []any{r.arch, r.suite, debianMirror, r.packages, r.npm, r.steps, r.caBundle}
	if len(r.modules) > 0 { // an image without any stays as it is
		parts = append(parts, r.modules)
	}
	return shortDigest(parts...)
}

// rootfsDigest identifies the Debian part alone, which is what is worth
// keeping: a new certificate must not unpack Debian again.
func (r Recipe) rootfsDigest() string {
	return shortDigest(r.arch, r.suite, debianMirror, r.packages)
}

func shortDigest(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and lists of strings only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// For finds the recipe of an image by the repository's last path element.
func For(ref, arch string) (Recipe, error) {
	name := ref[strings.LastIndex(ref, "/")+1:]
	name, _, _ = strings.Cut(name, "@")
	name, tag, _ := strings.Cut(name, ":")
	npmArch, known := map[string]string{"amd64": "x64", "arm64": "arm64"}[arch]
	if !known {
		return Recipe{}, fmt.Errorf("architecture: got %s, allowed: amd64, arm64", arch)
	}
	ca, err := hostCertificates()
	if err != nil {
		return Recipe{}, err
	}
	switch name {
	case "nginx", "nginx-unprivileged":
		return nginxRecipe(arch, nginxSuite(tag), ca), nil
	case "node":
		return nodeRecipe(arch, npmArch, ca), nil
	case "golang":
		return goRecipe(arch, ca), nil
	case "debian":
		return debianRecipe(arch, tag)
	}
	return Recipe{}, fmt.Errorf("image name: got %s, allowed: debian, golang, nginx, node", name)
}

// hostCertificates returns what NODE_EXTRA_CA_CERTS points at: a machine behind
// a proxy that opens TLS needs it inside the build as well.
func hostCertificates() (string, error) {
	path := os.Getenv("NODE_EXTRA_CA_CERTS")
	if path == "" {
		return "", nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("NODE_EXTRA_CA_CERTS: %w", err)
	}
	return string(pem), nil
}

// Where the host's bundle is in an image, and the variables by which Node and Go read it beside the distribution's.
// https://nodejs.org/api/cli.html#node_extra_ca_certsfile
// https://pkg.go.dev/crypto/x509#SystemCertPool
const (
	certificatesFolder = "/usr/local/share/ca-certificates"
	certificatesFile   = certificatesFolder + "/host.crt"
	certificatesOfNode = "NODE_EXTRA_CA_CERTS=" + certificatesFile + " npm_config_cafile=" + certificatesFile
	certificatesOfGo   = "SSL_CERT_DIR=/etc/ssl/certs:" + certificatesFolder
)

// withCertificates adds the host's bundle at a path of its own, so that the
// distribution's bundle stays what it is.
func withCertificates(steps, ca, variables string) string {
	if ca == "" {
		return steps
	}
	return steps + "COPY ca.crt " + certificatesFile + "\nENV " + variables + "\n"
}

// nginxSuite is the Debian release that has the wanted release of NGINX: 1.22.1 in bookworm, 1.26.3 in trixie, and in
// forky the newest that Debian has, 1.30.6 at the time of writing.
// https://tracker.debian.org/pkg/nginx
func nginxSuite(tag string) string {
	switch version, _, _ := strings.Cut(tag, "-"); version {
	case "1.22":
		return "bookworm"
	case "1.26":
		return "trixie"
	}
	return "forky"
}

// nginxRecipe resembles nginx:*-alpine-slim: nginx under uid and gid 101, and
// BusyBox's wget and awk, which Alpine has. Debian's smallest set has no wget, and
// an awk that waits for more than a line.
// https://github.com/nginx/docker-nginx/blob/master/stable/alpine-slim/Dockerfile
func nginxRecipe(arch, suite, ca string) Recipe {
	steps := `RUN groupadd --system --gid 101 nginx \
 && useradd --system --uid 101 --gid 101 --no-create-home --home-dir /var/cache/nginx --shell /usr/sbin/nologin nginx \
 && ln -s /bin/busybox /usr/local/bin/wget \
 && ln -s /bin/busybox /usr/local/bin/awk \
 && rm -rf /etc/nginx/sites-enabled /etc/nginx/modules-enabled \
 && nginx -v
STOPSIGNAL SIGQUIT
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
`
	return Recipe{
		arch: arch, suite: suite,
		packages: []string{"nginx-light", "busybox-static", "ca-certificates"},
		steps:    withCertificates(steps, ca, certificatesOfNode), caBundle: ca,
		Contents: "nginx of Debian " + suite,
	}
}

// nodeRecipe resembles node:26-*-slim: node and npm below /usr/local, user node
// with uid and gid 1000.
// https://github.com/nodejs/docker-node/blob/main/26/trixie-slim/Dockerfile
func nodeRecipe(arch, npmArch, ca string) Recipe {
	binary := "node-linux-" + npmArch
	steps := `RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY ` + binary + `/bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s node /usr/local/bin/nodejs \
 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && node --version && npm --version
ENV NODE_VERSION=` + nodeVersion + `
CMD ["node"]
`
	return Recipe{
		arch: arch, suite: "trixie",
		packages: []string{"libstdc++6", "libatomic1", "ca-certificates"},
		npm:      []string{binary + "@" + nodeVersion, "npm@" + npmVersion},
		steps:    withCertificates(steps, ca, certificatesOfNode), caBundle: ca,
		Contents: "Node " + nodeVersion + " on Debian trixie",
	}
}

// goRecipe resembles golang:1.26-trixie as far as `go install` needs it: no C compiler and no git, because modules come
// from the module proxy. A module's files are not executable, so the commands are made so.
// https://github.com/docker-library/golang/blob/master/1.26/trixie/Dockerfile
func goRecipe(arch, ca string) Recipe {
	steps := `COPY toolchain /usr/local/go
ENV GOTOOLCHAIN=local GOPATH=/go PATH=/go/bin:/usr/local/go/bin:$PATH
RUN find /usr/local/go/bin /usr/local/go/pkg/tool -type f -exec chmod 755 {} + \
 && mkdir -p /go/src /go/bin && chmod -R 1777 /go && go version
WORKDIR /go
CMD ["bash"]
`
	return Recipe{
		arch: arch, suite: "trixie",
		packages: []string{"ca-certificates"},
		modules:  []string{"golang.org/toolchain@v0.0.1-go" + goVersion + ".linux-" + arch},
		steps:    withCertificates(steps, ca, certificatesOfGo), caBundle: ca,
		Contents: "Go " + goVersion + " on Debian trixie",
	}
}

// debianRecipe resembles debian:*-slim. The first word of the tag is the release, as in trixie-20260406-slim.
// https://github.com/docker-library/official-images/blob/master/library/debian
func debianRecipe(arch, tag string) (Recipe, error) {
	suite, _, _ := strings.Cut(tag, "-")
	if !slices.Contains(debianSuites, suite) {
		return Recipe{}, fmt.Errorf("tag of debian: got %s, allowed: one that begins with %s", tag, strings.Join(debianSuites, ", "))
	}
	return Recipe{arch: arch, suite: suite, steps: "CMD [\"bash\"]\n", Contents: "Debian " + suite}, nil
}

// debianSuites are the releases that get security fixes.
var debianSuites = []string{"bookworm", "trixie", "forky"}
