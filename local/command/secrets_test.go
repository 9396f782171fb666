package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
)

func TestSecretsAreThoseOfTheCommandElseOfTheStack(t *testing.T) {
	for _, variable := range []string{"FILE", "GIVEN", "A", "B", "apikey"} {
		t.Setenv(variable, "")
	}
	t.Setenv("SET", "hidden")
	current := run.Run{Endpoint: emulatortest.Start(t), Region: "eu-central-1"}
	const project = "name: shop\n"
	const region = "config:\n  aws:region: eu-central-1\n"
	for _, c := range []struct {
		claim, stack string
		given        map[string]string
		want         string
	}{
		{"stack", region + "  shop:app: {secrets: {FILE: \"ssm:file\", SET: \"ssm:set\"}}\n", nil, "FILE"},
		{"stack without any", region, nil, ""},
		{"login", region + "  shop:login: {issuer: \"https://idp\", clientSecret: \"secretsmanager:login#secret\"}\n", nil, "OIDC_CLIENT_SECRET"},
		{"extra containers", region + "  shop:containers: {b: {secrets: {B: \"ssm:b\"}}, a: {secrets: {B: \"ssm:b\", A: \"ssm:a\"}}, c: {}}\n", nil, "A, B"},
		{"a log router", region + "  shop:logRouter: {secrets: {apikey: \"ssm:router\"}}\n", nil, "apikey"},
		{"private registries", region + "  shop:app: {imageSecret: \"secretsmanager:ghcr\"}\n  shop:containers: {a: {imageSecret: \"secretsmanager:agents\"}}\n", nil, "IMAGE_SECRET"},
		{"command", region + "  shop:app: {secrets: {FILE: \"ssm:file\"}}\n", map[string]string{"shop:app.secrets": `{GIVEN: "ssm:given"}`}, "GIVEN"},
		{"command without any", region + "  shop:app: {secrets: {FILE: \"ssm:file\"}}\n", map[string]string{"app.secrets": "null"}, ""},
	} {
		var out bytes.Buffer
		l := &Local{Root: t.TempDir(), Progress: machine.NewPrinter(&out)}
		for file, content := range map[string]string{"Pulumi.yaml": project, "Pulumi.dev.yaml": c.stack} {
			if err := os.WriteFile(filepath.Join(l.Root, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		config, err := l.stackConfig("dev", c.given)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.provideSecrets(t.Context(), current, config); err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.want != "" {
			first, _, _ := strings.Cut(c.want, ",")
			want = "secrets   placeholders for " + c.want + "; give a real value in the environment: " + first + "=… make local\n"
		}
		if out.String() != want || strings.Contains(out.String(), "hidden") {
			t.Errorf("%s: got %q, want %q", c.claim, out.String(), want)
		}
	}
}
