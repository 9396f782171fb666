package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// elementName is what names that become parts of resource names may be.
var elementName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// Name is the form of a name that becomes a part of the name of a resource.
var Name = Form{Allowed: "1 to 20 of a-z, 0-9 and hyphens, beginning with a letter", Pattern: elementName}

// Texts returns a list of texts of a form, none of them twice.
func (g Group) Texts(name string, def []string, form Form, meaning, source string) []string {
	schema := map[string]any{"type": "array", "items": form.schema(), "uniqueItems": true}

	return elements(g, name, def, form.Allowed, schema, meaning, source, func(value any) (string, bool) {
		text, ok := scalar(value)
		return text, ok && text != "" && form.accepts(text)
	})
}

// SomeTexts is Texts for a list that may not be empty.
func (g Group) SomeTexts(name string, def []string, form Form, meaning, source string) []string {
	all := g.Texts(name, def, form, meaning, source)
	if len(all) == 0 && !g.r.Wrong(g.at(name)) {
		g.r.Fail(g.at(name), "[]", "at least one: "+form.Allowed)
	}

	return all
}

// Ints returns a list of whole numbers within two limits, none of them twice.
func (g Group) Ints(name string, def []int, lowest, highest int, unit, meaning, source string) []int {
	allowed := strings.TrimSpace(fmt.Sprintf("%d to %d %s", lowest, highest, unit))
	schema := map[string]any{"type": "array", "uniqueItems": true, "items": map[string]any{"type": "integer", "minimum": lowest, "maximum": highest}}

	return elements(g, name, def, allowed, schema, meaning, source, func(value any) (int, bool) {
		n, ok := integer(value)
		return n, ok && n >= lowest && n <= highest
	})
}

func elements[T comparable](
	g Group, name string, def []T, allowed string, schema map[string]any, meaning, source string, read func(any) (T, bool),
) []T {
	g.declare(name, listed(def), "a list of: "+allowed, schema, meaning, source)
	value, given := g.take(name)
	if !given {
		return def
	}
	list, ok := value.([]any)
	if !ok {
		g.r.Fail(g.at(name), literal(value)+" is not a list", "a list of: "+allowed)
		return nil
	}

	all := []T{}
	for _, element := range list {
		one, ok := read(element)
		switch {
		case !ok:
			g.r.Fail(g.at(name), literal(element), "a list of: "+allowed)
		case slices.Contains(all, one):
			g.r.Fail(g.at(name), literal(element)+" twice", "each once")
		default:
			all = append(all, one)
		}
	}

	return all
}

func listed[T any](all []T) string {
	if len(all) == 0 {
		return ""
	}

	return "[" + strings.ReplaceAll(strings.Trim(fmt.Sprint(all), "[]"), " ", ", ") + "]"
}

// Words returns a command. Unlike in other lists, the same word may occur twice; no word may be empty.
func (g Group) Words(name, allowed string, check func([]string) bool, meaning, source string) []string {
	schema := map[string]any{"type": "array", "items": map[string]any{"type": []string{"string", "number"}, "minLength": 1}, "minItems": 1}
	g.declare(name, "", allowed, schema, meaning, source)
	value, given := g.take(name)
	if !given {
		return nil
	}

	list, ok := value.([]any)
	all := make([]string, len(list))
	for i, element := range list {
		word, isWord := scalar(element)
		all[i], ok = word, ok && isWord && word != ""
	}
	if !ok || len(all) == 0 || check != nil && !check(all) {
		g.fail(name, value, allowed)
		return nil
	}

	return all
}

// Command returns a command of any words.
func (g Group) Command(name, meaning, source string) []string {
	return g.Words(name, "a list of words, none of them empty", nil, meaning, source)
}

// RequiredCommand is Command for a member that each object must have.
func (g Group) RequiredCommand(name, meaning, source string) []string {
	words := g.Command(name, meaning, source)
	g.require(name, "a list of words, none of them empty")

	return words
}

// Map returns an object whose values are text, numbers or booleans, all of them as text.
func (g Group) Map(name, meaning, source string) map[string]string {
	schema := map[string]any{"type": "object", "additionalProperties": map[string]any{"type": []string{"string", "number", "boolean"}}}
	g.declare(name, "", "names with values", schema, meaning, source)
	value, given := g.take(name)
	if !given {
		return map[string]string{}
	}
	object, ok := value.(map[string]any)
	if !ok {
		g.r.Fail(g.at(name), literal(value)+" is not an object", "an object that maps names to values")
		return map[string]string{}
	}

	texts := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch value := object[key].(type) {
		case string, json.Number, bool:
			texts[key] = fmt.Sprint(value)
		default:
			g.r.Fail(g.at(name)+"."+key, "not a single value", "a string, a number or a boolean")
		}
	}

	return texts
}

// Object returns an object of any shape, for what is not this program's to describe.
func (g Group) Object(name, meaning, source string) map[string]any {
	g.declare(name, "", "an object", map[string]any{"type": "object"}, meaning, source)
	value, given := g.take(name)
	if !given {
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		g.r.Fail(g.at(name), literal(value), "an object")
	}

	return object
}

// Quote shows a text as an error does.
func Quote(text string) string { return strconv.Quote(text) }
