package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestABuildGetsWhatTheProgramGives(t *testing.T) {
	s := spec{
		name: "r:1", context: "images/app", dockerfile: "images/app/Dockerfile", platform: "linux/arm64", target: "run",
		args: map[string]string{"B": "2", "A": "1"},
	}
	want := []string{
		"build", "--file", "images/app/Dockerfile", "--platform", "linux/arm64", "--tag", "r:1", "--target", "run",
		"--build-arg", "A=1", "--build-arg", "B=2", "images/app",
	}
	if got := buildArguments(false, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	t.Setenv(NetworkVariable, "host")
	if got := strings.Join(buildArguments(true, s), " "); !strings.Contains(got, " --progress plain ") ||
		!strings.Contains(got, " --network host ") {
		t.Errorf("got %s", got)
	}
}

func TestAStandInIsNamedByItsTagAlone(t *testing.T) {
	dir := t.TempDir()
	script := `#!/bin/sh
for last; do :; done
case "$last" in
*standin:1) echo 0123456789abcdef ;;
*official:1) echo ;;
*) exit 1 ;;
esac
`
	must(t, os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	digest := "@sha256:" + strings.Repeat("a", 64)
	given := map[string]string{
		"BASE_IMAGE": "r/standin:1" + digest, "OTHER": "r/official:1" + digest, "MISSING": "r/none:1" + digest, "TEXT": "standin:1",
	}
	want := map[string]string{
		"BASE_IMAGE": "r/standin:1", "OTHER": "r/official:1" + digest, "MISSING": "r/none:1" + digest, "TEXT": "standin:1",
	}
	var told []string
	e := engine{log: func(line string) { told = append(told, line) }}
	if got := e.withStandIns(t.Context(), given); !reflect.DeepEqual(got, want) || len(told) != 1 {
		t.Errorf("got %v, told %q; want %v", got, told, want)
	}
}

func TestAnErrorCarriesTheLastLinesOfTheOutput(t *testing.T) {
	var shown int
	e := engine{log: func(string) { shown++ }}
	output, err := e.run(exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done; exit 3"))
	got := output.explain("docker build", err).Error()
	if !strings.HasPrefix(got, "docker build: exit status 3; its last lines:\nline 11\n") || !strings.HasSuffix(got, "\nline 30") {
		t.Errorf("got %s", got)
	}
	if shown != 30 {
		t.Errorf("shown: got %d lines; expected 30", shown)
	}
}

func TestALineWithoutEndDoesNotStopTheCommand(t *testing.T) {
	e := engine{log: func(string) {}}
	if _, err := e.run(exec.CommandContext(t.Context(), "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")); err != nil {
		t.Error(err)
	}
}

func TestADockerThatCannotUseBuildKitIsPassedOver(t *testing.T) {
	root := t.TempDir()
	command := func(dir, script string) string {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		must(t, os.WriteFile(filepath.Join(root, dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755))
		return filepath.Join(root, dir)
	}
	refuses := command("1", `[ "$DOCKER_BUILDKIT" = 0 ] && exit 0
echo "ERROR: BuildKit is enabled but the buildx component is missing or broken."; exit 1`)
	builds := command("2", `echo "builder $DOCKER_BUILDKIT"`)
	for _, c := range []struct {
		path, builder string
		want          string
	}{
		{refuses + ":" + builds, "", "builder 1"},
		{refuses, "", "no docker command here can use BuildKit: building with the classic builder"},
		{builds, builderClassic, "builder 0"},
	} {
		t.Setenv("PATH", c.path)
		var lines []string
		e := engine{log: func(line string) { lines = append(lines, line) }}
		if err := e.build(t.Context(), spec{name: "r:1", builder: c.builder}); err != nil {
			t.Fatal(err)
		}
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("PATH=%s: got %s; expected %s", c.path, got, c.want)
		}
	}
}

func TestCredentialsAreForThisPushOnly(t *testing.T) {
	dir, err := credentials(spec{name: "127.0.0.1:5000/web:1", server: "127.0.0.1:5000/web", username: "AWS", password: "secret"})
	must(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "config.json")
	stat, err := os.Stat(path)
	must(t, err)
	if stat.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v", stat.Mode())
	}
	content, err := os.ReadFile(path)
	must(t, err)
	var config struct {
		Auths map[string]struct{ Auth string } `json:"auths"`
	}
	must(t, json.Unmarshal(content, &config))
	if got := config.Auths["127.0.0.1:5000"].Auth; got != "QVdTOnNlY3JldA==" { // AWS:secret
		t.Errorf("got %s", content)
	}
}

// needDocker fails a test where no engine answers, and says what to do.
func needDocker(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("docker", "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		t.Fatalf("the Docker engine does not answer: start it, or use `make test`: %v: %s", err, out)
	}
}

// login lets in the one user.
func login(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AWS" || password != "p1" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func TestAnImageIsBuiltAndPushedAndItsDigestIsTheRegistrys(t *testing.T) {
	needDocker(t)
	store := httptest.NewServer(login(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	defer store.Close()
	host := strings.TrimPrefix(store.URL, "http://")
	root, name, s := sources(t), host+"/web:1", newServer(nil)

	created, err := s.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: wire(t, check(t, image(root, name)))})
	must(t, err)
	first := read(t, created.GetProperties())["repoDigest"].StringValue()
	if created.GetId() != name || first != host+"/web@"+stored(t, store.URL, "1") {
		t.Errorf("create: got %s, %s", created.GetId(), first)
	}

	must(t, os.WriteFile(filepath.Join(root, "f"), []byte("2"), 0o644))
	updated, err := s.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, News: wire(t, check(t, image(root, name)))})
	must(t, err)
	second := read(t, updated.GetProperties())["repoDigest"].StringValue()
	if second == first || second != host+"/web@"+stored(t, store.URL, "1") {
		t.Errorf("update: got %s after %s", second, first)
	}

	for _, state := range []*pulumirpc.DeleteRequest{
		{Urn: urn, Properties: created.GetProperties()}, {Urn: urn, Properties: updated.GetProperties()},
	} {
		_, err = s.Delete(t.Context(), state)
		must(t, err)
	}
	if out, err := exec.Command("docker", "image", "ls", "-q", host+"/web").Output(); err != nil || len(out) > 0 {
		t.Errorf("delete: left %s (%v)", out, err)
	}
	if stored(t, store.URL, "1") == "" {
		t.Error("delete: the registry has lost the image")
	}
}

