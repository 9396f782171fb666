package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inDocuments is the account of the policies in docs/iam, whose readers put in their own.
var inDocuments = account{
	partition: "aws", number: "123456789012", bucketARN: "arn:aws:s3:::STATE-BUCKET", keyARN: "arn:aws:kms:eu-central-1:123456789012:key/STATE-KEY",
}

// docs/iam has the policies of the roles for those who make them in another way than with bootstrap/.
func TestTheDocumentsHaveThePoliciesOfTheRoles(t *testing.T) {
	for role, render := range map[string]func() (string, error){"preview": inDocuments.previewPolicy, "deploy": inDocuments.deployPolicy} {
		policy, err := render()
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := json.Indent(&text, []byte(policy), "", "  "); err != nil {
			t.Fatal(err)
		}
		sameOrWritten(t, filepath.Join("..", "docs", "iam", role+".json"), text.String()+"\n")
	}
}

func TestTheFirstDeploymentsDocumentHasTheTableOfRights(t *testing.T) {
	const begin, end = "<!-- rights:begin -->\n", "<!-- rights:end -->"
	file := filepath.Join("..", "docs", "first-deploy.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no %s", file, end)
	}
	table := "| Service | A preview | An update, besides | For |\n|---|---|---|---|\n"
	for _, r := range rights {
		table += "| `" + r.service + "` | " + inCode(r.reads) + " | " + inCode(r.writes) + " | " + r.why + " |\n"
	}
	sameOrWritten(t, file, before+begin+table+end+after)
}

func inCode(actions []string) string {
	if len(actions) == 0 {
		return ""
	}

	return "`" + strings.Join(actions, "`, `") + "`"
}

// sameOrWritten fails when a file is stale, and writes it with -update.
func sameOrWritten(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is stale (%v); run: make docs", file, err)
	}
}
