package awsmodel

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// validation holds one request against the model of its operation.
type validation struct {
	call
	violations []Violation
	unchecked  []string
}

// shown is how many characters of a value a sentence quotes.
const shown = 60

func (v *validation) add(member, got, allowed string) { v.addRule(member, got, allowed, "") }

func (v *validation) addRule(member, got, allowed, source string) {
	v.violations = append(v.violations, Violation{
		Service: v.service.name, Operation: v.operation.name, Member: cmp.Or(member, "the request"), Got: got, Allowed: allowed, Source: source,
	})
}

// value checks a value and all below it.
func (v *validation) value(path string, s *shape, value any) {
	if value == nil {
		// AWS takes null for a member that is not there; that a required one is not, its structure says.
		return
	}
	switch s.Type {
	case "structure":
		v.structure(path, s, value)
	case "list":
		v.list(path, s, value)
	case "map":
		v.entries(path, s, value)
	default:
		v.leaf(path, s, value)
	}
}

func (v *validation) structure(path string, s *shape, value any) {
	members, ok := value.(object)
	if !ok && s.Document {
		return
	}
	if !ok {
		v.add(path, quote(s, value), "a structure")
		return
	}
	for _, name := range s.Required {
		if members[name] == nil {
			v.add(under(path, name), "missing", "a value, which is required")
		}
	}
	given := 0
	for _, name := range slices.Sorted(maps.Keys(members)) {
		m := s.Members[name]
		switch {
		case m != nil:
			v.value(under(path, name), m.shape, members[name])
		case !s.Document:
			v.add(under(path, name), "not known to the API", "only members of "+s.name)
		}
		if members[name] != nil {
			given++
		}
	}
	if s.Union && given != 1 {
		v.add(path, fmt.Sprintf("a choice with %d of its members", given), "exactly one of "+words(slices.Sorted(maps.Keys(s.Members))))
	}
}

func (v *validation) list(path string, s *shape, value any) {
	items, ok := value.(list)
	if !ok {
		v.add(path, quote(s, value), "a list")
		return
	}
	v.size(path, s, fmt.Sprintf("a list of %d", len(items)), float64(len(items)), " entries")
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item == nil && !s.Sparse {
			v.add(at, "null", "a value")
		}
		v.value(at, s.Item.shape, item)
	}
}

func (v *validation) entries(path string, s *shape, value any) {
	entries, ok := value.(object)
	if !ok {
		v.add(path, quote(s, value), "a map")
		return
	}
	v.size(path, s, fmt.Sprintf("a map of %d", len(entries)), float64(len(entries)), " entries")
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		v.value(fmt.Sprintf("the key of %s[%q]", path, key), s.Key.shape, key)
		v.value(fmt.Sprintf("%s[%q]", path, key), s.Value.shape, entries[key])
	}
}

// size checks a length or a number against the shape's range.
func (v *validation) size(path string, s *shape, got string, size float64, unit string) {
	if s.Min != nil && size < *s.Min || s.Max != nil && size > *s.Max {
		v.add(path, got, limits(s)+unit)
	}
}

func limits(s *shape) string {
	number := func(limit *float64) string { return strconv.FormatFloat(*limit, 'f', -1, 64) }
	switch {
	case s.Min == nil:
		return "at most " + number(s.Max)
	case s.Max == nil:
		return "at least " + number(s.Min)
	case *s.Min == *s.Max:
		return number(s.Min)
	}
	return number(s.Min) + " to " + number(s.Max)
}

func (v *validation) leaf(path string, s *shape, value any) {
	switch s.Type {
	case "string", "character":
		v.text(path, s, value)
	case "integer", "long":
		v.number(path, s, value, "a whole number")
	case "float", "double":
		v.number(path, s, value, "a number")
	case "boolean":
		if _, isBool := value.(bool); !isBool && !slices.Contains([]any{text("true"), text("false")}, value) {
			v.add(path, quote(s, value), "true or false")
		}
	case "timestamp":
		if !isTime(value) {
			v.add(path, quote(s, value), "a point in time")
		}
	case "blob":
		v.blob(path, s, value)
	}
}

func (v *validation) text(path string, s *shape, value any) {
	var given string
	switch value := value.(type) {
	case string:
		given = value
	case text:
		given = string(value)
	case data:
		given = string(value)
	default:
		v.add(path, quote(s, value), "a text")
		return
	}
	v.size(path, s, quote(s, value), float64(utf8.RuneCountInString(given)), " characters")
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, given) {
		v.add(path, quote(s, value), "one of "+words(s.Enum))
	}
	if s.pattern == nil {
		return
	}
	switch fits, known := s.pattern.matches(given); {
	case !known:
		v.unchecked = append(v.unchecked, v.service.name+"."+s.name)
	case !fits:
		v.add(path, quote(s, value), "what matches "+s.pattern.text)
	}
}

func (v *validation) number(path string, s *shape, value any, what string) {
	var digits string
	switch value := value.(type) {
	case json.Number:
		digits = value.String()
	case text:
		digits = string(value)
	case string:
		// JSON has no other way to write these.
		if s.Type == "integer" || s.Type == "long" || !slices.Contains([]string{"NaN", "Infinity", "-Infinity"}, value) {
			v.add(path, quote(s, value), what)
		}
		return
	default:
		v.add(path, quote(s, value), what)
		return
	}
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || (s.Type == "integer" || s.Type == "long") && number != math.Trunc(number) || s.Type == "integer" && math.Abs(number) > math.MaxInt32 {
		v.add(path, quote(s, value), what)
		return
	}
	v.size(path, s, digits, number, "")
}

func (v *validation) blob(path string, s *shape, value any) {
	var bytes []byte
	var err error
	switch value := value.(type) {
	case data:
		bytes = value
	case string:
		bytes, err = base64.StdEncoding.DecodeString(value)
	case text:
		bytes, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(value)))
	default:
		err = fmt.Errorf("%T", value)
	}
	if err != nil {
		v.add(path, quote(s, value), "data in Base64")
		return
	}
	v.size(path, s, fmt.Sprintf("%d bytes", len(bytes)), float64(len(bytes)), " bytes")
}

// isTime says whether a value is in one of the forms in which AWS reads times.
// https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait
func isTime(value any) bool {
	var written string
	switch value := value.(type) {
	case json.Number:
		return true // seconds since 1970
	case text:
		written = string(value)
	case string:
		written = value
	default:
		return false
	}
	if _, err := strconv.ParseFloat(written, 64); err == nil {
		return true
	}
	for _, layout := range []string{time.RFC3339, time.RFC1123} {
		if _, err := time.Parse(layout, written); err == nil {
			return true
		}
	}
	return false
}

// quote writes a value for a sentence: shortened, and not at all where the model calls it sensitive.
func quote(s *shape, value any) string {
	var given string
	switch value := value.(type) {
	case string:
		given = value
	case text:
		given = string(value)
	case data:
		given = string(value)
	case object:
		return "a structure"
	case list:
		return fmt.Sprintf("a list of %d", len(value))
	default:
		return fmt.Sprint(value)
	}
	length := utf8.RuneCountInString(given)
	switch {
	case s.Sensitive:
		return fmt.Sprintf("a sensitive text of %d characters", length)
	case length > shown:
		return fmt.Sprintf("%q… (%d characters)", string([]rune(given)[:shown]), length)
	}
	return strconv.Quote(given)
}

// words lists names for a sentence, the first of very many.
func words(names []string) string {
	const listed = 40
	if len(names) > listed {
		return fmt.Sprintf("%s … (%d in all)", strings.Join(names[:listed], ", "), len(names))
	}
	return strings.Join(names, ", ")
}
