package e2e_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/command/pulumi"

	"gopkg.in/yaml.v3"
)

// testDomain is a name that no one can own: https://www.rfc-editor.org/rfc/rfc2606
const testDomain = "www.example.test"

func TestAProductionStackIsProtectedUntilItIsTakenDown(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	settings := deployProduction(t, c, keepContent...)
	takeDown(t, c, settings)
	down(t, c)
}

// keepContent takes back what the local run sets beside the stack's file, so that what holds data goes as it does on AWS.
var keepContent = []string{"--set", "storage.forceDelete=null"}

// takeDown destroys production as docs/deployments.md says, with images and logs in place.
func takeDown(t *testing.T, c *checkout, settings string) {
	t.Helper()
	buckets := c.buckets(t)
	if len(buckets) != 2 {
		t.Errorf("buckets %v; want that of the access logs and that of the flow logs", buckets)
	}
	for _, bucket := range buckets {
		c.put(t, bucket, "AWSLogs/log")
	}
	c.configure(t, merged(t, settings, "  fargate-nginx-sidecar:deployment: {deletionProtection: false}\n"))
	c.local(t, "up", append([]string{"--stack", patternStack}, keepContent...)...)
	if output, err := c.shell(t, "pulumi destroy --yes --non-interactive"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if left := c.buckets(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	assertNothingInAWS(t, c)
}

// put writes an object into a bucket, as a load balancer does. The bucket's policy goes first: the emulator reads its refusal of
// connections without TLS as one of all requests.
func (c *checkout) put(t *testing.T, bucket, key string) {
	t.Helper()
	current := c.current(t)
	for _, step := range []struct{ method, path, body string }{
		{http.MethodDelete, "/" + bucket + "?policy", ""}, {http.MethodPut, "/" + bucket + "/" + key, "a line"},
	} {
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), step.method, current.Endpoint+step.path, strings.NewReader(step.body)))
		emulator.Address(request, current.Region, "s3")
		response := must[*http.Response](t)(http.DefaultClient.Do(request))
		_ = response.Body.Close()
		if response.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s", step.method, step.path, response.Status)
		}
	}
}

func (c *checkout) buckets(t *testing.T) (names []string) {
	t.Helper()
	var listed struct {
		Buckets struct{ Bucket []struct{ Name string } }
	}
	if err := c.caller(t).XML(t.Context(), "s3", http.MethodGet, "/", nil, &listed); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range listed.Buckets.Bucket {
		names = append(names, bucket.Name)
	}
	return names
}

// production makes the running stack the one that Pulumi.prod.yaml describes, under a name of the owner's, and back.
func production(t *testing.T, c *checkout) {
	before := c.read(t, "Pulumi."+patternStack+".yaml")
	settings := deployProduction(t, c)
	c.configure(t, merged(t, settings, "  fargate-nginx-sidecar:deployment: {deletionProtection: false}\n"))
	c.local(t, "up", "--stack", patternStack)
	c.configure(t, before)
	c.local(t, "up", "--stack", patternStack)
	assertUnchanged(t, c)
}

// deployProduction deploys Pulumi.prod.yaml as its owner does: it leads to an account, names a zone there and has a value that
// only its owner can decrypt.
func deployProduction(t *testing.T, c *checkout, flags ...string) (settings string) {
	t.Helper()
	settings = ownersProduction(t, c)
	c.configure(t, settings)
	output := c.local(t, "up", append([]string{"--stack", patternStack}, flags...)...)
	for _, want := range []string{
		"https://127.0.0.1:", // where production is verified
		"domain.zone Z0123456789ABCDEFGHIJ: made in the emulator, as " + c.deployed(t, "domain.zone").(string) + " for example.test",
		"without aws:profile, aws:assumeRole, aws:allowedAccountIds",
		"defaults or placeholders for what is encrypted in the stack's file: fargate-nginx-sidecar:app",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	newest := c.containers(t, "app")[0] // those of the revision before may still be stopping
	if !strings.Contains(docker(t, nil, "inspect", newest), `"TOKEN=local-TOKEN"`) {
		t.Error("the app's TOKEN is not the placeholder")
	}
	if c.read(t, "Pulumi."+patternStack+".yaml") != settings {
		t.Error("the stack's file in the checkout is changed")
	}
	assertUnchanged(t, c)
	assertProtected(t, c)
	return settings
}

// ownersProduction is Pulumi.prod.yaml as its owner deploys it.
func ownersProduction(t *testing.T, c *checkout) string {
	t.Helper()
	return strings.Join([]string{
		"secretsprovider: awskms://alias/pulumi?region=eu-central-1",
		"encryptedkey: AQECAHgh",
		c.read(t, "Pulumi.prod.yaml"),
		"  aws:profile: production",
		`  aws:allowedAccountIds: ["111122223333"]`,
		"  aws:assumeRole: {roleArn: arn:aws:iam::111122223333:role/deploy}",
		"  fargate-nginx-sidecar:domain: {name: " + testDomain + ", aliases: [example.test], zone: Z0123456789ABCDEFGHIJ}",
		"  fargate-nginx-sidecar:app: {environment: {TOKEN: {secure: AAABAK3k}}}",
		"",
	}, "\n")
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

// deployed is the value at a path of the stack's settings, in the run's copy of its file.
func (c *checkout) deployed(t *testing.T, setting string) any {
	t.Helper()
	var file struct{ Config map[string]any }
	if err := yaml.Unmarshal([]byte(c.read(t, ".local/project/Pulumi."+patternStack+".yaml")), &file); err != nil {
		t.Fatal(err)
	}
	value, _ := pulumi.Lookup(file.Config, c.project(t)+":"+setting)
	return value
}

// project is the name that Pulumi.yaml gives.
func (c *checkout) project(t *testing.T) string {
	t.Helper()
	var file struct{ Name string }
	if err := yaml.Unmarshal([]byte(c.read(t, "Pulumi.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	return file.Name
}

// merged is a stack's file with more settings in it, which are the lines below config.
func merged(t *testing.T, file, settings string) string {
	t.Helper()
	var before, more map[string]any
	if err := errors.Join(yaml.Unmarshal([]byte(file), &before), yaml.Unmarshal([]byte("config:\n"+settings), &more)); err != nil {
		t.Fatal(err)
	}
	merge(before, more)
	content, err := yaml.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func merge(into, from map[string]any) {
	for key, value := range from {
		group, isGroup := value.(map[string]any)
		before, wasGroup := into[key].(map[string]any)
		if isGroup && wasGroup {
			merge(before, group)
			continue
		}
		into[key] = value
	}
}

func (c *checkout) read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (c *checkout) write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// configure gives the stack another file of settings.
func (c *checkout) configure(t *testing.T, content string) {
	t.Helper()
	c.write(t, "Pulumi."+patternStack+".yaml", content)
}
