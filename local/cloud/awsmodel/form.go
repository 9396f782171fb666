package awsmodel

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// branch is a part of a form whose keys are paths, such as Actions.member.1.Type.
type branch struct {
	value    *string
	branches map[string]*branch
}

// grow turns a form into a tree.
func grow(form url.Values) *branch {
	root := &branch{branches: map[string]*branch{}}
	for key, values := range form {
		at := root
		for step := range strings.SplitSeq(key, ".") {
			if at.branches[step] == nil {
				at.branches[step] = &branch{branches: map[string]*branch{}}
			}
			at = at.branches[step]
		}
		at.value = &values[0]
	}
	return root
}

// decodeForm reads a request in the query protocol or in EC2's dialect of it.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
func decodeForm(form url.Values, input *shape, dialect protocol) any {
	root := grow(form)
	delete(root.branches, "Action")
	delete(root.branches, "Version")
	return root.structure(input, dialect)
}

func (b *branch) decode(s *shape, flat bool, dialect protocol) any {
	switch {
	case s.Type == "structure":
		return b.structure(s, dialect)
	case s.Type == "list":
		return b.list(s, flat || dialect == protocolEC2, dialect)
	case s.Type == "map":
		return b.entries(s, dialect)
	case len(b.branches) > 0:
		return b.raw()
	}
	return text(*b.value)
}

func (b *branch) structure(s *shape, dialect protocol) any {
	if b.value != nil && *b.value != "" {
		return text(*b.value)
	}
	decoded := object{}
	taken := map[string]bool{}
	for name, m := range s.Members {
		wire := formName(name, m, dialect)
		if given := b.branches[wire]; given != nil {
			decoded[name] = given.decode(m.shape, m.flat(), dialect)
			taken[wire] = true
		}
	}
	for wire, given := range b.branches {
		if !taken[wire] {
			decoded[wire] = given.raw()
		}
	}
	return decoded
}

// formName is a member's name in a form.
func formName(name string, m *member, dialect protocol) string {
	switch {
	case dialect == protocolEC2 && m.QueryName != "":
		return m.QueryName
	case dialect == protocolEC2:
		return capitalized(m.wireName(name))
	case m.flat() && m.shape.Type == "list" && m.shape.Item.LocationName != "":
		return m.shape.Item.LocationName
	}
	return m.wireName(name)
}

func capitalized(name string) string {
	return string(unicode.ToUpper(rune(name[0]))) + name[1:]
}

func (b *branch) list(s *shape, flat bool, dialect protocol) any {
	if b.value != nil && *b.value != "" {
		return text(*b.value)
	}
	items, ok := b.below(s.Item.wireName("member"), flat)
	numbers, numbered := items.numbers()
	if !ok || !numbered {
		return b.raw()
	}
	decoded := make(list, len(numbers))
	for i, number := range numbers {
		decoded[i] = items.branches[number].decode(s.Item.shape, false, dialect)
	}
	return decoded
}

func (b *branch) entries(s *shape, dialect protocol) any {
	entries, ok := b.below("entry", false)
	numbers, numbered := entries.numbers()
	if !ok || !numbered {
		return b.raw()
	}
	decoded := object{}
	for _, number := range numbers {
		entry := entries.branches[number].branches
		key, value := entry[s.Key.wireName("key")], entry[s.Value.wireName("value")]
		if key == nil || key.value == nil || value == nil {
			return b.raw()
		}
		decoded[*key.value] = value.decode(s.Value.shape, false, dialect)
	}
	return decoded
}

// below is where the entries of a list or map are: under one name and nothing beside it, or, in a flat list, right here.
// There are no flat maps in these protocols.
func (b *branch) below(name string, flat bool) (entries *branch, ok bool) {
	if flat || len(b.branches) == 0 {
		return b, true
	}
	return b.branches[name], len(b.branches) == 1 && b.branches[name] != nil
}

// numbers are the names below a list, in order. It is not one where a name is no number.
func (b *branch) numbers() (names []string, ok bool) {
	if b == nil {
		return nil, true
	}
	for name := range b.branches {
		if _, err := strconv.Atoi(name); err != nil {
			return nil, false
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(one, other string) int { return cmp.Or(cmp.Compare(len(one), len(other)), cmp.Compare(one, other)) })
	return names, true
}

// raw is what stands where the model has nothing, or something else.
func (b *branch) raw() any {
	if len(b.branches) == 0 {
		return text(*b.value)
	}
	all := object{}
	for name, below := range b.branches {
		all[name] = below.raw()
	}
	return all
}
