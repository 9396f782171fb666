package settings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Schema describes the stack files of a project in JSON Schema, for editors. A stack file holds the settings under config,
// with the project's name in front, beside those of providers and what Pulumi itself writes.
// https://json-schema.org/draft-07
func (r *Reader) Schema(project string) ([]byte, error) {
	var config references
	definitions := map[string]any{"encrypted": encryptedSchema}
	for _, m := range r.root.members {
		definitions[m.name()] = m.schema(m.object != nil && m.object.secrets)
		// Pulumi takes a key without a namespace for the project's.
		for _, key := range []string{m.name(), project + ":" + m.name()} {
			config = append(config, [2]string{key, m.name()})
		}
	}
	patterns := map[string]any{}
	for namespace := range r.providers {
		patterns["^"+regexp.QuoteMeta(namespace)+":"] = map[string]any{}
	}

	return indented(map[string]any{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "Stack file of " + project,
		"type":        "object",
		"definitions": definitions,
		"properties": map[string]any{
			"config": map[string]any{
				"type": "object", "properties": config, "patternProperties": patterns, "additionalProperties": false,
			},
			"encryptionsalt": textSchema, "encryptedkey": textSchema, "secretsprovider": textSchema, "environment": map[string]any{},
		},
		"additionalProperties": false,
	})
}

// references are keys and the groups that they are for. They are written in their order, which does not depend on the project's name.
type references [][2]string

// MarshalJSON writes an object.
func (all references) MarshalJSON() ([]byte, error) {
	members := make([]string, len(all))
	for i, r := range all {
		members[i] = fmt.Sprintf(`%q: {"$ref": %q}`, r[0], "#/definitions/"+r[1]) // both are plain names
	}

	return []byte("{" + strings.Join(members, ",") + "}"), nil
}

var (
	textSchema = map[string]any{"type": "string"}
	// https://www.pulumi.com/docs/iac/concepts/secrets/
	encryptedSchema = map[string]any{
		"type": "object", "properties": map[string]any{"secure": textSchema}, "required": []string{"secure"}, "additionalProperties": false,
	}
)

func indented(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)

	return text.Bytes(), err
}

func (m member) schema(secrets bool) map[string]any {
	if m.object != nil {
		return m.object.schema(secrets)
	}

	return m.setting.schema(secrets)
}

func (s Setting) schema(secrets bool) map[string]any {
	all := map[string]any{}
	for key, value := range s.Schema {
		all[key] = value
	}
	if secrets {
		all = withEncrypted(all)
	}
	all["description"] = strings.TrimSpace(s.Meaning + "\n\nAllowed: " + s.Allowed + ". Default: " + s.plainDefault() + ".\n\n" + s.Source)

	return all
}

// withEncrypted lets a value, or each of the values in an object or a list, be encrypted.
func withEncrypted(schema map[string]any) map[string]any {
	inner := map[string]any{}
	for key, value := range schema {
		if one, ok := value.(map[string]any); ok && (key == "additionalProperties" || key == "items") {
			value = withEncrypted(one)
		}
		inner[key] = value
	}

	return map[string]any{"anyOf": []any{inner, map[string]any{"$ref": "#/definitions/encrypted"}}}
}

func (s Setting) plainDefault() string {
	switch {
	case s.Required:
		return "none, it is required"
	case s.InProd != "":
		return "dev " + cmp.Or(s.Default, s.Absent) + ", prod " + s.InProd
	default:
		return cmp.Or(s.Default, s.Absent, "none")
	}
}

func (o *object) schema(secrets bool) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, m := range o.members {
		properties[m.name()] = m.schema(secrets)
		if m.setting != nil && m.setting.Required {
			required = append(required, m.name())
		}
	}
	all := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		all["required"] = required
	}
	switch o.kind {
	case one:
	case listOf:
		all = map[string]any{"type": "array", "items": all}
	case mapOf:
		all = map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": elementName.String()}, "additionalProperties": all}
	}
	if secrets {
		all = map[string]any{"anyOf": []any{all, map[string]any{"$ref": "#/definitions/encrypted"}}}
	}
	if o.meaning != "" {
		all["description"] = o.meaning
	}

	return all
}
