package awsmodel

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// decodeREST reads what the REST protocols put into path, query, headers and body.
// https://smithy.io/2.0/spec/http-bindings.html
func decodeREST(a asked, c call) (any, error) {
	input, err := decodeBody(a.body, c)
	if err != nil {
		return nil, err
	}
	query := ownQuery(a.request.URL.Query(), c.route)
	takesAny := false
	for name, m := range c.operation.input.Members {
		wire := m.wireName(name)
		switch m.Location {
		case "uri":
			input[name] = text(c.path[wire])
		case "querystring":
			if values, given := query[wire]; given {
				input[name] = fromTexts(m.shape, values)
				delete(query, wire)
			}
			takesAny = takesAny || m.shape.Type == "map"
		case "header":
			if value := a.request.Header.Get(wire); value != "" {
				input[name] = fromHeader(m.shape, value)
			}
		case "headers":
			input[name] = fromHeaders(a.request.Header, wire)
		}
	}
	for name, values := range query {
		if !takesAny {
			input["?"+name] = text(values[0])
		}
	}
	return input, nil
}

// ownQuery is a query without what belongs to its route, names its operation, or signs it in advance.
func ownQuery(query url.Values, r route) url.Values {
	for name := range query {
		if name == "x-id" || strings.HasPrefix(name, "X-Amz-") || r.query.Has(name) {
			delete(query, name)
		}
	}
	return query
}

// fromTexts reads the values that a query gives for a member.
func fromTexts(s *shape, values []string) any {
	if s.Type != "list" {
		return text(values[0])
	}
	items := make(list, len(values))
	for i, value := range values {
		items[i] = text(value)
	}
	return items
}

// fromHeader reads a header's value.
func fromHeader(s *shape, value string) any {
	if s.Type != "list" {
		return text(value)
	}
	items := list{}
	for item := range strings.SplitSeq(value, ",") {
		items = append(items, text(strings.TrimSpace(item)))
	}
	return items
}

// fromHeaders collects the headers whose names begin alike, such as x-amz-meta-.
func fromHeaders(header http.Header, prefix string) object {
	found := object{}
	for name, values := range header {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			found[name[len(prefix):]] = text(values[0])
		}
	}
	return found
}

// decodeBody reads the members of a REST request that are in its body.
func decodeBody(body []byte, c call) (object, error) {
	input, root := c.operation.input, c.operation.root
	name := input.Payload
	if name == "" {
		value, err := c.decodeWhole(input, root, body)
		if err != nil {
			return nil, err
		}
		if whole, ok := value.(object); ok {
			return whole, nil
		}
		return object{"the body": value}, nil
	}
	payload := input.Members[name]
	switch {
	case payload.shape.Type == "blob" || payload.shape.Type == "string":
		// S3 streams, with and without a length; what is in them is the client's.
		return object{name: data(body)}, nil
	case len(bytes.TrimSpace(body)) == 0:
		return object{}, nil
	}
	value, err := c.decodeWhole(payload.shape, payload.wireName(name), body)
	return object{name: value}, err
}

// decodeWhole reads a body that is one value.
func (c call) decodeWhole(s *shape, root string, body []byte) (any, error) {
	if c.protocol == protocolRESTJSON {
		return decodeJSON(s, body)
	}
	return decodeXML(s, root, body)
}
