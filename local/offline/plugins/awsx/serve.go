// Package awsx stands in for the awsx plugin's one component that the program uses, awsx:ec2:Vpc
// (https://www.pulumi.com/registry/packages/awsx/api-docs/ec2/vpc/). It declares the same resources with the same names
// and parents, so that a stack made with it and one made with the official plugin have the same resources. Inputs it
// does not know it refuses by name.
package awsx

import (
	"context"
	"fmt"

	rprovider "github.com/pulumi/pulumi/pkg/v3/resource/provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	// Version is the release of the official plugin whose component this is.
	Version = "2.22.0"

	name  = "awsx"
	token = "awsx:ec2:Vpc" //nolint:gosec // a type, not a credential
)

// Serve answers the engine until it disconnects.
func Serve(ctx context.Context) error {
	return rprovider.MainContext(ctx, name,
		func(host *rprovider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			return &server{host: host}, nil
		})
}

type server struct {
	pulumirpc.UnimplementedResourceProviderServer

	host *rprovider.HostClient
}

// GetPluginInfo states the version; without one the engine refuses the plugin.
func (*server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetSchema names the package only: the SDK is compiled into the program.
func (*server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":%q,"version":%q}`, name, Version)}, nil
}

// CheckConfig takes no configuration but the version the SDK sends.
func (*server) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig finds no difference: there is no configuration.
func (*server) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure tells the engine to keep secrets, resources and outputs as such.
func (*server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, AcceptResources: true, AcceptOutputs: true,
	}, nil
}

// Construct declares a VPC with everything below it.
func (s *server) Construct(
	ctx context.Context, req *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	if req.GetType() != token {
		return nil, fmt.Errorf("component %s: not supported by this stand-in; allowed: %s", req.GetType(), token)
	}
	inputs, err := plugin.UnmarshalProperties(req.GetInputs(), plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, KeepOutputValues: true, KeepResources: true, SkipNulls: true,
	})
	if err != nil {
		return nil, err
	}
	n, err := parse(inputs)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", token, req.GetName(), err)
	}
	return provider.Construct(ctx, req, s.host.EngineConn(), func(
		ctx *pulumi.Context, _, name string, _ provider.ConstructInputs, options pulumi.ResourceOption,
	) (*provider.ConstructResult, error) {
		vpc, err := newVpc(ctx, name, n, options)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", token, name, err)
		}
		return provider.NewConstructResult(vpc)
	})
}
