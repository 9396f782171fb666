package docker

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The inputs this stand-in takes. Any other is refused by name: an input that is read by the official plugin and
// dropped here would make the local run misleading.
var (
	imageInputs    = []string{"build", "buildOnPreview", "imageName", "registry", "skipPush"}
	buildInputs    = []string{"args", "builderVersion", "context", contextDigest, "dockerfile", "platform", "target"}
	registryInputs = []string{"password", "server", "username"}
	builders       = []string{"", builderKit, builderClassic}
)

const (
	// contextDigest is the input that Check adds to build, as the official plugin does, so that an edited file below
	// the context is an update.
	contextDigest = "contextDigest"

	builderKit     = "BuilderBuildKit"
	builderClassic = "BuilderV1"
)

// spec is what an image is built from and pushed to.
type spec struct {
	name     string
	skipPush bool

	context, dockerfile string // paths, relative to the program's directory
	platform, target    string
	args                map[string]string
	builder             string // one of builders

	server, username, password string
}

// A problem is one input that is wrong.
type problem struct{ property, reason string }

// parse reads the inputs of an image. Unknown values, which a preview has, read as empty.
func parse(inputs resource.PropertyMap) (spec, []problem) {
	p := &parser{}
	p.only("", inputs, imageInputs)
	build := p.object("build", inputs["build"], buildInputs)
	registry := p.object("registry", inputs["registry"], registryInputs)
	s := spec{
		name:       p.text("imageName", inputs["imageName"]),
		skipPush:   p.flag("skipPush", inputs["skipPush"]),
		context:    p.text("build.context", build["context"]),
		dockerfile: p.text("build.dockerfile", build["dockerfile"]),
		platform:   p.text("build.platform", build["platform"]),
		target:     p.text("build.target", build["target"]),
		builder:    p.text("build.builderVersion", build["builderVersion"]),
		args:       p.texts("build.args", build["args"]),
		server:     p.text("registry.server", registry["server"]),
		username:   p.text("registry.username", registry["username"]),
		password:   p.text("registry.password", registry["password"]),
	}
	if p.flag("buildOnPreview", inputs["buildOnPreview"]) {
		p.add("buildOnPreview", "got true; allowed by this stand-in: false")
	}
	if _, ok := inputs["imageName"]; !ok {
		p.add("imageName", "missing; allowed: a repository with a tag")
	}
	if !slices.Contains(builders, s.builder) {
		p.add("build.builderVersion", fmt.Sprintf("got %s; allowed: %s, %s", s.builder, builderKit, builderClassic))
	}
	return s.withDefaults(), p.problems
}

// withDefaults fills in the official plugin's defaults.
func (s spec) withDefaults() spec {
	if s.context == "" {
		s.context = "."
	}
	if s.dockerfile == "" {
		s.dockerfile = filepath.Join(s.context, "Dockerfile")
	}
	if s.platform == "" {
		s.platform = "linux/" + runtime.GOARCH
	}
	return s
}

// repository is the image's name without its tag.
func (s spec) repository() string {
	if i := strings.LastIndex(s.name, ":"); i > strings.LastIndex(s.name, "/") {
		return s.name[:i]
	}
	return s.name
}

// parser collects problems while it reads property values.
type parser struct{ problems []problem }

func (p *parser) add(property, reason string) {
	p.problems = append(p.problems, problem{property, reason})
}

// only reports every key that is not allowed.
func (p *parser) only(prefix string, m resource.PropertyMap, allowed []string) {
	for _, key := range m.StableKeys() {
		if !slices.Contains(allowed, string(key)) {
			p.add(prefix+string(key), "not supported by this stand-in; allowed: "+strings.Join(allowed, ", "))
		}
	}
}

func (p *parser) object(name string, v resource.PropertyValue, allowed []string) resource.PropertyMap {
	v = plain(v)
	switch {
	case absent(v):
		return nil
	case !v.IsObject():
		p.add(name, fmt.Sprintf("got a %s; allowed: an object", v.TypeString()))
		return nil
	}
	p.only(name+".", v.ObjectValue(), allowed)
	return v.ObjectValue()
}

func (p *parser) text(name string, v resource.PropertyValue) string {
	v = plain(v)
	switch {
	case absent(v):
		return ""
	case !v.IsString():
		p.add(name, fmt.Sprintf("got a %s; allowed: a string", v.TypeString()))
		return ""
	}
	return v.StringValue()
}

func (p *parser) flag(name string, v resource.PropertyValue) bool {
	v = plain(v)
	switch {
	case absent(v):
		return false
	case !v.IsBool():
		p.add(name, fmt.Sprintf("got a %s; allowed: true, false", v.TypeString()))
		return false
	}
	return v.BoolValue()
}

func (p *parser) texts(name string, v resource.PropertyValue) map[string]string {
	v = plain(v)
	switch {
	case absent(v):
		return nil
	case !v.IsObject():
		p.add(name, fmt.Sprintf("got a %s; allowed: an object", v.TypeString()))
		return nil
	}
	texts := map[string]string{}
	for key, value := range v.ObjectValue() {
		texts[string(key)] = p.text(name+"."+string(key), value)
	}
	return texts
}

// plain strips the marks of secrecy and dependency from a value.
func plain(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		default:
			return v
		}
	}
}

// absent says that a value is not given or not known yet.
func absent(v resource.PropertyValue) bool {
	return v.IsNull() || v.IsComputed() || v.IsOutput()
}
