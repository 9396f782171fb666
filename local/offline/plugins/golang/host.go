package golang

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/mod/modfile"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Version is the release of the SDK and CLI whose protocol this host speaks.
const Version = "3.230.0"

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine string // the engine's gRPC address, handed to the program

	running  context.Context // ends when the engine cancels
	cancel   context.CancelFunc
	programs string // where built programs are kept
}

func newHost(engine string) *host {
	running, cancel := context.WithCancel(context.Background())
	return &host{engine: engine, running: running, cancel: cancel, programs: programDir()}
}

// Handshake takes the engine's address from an engine that attaches to a host it did not start.
func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

// GetPluginInfo names the protocol's release. Without a version the engine refuses the plugin.
func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetRequiredPackages answers none: the plugins lie on PATH, and naming them here would have the engine try to download
// them before it looks there. It still loads each one when the program first uses it.
func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

// Run builds the program unless runtime.options.binary names a built one, executes it and waits for its end.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if h.engine == "" {
		return nil, errors.New("engine address: none; it comes with the command line or with Handshake")
	}
	options, err := parseOptions(req.GetInfo().GetOptions())
	if err != nil {
		return nil, err
	}
	env, err := environment(req, h.engine)
	if err != nil {
		return nil, err
	}
	ctx, stop := h.until(ctx)
	defer stop()
	program, err := h.program(ctx, req.GetInfo().GetProgramDirectory(), options)
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	return execute(ctx, program, req.GetPwd(), env), nil
}

// until returns a context that ends with ctx or when the engine cancels, whichever comes first.
func (h *host) until(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.running, cancel)
	return ctx, func() { stop(); cancel() }
}

// Cancel stops a program or a build under way.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

// InstallDependencies downloads what the program's go.mod requires. It never edits go.mod, unlike the official host,
// which tidies it.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	streams, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, req.GetIsTerminal())
	if err != nil {
		return err
	}
	defer func() { _ = streams.Close() }() // does nothing after the Close below
	cmd := exec.CommandContext(server.Context(), "go", "mod", "download")
	cmd.Dir, cmd.Stdout, cmd.Stderr = req.GetInfo().GetProgramDirectory(), stdout, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go mod download in %s: %w", cmd.Dir, err)
	}
	return streams.Close()
}

// RuntimeOptionsPrompts asks nothing of a new project.
func (h *host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

// Template leaves a new project as its template has it.
func (h *host) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

// About says which go command builds programs.
func (h *host) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("go command: %w", err)
	}
	version, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s version: %w", path, err)
	}
	return &pulumirpc.AboutResponse{
		Executable: path,
		Version:    strings.TrimSpace(string(version)),
		Metadata:   map[string]string{"host": "stand-in of fargate-nginx-sidecar"},
	}, nil
}

// GetProgramDependencies lists the modules the program's go.mod requires.
func (h *host) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	file, err := goMod(ctx, req.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	local := map[string]bool{} // a module replaced by a directory has no version
	for _, r := range file.Replace {
		local[r.Old.Path] = r.New.Version == ""
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, r := range file.Require {
		if r.Indirect && !req.GetTransitiveDependencies() {
			continue
		}
		dependency := &pulumirpc.DependencyInfo{Name: r.Mod.Path, Version: r.Mod.Version}
		if local[r.Mod.Path] {
			dependency.Version = ""
		}
		response.Dependencies = append(response.Dependencies, dependency)
	}
	return response, nil
}

// goMod parses the go.mod of the module that dir belongs to, which may lie in a directory above.
func goMod(ctx context.Context, dir string) (*modfile.File, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOMOD")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMOD in %s: %w", dir, err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return nil, fmt.Errorf("go.mod: none in %s or above", dir)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(filepath.Base(path), content, nil)
}
