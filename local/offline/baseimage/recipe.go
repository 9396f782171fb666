// Package baseimage builds stand-ins for the base images of the project's Dockerfiles, for machines that cannot reach the
// registry these images come from.
//
// A stand-in is built from Debian and npm packages and carries exactly the tag that the Dockerfile names, so `docker build`
// needs no change and asks no registry. It has the same paths and the same users as the official image as far as these two
// Dockerfiles use them, and it is nothing more than that: no image that goes to production is meant to be built on it.
package baseimage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Versions of what stand-ins are made of, the newest of the official image's line
// that there is. The npm packages carry the binaries of nodejs.org; Debian's are
// what the suite has on the day.
const (
	debianMirror = "http://deb.debian.org/debian"
	nodeVersion  = "26.10.0"
	npmVersion   = "11.21.2"
)

// Recipe is all that decides what a stand-in contains.
type Recipe struct {
	arch     string
	suite    string   // Debian release; the newest nginx that installs without other sources
	packages []string // Debian packages on top of mmdebstrap's minbase
	npm      []string // npm packages put into the build context
	steps    string   // Dockerfile after FROM: users, links, stop signal
	caBundle string   // the host's extra CA certificates, PEM; empty when it has none
	Contents string   // for people
}

// Digest identifies the image a recipe makes. It changes with every field.
func (r Recipe) Digest() string {
	return shortDigest(r.arch, r.suite, debianMirror, r.packages, r.npm, r.steps, r.caBundle)
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
	}
	return Recipe{}, fmt.Errorf("image name: got %s, allowed: nginx, node", name)
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

// withCertificates adds the host's bundle at a path of its own, so that the
// distribution's bundle stays what it is.
func withCertificates(steps, ca string) string {
	if ca == "" {
		return steps
	}
	const inside = "/usr/local/share/ca-certificates/host.crt"
	return steps + "COPY ca.crt " + inside + "\n" +
		"ENV NODE_EXTRA_CA_CERTS=" + inside + " npm_config_cafile=" + inside + "\n"
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
		steps:    withCertificates(steps, ca), caBundle: ca,
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
		steps:    withCertificates(steps, ca), caBundle: ca,
		Contents: "Node " + nodeVersion + " on Debian trixie",
	}
}
