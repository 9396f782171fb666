package pulumi

import (
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Lookup returns the value of a setting by its path, such as shop:app.port, in a stack's configuration. The path of one of
// the values may also be longer than a key, as `pulumi config set --path` takes it.
func Lookup(config map[string]any, path string) (value any, found bool) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		value, found = config[path[:end]]
		if !found {
			continue
		}
		for _, name := range strings.Split(strings.TrimPrefix(path[end:], "."), ".") {
			if name == "" {
				break
			}
			if value, found = Object(value)[name]; !found {
				return nil, false
			}
		}
		return value, true
	}
	return nil, false
}

// Object is a value that is an object, or its JSON as text. What is wrong with one is the program's to say.
func Object(value any) map[string]any {
	if text, is := value.(string); is {
		_ = yaml.Unmarshal([]byte(text), &value)
	}
	members, _ := value.(map[string]any)
	return members
}

// set puts values into a stack's configuration, by their paths; nil takes one out. The configuration stays as it is
// otherwise: groups are copied before they change.
func set(config, values map[string]any) {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		put(config, strings.Split(path, "."), values[path])
	}
}

func put(group map[string]any, path []string, value any) {
	switch {
	case len(path) > 1:
		inner := maps.Clone(Object(group[path[0]]))
		if inner == nil {
			inner = map[string]any{}
		}
		put(inner, path[1:], value)
		group[path[0]] = inner
	case value == nil:
		delete(group, path[0])
	default:
		group[path[0]] = value
	}
}
