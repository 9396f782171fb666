package golang

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// ProgramDirVariable names the directory that built programs are kept in. Default: programs below
// fargate-nginx-sidecar in the user's cache directory.
const ProgramDirVariable = "FARGATE_LOCAL_PROGRAM_DIR"

// stopGrace is how long an interrupted program has before it is killed.
const stopGrace = 10 * time.Second

// options are the runtime.options of Pulumi.yaml this host knows, with the official host's meaning.
type options struct {
	binary      string // an executable to run instead of building one: a path, or a name on PATH
	buildTarget string // where to put the built program
}

func parseOptions(given *structpb.Struct) (options, error) {
	var o options
	for name, value := range given.AsMap() {
		text, ok := value.(string)
		if !ok {
			return options{}, fmt.Errorf("runtime option %s: got %v; allowed: a string", name, value)
		}
		switch name {
		case "binary":
			o.binary = text
		case "buildTarget":
			o.buildTarget = text
		default:
			return options{}, fmt.Errorf("runtime option %s: unknown; allowed: binary, buildTarget", name)
		}
	}
	if o.binary != "" && o.buildTarget != "" {
		return options{}, errors.New("runtime options binary and buildTarget: only one of them is allowed")
	}
	return o, nil
}

// programDir is where built programs are kept when no build target is given. The go command skips the link step, most
// of the time of a build that changes nothing, if the file it would write is there and up to date.
func programDir() string {
	if dir := os.Getenv(ProgramDirVariable); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "fargate-nginx-sidecar", "programs")
}

// program returns the path of the executable to run.
func (h *host) program(ctx context.Context, dir string, o options) (string, error) {
	if o.binary != "" {
		path, err := exec.LookPath(o.binary)
		if err != nil {
			return "", fmt.Errorf("runtime option binary: %w", err)
		}
		return filepath.Abs(path)
	}
	target := o.buildTarget
	if target == "" {
		sum := sha256.Sum256([]byte(dir))
		target = filepath.Join(h.programs, filepath.Base(dir)+"-"+hex.EncodeToString(sum[:6]))
	}
	return target, build(ctx, dir, target)
}

// build runs go build in dir, without symbols for a debugger, which take half of the linker's time. The compiler's messages become
// the error: they are what the user has to read.
func build(ctx context.Context, dir, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", target, ".")
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", dir, err, strings.TrimSpace(output.String()))
	}
	// A package that is not a command builds into an archive without a word.
	if stat, err := os.Stat(target); err != nil || stat.Mode()&0o111 == 0 {
		return fmt.Errorf("go build in %s: no executable; allowed: a package main", dir)
	}
	return nil
}

// environment is what pulumi.Run reads, after the host's own environment
// (https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/pulumi#pkg-constants).
func environment(req *pulumirpc.RunRequest, engine string) ([]string, error) {
	config, err := json.Marshal(req.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	secrets := req.GetConfigSecretKeys()
	if secrets == nil {
		secrets = []string{} // [], where a nil slice would be null
	}
	secretKeys, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("configuration's secret keys: %w", err)
	}
	env := os.Environ()
	for _, v := range [][2]string{
		{pulumi.EnvOrganization, req.GetOrganization()},
		{pulumi.EnvProject, req.GetProject()},
		{pulumi.EnvPulumiRootDirectory, req.GetInfo().GetRootDirectory()},
		{pulumi.EnvStack, req.GetStack()},
		{pulumi.EnvConfig, string(config)},
		{pulumi.EnvConfigSecretKeys, string(secretKeys)},
		{pulumi.EnvDryRun, strconv.FormatBool(req.GetDryRun())},
		{pulumi.EnvParallel, strconv.Itoa(int(req.GetParallel()))},
		{pulumi.EnvMonitor, req.GetMonitorAddress()},
		{pulumi.EnvEngine, engine},
	} {
		env = append(env, v[0]+"="+v[1])
	}
	return env, nil
}

// execute runs the program to its end. Its output goes where the host's goes, which the engine shows.
func execute(ctx context.Context, path, dir string, env []string) *pulumirpc.RunResponse {
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	return response(cmd.Run())
}

// response tells the engine how a program ended. With the reserved exit code the program has reported its error to the
// engine itself: the engine must stop without a second message.
func response(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case errors.As(err, &exit) && exit.ExitCode() == constant.ExitStatusLoggedError:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit) && exit.Exited():
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with code %d", exit.ExitCode())}
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program: %v", err)}
	}
}
