package engine

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/registry"
)

// sampleSource is a program whose image a test pushes and pulls: some megabytes that do not compress to nothing.
const sampleSource = "package main\n\nimport \"net/http\"\n\nfunc main() { _ = http.ListenAndServe(\"\", nil) }\n"

// connected is a client of the engine of this test, and an id of a run whose things are gone when the test ends.
func connected(t *testing.T) (docker client.APIClient, runID string) {
	t.Helper()
	docker, err := Connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.Ping(t.Context()); err != nil {
		t.Fatalf("the Docker engine does not answer: start it, or use `make test`: %v", err)
	}
	runID = "test-" + strings.ToLower(t.Name())
	remove := func() {
		ctx := context.Background()
		left, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", LabelRun+"="+runID))})
		if err != nil {
			t.Error(err)
		}
		for _, c := range left {
			if err := docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		}
		if err := RemovePrograms(ctx, docker, runID); err != nil {
			t.Error(err)
		}
	}
	remove() // what a test run left that was killed
	t.Cleanup(remove)
	return docker, runID
}

// logger shows with a test's output what a listener has to say.
func logger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// serveImages is a registry on a listener until the test ends.
func serveImages(t *testing.T, listener net.Listener) {
	t.Helper()
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// pushAndPull has the engine push an image to the registry at an address, forget it, and pull it again.
func pushAndPull(t *testing.T, docker client.APIClient, runID, address string) {
	t.Helper()
	ctx := t.Context()
	if err := Program(ctx, docker, "sample", runID, []byte(sampleSource)); err != nil {
		t.Fatal(err)
	}
	before, err := docker.ImageInspect(ctx, Image("sample", runID))
	if err != nil {
		t.Fatal(err)
	}
	reference := address + "/sample:1"
	if err := docker.ImageTag(ctx, Image("sample", runID), reference); err != nil {
		t.Fatal(err)
	}
	// At once, too: the next image of this name would leave this one with its digest alone.
	forget := func() { _, _ = docker.ImageRemove(context.Background(), reference, image.RemoveOptions{}) }
	t.Cleanup(forget)
	defer forget()
	finish := func(what string, progress io.ReadCloser, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer func() { _ = progress.Close() }()
		if err := ReadProgress(progress); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	progress, err := docker.ImagePush(ctx, reference, image.PushOptions{RegistryAuth: "e30"}) // {}
	finish("push", progress, err)
	for _, name := range []string{reference, Image("sample", runID)} {
		if _, err := docker.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true}); err != nil {
			t.Fatal(err)
		}
	}
	progress, err = docker.ImagePull(ctx, reference, image.PullOptions{})
	finish("pull", progress, err)
	after, err := docker.ImageInspect(ctx, reference)
	if err != nil || after.ID != before.ID {
		t.Errorf("pushed %s, pulled %s, %v", before.ID, after.ID, err)
	}
	// The same address leads here from this machine.
	response, err := http.Get("http://" + address + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("GET /v2/ from this machine: %s", response.Status)
	}
}

func TestTheEngineReachesThisProcess(t *testing.T) {
	docker, runID := connected(t)
	listener, relayed, err := Listen(t.Context(), docker, runID, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("relayed: %t", relayed)
	serveImages(t, listener)
	pushAndPull(t, docker, runID, listener.Addr().String())
}

func TestARelayLeadsTheEngineHereAlsoAfterItWasStartedAnew(t *testing.T) {
	docker, runID := connected(t)
	listener, err := openRelay(t.Context(), docker, runID, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	serveImages(t, listener)
	pushAndPull(t, docker, runID, listener.Addr().String())
	if err := docker.ContainerRestart(t.Context(), NamePrefix+runID+"-relay", container.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	pushAndPull(t, docker, runID, listener.Addr().String())
}

// On a busy machine the engine knows of a relay's port before the relay listens there.
func TestARelayThatDoesNotListenYetIsAskedForAgain(t *testing.T) {
	for _, again := range []time.Duration{0, time.Millisecond} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		pulls := 0
		engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/images/create") {
				return // the client asks for the version first
			}
			if pulls++; pulls == 3 {
				if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
					_, _ = io.Copy(io.Discard, conn)
					_ = conn.Close()
				}
			}
			w.WriteHeader(http.StatusInternalServerError)
		}))
		docker, err := client.NewClientWithOpts(client.WithHost("tcp://" + engine.Listener.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := reaches(t.Context(), docker, listener, again), again > 0; got != want {
			t.Errorf("asked again after %s: reached: %t, want %t", again, got, want)
		}
		_ = listener.Close()
		engine.Close()
	}
}

func TestAPortThatIsTakenOnTheEnginesSideIsReplaced(t *testing.T) {
	docker, runID := connected(t)
	if err := Program(t.Context(), docker, "relay", runID, relaySource); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	if err := startRelay(t.Context(), docker, runID, port, port); err == nil {
		t.Fatal("a relay published a port that is taken")
	}
	// What the first try left would have the name of the second.
	ports, err := freePorts(t.Context(), 2)
	if err != nil || ports[0] == ports[1] {
		t.Fatalf("free ports %v, %v", ports, err)
	}
	if err := startRelay(t.Context(), docker, runID, ports[0], ports[1]); err != nil {
		t.Error(err)
	}
}
