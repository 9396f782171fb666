package docker

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestWrongInputsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		inputs map[string]any
		want   string
	}{
		{map[string]any{}, "imageName: missing; allowed: a repository with a tag"},
		{
			map[string]any{"imageName": "r:1", "color": "red"},
			"color: not supported by this stand-in; allowed: build, buildOnPreview, imageName, registry, skipPush",
		},
		{
			map[string]any{"imageName": "r:1", "build": map[string]any{"cacheFrom": "x"}},
			"build.cacheFrom: not supported by this stand-in; allowed: args, builderVersion, context, contextDigest, " +
				"dockerfile, platform, target",
		},
		{
			map[string]any{"imageName": "r:1", "registry": map[string]any{"token": "x"}},
			"registry.token: not supported by this stand-in; allowed: password, server, username",
		},
		{
			map[string]any{"imageName": "r:1", "buildOnPreview": true},
			"buildOnPreview: got true; allowed by this stand-in: false",
		},
		{
			map[string]any{"imageName": "r:1", "build": map[string]any{"builderVersion": "Kaniko"}},
			"build.builderVersion: got Kaniko; allowed: BuilderBuildKit, BuilderV1",
		},
		{map[string]any{"imageName": 1.0}, "imageName: got a number; allowed: a string"},
		{map[string]any{"imageName": "r:1", "build": "images/app"}, "build: got a string; allowed: an object"},
		{map[string]any{"imageName": "r:1", "skipPush": "no"}, "skipPush: got a string; allowed: true, false"},
		{
			map[string]any{"imageName": "r:1", "build": map[string]any{"args": map[string]any{"A": 1.0}}},
			"build.args.A: got a number; allowed: a string",
		},
	} {
		_, problems := parse(resource.NewPropertyMapFromMap(c.inputs))
		var got []string
		for _, p := range problems {
			got = append(got, p.property+": "+p.reason)
		}
		if !reflect.DeepEqual(got, []string{c.want}) {
			t.Errorf("%v:\n got %q\nwant %q", c.inputs, got, c.want)
		}
	}
}

func TestWhatIsNotGivenHasTheOfficialPluginsDefault(t *testing.T) {
	got, problems := parse(resource.PropertyMap{"imageName": resource.NewStringProperty("r:1")})
	want := spec{name: "r:1", context: ".", dockerfile: "Dockerfile", platform: "linux/" + runtime.GOARCH}
	if !reflect.DeepEqual(got, want) || problems != nil {
		t.Errorf("got %+v, %v; expected %+v", got, problems, want)
	}
}

func TestSecretAndUnknownInputsAreRead(t *testing.T) {
	got, problems := parse(resource.PropertyMap{
		"imageName": resource.MakeComputed(resource.NewStringProperty("")),
		"registry": resource.MakeSecret(resource.NewObjectProperty(resource.PropertyMap{
			"password": resource.MakeSecret(resource.NewStringProperty("p")),
			"server": resource.NewOutputProperty(resource.Output{
				Element: resource.NewStringProperty("s"), Known: true,
			}),
		})),
	})
	if len(problems) > 0 || got.name != "" || got.password != "p" || got.server != "s" {
		t.Errorf("got %+v, %v", got, problems)
	}
}

func TestTheRepositoryIsTheNameWithoutItsTag(t *testing.T) {
	for name, want := range map[string][2]string{
		"127.0.0.1:5000/web:abc": {"127.0.0.1:5000/web", "127.0.0.1:5000"},
		"127.0.0.1:5000/web":     {"127.0.0.1:5000/web", "127.0.0.1:5000"},
		"1.dkr.ecr.eu-central-1.amazonaws.com/a/b:1": {
			"1.dkr.ecr.eu-central-1.amazonaws.com/a/b", "1.dkr.ecr.eu-central-1.amazonaws.com",
		},
	} {
		s := spec{name: name}
		if got := [2]string{s.repository(), s.registry()}; got != want {
			t.Errorf("%s: got %q, expected %q", name, got, fmt.Sprint(want))
		}
	}
}
