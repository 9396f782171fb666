// Package awsbridge stands in for the aws plugin. It does what the official plugin does, with the same library:
// Pulumi's bridge (https://github.com/pulumi/pulumi-terraform-bridge) around the Terraform AWS provider
// (https://registry.terraform.io/providers/hashicorp/aws/5.100.0). The official plugin has that provider compiled in;
// here it is an executable found in one of the directories Terraform keeps its providers in.
//
// A property that the bridge names otherwise than the SDK would vanish without an error: the tests compare every
// resource and function of the table with the SDK's types.
package awsbridge

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/proto"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	"github.com/pulumi/pulumi/pkg/v3/resource/provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/contract"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	// Version is the release of the official plugin whose SDK the programs are compiled with.
	Version = "6.83.0"
	// ProviderVersion is the Terraform provider that release wraps
	// (https://github.com/pulumi/pulumi-aws/releases/tag/v6.83.0).
	ProviderVersion = "5.100.0"

	name = "aws"
)

// Serve finds and starts the Terraform provider and answers the engine until it disconnects or ctx ends.
func Serve(ctx context.Context) error {
	path, err := find()
	if err != nil {
		return err
	}
	terraform, err := run.LocalProvider(ctx, path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer contract.IgnoreClose(terraform)
	// A call that is under way would keep the server, and so the provider, alive for as long as AWS takes.
	defer context.AfterFunc(ctx, func() { contract.IgnoreClose(terraform) })()
	prov, err := describe(ctx, timeLimited{&unset{Provider: terraform}})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	schema, err := json.Marshal(map[string]string{"name": name, "version": Version})
	if err != nil {
		return err
	}
	return provider.MainContext(ctx, name,
		func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			bridge, err := pfbridge.NewProviderServer(ctx, host, prov, pfbridge.ProviderMetadata{PackageSchema: schema})
			return server{bridge, terraform}, err
		})
}

// describe maps the Terraform provider's names to Pulumi's.
func describe(ctx context.Context, terraform run.Provider) (info.Provider, error) {
	prov := info.Provider{
		P:              proto.New(ctx, terraform),
		Name:           name,
		ResourcePrefix: name,
		Version:        Version,
		MetadataInfo:   &info.Metadata{Path: "", Data: tfbridge.ProviderMetadata(nil)},
		Config:         configuration(),
		Resources:      map[string]*info.Resource{},
		DataSources:    map[string]*info.DataSource{},
	}
	overrides := resourceOverrides()
	for kind, token := range resources {
		if _, ok := prov.P.ResourcesMap().GetOk(kind); !ok {
			return info.Provider{}, fmt.Errorf("resource %s: none; expected provider %s", kind, ProviderVersion)
		}
		r := overrides[kind]
		if r == nil {
			r = &info.Resource{}
		}
		r.Tok = tokens.Type(token)
		prov.Resources[kind] = r
	}
	dataOverrides := functionOverrides()
	for kind, token := range functions {
		if _, ok := prov.P.DataSourcesMap().GetOk(kind); !ok {
			return info.Provider{}, fmt.Errorf("data source %s: none; expected provider %s", kind, ProviderVersion)
		}
		d := dataOverrides[kind]
		if d == nil {
			d = &info.DataSource{}
		}
		d.Tok = tokens.ModuleMember(token)
		prov.DataSources[kind] = d
	}
	prov.SetAutonaming(255, "-")
	return prov, nil
}
