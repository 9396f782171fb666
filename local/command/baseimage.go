package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/machine"
	"fargate-nginx-sidecar/local/machine/toolchain"
	"fargate-nginx-sidecar/local/offline/baseimage"
)

// Bounds of the question whether a registry answers at all, and of a pull that has started.
const (
	probeWait = 4 * time.Second
	pullWait  = 10 * time.Minute
)

// Dockerfiles are those of the project's own images.
func (l *Local) Dockerfiles() []string {
	return []string{
		filepath.Join(l.Root, "images", "app", "Dockerfile"),
		filepath.Join(l.Root, "images", "nginx", "Dockerfile"),
	}
}

// BaseImages makes sure that what the Dockerfiles build upon is on the Docker engine, and prints where each image came
// from. It keeps an image that is there, pulls the official one, or builds a stand-in under the same tag. Images are
// worked on at the same time, because most of a stand-in's time is one package unpacking after the other.
func (l *Local) BaseImages(ctx context.Context, dockerfiles ...string) error {
	references, err := baseImages(dockerfiles)
	if err != nil {
		return err
	}
	if _, err := toolchain.EngineVersion(ctx); err != nil {
		return err
	}
	architecture, err := engineArchitecture(ctx)
	if err != nil {
		return err
	}
	cache := filepath.Join(l.finder.CacheDir, "baseimage")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("base images: %w", err)
	}
	// Two runs on one machine would write the same files; the second waits.
	unlock, err := l.Progress.Lock(ctx, filepath.Join(cache, "lock"), "the base images are")
	if err != nil {
		return fmt.Errorf("base images: %w", err)
	}
	defer unlock()
	maker := baseimage.Maker{CacheDir: cache, Progress: l.Progress}
	failures := make([]error, len(references))
	var group sync.WaitGroup
	for i, reference := range references {
		group.Go(func() {
			origin, err := l.baseImage(ctx, maker, reference, architecture)
			if err != nil {
				failures[i] = fmt.Errorf("base image %s: %w", reference, err)
				return
			}
			l.Progress.Line("image     %s: %s", reference, origin)
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// baseImage makes sure of one image and says where it came from.
func (l *Local) baseImage(ctx context.Context, maker baseimage.Maker, reference, architecture string) (origin string, err error) {
	recipe, noRecipe := baseimage.For(reference, architecture)
	present, err := inspect(ctx, reference)
	if err != nil {
		return "", err
	}
	if origin, fine := present.usable(recipe, architecture); fine {
		return origin, nil
	}
	pullErr := l.pull(ctx, reference)
	if pullErr == nil {
		digest, err := machine.Output(ctx, "docker", "image", "inspect", "--format", "{{join .RepoDigests \" \"}}", reference)
		return "official image, pulled, " + digest, err
	}
	if noRecipe != nil {
		return "", fmt.Errorf("%w, and there is no stand-in for it: %w", pullErr, noRecipe)
	}
	if err := maker.Build(ctx, reference, recipe); err != nil {
		return "", fmt.Errorf("%w, and building a stand-in failed: %w", pullErr, err)
	}
	return fmt.Sprintf("stand-in, %s; not the official image: %v", recipe.Contents, pullErr), nil
}

// baseArg is the line by which the project's Dockerfiles name a base image: ARG BASE_IMAGE, or GO_IMAGE for the compiler's.
var baseArg = regexp.MustCompile(`(?m)^ARG[ \t]+[A-Z]+_IMAGE=(\S+)[ \t]*$`)

// baseImages reads the base images of each Dockerfile, each image once. A Dockerfile that names its base images otherwise
// has none here: its build pulls them.
func baseImages(dockerfiles []string) ([]string, error) {
	var references []string
	var failures []error
	for _, path := range dockerfiles {
		text, err := os.ReadFile(path)
		if err != nil {
			failures = append(failures, fmt.Errorf("base image: %w", err))
			continue
		}
		for _, found := range baseArg.FindAllSubmatch(text, -1) {
			if !slices.Contains(references, string(found[1])) {
				references = append(references, string(found[1]))
			}
		}
	}
	return references, errors.Join(failures...)
}

// presentImage is what decides whether an image that is there can stay.
type presentImage struct {
	exists       bool
	architecture string
	recipe       string // the digest of a stand-in's recipe, "" on an official image
}

func inspect(ctx context.Context, reference string) (presentImage, error) {
	id, err := machine.Output(ctx, "docker", "image", "ls", "--quiet", "--no-trunc", reference)
	if err != nil || id == "" {
		return presentImage{}, err
	}
	text, err := machine.Output(ctx, "docker", "image", "inspect", "--format", "{{.Architecture}} {{json .Config.Labels}}", id)
	if err != nil {
		return presentImage{}, err
	}
	architecture, text, _ := strings.Cut(text, " ")
	var labels map[string]string
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		return presentImage{}, fmt.Errorf("labels of %s: %w", id, err)
	}
	return presentImage{exists: true, architecture: architecture, recipe: labels[baseimage.Label]}, nil
}

// usable says whether an image can stay: an official one if it is of the engine's architecture, a stand-in as long as its
// recipe is today's.
func (p presentImage) usable(recipe baseimage.Recipe, architecture string) (origin string, fine bool) {
	switch {
	case !p.exists || p.architecture != architecture:
		return "", false
	case p.recipe == "":
		return "official image, already there", true
	case p.recipe == recipe.Digest():
		return "stand-in built earlier, " + recipe.Contents, true
	}
	return "", false
}

// pull asks the registry whether it is there before the engine does: a firewall that drops packets would hold
// `docker pull` for minutes.
func (l *Local) pull(ctx context.Context, reference string) error {
	host, _, _ := strings.Cut(reference, "/")
	if err := registryAnswers(ctx, host, probeWait); err != nil {
		return fmt.Errorf("registry %s does not answer", host)
	}
	ctx, cancel := context.WithTimeout(ctx, pullWait)
	defer cancel()
	err := l.Progress.Step("pull "+reference, func() error { return machine.Run(ctx, "docker", "pull", "--quiet", reference) })
	if err != nil {
		l.Progress.Line("image     %s: %v", reference, err)
		return fmt.Errorf("the pull from registry %s failed", host)
	}
	return nil
}

// registryAnswers is nil when the host speaks the registry API in any way, be it a 401.
func registryAnswers(ctx context.Context, host string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/v2/", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.Header.Get("Docker-Distribution-Api-Version") == "" && response.StatusCode != http.StatusOK && response.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("status: got %s, allowed: 200, 401", response.Status)
	}
	return nil
}
