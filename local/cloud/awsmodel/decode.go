package awsmodel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A decoded value is one of these. Members have the names of the model; what the model does not know keeps its own.
type (
	object = map[string]any
	list   = []any
	// text is a leaf of a protocol that has no types of its own: a form, a header, an XML element.
	text string
	// data is a body that is the value itself, such as a file.
	data []byte
)

// Further leaves are those of encoding/json: string, json.Number, bool, nil.

// decode reads the input of a call.
func decode(a asked, c call) (any, error) {
	switch c.protocol {
	case protocolJSON:
		return decodeJSON(c.operation.input, a.body)
	case protocolQuery, protocolEC2:
		return decodeForm(a.form, c.operation.input, c.protocol), nil
	default:
		return decodeREST(a, c)
	}
}

// decodeJSON reads a JSON body.
func decodeJSON(s *shape, body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return fromJSON(s, raw), nil
}

// fromJSON gives members the names of the model. Whether types fit is found out later.
func fromJSON(s *shape, raw any) any {
	switch raw := raw.(type) {
	case object:
		return objectFromJSON(s, raw)
	case list:
		if s.Type != "list" {
			return raw
		}
		for i := range raw {
			raw[i] = fromJSON(s.Item.shape, raw[i])
		}
	}
	return raw
}

func objectFromJSON(s *shape, raw object) object {
	switch {
	case s.Type == "map":
		for key, value := range raw {
			raw[key] = fromJSON(s.Value.shape, value)
		}
		return raw
	case s.Type != "structure" || s.Document:
		return raw
	}
	named := object{}
	for name, m := range s.Members {
		if value, given := raw[m.wireName(name)]; given && m.Location == "" {
			named[name] = fromJSON(m.shape, value)
			delete(raw, m.wireName(name))
		}
	}
	for name, value := range raw {
		named[name] = value
	}
	return named
}
