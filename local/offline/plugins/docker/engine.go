package docker

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// NetworkVariable set to "host" gives RUN instructions this machine's network. Anything else leaves Docker's own.
	NetworkVariable = "FARGATE_LOCAL_BUILD_NETWORK"

	tailLines = 20               // of a failed command's output that its error carries
	stopGrace = 10 * time.Second // between interrupting and killing a command
)

// errNoBuildKit says that a docker command cannot build with BuildKit.
var errNoBuildKit = errors.New("BuildKit: refused by this docker command")

// engine runs the docker command line, which knows the user's context, credentials and plugins.
type engine struct {
	log func(line string) // shown while a build or push is under way
}

// build builds the image and tags it with its name.
func (e engine) build(ctx context.Context, s spec) error {
	commands, err := dockerCommands()
	if err != nil {
		return err
	}
	s.args = e.withStandIns(ctx, s.args)
	if s.builder != builderClassic {
		for _, command := range commands {
			if err = e.buildWith(ctx, command, true, s); !errors.Is(err, errNoBuildKit) {
				return err
			}
		}
		e.log("no docker command here can use BuildKit: building with the classic builder")
	}
	return e.buildWith(ctx, commands[0], false, s)
}

func (e engine) buildWith(ctx context.Context, command string, kit bool, s spec) error {
	cmd := exec.CommandContext(ctx, command, buildArguments(kit, s)...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if kit {
		cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain")
	}
	output, err := e.run(cmd)
	if err != nil && kit && strings.Contains(output.text(), "buildx component is missing or broken") {
		return errNoBuildKit
	}
	return output.explain("docker build", err)
}

// standInLabel marks the base images that local/offline/baseimage makes on machines that reach no registry.
const standInLabel = "fargate-nginx-sidecar.stand-in"

// pinned matches an image that is named by tag and digest.
var pinned = regexp.MustCompile(`^(\S+:[A-Za-z0-9_.-]+)@sha256:[0-9a-f]{64}$`)

// withStandIns leaves out the digest of an image whose tag is a stand-in here: a stand-in has the tag of the official
// image, and cannot have its digest.
func (e engine) withStandIns(ctx context.Context, args map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range args {
		all[name] = value
		match := pinned.FindStringSubmatch(value)
		if match == nil {
			continue
		}
		format := fmt.Sprintf(`{{index .Config.Labels %q}}`, standInLabel)
		label, err := exec.CommandContext(ctx, "docker", "image", "inspect", "--format", format, match[1]).Output()
		if err == nil && strings.TrimSpace(string(label)) != "" {
			e.log(match[1] + " is a stand-in here: building without the official image's digest")
			all[name] = match[1]
		}
	}
	return all
}

func buildArguments(kit bool, s spec) []string {
	arguments := []string{"build", "--file", s.dockerfile, "--platform", s.platform, "--tag", s.name}
	if kit {
		arguments = append(arguments, "--progress", "plain")
	}
	if s.target != "" {
		arguments = append(arguments, "--target", s.target)
	}
	if os.Getenv(NetworkVariable) == "host" {
		arguments = append(arguments, "--network", "host")
	}
	names := make([]string, 0, len(s.args))
	for name := range s.args {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		arguments = append(arguments, "--build-arg", name+"="+s.args[name])
	}
	return append(arguments, s.context)
}

// dockerCommands lists the docker executables on PATH, each once. A machine may have two, and only one that builds with
// BuildKit: a command line without its buildx plugin does not.
func dockerCommands() ([]string, error) {
	var found, targets []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, "docker"))
		if err != nil || !filepath.IsAbs(path) {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		if err == nil && !slices.Contains(targets, target) {
			found, targets = append(found, path), append(targets, target)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("docker: no such command on PATH")
	}
	return found, nil
}

// pushed matches the line in which docker push states what the registry has stored under the tag.
var pushed = regexp.MustCompile(`\bdigest: (sha256:[0-9a-f]{64})\b`)

// push pushes the image and returns repository@sha256:….
func (e engine) push(ctx context.Context, s spec) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", "push", s.name)
	cmd.Env = os.Environ()
	if s.username != "" {
		dir, err := credentials(s)
		if err != nil {
			return "", fmt.Errorf("registry credentials: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
		// Another configuration means another current context: keep the engine the build went to.
		if os.Getenv("DOCKER_HOST") == "" {
			if host := e.host(ctx); host != "" {
				cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
			}
		}
		cmd.Env = append(cmd.Env, "DOCKER_CONFIG="+dir)
	}
	output, err := e.run(cmd)
	if err != nil {
		return "", output.explain("docker push", err)
	}
	match := pushed.FindStringSubmatch(output.text())
	if match == nil {
		return "", output.explain("docker push", errors.New("no digest in its output"))
	}
	return s.repository() + "@" + match[1], nil
}

// credentials writes a configuration that holds the registry's user and password, for one push.
func credentials(s spec) (string, error) {
	dir, err := os.MkdirTemp("", "fargate-docker-config-")
	if err != nil {
		return "", err
	}
	login := base64.StdEncoding.EncodeToString([]byte(s.username + ":" + s.password))
	auths := map[string]any{}
	for _, registry := range []string{s.registry(), s.server} {
		if registry != "" {
			auths[registry] = map[string]string{"auth": login}
		}
	}
	content, err := json.Marshal(map[string]any{"auths": auths})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// registry is the host the image's name points at.
func (s spec) registry() string {
	host, _, _ := strings.Cut(s.name, "/")
	return host
}

// host is the engine of the current context, empty if the command line is too old to tell.
func (e engine) host(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// id returns the image's ID, sha256:….
func (e engine) id(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", "image", "inspect", "--format", "{{.Id}}", name)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker image inspect: %w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// untag removes the image's name from this machine.
func (e engine) untag(ctx context.Context, name string) error {
	return exec.CommandContext(ctx, "docker", "image", "rm", name).Run()
}

// run executes the command, shows its output line by line and keeps the last of it. An interrupted command may stop by
// itself.
func (e engine) run(cmd *exec.Cmd) (*tail, error) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	output, done := &tail{}, make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(reader)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				output.add(line)
				if worthShowing(line) {
					e.log(line)
				}
			}
		}
		_, _ = io.Copy(io.Discard, reader) // after a line over the limit: never block the command
	}()
	err := cmd.Run()
	_ = writer.Close() // cannot fail
	<-done
	return output, err
}

// tail holds the last lines of a command's output.
type tail struct{ lines []string }

func (t *tail) add(line string) {
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
}

func (t *tail) text() string { return strings.Join(t.lines, "\n") }

// explain adds the last lines to an error: they say what the command stumbled over.
func (t *tail) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w; its last lines:\n%s", what, err, t.text())
}
