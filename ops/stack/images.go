package stack

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Images are the images of a task, by digest.
type Images struct{ App, Nginx string }

// groups of the stack's file, each of which has a member `image`.
const (
	appGroup   = "app"
	nginxGroup = "http"
)

// builds are the members of a group that say how its image is built. An image that is given is not built.
var builds = []string{"context", "dockerfile", "target", "buildArgs"}

var digest = regexp.MustCompile(`^[^\s"'@]+@sha256:[0-9a-f]{64}$`)

// ByDigest reports what is wrong with images that are to be written into a file.
func (i Images) ByDigest() error {
	var errs []error
	for name, image := range map[string]string{"app": i.App, "NGINX": i.Nginx} {
		if !digest.MatchString(image) {
			errs = append(errs, fmt.Errorf("image of %s: %q; allowed: a repository and a digest, as in 123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:…", name, image))
		}
	}

	return errors.Join(errs...)
}

// SetImages writes both images into the stack's file and returns what it held before. Only they change: comments, order and
// layout stay as they are.
func (s Stack) SetImages(images Images) (before []byte, err error) {
	if err := images.ByDigest(); err != nil {
		return nil, err
	}
	project, err := Project()
	if err != nil {
		return nil, err
	}
	if before, err = os.ReadFile(s.File()); err != nil {
		return nil, fmt.Errorf("stack %s: %w", s.Name, err)
	}
	after, err := setImages(before, project, images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File(), err)
	}

	return before, s.Write(after)
}

// Write replaces the stack's file.
func (s Stack) Write(content []byte) error { return os.WriteFile(s.File(), content, 0o644) }

// Images returns those that the stack's file has, which are empty where it has none.
func (s Stack) Images() (Images, error) {
	project, err := Project()
	if err != nil {
		return Images{}, err
	}
	content, err := os.ReadFile(s.File())
	if err != nil {
		return Images{}, fmt.Errorf("stack %s: %w", s.Name, err)
	}
	config, err := configOf(content)
	if err != nil {
		return Images{}, fmt.Errorf("%s: %w", s.File(), err)
	}
	image := func(group string) string {
		if node := member(member(config, keyOf(config, project, group)), "image"); node != nil {
			return node.Value
		}
		return ""
	}

	return Images{image(appGroup), image(nginxGroup)}, nil
}

func setImages(content []byte, project string, images Images) ([]byte, error) {
	// The app's comes last: of two new lines, the later one stands above the other.
	for _, group := range []struct{ name, image string }{{nginxGroup, images.Nginx}, {appGroup, images.App}} {
		config, err := configOf(content)
		if err != nil {
			return nil, err
		}
		e := editor{lines: strings.Split(string(content), "\n"), key: keyOf(config, project, group.name)}
		if err := e.set(config, group.image); err != nil {
			return nil, err
		}
		content = []byte(strings.Join(e.lines, "\n"))
	}

	return content, nil
}

func configOf(content []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, errors.New("the file is empty")
	}
	config := member(document.Content[0], "config")
	if config == nil || config.Kind != yaml.MappingNode || config.Style&yaml.FlowStyle != 0 {
		return nil, errors.New("config: not a mapping with a line for each setting")
	}

	return config, nil
}

// keyOf is the key of a group in a file. Pulumi takes a key without a namespace for the project's.
func keyOf(config *yaml.Node, project, group string) string {
	if member(config, group) != nil {
		return group
	}

	return project + ":" + group
}

// member returns the value of a key, or nil.
func member(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}

	return nil
}

// editor changes a file of YAML as a person would, who reads where something is and types over it. A library that writes YAML
// would lay the whole file out its own way.
type editor struct {
	lines []string
	key   string // of the group, with its namespace
}

// set gives a group its image.
func (e *editor) set(config *yaml.Node, image string) error {
	group := member(config, e.key)
	for _, name := range builds {
		if member(group, name) != nil {
			return fmt.Errorf("%s.%s is set, so this stack builds its image; take it out of the file to run one that exists", e.key, name)
		}
	}
	old := member(group, "image")
	switch {
	case group == nil:
		first := config.Content[0]
		e.insert(first.Line, strings.Repeat(" ", first.Column-1)+e.key+": {image: "+image+"}")
	case group.Kind != yaml.MappingNode || group.Anchor != "" || len(group.Content) == 0:
		return fmt.Errorf("%s: not a group of settings, as in {image: …}", e.key)
	case old != nil:
		return e.replace(old, image)
	case group.Style&yaml.FlowStyle != 0:
		e.put(group.Line, group.Column+1, "image: "+image+", ") // behind the brace
	default:
		first := group.Content[0]
		e.insert(first.Line, strings.Repeat(" ", first.Column-1)+"image: "+image)
	}

	return nil
}

// insert puts a line in front of another. Lines and columns of YAML count from 1, and columns in characters.
func (e *editor) insert(before int, text string) {
	e.lines = slices.Insert(e.lines, e.aboveComments(before)-1, text)
}

// aboveComments is the line of the comment above a line, if there is one, because it belongs to what follows.
func (e *editor) aboveComments(line int) int {
	for line > 1 && strings.HasPrefix(strings.TrimSpace(e.lines[line-2]), "#") {
		line--
	}

	return line
}

func (e *editor) put(line, column int, text string) {
	characters := []rune(e.lines[line-1])
	e.lines[line-1] = string(characters[:column-1]) + text + string(characters[column-1:])
}

func (e *editor) replace(old *yaml.Node, image string) error {
	raw := old.Value
	switch old.Style {
	case yaml.DoubleQuotedStyle:
		raw = `"` + raw + `"`
	case yaml.SingleQuotedStyle:
		raw = "'" + raw + "'"
	}
	characters := []rune(e.lines[old.Line-1])
	rest, found := strings.CutPrefix(string(characters[old.Column-1:]), raw)
	if !found || old.Kind != yaml.ScalarNode || old.Value == "" {
		return fmt.Errorf("%s.image: not one text in one line", e.key)
	}
	e.lines[old.Line-1] = string(characters[:old.Column-1]) + image + rest

	return nil
}
