// Package document renders what AWS takes as JSON text: policies, container definitions, dashboards, patterns of events.
package document

import (
	"bytes"
	"encoding/json"
	"strings"
)

// JSON renders a value on one line, without escaping <, > and &, so that a text looks in AWS as it was written.
func JSON(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)

	return strings.TrimSpace(text.String()), err
}
