// Package registry is the image registry of a local run: what Amazon ECR is to a deployed stack.
//
// It serves the registry protocol on plain HTTP on a loopback address, which Docker trusts without any
// configuration, and keeps the three rules of ECR that a deploy can trip over: a push needs credentials, a
// repository must exist before it is pushed to, and a tag in an immutable repository never moves.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// User is the user name of every ECR authorization token.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html
const User = "AWS"

// maxManifest is the largest image manifest accepted, in bytes.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const maxManifest = 4 << 20

// Repositories is what the registry asks the ECR control plane.
type Repositories interface {
	// Immutable says whether tags of a repository may not move; an unknown repository is an error.
	Immutable(ctx context.Context, repository string) (bool, error)
	// Pushed records an image, so that DescribeImages and a delete without force see it.
	Pushed(ctx context.Context, repository, tag string, manifest []byte) error
}

// Options say where blobs go and who knows the repositories.
type Options struct {
	BlobDir      string // image layers are kept here, by digest; several registries may share it
	Repositories Repositories
}

// Handler serves the registry protocol (https://distribution.github.io/distribution/spec/api/).
type Handler struct {
	options Options
	inner   http.Handler
	tags    sync.Map // repository:tag → true; the images behind them are in memory, too
}

// New returns the registry's handler. It makes the blob folder, and removes from it what was pushed long ago.
func New(options Options) (*Handler, error) {
	if err := os.MkdirAll(options.BlobDir, 0o755); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	prune(options.BlobDir, time.Now().Add(-keptFor))
	inner := registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(options.BlobDir)),
		// Every request would be a line in the log of the run.
		registry.Logger(log.New(io.Discard, "", 0)),
	)
	return &Handler{options: options, inner: inner}, nil
}

// keptFor is how long a layer is kept. Docker pushes one again that is gone.
const keptFor = 3 * 24 * time.Hour

// prune removes the files that were written before a time. One that another run removes first, or has just read, is no loss.
func prune(dir string, before time.Time) {
	_ = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // nothing to remove
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(name)
		}

		return nil
	})
}

var manifestPath = regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`)

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	// Docker sends credentials only after it was asked for them, and it asks at /v2/.
	if (!reading || r.URL.Path == "/v2/") && !authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry of the local run"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "a push needs the credentials of ecr:GetAuthorizationToken")
		return
	}
	if match := manifestPath.FindStringSubmatch(r.URL.Path); match != nil && r.Method == http.MethodPut {
		h.putManifest(w, r, match[1], match[2])
		return
	}
	h.inner.ServeHTTP(w, r)
}

func authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == User && password != ""
}

// putManifest is the last request of a push: the one that gives an image its tag.
func (h *Handler) putManifest(w http.ResponseWriter, r *http.Request, repository, reference string) {
	manifest, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	immutable, err := h.options.Repositories.Immutable(r.Context(), repository)
	if err != nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", fmt.Sprintf("repository %s: %v", repository, err))
		return
	}
	tagged := !strings.HasPrefix(reference, "sha256:")
	// ECR refuses the push of an immutable tag that it has even when the image is the same:
	// https://github.com/aws/containers-roadmap/issues/2179
	if _, exists := h.tags.Load(repository + ":" + reference); tagged && immutable && exists {
		refuse(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("tag %q already exists in repository %q and cannot be overwritten because the repository is immutable", reference, repository))
		return
	}

	r.Body = io.NopCloser(bytes.NewReader(manifest))
	stored := &statusWriter{ResponseWriter: w}
	h.inner.ServeHTTP(stored, r)
	if tagged && stored.status == http.StatusCreated {
		h.tags.Store(repository+":"+reference, true)
		// The answer is out already; a lost record only makes DescribeImages incomplete.
		_ = h.options.Repositories.Pushed(r.Context(), repository, reference, manifest)
	}
}

// refuse answers in the protocol's own error form, which Docker prints to the person who pushed.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
