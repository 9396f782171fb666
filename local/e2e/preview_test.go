package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shapes are the settings of every stack file of this repository, and of every other stack that a test deploys, by a stack's
// name.
func shapes(t *testing.T, c *checkout) map[string]string {
	t.Helper()
	all := map[string]string{"prod-owners": ownersProduction(t, c)}
	for _, pattern := range []string{
		filepath.Join(c.root, "Pulumi.*.yaml"), filepath.Join("testdata", "Pulumi.*.yaml"), filepath.Join(c.root, "examples", "apps", "*", "Pulumi.*.yaml"),
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all["of-"+strings.Split(filepath.Base(file), ".")[1]] = string(content)
		}
	}
	staging := merged(t, all["of-staging"], owners.settings())
	for _, way := range waysOut {
		all["staging-"+way.egress] = strings.Replace(staging, "egress: "+waysOut[0].egress, "egress: "+way.egress, 1)
	}
	const small = "config:\n  aws:region: eu-central-1\n"
	for _, network := range []string{"low-cost", "large"} {
		for _, ingress := range []string{"alb", "api-gateway"} {
			all[network+"-"+ingress] = small + "  fargate-nginx-sidecar:network: {kind: " + network + "}\n  fargate-nginx-sidecar:ingress: {kind: " + ingress + ", idleTimeout: 30s}\n"
		}
	}
	all["of-"+filesStack] = merged(t, all["of-"+filesStack], "  fargate-nginx-sidecar:app: {context: "+imageWithFiles(t, c)+"}\n")
	existing := "  fargate-nginx-sidecar:network:\n    kind: existing\n    vpc: vpc-0a1b2c3d4e5f60718\n" +
		"    publicSubnets: [subnet-0a1b2c3d4e5f60711, subnet-0a1b2c3d4e5f60712]\n" +
		"    privateSubnets: [subnet-0a1b2c3d4e5f60713, subnet-0a1b2c3d4e5f60714]\n"
	all["existing"] = small + existing
	all["existing-api"] = small + existing + "  fargate-nginx-sidecar:ingress: {kind: api-gateway, idleTimeout: 30s}\n"
	return all
}

// imageWithFiles copies the sample's context to a folder of its own, which it returns, and adds files for NGINX there.
func imageWithFiles(t *testing.T, c *checkout) string {
	t.Helper()
	const folder = "images/files"
	if err := os.CopyFS(filepath.Join(c.root, folder), os.DirFS(filepath.Join(c.root, "images", "app"))); err != nil {
		t.Fatal(err)
	}
	c.edit(t, folder+"/Dockerfile", "USER 1000:1000", filesInImage+"USER 1000:1000")
	return folder
}

// inGate are the shapes that the gate previews: this project's stack files, and each kind of ingress and network.
var inGate = []string{"of-dev", "of-staging", "prod-owners", "of-guest", "of-api", "existing-api", "large-alb"}

// previewAll previews each shape as a stack that does not exist yet, beside one that runs. Only the real engine leaves the
// outputs of new resources unknown, which mocks do not.
func previewAll(t *testing.T, c *checkout) {
	for name, settings := range shapes(t, c) {
		if testing.Short() && !slices.Contains(inGate, name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.root, "Pulumi."+name+".yaml"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := c.preview(t, []string{"--stack", name})
			for _, step := range report.Steps {
				if step.Operation != "create" && step.Operation != "read" {
					t.Errorf("a new stack would %s %s", step.Operation, step.URN)
				}
			}
			for _, said := range report.Diagnostics {
				if strings.Contains(said.Message, "this update would create a new") {
					t.Errorf("a new stack replaces nothing, and the preview says: %s", said.Message)
				}
			}
		})
	}
}

// previewDatabase previews the second program of examples/database as a new stack that reads the outputs of the one that
// runs.
func previewDatabase(t *testing.T, c *checkout) {
	folder := "PULUMI_OPTION_CWD=" + filepath.Join(c.root, "examples", "database")
	script := "export PULUMI_STACK=database && pulumi stack init database && pulumi config set aws:region eu-central-1" +
		" && pulumi config set webStack organization/" + c.project(t) + "/" + patternStack +
		" && pulumi config set --secret password local && pulumi preview --non-interactive"
	output, err := c.shell(t, "export "+shellWord(folder)+" && "+script)
	if err != nil || !strings.Contains(output, "aws:rds:Instance") {
		t.Errorf("%v\n%s", err, output)
	}
}

func shellWord(text string) string { return "'" + text + "'" }
