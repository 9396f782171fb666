// Package docker stands in for the docker plugin's one resource that the program uses, docker:index/image:Image of
// version 4 (https://www.pulumi.com/registry/packages/docker/api-docs/image/): it builds an image with the docker
// command and pushes it. Inputs it does not know it refuses by name.
package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/resource/provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// Version is the release of the official plugin whose resource this is.
	Version = "4.11.2"

	name       = "docker"
	imageToken = "docker:index/image:Image" //nolint:gosec // a type, not a credential

	// buildTimeout ends a build and push that the program gives no timeout of its own.
	buildTimeout = 30 * time.Minute
	// untagTimeout ends the removal of a local tag, which no one waits for.
	untagTimeout = 30 * time.Second
)

// Serve answers the engine until it disconnects.
func Serve(ctx context.Context) error {
	return provider.MainContext(ctx, name,
		func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			return newServer(host), nil
		})
}

type server struct {
	pulumirpc.UnimplementedResourceProviderServer

	host    *provider.HostClient // nil in tests
	running context.Context      // ends when the engine cancels
	cancel  context.CancelFunc
}

func newServer(host *provider.HostClient) *server {
	running, cancel := context.WithCancel(context.Background())
	return &server{host: host, running: running, cancel: cancel}
}

// GetPluginInfo states the version; without one the engine refuses the plugin.
func (*server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetSchema names the package only: the SDK is compiled into the program.
func (*server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":%q,"version":%q}`, name, Version)}, nil
}

// CheckConfig refuses configuration of the provider: registries are given with each image, and the engine is the
// docker command's.
func (*server) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	response := &pulumirpc.CheckResponse{Inputs: req.GetNews()}
	for key := range req.GetNews().GetFields() {
		if key != "version" {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
				Property: key, Reason: "not supported by this stand-in; allowed: no provider configuration",
			})
		}
	}
	return response, nil
}

// DiffConfig finds no difference: there is no configuration.
func (*server) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure tells the engine to keep secrets and unknown values as such.
func (*server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

// Check validates the inputs and adds the digest of the build context.
func (*server) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if token := string(resource.URN(req.GetUrn()).Type()); token != imageToken {
		return nil, fmt.Errorf("resource %s: not supported by this stand-in; allowed: %s", token, imageToken)
	}
	inputs, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	s, problems := parse(inputs)
	response := &pulumirpc.CheckResponse{}
	for _, p := range problems {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: p.property, Reason: p.reason})
	}
	if len(problems) > 0 {
		return response, nil
	}
	build := resource.PropertyMap{}
	if given := plain(inputs["build"]); given.IsObject() {
		build = given.ObjectValue().Copy()
	}
	if plain(inputs["build"]).IsComputed() || absentButGiven(build["context"]) || absentButGiven(build["dockerfile"]) {
		response.Inputs, err = marshal(inputs) // nothing to sum up yet
		return response, err
	}
	sum, err := digest(s.context, s.dockerfile)
	if err != nil {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: "build", Reason: err.Error()})
		return response, nil
	}
	build[contextDigest] = resource.NewStringProperty(sum)
	build["platform"] = resource.NewStringProperty(s.platform)
	secret := inputs["build"].IsSecret()
	inputs["build"] = resource.NewObjectProperty(build)
	if secret {
		inputs["build"] = resource.MakeSecret(inputs["build"])
	}
	response.Inputs, err = marshal(inputs)
	return response, err
}

// absentButGiven says that a value is given and not known yet.
func absentButGiven(v resource.PropertyValue) bool { return absent(v) && !v.IsNull() }

// Diff compares the inputs, the registry's user and password left out: they change with every run.
func (*server) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := unmarshal(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	difference := comparable(olds).Diff(comparable(news))
	if difference == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true}, nil
	}
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_SOME, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	for _, key := range difference.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	for path, d := range plugin.NewDetailedDiffFromObjectDiff(difference, true) {
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{
			Kind: pulumirpc.PropertyDiff_Kind(d.Kind), InputDiff: true, //nolint:gosec // the enums are the same
		}
	}
	return response, nil
}

// comparable drops what must not cause an update, and marks of secrecy.
func comparable(inputs resource.PropertyMap) resource.PropertyMap {
	inputs = inputs.Copy()
	if registry := plain(inputs["registry"]); registry.IsObject() {
		left := registry.ObjectValue().Copy()
		delete(left, "username")
		delete(left, "password")
		inputs["registry"] = resource.NewObjectProperty(left)
	}
	return bare(resource.NewObjectProperty(inputs)).ObjectValue()
}

// bare strips marks of secrecy and dependency at every depth.
func bare(v resource.PropertyValue) resource.PropertyValue {
	v = plain(v)
	switch {
	case v.IsObject():
		object := resource.PropertyMap{}
		for key, value := range v.ObjectValue() {
			object[key] = bare(value)
		}
		return resource.NewObjectProperty(object)
	case v.IsArray():
		var array []resource.PropertyValue
		for _, value := range v.ArrayValue() {
			array = append(array, bare(value))
		}
		return resource.NewArrayProperty(array)
	}
	return v
}

