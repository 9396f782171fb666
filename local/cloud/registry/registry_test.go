package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/registry"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// repositories is an ECR control plane with one immutable and one mutable repository.
type repositories struct{ pushed []string }

func (r *repositories) Immutable(_ context.Context, repository string) (bool, error) {
	switch repository {
	case "immutable":
		return true, nil
	case "mutable":
		return false, nil
	}
	return false, errors.New("no such repository")
}

func (r *repositories) Pushed(_ context.Context, repository, tag string, _ []byte) error {
	r.pushed = append(r.pushed, repository+":"+tag)
	return nil
}

var credentials = remote.WithAuth(&authn.Basic{Username: registry.User, Password: "token"})

func start(t *testing.T) (host string, known *repositories) {
	t.Helper()
	known = &repositories{}
	handler, err := registry.New(registry.Options{BlobDir: filepath.Join(t.TempDir(), "blobs"), Repositories: known})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), known
}

func push(t *testing.T, reference string, options ...remote.Option) error {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Write(tag, image, options...)
}

func TestPushIsStoredAndRecorded(t *testing.T) {
	host, known := start(t)
	if err := push(t, host+"/immutable:one", credentials); err != nil {
		t.Fatal(err)
	}
	if len(known.pushed) != 1 || known.pushed[0] != "immutable:one" {
		t.Errorf("recorded %v, want [immutable:one]", known.pushed)
	}
	response, err := http.Get("http://" + host + "/v2/immutable/manifests/one")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a pull of the pushed tag answers %s", response.Status)
	}
}

func TestPushWithoutCredentialsIsRefused(t *testing.T) {
	host, known := start(t)
	if err := push(t, host+"/immutable:one"); err == nil {
		t.Fatal("a push without credentials went through")
	}
	if len(known.pushed) != 0 {
		t.Errorf("recorded %v", known.pushed)
	}
}

func TestAnImmutableTagIsPushedOnlyOnce(t *testing.T) {
	host, _ := start(t)
	if err := push(t, host+"/immutable:one", credentials); err != nil {
		t.Fatal(err)
	}
	err := push(t, host+"/immutable:one", credentials)
	if err == nil || !strings.Contains(err.Error(), "cannot be overwritten") {
		t.Errorf("second image under one tag: %v", err)
	}
	if status := pushAgain(t, host); status != http.StatusBadRequest {
		t.Errorf("the same image under its tag again: status %d, want 400, as ECR answers", status)
	}
	for range 2 {
		if err := push(t, host+"/mutable:one", credentials); err != nil {
			t.Errorf("mutable repository: %v", err)
		}
	}
}

// pushAgain sends the manifest of immutable:one once more, as Docker does even when the registry has it.
func pushAgain(t *testing.T, host string) int {
	t.Helper()
	address := "http://" + host + "/v2/immutable/manifests/one"
	held, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Body.Close() }()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, address, held.Body)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(registry.User, "token")
	request.Header.Set("Content-Type", held.Header.Get("Content-Type"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}

func TestALayerOfAnEarlierRegistryIsThereUntilItIsOld(t *testing.T) {
	dir, content := t.TempDir(), []byte("layer")
	serve := func() string {
		handler, err := registry.New(registry.Options{BlobDir: dir, Repositories: &repositories{}})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	layer := static.NewLayer(content, types.DockerLayer)
	digest, err := layer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	repository, err := name.NewRepository(strings.TrimPrefix(serve(), "http://")+"/immutable", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteLayer(repository, layer, credentials); err != nil {
		t.Fatal(err)
	}
	has := func(registry string) bool {
		response, err := http.Head(registry + "/v2/mutable/blobs/" + digest.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	if !has(serve()) {
		t.Error("the next registry does not have the layer")
	}
	old := time.Now().Add(-4 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, digest.Algorithm, digest.Hex), old, old); err != nil {
		t.Fatal(err)
	}
	if has(serve()) {
		t.Error("a layer of four days ago is still there")
	}
}

func TestARepositoryMustExistBeforeItIsPushedTo(t *testing.T) {
	host, _ := start(t)
	err := push(t, host+"/missing:one", credentials)
	if err == nil || !strings.Contains(err.Error(), "NAME_UNKNOWN") {
		t.Errorf("push to a missing repository: %v", err)
	}
}
