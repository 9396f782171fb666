package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// imagePrefix begins the name of every image that Program makes. Its tag is the run's id, so that a run can remove its own.
const imagePrefix = "fargate-nginx-sidecar/"

// Image is the reference of a run's image of a program.
func Image(program, runID string) string { return imagePrefix + program + ":" + runID }

// Program compiles a program of one file for the engine's architecture, which need not be this machine's, and imports it as
// an image of that one file.
func Program(ctx context.Context, docker client.APIClient, name, runID string, source []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s image: %w", name, err)
		}
	}()
	version, err := docker.ServerVersion(ctx)
	if err != nil {
		return err
	}
	program, err := compile(ctx, source, version.Arch)
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(program))}); err != nil {
		return err
	}
	if _, err := archive.Write(program); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	// An import is of the engine's own architecture unless it is told another.
	progress, err := docker.ImageImport(ctx, image.ImportSource{Source: &layer, SourceName: "-"}, Image(name, runID),
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/` + name + `"]`}})
	if err != nil {
		return err
	}
	defer func() { _ = progress.Close() }()
	return ReadProgress(progress)
}

func compile(ctx context.Context, source []byte, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", "program", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return os.ReadFile(filepath.Join(dir, "program"))
}

// RemovePrograms removes all images that Program has made for a run.
func RemovePrograms(ctx context.Context, docker client.APIClient, runID string) error {
	found, err := docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", Image("*", runID)))})
	if err != nil {
		return err
	}
	var failed []error
	for _, one := range found {
		for _, tag := range one.RepoTags {
			_, err := docker.ImageRemove(ctx, tag, image.RemoveOptions{PruneChildren: true})
			if err != nil && !errdefs.IsNotFound(err) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}
