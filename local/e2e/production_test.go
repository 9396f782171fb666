package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
)

// testDomain is a name that no one can own: https://www.rfc-editor.org/rfc/rfc2606
const testDomain = "www.example.test"

// production makes the running stack the one that Pulumi.prod.yaml describes, under a name of the owner's, and back.
func production(t *testing.T, c *checkout) {
	before := c.read(t, "Pulumi."+patternStack+".yaml")
	settings := strings.Join([]string{
		c.read(t, "Pulumi.prod.yaml"),
		"  fargate-nginx-sidecar:domain: " + testDomain,
		"  fargate-nginx-sidecar:domainAliases: [example.test]",
		"  fargate-nginx-sidecar:hostedZoneId: " + makeZone(t, c, "example.test"),
		"",
	}, "\n")
	c.configure(t, settings)
	output := c.local(t, "up", "--stack", patternStack)
	if !strings.Contains(output, "https://127.0.0.1:") {
		t.Error("production is not verified over HTTPS")
	}
	assertUnchanged(t, c)
	assertProtected(t, c)

	c.configure(t, settings+"  fargate-nginx-sidecar:deletionProtection: off\n")
	c.local(t, "up", "--stack", patternStack)
	c.configure(t, before)
	c.local(t, "up", "--stack", patternStack)
	assertUnchanged(t, c)
}

// assertProtected tries to destroy the stack, which must fail before anything is gone.
func assertProtected(t *testing.T, c *checkout) {
	t.Helper()
	output, err := c.shell(t, "pulumi destroy --yes --non-interactive")
	if err == nil || !strings.Contains(output+err.Error(), "protect") {
		t.Errorf("a protected stack is destroyed: %v\n%s", err, output)
	}
	assertUnchanged(t, c)
}

// makeZone makes a public hosted zone, which a certificate's validation and the stack's name go into.
func makeZone(t *testing.T, c *checkout, name string) string {
	t.Helper()
	current := c.current(t)
	client := route53.NewFromConfig(emulator.Config(current.Endpoint, current.Region))
	made := must[*route53.CreateHostedZoneOutput](t)(client.CreateHostedZone(context.Background(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(t.Name())}))
	return strings.TrimPrefix(*made.HostedZone.Id, "/hostedzone/")
}

func (c *checkout) read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// configure gives the stack another file of settings.
func (c *checkout) configure(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, "Pulumi."+patternStack+".yaml"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
