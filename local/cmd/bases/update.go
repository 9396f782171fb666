package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// lockFile says which image each tag stood for. The program reads it.
const lockFile = "images/bases.lock"

const header = "# What each Dockerfile's base image was when its registry was asked. `make bases` writes this file; a build is made from\n" +
	"# the image with the digest, where there is one, and else from what the tag stands for on the day.\n"

// baseLine is how the project's Dockerfiles name their base image.
var baseLine = regexp.MustCompile(`(?m)^(ARG BASE_IMAGE=)(\S+)$`)

// A base is the base image of one Dockerfile.
type base struct {
	dockerfile string
	text       []byte
	now, next  reference
}

// A reference is an image by its exact version, and its digest if that is known.
type reference struct {
	repository string
	version    version
	digest     string
}

func (r reference) tagged() string { return r.repository + ":" + r.version.String() }

// update brings Dockerfiles and lock file below root up to date. It returns one line about each base image. All
// registries are asked before anything is written.
func update(ctx context.Context, root string) ([]string, error) {
	bases, err := read(root)
	if err != nil {
		return nil, err
	}
	var news []string
	for i := range bases {
		b := &bases[i]
		if b.next, err = newest(b.now, remote.WithContext(ctx)); err != nil {
			return nil, fmt.Errorf("%s: %w", b.now.tagged(), err)
		}
		news = append(news, b.news())
	}

	return news, write(root, bases)
}

// read returns what the Dockerfiles name, with the digests of the lock file.
func read(root string) ([]base, error) {
	digests, err := readDigests(filepath.Join(root, lockFile))
	if err != nil {
		return nil, err
	}
	dockerfiles, err := filepath.Glob(filepath.Join(root, "images", "*", "Dockerfile"))
	if err != nil {
		return nil, err
	}

	var bases []base
	for _, dockerfile := range dockerfiles {
		text, err := os.ReadFile(dockerfile)
		if err != nil {
			return nil, err
		}
		line := baseLine.FindSubmatch(text)
		if line == nil {
			continue
		}
		tagged := string(line[2])
		repository, tag := tagged[:strings.LastIndex(tagged, ":")+1], tagged[strings.LastIndex(tagged, ":")+1:]
		version, ok := parse(tag)
		if repository == "" || !ok {
			return nil, fmt.Errorf("%s: base image %s; allowed: a tag with three numbers, such as nginx:1.30.7-alpine", dockerfile, tagged)
		}
		bases = append(bases, base{
			dockerfile: dockerfile, text: text,
			now: reference{strings.TrimSuffix(repository, ":"), version, digests[tagged]},
		})
	}

	return bases, nil
}

func readDigests(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	digests := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 {
			digests[words[0]] = words[1]
		}
	}

	return digests, nil
}

// newest asks the registry for the newest version of the same line and variant, and for its digest, which is that of
// all its architectures together.
func newest(now reference, options ...remote.Option) (reference, error) {
	repository, err := name.NewRepository(now.repository)
	if err != nil {
		return reference{}, err
	}
	tags, err := remote.List(repository, options...)
	if err != nil {
		return reference{}, err
	}
	next := now
	for _, tag := range tags {
		if v, ok := parse(tag); ok && v.follows(next.version, path.Base(now.repository)) {
			next.version = v
		}
	}
	found, err := remote.Get(repository.Tag(next.version.String()), options...)
	if err != nil {
		return reference{}, err
	}
	next.digest = found.Digest.String()

	return next, nil
}

// news says in one line what becomes of a base image.
func (b base) news() string {
	short := path.Base(b.now.repository) + " " + b.now.version.number()
	switch {
	case b.next.version != b.now.version:
		return short + " → " + b.next.version.number()
	case b.now.digest == "":
		return short + ": pinned"
	case b.next.digest != b.now.digest:
		return short + ": built anew, with newer packages of its distribution"
	default:
		return short + ": up to date"
	}
}

func write(root string, bases []base) error {
	lock := bytes.NewBufferString(header)
	for _, b := range bases {
		line := b.next.tagged() + " " + b.next.digest + "\n"
		if !strings.Contains(lock.String(), line) {
			lock.WriteString(line)
		}
		text := baseLine.ReplaceAll(b.text, []byte("${1}"+b.next.tagged()))
		if err := os.WriteFile(b.dockerfile, text, 0o644); err != nil {
			return err
		}
	}

	return os.WriteFile(filepath.Join(root, lockFile), lock.Bytes(), 0o644)
}

// A version is a tag with three numbers and a variant, such as 1.30.7-alpine-slim.
type version struct {
	major, minor, patch int
	variant             string // with its hyphen, or empty
}

var versionPattern = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(-.*)?$`)

func parse(tag string) (version, bool) {
	part := versionPattern.FindStringSubmatch(tag)
	if part == nil {
		return version{}, false
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(part[i+1]) // The pattern leaves digits, and few enough.
	}

	return version{numbers[0], numbers[1], numbers[2], part[4]}, true
}

func (v version) number() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }
func (v version) String() string { return v.number() + v.variant }

// follows reports whether v is newer than the other version, of the same variant and in the same line. Node mends a
// major version by minor ones; nginx and Go mend a minor version.
// https://nodejs.org/en/about/previous-releases
// https://nginx.org/en/download.html
// https://go.dev/doc/devel/release#policy
func (v version) follows(other version, image string) bool {
	sameLine := v.major == other.major && (v.minor == other.minor || image == "node")
	newer := cmp.Or(cmp.Compare(v.minor, other.minor), cmp.Compare(v.patch, other.patch)) > 0

	return v.variant == other.variant && sameLine && newer
}
