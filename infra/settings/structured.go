package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Texts returns a list of strings that all pass check, none of them twice.
func (r *Reader) Texts(key, allowed string, check func(string) bool) []string {
	return elements(r, key, allowed, check)
}

// SomeTexts is Texts for a list that may not be empty.
func (r *Reader) SomeTexts(key, allowed string, check func(string) bool) []string {
	all := r.Texts(key, allowed, check)
	if len(all) == 0 && !r.Wrong(key) {
		r.Fail(key, "[]", "at least one: "+allowed)
	}

	return all
}

// Numbers returns a list of whole numbers that all pass check, none of them twice.
func (r *Reader) Numbers(key, allowed string, check func(int) bool) []int {
	return elements(r, key, allowed, check)
}

func elements[T string | int](r *Reader, key, allowed string, check func(T) bool) []T {
	value, ok := r.value(key)
	if !ok {
		return nil
	}

	var all []T
	if err := json.Unmarshal([]byte(value), &all); err != nil {
		r.Fail(key, strconv.Quote(value)+" is not a list", "a list of: "+allowed)
		return nil
	}

	seen := map[T]bool{}
	for _, element := range all {
		if !check(element) {
			r.Fail(key, fmt.Sprintf("%#v", element), "a list of: "+allowed)
		}
		if seen[element] {
			r.Fail(key, fmt.Sprintf("%#v twice", element), "each once")
		}
		seen[element] = true
	}

	return all
}

// Words returns a command. Unlike in other lists, the same word may occur twice; no word may be empty.
func (r *Reader) Words(key, allowed string, check func([]string) bool) []string {
	value, ok := r.value(key)
	if !ok {
		return nil
	}

	var all []string
	if err := json.Unmarshal([]byte(value), &all); err != nil || !check(all) || slices.Contains(all, "") {
		r.Fail(key, value, allowed)
	}

	return all
}

// Ranges returns a list of address ranges without host bits, none of them twice.
func (r *Reader) Ranges(key, allowed string) []netip.Prefix {
	texts := r.Texts(key, allowed, func(text string) bool {
		prefix, err := netip.ParsePrefix(text)
		return err == nil && prefix == prefix.Masked()
	})

	var all []netip.Prefix
	for _, text := range texts {
		// The check above has reported what does not parse.
		if prefix, err := netip.ParsePrefix(text); err == nil {
			all = append(all, prefix)
		}
	}

	return all
}

// Map returns an object whose values are text, numbers or booleans, all of them as text.
func (r *Reader) Map(key string) map[string]string {
	value, ok := r.value(key)
	if !ok {
		return nil
	}

	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		r.Fail(key, strconv.Quote(value)+" is not an object", "an object that maps names to values")
		return nil
	}

	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch value := all[name].(type) {
		case string, json.Number, bool:
			texts[name] = fmt.Sprint(value)
		default:
			r.FailIn(key, key+"."+name, "not a single value", "a string, a number or a boolean")
		}
	}

	return texts
}

// Objects returns a list of objects that have the fields of T and no others.
func Objects[T any](r *Reader, key, fields string) []T {
	value, ok := r.value(key)
	if !ok {
		return nil
	}

	var all []T
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		r.Fail(key, strconv.Quote(value), "a list of objects with the fields "+fields)
		return nil
	}

	return all
}

// NamedObjects returns an object that maps names to objects, which have some of the fields of T and no others.
func NamedObjects[T any](r *Reader, key, fields string) map[string]T {
	value, ok := r.value(key)
	if !ok {
		return nil
	}

	var all map[string]T
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		r.Fail(key, strconv.Quote(value), "an object that maps names to objects with the fields "+fields)
		return nil
	}

	return all
}

// Values are the members of an object as text, although people may also write them as numbers or booleans.
type Values map[string]string

// UnmarshalJSON refuses members that are lists or objects.
func (v *Values) UnmarshalJSON(text []byte) error {
	var all map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return err
	}

	*v = Values{}
	for name, value := range all {
		switch value.(type) {
		case string, json.Number, bool:
			(*v)[name] = fmt.Sprint(value)
		default:
			return fmt.Errorf("%s is not a single value", name)
		}
	}

	return nil
}

// Object returns an object that has some of the fields of T and no others.
func Object[T any](r *Reader, key, fields string) T {
	var object T
	value, ok := r.value(key)
	if !ok {
		return object
	}

	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		r.Fail(key, strconv.Quote(value), "an object with the fields "+fields)
	}

	return object
}
