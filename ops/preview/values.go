package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// unknown is what the engine writes for a value that only the update makes.
// https://github.com/pulumi/pulumi/blob/v3.230.0/sdk/go/common/resource/plugin/rpc.go (UnknownStringValue)
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

// later is how a text shows it.
const later = "(known after the update)"

// values are those that differ between the states before and after a step. Inputs are compared, which is what a person has
// written; what AWS adds to them is left out.
func values(m apitype.StepEventMetadata) []Value {
	before, after := map[string]string{}, map[string]string{}
	if m.Old != nil {
		flatten("", m.Old.Inputs, before)
	}
	if m.New != nil {
		flatten("", m.New.Inputs, after)
	}
	hideUnknown(before, after)
	paths := map[string]bool{}
	for _, side := range []map[string]string{before, after} {
		for path := range side {
			paths[path] = before[path] != after[path]
		}
	}
	var all []Value
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if paths[path] {
			all = append(all, Value{path, before[path], after[path]})
		}
	}

	return all
}

// flatten writes every text, number and switch of a value under its path. A text that is JSON, such as a policy or the containers
// of a task, is taken apart as well: one changed word in it is then one line.
func flatten(path string, value any, all map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if !strings.HasPrefix(key, "__") { // what the provider notes for itself
				flatten(strings.TrimPrefix(path+"."+key, "."), inner, all)
			}
		}
	case []any:
		for i, inner := range value {
			flatten(fmt.Sprintf("%s[%s]", path, label(i, inner)), inner, all)
		}
	case string:
		flattenText(path, value, all)
	case nil:
	default:
		all[path] = fmt.Sprint(value)
	}
}

// label names an element of a list. Where elements have names, as containers and variables do, one that is added in the middle does
// not change the others.
func label(i int, element any) string {
	if object, ok := element.(map[string]any); ok {
		if name, ok := object["name"].(string); ok && name != "" && name != unknown {
			return name
		}
	}

	return fmt.Sprint(i)
}

func flattenText(path, text string, all map[string]string) {
	if text == unknown {
		all[path] = later
		return
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		var inner any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&inner) == nil && !decoder.More() {
			flatten(path, inner, all)
			return
		}
	}
	if text = strings.ReplaceAll(text, "\n", `\n`); text == "" {
		text = `""`
	}
	all[path] = text
}

// hideUnknown takes away the parts of a value that will be another one as a whole, which is not known yet: each would look as
// if it were deleted.
func hideUnknown(before, after map[string]string) {
	for path, value := range after {
		if value != later {
			continue
		}
		below := func(other string) bool {
			return strings.HasPrefix(other, path+"[") || strings.HasPrefix(other, path+".")
		}
		parts := 0
		for other := range before {
			if below(other) {
				delete(before, other)
				parts++
			}
		}
		if parts > 0 {
			before[path] = "(as it is)"
		}
	}
}
