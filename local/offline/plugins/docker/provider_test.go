package docker

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

const urn = "urn:pulumi:dev::test::docker:index/image:Image::img"

func text(s string) resource.PropertyValue { return resource.NewStringProperty(s) }

func unknown() resource.PropertyValue { return resource.MakeComputed(text("")) }

func object(m resource.PropertyMap) resource.PropertyValue { return resource.NewObjectProperty(m) }

// image is what a program gives, for a context in root.
func image(root, name string) resource.PropertyMap {
	return resource.PropertyMap{
		"imageName": text(name),
		"build": object(resource.PropertyMap{
			"context": text(root), "dockerfile": text(filepath.Join(root, "Dockerfile")), "platform": text("linux/amd64"),
		}),
		"registry": object(resource.PropertyMap{
			"server": text("registry"), "username": text("AWS"), "password": resource.MakeSecret(text("p1")),
		}),
		"skipPush": resource.NewBoolProperty(false), "buildOnPreview": resource.NewBoolProperty(false),
	}
}

func wire(t *testing.T, m resource.PropertyMap) *structpb.Struct {
	t.Helper()
	s, err := marshal(m)
	must(t, err)
	return s
}

func read(t *testing.T, s *structpb.Struct) resource.PropertyMap {
	t.Helper()
	m, err := unmarshal(s)
	must(t, err)
	return m
}

func check(t *testing.T, inputs resource.PropertyMap) resource.PropertyMap {
	t.Helper()
	response, err := newServer(nil).Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: wire(t, inputs)})
	must(t, err)
	if len(response.GetFailures()) > 0 {
		t.Fatal(response.GetFailures())
	}
	return read(t, response.GetInputs())
}

func diff(t *testing.T, olds, news resource.PropertyMap) *pulumirpc.DiffResponse {
	t.Helper()
	response, err := newServer(nil).Diff(t.Context(), &pulumirpc.DiffRequest{
		Urn: urn, OldInputs: wire(t, olds), News: wire(t, news),
	})
	must(t, err)
	return response
}

func sources(t *testing.T) string {
	t.Helper()
	return tree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "1"})
}

func TestAnEditedContextIsAnUpdate(t *testing.T) {
	root := sources(t)
	before := check(t, image(root, "r:1"))
	if d := diff(t, before, check(t, image(root, "r:1"))); d.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("unedited: got %v", d)
	}
	must(t, os.WriteFile(filepath.Join(root, "f"), []byte("2"), 0o644))
	d := diff(t, before, check(t, image(root, "r:1")))
	if d.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME || len(d.GetReplaces()) > 0 ||
		d.GetDetailedDiff()["build.contextDigest"].GetKind() != pulumirpc.PropertyDiff_UPDATE {
		t.Errorf("edited: got %v", d)
	}
}

func TestANewPasswordIsNoChange(t *testing.T) {
	root := sources(t)
	before, after := check(t, image(root, "r:1")), check(t, image(root, "r:1"))
	after["registry"].ObjectValue()["password"] = text("p2") // in clear, too
	after["registry"].ObjectValue()["username"] = text("other")
	if d := diff(t, before, after); d.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("got %v", d)
	}
	after["registry"].ObjectValue()["server"] = text("elsewhere")
	if d := diff(t, before, after); !reflect.DeepEqual(d.GetDiffs(), []string{"registry"}) {
		t.Errorf("another server: got %v", d)
	}
}

func TestCheckKeepsSecretsAndUnknownValues(t *testing.T) {
	inputs := image(sources(t), "")
	inputs["imageName"] = unknown()
	inputs["registry"].ObjectValue()["server"] = unknown()
	got := check(t, inputs)
	if !got["imageName"].IsComputed() || !got["registry"].ObjectValue()["server"].IsComputed() {
		t.Errorf("unknown values: got %v", got)
	}
	if !got["registry"].ObjectValue()["password"].IsSecret() {
		t.Errorf("password: got %v", got["registry"])
	}
	if digest := got["build"].ObjectValue()[contextDigest]; !digest.IsString() || len(digest.StringValue()) != 64 {
		t.Errorf("%s: got %v", contextDigest, digest)
	}
}

func TestCheckWaitsForAContextThatIsNotKnownYet(t *testing.T) {
	inputs := image("", "r:1")
	inputs["build"].ObjectValue()["context"] = unknown()
	if _, ok := check(t, inputs)["build"].ObjectValue()[contextDigest]; ok {
		t.Error("an unknown context has a digest")
	}
}

func TestCheckNamesEveryWrongInput(t *testing.T) {
	inputs := image(filepath.Join(t.TempDir(), "none"), "r:1")
	response, err := newServer(nil).Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: wire(t, inputs)})
	must(t, err)
	if f := response.GetFailures(); len(f) != 1 || f[0].GetProperty() != "build" ||
		!strings.HasPrefix(f[0].GetReason(), "dockerfile: ") {
		t.Errorf("missing context: got %v", f)
	}
	inputs["a"], inputs["b"] = text(""), text("")
	response, err = newServer(nil).Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: wire(t, inputs)})
	must(t, err)
	if f := response.GetFailures(); len(f) != 2 || f[0].GetProperty() != "a" || f[1].GetProperty() != "b" {
		t.Errorf("two unknown inputs: got %v", f)
	}
}

func TestAnotherResourceIsRefused(t *testing.T) {
	_, err := newServer(nil).Check(t.Context(), &pulumirpc.CheckRequest{
		Urn: "urn:pulumi:dev::test::docker:index/container:Container::c",
	})
	want := "resource docker:index/container:Container: not supported by this stand-in; allowed: docker:index/image:Image"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestAPreviewPromisesADigestAndBuildsNothing(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no docker
	inputs := check(t, image(sources(t), "r:1"))
	created, err := newServer(nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: wire(t, inputs), Preview: true,
	})
	must(t, err)
	updated, err := newServer(nil).Update(t.Context(), &pulumirpc.UpdateRequest{
		Urn: urn, News: wire(t, inputs), Preview: true,
	})
	must(t, err)
	for _, s := range []*structpb.Struct{created.GetProperties(), updated.GetProperties()} {
		got := read(t, s)
		if !got["repoDigest"].IsComputed() || got["imageName"] != text("r:1") || got["registryServer"] != text("registry") {
			t.Errorf("got %v", got)
		}
	}
}

func TestWithoutDockerAnUpdateSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := newServer(nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: wire(t, check(t, image(sources(t), "r:1"))),
	})
	if err == nil || err.Error() != "image r:1: docker: no such command on PATH" {
		t.Errorf("got %v", err)
	}
}

func TestTheProviderTakesNoConfiguration(t *testing.T) {
	response, err := newServer(nil).CheckConfig(t.Context(), &pulumirpc.CheckRequest{
		News: wire(t, resource.PropertyMap{"version": text("4.11.2"), "host": text("tcp://x")}),
	})
	must(t, err)
	if f := response.GetFailures(); len(f) != 1 || f[0].GetProperty() != "host" {
		t.Errorf("got %v", f)
	}
}
