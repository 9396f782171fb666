// Package imagetest runs the project's images for their tests: it builds them
// with the docker command, starts a task's containers in one network namespace
// as ECS does, and reads what the recording backend received.
//
// Without a Docker engine a test fails and says what to do; nothing is skipped.
package imagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Names of the images under test; a later run finds their layers again. Two checkouts on one engine have different ones.
var (
	NginxImage   = Tagged("test-nginx")
	AppImage     = Tagged("test-app")
	BackendImage = Tagged("test-backend")
)

// Tagged is the name of one of this checkout's images.
func Tagged(name string) string {
	root, err := filepath.Abs(Root())
	if err != nil {
		panic(err) // there is no working directory
	}
	sum := sha256.Sum256([]byte(root))

	return fmt.Sprintf("fargate-nginx-sidecar/%s:%x", name, sum[:6])
}

// commandTimeout is for one docker command, a build with npm ci included.
const commandTimeout = 5 * time.Minute

// docker runs one docker command and returns what it printed.
func docker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...) //nolint:gosec // docker with arguments of tests
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("docker: not installed; these tests run the built images: use `make test`, which installs it where it may")
		}
		return stdout.String(), fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, lastLines(stderr.String()))
	}
	return stdout.String(), nil
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Docker is docker for tests: a failure ends the test.
func Docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Root is the project's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// builds holds one build per image and test process.
var builds sync.Map

// built builds an image once per test process; every caller gets the same error.
func built(image string, build func() error) error {
	once, _ := builds.LoadOrStore(image, sync.OnceValue(build))
	return once.(func() error)()
}

