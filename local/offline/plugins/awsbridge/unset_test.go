package awsbridge

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
)

// recorded is a Terraform provider with one data source, which keeps what it was asked.
type recorded struct {
	run.Provider
	asked *tfprotov6.DynamicValue
}

// lookup is the data source's schema: a name to ask for, something computed, and something that may be either.
var lookup = &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{Attributes: []*tfprotov6.SchemaAttribute{
	{Name: "name", Type: tftypes.String, Optional: true},
	{Name: "logs", Type: tftypes.List{ElementType: tftypes.String}, Computed: true},
	{Name: "tags", Type: tftypes.List{ElementType: tftypes.String}, Computed: true, Optional: true},
}}}

func (r *recorded) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{DataSourceSchemas: map[string]*tfprotov6.Schema{"lookup": lookup}}, nil
}

func (r *recorded) ValidateDataResourceConfig(_ context.Context, req *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	r.asked = req.Config
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (r *recorded) ReadDataSource(_ context.Context, req *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	r.asked = req.Config
	return &tfprotov6.ReadDataSourceResponse{}, nil
}

func TestADataSourceIsAskedWithoutWhatItComputes(t *testing.T) {
	empty := tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, []tftypes.Value{})
	config, err := tfprotov6.NewDynamicValue(lookup.ValueType(), tftypes.NewValue(lookup.ValueType(), map[string]tftypes.Value{
		"name": tftypes.NewValue(tftypes.String, "web"), "logs": empty, "tags": empty,
	}))
	if err != nil {
		t.Fatal(err)
	}
	provider := &recorded{}
	asker := &unset{Provider: provider}
	for name, ask := range map[string]func() error{
		"validate": func() error {
			_, err := asker.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: "lookup", Config: &config})
			return err
		},
		"read": func() error {
			_, err := asker.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: "lookup", Config: &config})
			return err
		},
	} {
		if err := ask(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := provider.asked.Unmarshal(lookup.ValueType())
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]tftypes.Value{}
		if err := got.As(&values); err != nil {
			t.Fatal(err)
		}
		if !values["logs"].IsNull() || values["tags"].IsNull() || values["name"].IsNull() {
			t.Errorf("%s: asked with %s, want only logs to be null", name, got)
		}
	}
}
