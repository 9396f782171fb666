// Package baseimage makes sure that the base images of the project's
// Dockerfiles exist on the local Docker engine, for machines that cannot reach
// the registry these images come from.
//
// For each Dockerfile it takes the default of `ARG BASE_IMAGE` and, in this
// order, keeps an image that is there already, pulls the official one, or
// builds a stand-in from Debian and npm packages. A stand-in carries exactly
// the tag that the Dockerfile names, so `docker build` needs no change and asks
// no registry. It has the same paths and the same users as the official image
// as far as these two Dockerfiles use them, and it is nothing more than that:
// no image that goes to production is meant to be built on it.
package baseimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// The three places a base image can come from.
const (
	FromLocalCache = "local cache"
	FromRegistry   = "registry"
	FromStandIn    = "stand-in"
)

// Options says which base images are wanted and where the work may be kept.
type Options struct {
	// Dockerfiles are the files whose `ARG BASE_IMAGE=…` names the images.
	Dockerfiles []string
	// CacheDir keeps root file systems and npm packages between runs. Empty
	// means DefaultCacheDir.
	CacheDir string
	// Progress gets a line before each step that takes seconds. Nil is silence.
	Progress io.Writer
	// ProbeTimeout bounds the question whether a registry answers at all.
	// Zero means 4 s. A pull that has started may take 10 minutes.
	ProbeTimeout time.Duration
	// SkipRegistry builds the stand-in without asking the registry first.
	SkipRegistry bool
}

// Result tells where one base image came from.
type Result struct {
	Ref    string // as in the Dockerfile
	Source string // FromLocalCache, FromRegistry or FromStandIn
	Detail string // what exactly it is, and why nothing better was there
}

// String is the one line about an image that a run prints.
func (r Result) String() string {
	return fmt.Sprintf("base image %s: %s (%s)", r.Ref, r.Source, r.Detail)
}

// DefaultCacheDir is ${XDG_CACHE_HOME:-~/.cache}/fargate-nginx-sidecar/baseimage.
func DefaultCacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache directory: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(base, "fargate-nginx-sidecar", "baseimage"), nil
}

// Ensure makes every base image that opts.Dockerfiles name available on the
// Docker engine and reports where each came from, in the order of the
// Dockerfiles. Images are worked on at the same time, because most of a
// stand-in's time is one package unpacking after the other. All failures are
// reported together.
func Ensure(ctx context.Context, opts Options) ([]Result, error) {
	refs, err := baseRefs(opts.Dockerfiles)
	if err != nil {
		return nil, err
	}
	if err := dockerReachable(ctx); err != nil {
		return nil, err
	}
	m, unlock, err := newMaker(opts)
	if err != nil {
		return nil, err
	}
	defer unlock()

	results := make([]Result, len(refs))
	errs := make([]error, len(refs))
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() { results[i], errs[i] = m.ensure(ctx, ref) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return results, nil
}

// maker is one call of Ensure.
type maker struct {
	cacheDir     string
	arch         string // as Go and Debian name it: amd64, arm64
	probeTimeout time.Duration
	skipRegistry bool
	progress     func(format string, args ...any)
	apt          sync.Mutex // two apt-get at once fail on dpkg's lock
}

// newMaker prepares the cache directory and takes its lock, so that two runs
// on one machine do not write the same tarball; the second waits.
func newMaker(opts Options) (*maker, func(), error) {
	dir := opts.CacheDir
	if dir == "" {
		var err error
		if dir, err = DefaultCacheDir(); err != nil {
			return nil, nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("cache directory: %w", err)
	}
	unlock, err := machine.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, nil, fmt.Errorf("cache directory: %w", err)
	}
	m := &maker{
		cacheDir:     dir,
		arch:         runtime.GOARCH,
		probeTimeout: opts.ProbeTimeout,
		skipRegistry: opts.SkipRegistry,
		progress:     progressTo(opts.Progress),
	}
	if m.probeTimeout == 0 {
		m.probeTimeout = 4 * time.Second
	}
	return m, unlock, nil
}

func progressTo(w io.Writer) func(string, ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		if w == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintf(w, format+"\n", args...)
	}
}

// ensure is Ensure for one image.
func (m *maker) ensure(ctx context.Context, ref string) (Result, error) {
	rec, recErr := recipeFor(ref, m.arch)
	have, err := inspect(ctx, ref)
	if err != nil {
		return Result{}, fmt.Errorf("base image %s: %w", ref, err)
	}
	if detail, ok := usable(have, rec); ok {
		return Result{Ref: ref, Source: FromLocalCache, Detail: detail}, nil
	}
	pullErr := errors.New("registry not asked")
	if !m.skipRegistry {
		if pullErr = m.pull(ctx, ref); pullErr == nil {
			digest, err := output(ctx, "docker", "image", "inspect", "--format", "{{join .RepoDigests \" \"}}", ref)
			if err != nil {
				return Result{}, fmt.Errorf("base image %s: %w", ref, err)
			}
			detail := "official image, pulled; to pin it: --build-arg BASE_IMAGE=" + digest
			return Result{Ref: ref, Source: FromRegistry, Detail: detail}, nil
		}
	}
	if recErr != nil {
		return Result{}, fmt.Errorf("base image %s: %w, and no stand-in is known: %w", ref, pullErr, recErr)
	}
	m.progress("base image %s: %v; building a stand-in from Debian %s packages (about half a minute)", ref, pullErr, rec.suite)
	if err := m.build(ctx, ref, rec); err != nil {
		return Result{}, fmt.Errorf("base image %s: %w, and the stand-in failed: %w", ref, pullErr, err)
	}
	return Result{Ref: ref, Source: FromStandIn, Detail: fmt.Sprintf("%s; not the official image: %v", rec.contents, pullErr)}, nil
}

// usable reports whether the image that is there can stay: an official one
// always, a stand-in as long as it was made by today's recipe.
func usable(have imageInfo, rec recipe) (string, bool) {
	switch {
	case !have.exists:
		return "", false
	case have.standIn == "":
		return "official image, already there", true
	case have.standIn == rec.digest():
		return "stand-in built earlier, " + rec.contents, true
	}
	return "", false
}
