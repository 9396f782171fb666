package awsmodel

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// element is an XML element, read as encoding/xml does for `any`.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Elements []*element `xml:",any"`
}

// decodeXML reads an XML body. root is the name that its element must have, if the model gives one.
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
func decodeXML(s *shape, root string, body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, nil
	}
	var e element
	if err := xml.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	if root != "" && e.XMLName.Local != root {
		return nil, fmt.Errorf("the element is <%s>, not <%s>", e.XMLName.Local, root)
	}
	return e.decode(s), nil
}

func (e *element) decode(s *shape) any {
	switch s.Type {
	case "structure":
		return e.structure(s)
	case "list":
		return e.list(s)
	case "map":
		return e.entries(s)
	}
	if len(e.Elements) > 0 {
		return e.raw()
	}
	return text(e.Text)
}

func (e *element) structure(s *shape) any {
	if len(e.Elements) == 0 && strings.TrimSpace(e.Text) != "" {
		return text(e.Text)
	}
	decoded := object{}
	taken := map[string]bool{}
	for name, m := range s.Members {
		wire := m.wireName(name)
		if m.Attribute {
			if value, given := e.attribute(wire); given {
				decoded[name] = text(value)
			}
			continue
		}
		given := e.named(wire)
		taken[wire] = true
		switch {
		case len(given) == 0:
		case m.flat() && m.shape.Type == "list":
			items := make(list, len(given))
			for i := range given {
				items[i] = given[i].decode(m.shape.Item.shape)
			}
			decoded[name] = items
		default:
			decoded[name] = given[0].decode(m.shape)
		}
	}
	for _, below := range e.Elements {
		if wire := below.XMLName.Local; !taken[wire] {
			decoded[wire] = below.raw()
		}
	}
	return decoded
}

func (e *element) list(s *shape) any {
	items := list{}
	for _, below := range e.Elements {
		if below.XMLName.Local != s.Item.wireName("member") {
			return e.raw()
		}
		items = append(items, below.decode(s.Item.shape))
	}
	return items
}

func (e *element) entries(s *shape) any {
	decoded := object{}
	for _, entry := range e.Elements {
		key, value := entry.named(s.Key.wireName("key")), entry.named(s.Value.wireName("value"))
		if len(key) != 1 || len(value) != 1 {
			return e.raw()
		}
		decoded[key[0].Text] = value[0].decode(s.Value.shape)
	}
	return decoded
}

// named are the elements of a name below this one.
func (e *element) named(name string) (found []*element) {
	for _, below := range e.Elements {
		if below.XMLName.Local == name {
			found = append(found, below)
		}
	}
	return found
}

// attribute is an attribute's value. A prefix such as xsi: stands for a name space, which nothing else shares.
func (e *element) attribute(name string) (value string, given bool) {
	_, local, prefixed := strings.Cut(name, ":")
	if !prefixed {
		local = name
	}
	for _, attribute := range e.Attrs {
		if attribute.Name.Local == local && attribute.Name.Space != "xmlns" {
			return attribute.Value, true
		}
	}
	return "", false
}

// raw is what stands where the model has nothing, or something else.
func (e *element) raw() any {
	if len(e.Elements) == 0 {
		return text(e.Text)
	}
	all := object{}
	for _, below := range e.Elements {
		all[below.XMLName.Local] = below.raw()
	}
	return all
}
