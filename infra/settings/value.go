package settings

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Form is what a text may be: what Check or Pattern accepts, and in words. Editors check the pattern, too.
type Form struct {
	Allowed string
	Pattern *regexp.Regexp
	Check   func(string) bool
}

// Pattern is a form that is a regular expression.
func Pattern(allowed, expression string) Form {
	return Form{Allowed: allowed, Pattern: regexp.MustCompile(expression)}
}

func (f Form) accepts(text string) bool {
	return (f.Pattern == nil || f.Pattern.MatchString(text)) && (f.Check == nil || f.Check(text))
}

func (f Form) schema() map[string]any {
	schema := map[string]any{"type": []string{"string", "number"}}
	if f.Pattern != nil {
		schema["pattern"] = f.Pattern.String()
	}

	return schema
}

// Bool returns a member that is true or false.
func (g Group) Bool(name string, def bool, meaning, source string) bool {
	g.declare(name, strconv.FormatBool(def), "true, false", map[string]any{"type": "boolean"}, meaning, source)
	switch value, given := g.take(name); value {
	case true, "true":
		return true
	case false, "false":
		return false
	default:
		if given {
			g.fail(name, value, "true, false")
		}
		return fallback(g, def)
	}
}

// Int returns a whole number within two limits, both included.
func (g Group) Int(name string, def, lowest, highest int, unit, meaning, source string) int {
	allowed := fmt.Sprintf("%d to %d %s", lowest, highest, unit)
	schema := map[string]any{"type": "integer", "minimum": lowest, "maximum": highest}

	return g.number(name, def, strings.TrimSpace(allowed), schema, meaning, source, func(n int) bool { return n >= lowest && n <= highest })
}

// IntOf returns a whole number out of a list.
func (g Group) IntOf(name string, def int, numbers []int, unit, meaning, source string) int {
	schema := map[string]any{"type": "integer", "enum": numbers}

	return g.number(name, def, Numbers(numbers)+" "+unit, schema, meaning, source, func(n int) bool { return slices.Contains(numbers, n) })
}

func (g Group) number(name string, def int, allowed string, schema map[string]any, meaning, source string, check func(int) bool) int {
	shownDefault := strconv.Itoa(def)
	if !check(def) {
		shownDefault = ""
	}
	g.declare(name, shownDefault, allowed, schema, meaning, source)
	value, given := g.take(name)
	if !given {
		return fallback(g, def)
	}
	if g.isOff(value) {
		return 0
	}
	n, ok := integer(value)
	if !ok {
		g.r.Fail(g.at(name), literal(value)+" is not a whole number", g.offOr(allowed))
		return fallback(g, def)
	}
	if !check(n) {
		g.fail(name, value, allowed)
	}

	return n
}

func integer(value any) (int, bool) {
	text := fmt.Sprint(value)
	switch value.(type) {
	case json.Number, string:
		n, err := strconv.Atoi(text)
		return n, err == nil && strconv.Itoa(n) == text
	}

	return 0, false
}

// Text returns a text of a form. The default may be empty, which no given text may be.
func (g Group) Text(name, def string, form Form, meaning, source string) string {
	g.declare(name, def, form.Allowed, form.schema(), meaning, source)
	value, given := g.take(name)
	if !given {
		return fallback(g, def)
	}
	if g.isOff(value) {
		return ""
	}
	text, ok := scalar(value)
	if !ok || !form.accepts(text) || text == "" {
		g.fail(name, value, form.Allowed)
	}

	return text
}

// Required is Text for a member that each object must have.
func (g Group) Required(name string, form Form, meaning, source string) string {
	text := g.Text(name, "", form, meaning, source)
	g.require(name, form.Allowed)

	return text
}

// RequiredInt is Int for a member that each object must have.
func (g Group) RequiredInt(name string, lowest, highest int, unit, meaning, source string) int {
	n := g.Int(name, 0, lowest, highest, unit, meaning, source)
	g.require(name, strings.TrimSpace(fmt.Sprintf("%d to %d %s", lowest, highest, unit)))

	return n
}

func (g Group) require(name, allowed string) {
	for i, m := range g.object.members {
		if m.name() == name {
			g.object.members[i].setting.Required = true
		}
	}
	if _, given := g.take(name); !given && g.values != nil {
		g.r.Fail(g.at(name), "missing", allowed)
	}
}

// scalar is the text of a value that a stack file may write without quotes.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	}

	return "", false
}

// OneOf returns a member that is one of the given words, as the type that the words have. With OrFalse, false is the empty
// word.
func OneOf[T ~string](g Group, name string, def T, words []T, meaning, source string) T {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = string(word)
	}
	schema := map[string]any{"enum": all}
	off := g.orFalse
	if off {
		all = append([]string{"false"}, all...)
		schema = map[string]any{"enum": append([]any{false}, anyOf(words)...)}
		g.orFalse = false
	}
	allowed := strings.Join(all, ", ")
	g.declare(name, string(def), allowed, schema, meaning, source)
	value, given := g.take(name)
	if !given {
		return fallback(g, def)
	}
	if off && (value == false || value == "false") {
		return ""
	}
	text, ok := scalar(value)
	if !ok || !slices.Contains(all, text) {
		g.fail(name, value, allowed)
	}

	return T(text)
}

func anyOf[T any](words []T) []any {
	all := make([]any, len(words))
	for i, word := range words {
		all[i] = word
	}

	return all
}

// declare notes what a line says of a member.
func (g Group) declare(name, def, allowed string, schema map[string]any, meaning, source string) {
	s := Setting{Name: name, Default: def, Allowed: g.offOr(allowed), Schema: schema, Meaning: meaning, Source: source}
	if g.orFalse {
		s.Schema = map[string]any{"anyOf": []any{schema, map[string]any{"const": false}}}
	}
	if g.absent != "" {
		s.Default, s.Absent = "", g.absent
	}
	if g.inProd != nil {
		s.InProd = written(g.inProd)
	}
	g.object.declare(s)
}

// written is a default as a stack file would have it.
func written(value any) string {
	switch value := value.(type) {
	case interface{ Written() string }:
		return value.Written()
	case string:
		if value == "" {
			return "false"
		}
	}

	return fmt.Sprint(value)
}

func (g Group) isOff(value any) bool { return g.orFalse && (value == false || value == "false") }

func (g Group) offOr(allowed string) string {
	if g.orFalse {
		return "false, or " + allowed
	}

	return allowed
}

// fallback is the default in the stack's profile.
func fallback[T any](g Group, def T) T {
	if inProd, ok := g.inProd.(T); ok && g.r.production {
		return inProd
	}

	return def
}
