package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Group is an object of settings: a group of the stack file, a group inside it, or an element of a list. Its methods read
// the members, and declare them.
type Group struct {
	r      *Reader
	path   string // as errors show it, such as app.volumes[0]
	values map[string]any
	object *object
	// template is true of a group that only declares its members: it has no values, and no value is missing in it.
	template bool
	// inProd is the default of the next member in the profile prod, if it differs; orFalse lets it be false, and absent
	// describes it when it is not set.
	inProd  any
	orFalse bool
	absent  string
	// hidden keeps the value of the next member out of errors.
	hidden bool
}

// Describe declares a group of the stack file, in the order of the documents. In some groups values may be encrypted: what
// is made of them keeps them secret. Pulumi decrypts a value for the program, and reports only the group that holds it, so
// all of the group counts as secret then.
func (r *Reader) Describe(name, meaning string, keepsSecrets bool) {
	r.root.child(name, meaning).secrets = keepsSecrets
}

// Secret reports whether a value in a group is encrypted.
func (r *Reader) Secret(name string) bool { return r.ctx.IsConfigSecret(r.ctx.Project() + ":" + name) }

// Group returns a group of the stack file.
func (r *Reader) Group(name string) Group {
	if g, ok := r.groups[name]; ok {
		return g
	}

	g := Group{r: r, path: name, object: r.root.child(name, "")}
	if text, given := r.ctx.GetConfig(r.ctx.Project() + ":" + name); given {
		g.values = r.decode(name, text)
		r.given[name] = true
	}
	if r.Secret(name) && !g.object.secrets {
		r.Fail(name, "holds an encrypted value", "plain values, because they end up in resources that show them; app, containers and logRouter keep encrypted values secret")
	}
	r.groups[name] = g

	return g
}

func (r *Reader) decode(path, text string) map[string]any {
	var values map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil || decoder.More() {
		r.Fail(path, strconv.Quote(text), "a group of settings, as in {name: value}")
		return nil
	}

	return values
}

// Group returns a group inside this one.
func (g Group) Group(name, meaning string) Group {
	inner := Group{r: g.r, path: g.at(name), object: g.object.child(name, meaning), template: g.template}
	if value, given := g.take(name); given {
		values, ok := value.(map[string]any)
		if !ok {
			g.r.Fail(inner.path, literal(value), "a group of settings, as in {name: value}")
		}
		inner.values = values
	}

	return inner
}

// Given reports whether the stack file has the group.
func (g Group) Given() bool { return g.values != nil }

// Has reports whether the stack sets a member to anything but false.
func (g Group) Has(name string) bool { return g.r.Given(g.at(name)) }

// Wrong reports whether an error is about a member.
func (g Group) Wrong(name string) bool { return g.r.Wrong(g.at(name)) }

// Conflict is Reader.Conflict for members.
func (g Group) Conflict(names []string, problem string) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = g.at(name)
	}
	g.r.Conflict(paths, problem)
}

// Path is the path of a member.
func (g Group) Path(name string) string { return g.at(name) }

// InProd gives the next member another default in the profile prod.
func (g Group) InProd(value any) Group {
	g.inProd = value

	return g
}

// OrFalse lets the next member be false, which is its zero value to the program.
func (g Group) OrFalse() Group {
	g.orFalse = true

	return g
}

// Hidden keeps the value of the next member out of errors: what names no secret may be the secret itself.
func (g Group) Hidden() Group {
	g.hidden = true

	return g
}

// Else says what counts while the next member is not set.
func (g Group) Else(words string) Group {
	g.absent = words

	return g
}

// List returns what read makes of each element of a list of objects.
func List[T any](g Group, name, meaning, source string, read func(Group) T) []T {
	items := g.object.add(&object{name: name, meaning: meaning, source: source, kind: listOf})
	read(Group{r: g.r, path: g.at(name) + "[]", object: items, template: true})

	value, given := g.take(name)
	if !given {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		g.r.Fail(g.at(name), literal(value), "a list of objects with "+items.names())
		return nil
	}

	var all []T
	for i, element := range list {
		path := fmt.Sprintf("%s[%d]", g.at(name), i)
		values, ok := element.(map[string]any)
		if !ok {
			g.r.Fail(path, literal(element), "an object with "+items.names())
			continue
		}
		all = append(all, read(Group{r: g.r, path: path, object: items, values: values}))
	}

	return all
}

// nameAllowed and named are what names of elements may be: they become parts of the names of resources.
const nameAllowed = "names of 1 to 20 of a-z, 0-9 and hyphens that begin with a letter"

// Members returns what read makes of each object in a group whose members have names of the user's choice, by name.
func Members[T any](g Group, read func(name string, member Group) T) []T {
	g.object.kind = mapOf
	read("name", Group{r: g.r, path: g.path + ".*", object: g.object, template: true})

	var all []T
	for _, name := range slices.Sorted(maps.Keys(g.values)) {
		value, path := g.values[name], g.at(name)
		g.r.given[path] = true
		if !elementName.MatchString(name) {
			g.r.Fail(g.path, strconv.Quote(name), nameAllowed)
			continue
		}
		values, ok := value.(map[string]any)
		if !ok {
			g.r.Fail(path, literal(value), "an object with "+g.object.names())
			continue
		}
		all = append(all, read(name, Group{r: g.r, path: path, object: g.object, values: values}))
	}

	return all
}

func (g Group) at(name string) string {
	if g.path == "" {
		return name
	}

	return g.path + "." + name
}

// take returns the value of a member, if the stack file has one.
func (g Group) take(name string) (any, bool) {
	value, given := g.values[name]
	if !given || value == nil {
		return nil, false
	}
	if value != false {
		g.r.given[g.at(name)] = true
	}

	return value, true
}

// fail records an error about a member.
func (g Group) fail(name string, value any, allowed string) {
	if g.orFalse {
		allowed = "false, or " + allowed
	}
	got := literal(value)
	if g.hidden {
		got = "not what is allowed"
	}
	g.r.Fail(g.at(name), got, allowed)
}

// Fail records that the value of a member is not allowed.
func (g Group) Fail(name, got, allowed string) {
	if !g.template {
		g.r.Fail(g.at(name), got, allowed)
	}
}

// Refuse records an error about the group itself.
func (g Group) Refuse(problem string) {
	if !g.template {
		g.r.Refuse(g.path, problem)
	}
}

// RefuseMember records an error about a member for which there is no allowed value to name.
func (g Group) RefuseMember(name, problem string) {
	if !g.template {
		g.r.Refuse(g.at(name), problem)
	}
}

// literal shows a value as a stack file would have it in one line.
func literal(value any) string {
	switch value := value.(type) {
	case string:
		return strconv.Quote(value)
	case json.Number:
		return value.String()
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}

	return string(text)
}