// stored asks the registry for the digest of what it has under a tag.
func stored(t *testing.T, url, tag string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url+"/v2/web/manifests/"+tag, nil)
	must(t, err)
	req.SetBasicAuth("AWS", "p1")
	response, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, response.Body.Close())
	return response.Header.Get("Docker-Content-Digest")
}

func TestAnImageThatIsNotPushedHasItsIDForADigest(t *testing.T) {
	needDocker(t)
	name := fmt.Sprintf("fargate-plugins-test-%d:1", os.Getpid())
	inputs := image(sources(t), name)
	inputs["skipPush"] = resource.NewBoolProperty(true)
	s := newServer(nil)
	created, err := s.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: wire(t, check(t, inputs))})
	must(t, err)
	defer func() { _, _ = s.Delete(t.Context(), &pulumirpc.DeleteRequest{Properties: created.GetProperties()}) }()
	out, err := exec.Command("docker", "image", "inspect", "--format", "{{.Id}}", name).Output()
	must(t, err)
	if got := read(t, created.GetProperties())["repoDigest"].StringValue(); got != strings.TrimSpace(string(out)) {
		t.Errorf("got %s; expected %s", got, out)
	}
}

func TestAWrongPasswordFailsThePush(t *testing.T) {
	needDocker(t)
	store := httptest.NewServer(login(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	defer store.Close()
	name := strings.TrimPrefix(store.URL, "http://") + "/web:1"
	inputs := check(t, image(sources(t), name))
	inputs["registry"].ObjectValue()["password"] = text("wrong")
	_, err := newServer(nil).Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: wire(t, inputs)})
	if err == nil || !strings.HasPrefix(err.Error(), "image "+name+": docker push: exit status 1; its last lines:\n") {
		t.Errorf("got %v", err)
	}
	must(t, engine{}.untag(t.Context(), name))
}

func TestAFailingBuildSaysWhatItStumbledOver(t *testing.T) {
	needDocker(t)
	root := tree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY missing.txt /f\n"})
	_, err := newServer(nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: wire(t, check(t, image(root, "127.0.0.1:1/web:1"))),
	})
	if err == nil || !strings.HasPrefix(err.Error(), "image 127.0.0.1:1/web:1: docker build: ") ||
		!strings.Contains(err.Error(), "missing.txt") {
		t.Errorf("got %v", err)
	}
}

// hanging is an image whose base image never comes.
func hanging(t *testing.T) string {
	t.Helper()
	asked := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-asked }))
	t.Cleanup(func() { close(asked); silent.Close() })
	return tree(t, map[string]string{"Dockerfile": "FROM " + strings.TrimPrefix(silent.URL, "http://") + "/base:1\n"})
}

func TestABuildEndsWithItsTimeout(t *testing.T) {
	needDocker(t)
	_, err := newServer(nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: wire(t, check(t, image(hanging(t), "127.0.0.1:1/web:1"))), Timeout: 1,
	})
	if err == nil || !strings.Contains(err.Error(), "context deadline exceeded (limit 1s)") {
		t.Errorf("got %v", err)
	}
}

func TestABuildEndsWhenTheEngineCancels(t *testing.T) {
	needDocker(t)
	s := newServer(nil)
	request := &pulumirpc.CreateRequest{
		Urn: urn, Properties: wire(t, check(t, image(hanging(t), "127.0.0.1:1/web:1"))),
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Create(t.Context(), request)
		done <- err
	}()
	time.Sleep(time.Second) // let it ask for its base image
	_, err := s.Cancel(t.Context(), &emptypb.Empty{})
	must(t, err)
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "context canceled") {
			t.Errorf("got %v", err)
		}
	case <-time.After(stopGrace + 5*time.Second):
		t.Fatal(errors.New("the build goes on"))
	}
}