// Create builds and pushes; in a preview it promises a digest.
func (s *server) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs, id, err := s.apply(ctx, req.GetUrn(), inputs, req.GetPreview(), req.GetTimeout())
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: id, Properties: outputs}, nil
}

// Update does as Create: an image is rebuilt and pushed in place.
func (s *server) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	inputs, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	outputs, _, err := s.apply(ctx, req.GetUrn(), inputs, req.GetPreview(), req.GetTimeout())
	if err != nil {
		return nil, err
	}
	return &pulumirpc.UpdateResponse{Properties: outputs}, nil
}

// apply returns the outputs and the ID, which like the official plugin's is the image's name.
func (s *server) apply(
	ctx context.Context, urn string, inputs resource.PropertyMap, preview bool, timeout float64,
) (*structpb.Struct, string, error) {
	image, problems := parse(inputs)
	if len(problems) > 0 {
		return nil, "", fmt.Errorf("%s: %s", problems[0].property, problems[0].reason)
	}
	if preview {
		outputs, err := marshal(outputs(image, inputs, resource.MakeComputed(resource.NewStringProperty(""))))
		return outputs, "", err
	}
	limit := buildTimeout
	if timeout > 0 {
		limit = time.Duration(timeout * float64(time.Second))
	}
	ctx, stop := s.until(ctx, limit)
	defer stop()
	reference, err := s.publish(ctx, resource.URN(urn), image)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (limit %s)\n%w", context.Cause(ctx), limit, err)
		}
		return nil, "", fmt.Errorf("image %s: %w", image.name, err)
	}
	state, err := marshal(outputs(image, inputs, resource.NewStringProperty(reference)))
	return state, image.name, err
}

// publish builds the image and returns its reference: the registry's digest, or for an image that is not pushed its ID.
func (s *server) publish(ctx context.Context, urn resource.URN, image spec) (string, error) {
	e := engine{log: func(line string) { s.status(ctx, urn, line) }}
	if err := e.build(ctx, image); err != nil {
		return "", err
	}
	if image.skipPush {
		return e.id(ctx, image.name)
	}
	return e.push(ctx, image)
}

// outputs are the resource's properties. A name that is unknown stays so.
func outputs(image spec, inputs resource.PropertyMap, digest resource.PropertyValue) resource.PropertyMap {
	server := resource.NewStringProperty(image.server)
	if registry := plain(inputs["registry"]); registry.IsComputed() || registry.IsOutput() {
		server = registry
	} else if registry.IsObject() && absentButGiven(plain(registry.ObjectValue()["server"])) {
		server = plain(registry.ObjectValue()["server"])
	}
	return resource.PropertyMap{
		"baseImageName":  plain(inputs["imageName"]),
		"context":        resource.NewStringProperty(image.context),
		"dockerfile":     resource.NewStringProperty(image.dockerfile),
		"imageName":      plain(inputs["imageName"]),
		"platform":       resource.NewStringProperty(image.platform),
		"registryServer": server,
		"repoDigest":     digest,
	}
}

// Read returns what it is given, like the official plugin: it compares nothing with the registry.
func (*server) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: req.GetId(), Inputs: req.GetInputs(), Properties: req.GetProperties()}, nil
}

// Delete leaves the registry alone, like the official plugin, and takes the image's names off this machine: its tag and
// the reference by digest that a push leaves behind. That a name is in use or gone is no failure.
func (s *server) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	properties, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	ctx, stop := s.until(ctx, untagTimeout)
	defer stop()
	for _, key := range []resource.PropertyKey{"imageName", "repoDigest"} {
		// The digest of an image that was not pushed is its ID: to remove that would remove every name it has.
		image := plain(properties[key])
		if image.IsString() && !strings.HasPrefix(image.StringValue(), "sha256:") {
			_ = engine{}.untag(ctx, image.StringValue())
		}
	}
	return &emptypb.Empty{}, nil
}

// Cancel stops every build and push under way.
func (s *server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.cancel()
	return &emptypb.Empty{}, nil
}

// until returns a context that ends with ctx, after the limit, or when the engine cancels.
func (s *server) until(ctx context.Context, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	stop := context.AfterFunc(s.running, cancel)
	return ctx, func() { stop(); cancel() }
}

// status shows a line beside the resource while it is worked on. A line that cannot be shown is no reason to fail.
func (s *server) status(ctx context.Context, urn resource.URN, line string) {
	if s.host != nil {
		_ = s.host.LogStatus(ctx, diag.Info, urn, line)
	}
}

func unmarshal(m *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(m, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, SkipNulls: true, RejectAssets: true,
	})
}

func marshal(m resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(m, plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, SkipNulls: true, RejectAssets: true,
	})
}