// BuildOn makes the sidecar on another base image than its Dockerfile's and returns its name; empty when this machine
// does not have that image.
func BuildOn(t testing.TB, base string) string {
	t.Helper()
	if _, err := docker("image", "inspect", base); err != nil {
		return ""
	}
	_, tag, _ := strings.Cut(base[strings.LastIndex(base, "/")+1:], ":")
	image := Tagged("test-nginx-on-" + tag)
	err := built(image, func() error { return buildFolder(image, "nginx", "--build-arg=BASE_IMAGE="+base) })
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// Build makes one of the images and fails the test where that fails.
func Build(t testing.TB, image string) {
	t.Helper()
	err := built(image, func() error {
		if _, err := docker("version", "--format", "{{.Server.Version}}"); err != nil {
			return fmt.Errorf("the Docker engine does not answer: start it, or use `make test`: %w", err)
		}
		switch image {
		case NginxImage:
			return buildFolder(image, "nginx")
		case AppImage:
			return buildFolder(image, "app")
		}
		return buildBackend()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// baseImage, when set, is what the sidecar is built on instead of its Dockerfile's base: NGINX of another release.
const baseImage = "NGINX_BASE_IMAGE"

func buildFolder(image, folder string, args ...string) error {
	if base := os.Getenv(baseImage); base != "" && folder == "nginx" {
		args = append([]string{"--build-arg=BASE_IMAGE=" + base}, args...) // what the caller wants comes later, and counts
	}
	args = append([]string{"build", "--quiet", "--tag", image}, args...)
	_, err := docker(append(args, filepath.Join(Root(), "images", folder))...)
	if err != nil {
		return fmt.Errorf("%w\n(no base image? `make base-images` makes stand-ins)", err)
	}
	return nil
}

// buildBackend compiles the recording backend and puts it alone into an image.
func buildBackend() error {
	dir, err := os.MkdirTemp("", "backend-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)                                                                                                 //nolint:errcheck // a temporary folder
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "backend"), "./images/imagetest/backend") //nolint:gosec,noctx // fixed arguments
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of the recording backend: %w: %s", err, lastLines(string(out)))
	}
	// Docker's older builder looks through all images for one from scratch, and fails when another command removes one meanwhile.
	layer := filepath.Join(dir, "layer.tar")
	if out, err := exec.Command("tar", "-cf", layer, "-C", dir, "backend").CombinedOutput(); err != nil { //nolint:gosec,noctx // files of our own
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	_, err = docker("import", `--change=ENTRYPOINT ["/backend"]`, layer, BackendImage)
	return err
}

// Cleaner is the part of testing.TB that ends what a task started. TestMain has
// no TB, so a package's shared task hands in its own.
type Cleaner interface{ Cleanup(func()) }

var names atomic.Int64

// Container starts a container that is removed, with its volumes, at the end of
// the test. The last arguments are the image and its command.
func Container(t testing.TB, c Cleaner, args ...string) string {
	t.Helper()
	name := fmt.Sprintf("fns-test-%d-%d", os.Getpid(), names.Add(1))
	c.Cleanup(func() { _, _ = docker("rm", "--force", "--volumes", name) })
	Docker(t, append([]string{"run", "--detach", "--name", name}, args...)...)
	return name
}

// Task is nginx and an application in one network namespace.
type Task struct {
	Nginx   string // container names
	Backend string
	Addr    string // nginx on 127.0.0.1
	TLS     bool
	control string
	client  *http.Client
}

// Options are what a test changes about a task.
type Options struct {
	Env     []string // NAME=value for nginx
	Args    []string // more arguments of docker run for nginx
	Plain   bool     // without Hardened: for images that need root
	Image   string   // instead of NginxImage
	TLS     bool     // requests go through TLS, as from the load balancer
	Command []string // after the image
	Backend []string // flags of the recording backend
	Volume  string   // of the two containers, at /run/app
	Cleaner Cleaner  // when the task outlives the test that starts it
}

// Hardened is how ECS runs the nginx container, in docker's words.
var Hardened = []string{"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"}

// Start starts the recording backend and nginx and waits until nginx answers.
func Start(t testing.TB, opts Options) *Task {
	t.Helper()
	Build(t, BackendImage)
	image := opts.Image
	if image == "" {
		image = NginxImage
		Build(t, image)
	}
	if opts.TLS {
		opts.Env = append(slices.Clone(opts.Env), "NGINX_TLS=on")
	}
	cleaner := opts.Cleaner
	if cleaner == nil {
		cleaner = t
	}
	task := &Task{TLS: opts.TLS, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	// The backend holds the network namespace, as the pause container does on Fargate.
	run := []string{"--publish=127.0.0.1::8080", "--publish=127.0.0.1::3001"}
	if opts.Volume != "" {
		run = append(run, "--volume="+opts.Volume+":/run/app")
		opts.Args = append(slices.Clone(opts.Args), "--volume="+opts.Volume+":/run/app:ro")
	}
	task.Backend = Container(t, cleaner, append(append(run, BackendImage), opts.Backend...)...)
	task.Addr = address(t, task.Backend, "8080")
	task.control = "http://" + address(t, task.Backend, "3001")

	args := []string{"--network=container:" + task.Backend}
	if !opts.Plain {
		args = append(args, Hardened...)
	}
	for _, e := range opts.Env {
		args = append(args, "--env="+e)
	}
	args = append(append(args, opts.Args...), image)
	task.Nginx = Container(t, cleaner, append(args, opts.Command...)...)
	task.wait(t)
	return task
}

func address(t testing.TB, container, port string) string {
	t.Helper()
	out := Docker(t, "port", container, port+"/tcp")
	return strings.TrimSpace(strings.Split(out, "\n")[0])
}

// wait returns once a request is answered, or shows the log and fails.
func (task *Task) wait(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(time.Minute) // a busy machine starts a container slowly
	for time.Now().Before(deadline) {
		if resp, err := task.client.Get("http://" + task.Addr + "/"); err == nil { //nolint:noctx // the client has a time-out
			_ = resp.Body.Close()
			return
		}
		if state, _ := docker("inspect", "--format={{.State.Running}}", task.Nginx); strings.TrimSpace(state) == "false" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nginx does not answer; its log:\n%s", task.Logs(t))
}

// Healthy runs the container's health check.
func (task *Task) Healthy() error {
	_, err := docker("exec", task.Nginx, "/usr/local/bin/sidecar", "health")
	return err
}

// Logs is what nginx wrote, stdout and stderr in one.
func (task *Task) Logs(t testing.TB) string { return Logs(t, task.Nginx) }

// Logs is what a container wrote, stdout and stderr in one.
func Logs(t testing.TB, container string) string {
	t.Helper()
	out, err := exec.Command("docker", "logs", container).CombinedOutput() //nolint:gosec,noctx // a container of ours; ends at once
	if err != nil {
		t.Fatalf("docker logs: %v: %s", err, out)
	}
	return string(out)
}

// Seen is what the backend received since the last Reset.
type Seen struct {
	Connections int // opened
	Open        int // open now
	Total       int // requests, counted even when they are not kept
	Requests    []Request
}

// Request is one request as the backend read it.
type Request struct {
	Conn int
	Head string
	Body int
}

// Line is the request line.
func (r Request) Line() string {
	line, _, _ := strings.Cut(r.Head, "\n")
	return strings.TrimRight(line, "\r")
}

// Header is the value of a header, and how often it is there.
func (r Request) Header(name string) (value string, times int) {
	for _, line := range strings.Split(r.Head, "\n")[1:] {
		if n, v, ok := strings.Cut(strings.TrimRight(line, "\r"), ":"); ok && strings.EqualFold(n, name) {
			value = strings.TrimSpace(v)
			times++
		}
	}
	return value, times
}

// Seen asks the backend what it received.
func (task *Task) Seen(t testing.TB) Seen {
	t.Helper()
	resp, err := task.client.Get(task.control + "/requests") //nolint:noctx // the client has a time-out
	if err != nil {
		t.Fatalf("recording backend: %v", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var seen Seen
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
		t.Fatalf("recording backend: %v", err)
	}
	return seen
}

// Reset makes the backend forget; keep=false counts only, for floods.
func (task *Task) Reset(t testing.TB, keep bool) {
	t.Helper()
	path := "/reset"
	if !keep {
		path += "?keep=0"
	}
	task.tell(t, path)
}

// Up starts the application.
func (task *Task) Up(t testing.TB) { t.Helper(); task.tell(t, "/up") }

// Down kills the application: nothing listens, and every connection is cut.
func (task *Task) Down(t testing.TB) { t.Helper(); task.tell(t, "/down") }

// Deaf lets the application accept no new connection; those that are open stay.
func (task *Task) Deaf(t testing.TB) { t.Helper(); task.tell(t, "/deaf") }

func (task *Task) tell(t testing.TB, path string) {
	t.Helper()
	resp, err := task.client.Post(task.control+path, "", nil) //nolint:noctx // the client has a time-out
	if err != nil {
		t.Fatalf("recording backend: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("recording backend: %s: got %s", path, resp.Status)
	}
}

// Dial opens a raw connection to nginx that cannot outlast the given time.
func (task *Task) Dial(t testing.TB, limit time.Duration) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", task.Addr, 5*time.Second) //nolint:noctx // bounded by its time-out
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	if task.TLS {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a load balancer does not ask who signed
	}
	return c
}

// Control is the base address of the backend's own interface.
func (task *Task) Control() string { return task.control }
