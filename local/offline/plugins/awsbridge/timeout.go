package awsbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// server adds to the bridge what the official plugin does and a bridge to a separate provider does not: it passes on
// the timeouts a program sets and the engine's wish to stop.
type server struct {
	pulumirpc.ResourceProviderServer

	terraform tfprotov6.ProviderServer
}

// Create passes on the timeout.
func (s server) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	return s.ResourceProviderServer.Create(withLimit(ctx, "create", req.GetTimeout()), req)
}

// Update passes on the timeout.
func (s server) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return s.ResourceProviderServer.Update(withLimit(ctx, "update", req.GetTimeout()), req)
}

// Cancel asks the Terraform provider to give up what it waits for.
func (s server) Cancel(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	response, err := s.terraform.StopProvider(ctx, &tfprotov6.StopProviderRequest{})
	if err == nil && response.Error != "" {
		err = fmt.Errorf("stop: %s", response.Error)
	}
	return &emptypb.Empty{}, err
}

// A limit is how long one operation may take.
type limit struct {
	operation string // create or update
	duration  time.Duration
}

type limitKey struct{}

func withLimit(ctx context.Context, operation string, seconds float64) context.Context {
	if seconds <= 0 {
		return ctx
	}
	return context.WithValue(ctx, limitKey{}, limit{operation, time.Duration(seconds * float64(time.Second))})
}

// timeLimited is a Terraform provider that takes its operations' limits from the context.
type timeLimited struct{ run.Provider }

// ApplyResourceChange creates, updates or deletes a resource.
func (p timeLimited) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	if l, ok := ctx.Value(limitKey{}).(limit); ok {
		limited := *req
		limited.PlannedPrivate = l.in(req.PlannedPrivate)
		req = &limited
	}
	return p.Provider.ApplyResourceChange(ctx, req)
}

// timeoutsKey is where a resource made with Terraform's SDK keeps its timeouts, in nanoseconds by operation
// (https://pkg.go.dev/github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema#TimeoutKey). It is there after planning
// exactly for the resources that have timeouts.
const timeoutsKey = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"

// in sets the limit in a plan's private data, if the resource has timeouts at all. Written there, and not as the
// resource's property timeouts, it leaves no trace in the state that a later plan would want to take back.
func (l limit) in(private []byte) []byte {
	var data map[string]json.RawMessage
	if json.Unmarshal(private, &data) != nil {
		return private // not of Terraform's SDK
	}
	var timeouts map[string]json.RawMessage
	if json.Unmarshal(data[timeoutsKey], &timeouts) != nil || timeouts == nil {
		return private
	}
	timeouts[l.operation] = fmt.Append(nil, l.duration.Nanoseconds())
	// Neither can fail: all of it has just been read.
	data[timeoutsKey], _ = json.Marshal(timeouts)
	limited, _ := json.Marshal(data)
	return limited
}
