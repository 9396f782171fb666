package settings

import (
	"slices"
	"strings"
)

// object is a declared group, or a declared list or map of objects with the same members.
type object struct {
	name, meaning, source string
	kind                  kind
	// secrets is true of a group in which values may be encrypted.
	secrets bool
	members []member
}

// kind is how objects of a sort occur.
type kind int

const (
	one kind = iota
	listOf
	mapOf
)

// member is a setting, or an object inside another.
type member struct {
	setting *Setting
	object  *object
}

// Setting is what one line declares.
type Setting struct {
	Name string
	// Default and InProd are written as in a stack file; Default is empty if there is none, and InProd if it is the same.
	// Absent says in words what counts instead of a default.
	Default, InProd, Absent string
	// Allowed says in words what Schema says in terms of JSON Schema.
	Allowed string
	Schema  map[string]any
	// Required settings have to be in each object that may have them.
	Required        bool
	Meaning, Source string
}

func (m member) name() string {
	if m.object != nil {
		return m.object.name
	}

	return m.setting.Name
}

func (o *object) find(name string) (member, bool) {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name() == name })
	if i < 0 {
		return member{}, false
	}

	return o.members[i], true
}

func (o *object) child(name, meaning string) *object {
	return o.add(&object{name: name, meaning: meaning})
}

// add returns the object of that name, which is the given one unless there was one before.
func (o *object) add(child *object) *object {
	if before, ok := o.find(child.name); ok {
		return before.object
	}
	o.members = append(o.members, member{object: child})

	return child
}

func (o *object) declare(s Setting) {
	if _, ok := o.find(s.Name); !ok {
		o.members = append(o.members, member{setting: &s})
	}
}

// names are those of the members, in a row.
func (o *object) names() string {
	all := make([]string, len(o.members))
	for i, m := range o.members {
		all[i] = m.name()
	}

	return strings.Join(all, ", ")
}

// paths are those of all settings in the object.
func (o *object) paths(prefix string) []string {
	var all []string
	for _, m := range o.members {
		path := strings.TrimPrefix(prefix+"."+m.name(), ".")
		if m.object == nil {
			all = append(all, path)
			continue
		}
		if m.object.kind != one || len(m.object.members) == 0 {
			all = append(all, path)
		}
		switch m.object.kind {
		case one:
		case listOf:
			path += "[]"
		case mapOf:
			path += ".*"
		}
		all = append(all, m.object.paths(path)...)
	}

	return all
}

// Declared are all settings, by their paths.
func (r *Reader) Declared() map[string]Setting {
	all := map[string]Setting{}
	r.root.collect("", all)

	return all
}

func (o *object) collect(prefix string, all map[string]Setting) {
	for _, m := range o.members {
		path := strings.TrimPrefix(prefix+"."+m.name(), ".")
		switch {
		case m.setting != nil:
			all[path] = *m.setting
		case m.object.kind == listOf:
			m.object.collect(path+"[]", all)
		case m.object.kind == mapOf:
			m.object.collect(path+".*", all)
		default:
			m.object.collect(path, all)
		}
	}
}

// Paths are those of all declared settings: app.port, app.volumes[].name, containers.*.image.
func (r *Reader) Paths() []string { return r.root.paths("") }
