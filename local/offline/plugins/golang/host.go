package golang

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
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

// InstallDependencies downloads the modules that the program needs, after `pulumi new` and in `pulumi install`.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	ctx, stop := h.until(stream.Context())
	defer stop()
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", ".")
	var problems bytes.Buffer
	cmd.Dir, cmd.Stderr = req.GetInfo().GetProgramDirectory(), &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go list -deps in %s: %w\n%s", cmd.Dir, err, strings.TrimSpace(problems.String()))
	}
	return nil
}

// Cancel stops a program or a build under way.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}
