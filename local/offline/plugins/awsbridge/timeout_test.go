package awsbridge

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestALimitReplacesTheTimeoutOfItsOperationOnly(t *testing.T) {
	l := limit{"update", 5 * time.Minute}
	for _, c := range []struct{ given, want string }{
		{
			`{"` + timeoutsKey + `":{"create":1200000000000,"update":1200000000000},"schema_version":"1"}`,
			`{"` + timeoutsKey + `":{"create":1200000000000,"update":300000000000},"schema_version":"1"}`,
		},
		{`{"` + timeoutsKey + `":{}}`, `{"` + timeoutsKey + `":{"update":300000000000}}`},
		{`{"schema_version":"1"}`, `{"schema_version":"1"}`}, // a resource without timeouts
		{``, ``},
		{`not JSON`, `not JSON`},
	} {
		if got := string(l.in([]byte(c.given))); got != c.want {
			t.Errorf("%s: got %s; expected %s", c.given, got, c.want)
		}
	}
}

// fakeTerraform records the one call a test is about.
type fakeTerraform struct {
	run.Provider

	private string
	stopped bool
}

func (f *fakeTerraform) ApplyResourceChange(
	_ context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	f.private = string(req.PlannedPrivate)
	return &tfprotov6.ApplyResourceChangeResponse{}, nil
}

func (f *fakeTerraform) StopProvider(
	context.Context, *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	f.stopped = true
	return &tfprotov6.StopProviderResponse{}, nil
}

// fakeBridge does of a bridge what matters here: it applies a planned change in the context of the engine's call.
type fakeBridge struct {
	pulumirpc.UnimplementedResourceProviderServer

	terraform tfprotov6.ProviderServer
}

func (b fakeBridge) apply(ctx context.Context) error {
	_, err := b.terraform.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		PlannedPrivate: []byte(`{"` + timeoutsKey + `":{"create":1,"update":2}}`),
	})
	return err
}

func (b fakeBridge) Create(ctx context.Context, _ *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	return nil, b.apply(ctx)
}

func (b fakeBridge) Update(ctx context.Context, _ *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return nil, b.apply(ctx)
}

func TestTheProgramsTimeoutReachesTheTerraformProvider(t *testing.T) {
	terraform := &fakeTerraform{}
	s := server{fakeBridge{terraform: timeLimited{terraform}}, terraform}
	for want, call := range map[string]func() error{
		`{"` + timeoutsKey + `":{"create":90000000000,"update":2}}`: func() error {
			_, err := s.Create(t.Context(), &pulumirpc.CreateRequest{Timeout: 90})
			return err
		},
		`{"` + timeoutsKey + `":{"create":1,"update":500000000}}`: func() error {
			_, err := s.Update(t.Context(), &pulumirpc.UpdateRequest{Timeout: 0.5})
			return err
		},
		`{"` + timeoutsKey + `":{"create":1,"update":2}}`: func() error { // none is the provider's own
			_, err := s.Update(t.Context(), &pulumirpc.UpdateRequest{})
			return err
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if terraform.private != want {
			t.Errorf("got %s; expected %s", terraform.private, want)
		}
	}
}

func TestTheEnginesCancelStopsTheTerraformProvider(t *testing.T) {
	terraform := &fakeTerraform{}
	if _, err := (server{fakeBridge{}, terraform}).Cancel(t.Context(), &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if !terraform.stopped {
		t.Error("not stopped")
	}
}
