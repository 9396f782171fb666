package nginx_test

import (
	"fmt"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/nginx"
)

func TestTheDocumentHasTheTableOfSettings(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n")
	for _, row := range nginx.Rows() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.Name, row.Default, row.Allowed, row.Meaning)
	}
	inDocument(t, "settings", b.String()+"\n")
}
