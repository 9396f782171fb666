package awsbridge

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
)

// unset is a Terraform provider whose data sources are asked without a value for what they compute. The bridge gives a
// block that is a single object for the program, and that the program left out, as an empty list; the provider takes
// nothing there but null. (The official plugin bridges the provider in another way, which leaves it out.)
type unset struct {
	run.Provider

	once    sync.Once // the answer is large
	schemas *tfprotov6.GetProviderSchemaResponse
	failed  error
}

// ValidateDataResourceConfig passes the configuration on without what is computed.
func (u *unset) ValidateDataResourceConfig(ctx context.Context, req *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	config, err := u.withoutComputed(ctx, req.TypeName, req.Config)
	if err != nil {
		return nil, err
	}
	asked := *req
	asked.Config = config
	return u.Provider.ValidateDataResourceConfig(ctx, &asked)
}

// ReadDataSource does the same.
func (u *unset) ReadDataSource(ctx context.Context, req *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	config, err := u.withoutComputed(ctx, req.TypeName, req.Config)
	if err != nil {
		return nil, err
	}
	asked := *req
	asked.Config = config
	return u.Provider.ReadDataSource(ctx, &asked)
}

func (u *unset) withoutComputed(ctx context.Context, kind string, config *tfprotov6.DynamicValue) (*tfprotov6.DynamicValue, error) {
	u.once.Do(func() { u.schemas, u.failed = u.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}) })
	if u.failed != nil {
		return nil, fmt.Errorf("data source %s: %w", kind, u.failed)
	}
	schema, known := u.schemas.DataSourceSchemas[kind]
	if !known {
		return config, nil // the provider says what is wrong
	}
	values, err := config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, fmt.Errorf("data source %s: %w", kind, err)
	}
	object := map[string]tftypes.Value{}
	if err := values.As(&object); err != nil {
		return nil, fmt.Errorf("data source %s: %w", kind, err)
	}
	for _, attribute := range schema.Block.Attributes {
		if attribute.Computed && !attribute.Optional {
			object[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
		}
	}
	changed, err := tfprotov6.NewDynamicValue(schema.ValueType(), tftypes.NewValue(schema.ValueType(), object))
	if err != nil {
		return nil, fmt.Errorf("data source %s: %w", kind, err)
	}
	return &changed, nil
}
