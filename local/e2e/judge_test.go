package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/machine/toolchain"
	"fargate-nginx-sidecar/local/trial"
)

// sameControl has, for each rule of awsguard that finds something, the control in docs/security.md that requires the same. The
// verdict on a finding is that control's exception for the stack.
var sameControl = map[string]string{
	"alb-http-to-https-redirection":   "ELB.1",
	"elb-logging-enabled":             "ELB.5",
	"elb-deletion-protection-enabled": "ELB.6",
	"s3-bucket-logging-enabled":       "S3.9",
}

// judgedStacks are the stacks of docs/security.md that are previewed here, by the names of their shapes.
var judgedStacks = map[string]string{"of-dev": "dev", "of-staging": "staging", "of-prod": "prod", "prod-owners": "prod with a domain"}

// finding is what one rule reports about one resource. A rule that cannot be decided in a preview is one, too.
type finding struct {
	Rule    string `json:"policyName"`
	URN     string `json:"resourceUrn"`
	Message string `json:"message"`
}

// TestAWSGuardFindsTheDocumentedExceptions judges new stacks by rules that were not written for this project, @pulumi/awsguard. They
// must find every exception of the same control, and nothing else: a rule that finds less has looked at no resource.
func TestAWSGuardFindsTheDocumentedExceptions(t *testing.T) {
	if testing.Short() {
		t.Skip("installs packages from npm: run `make test-all`")
	}
	pack := installAWSGuard(t)
	documented := documentedExceptions(t)
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.local(t, "up", "--stack", patternStack)
	settings := shapes(t, c)
	for shape, stack := range judgedStacks {
		c.write(t, "Pulumi."+shape+".yaml", settings[shape])
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			assertDocumented(t, c.findings(t, pack, shape), documented[stack])
		})
	}
}

// assertDocumented compares findings with the controls for which a stack has exceptions.
func assertDocumented(t *testing.T, found []finding, excepted []string) {
	t.Helper()
	var controls []string
	for _, f := range found {
		t.Logf("%s (%s): %s", f.Rule, sameControl[f.Rule], f.URN)
		if !slices.Contains(excepted, sameControl[f.Rule]) {
			t.Errorf("%s: %s\nno exception in docs/security.md explains that", f.URN, f.Message)
		}
		controls = append(controls, sameControl[f.Rule])
	}
	for rule, control := range sameControl {
		if slices.Contains(excepted, control) && !slices.Contains(controls, control) {
			t.Errorf("%s finds nothing, but docs/security.md has an exception of %s: does testdata/awsguard/index.js map the type?", rule, control)
		}
	}
}

// installAWSGuard returns the folder of the policy pack. It is in the cache folder of the local run, so that npm
// downloads its packages only once.
func installAWSGuard(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not on PATH, so that awsguard cannot be installed")
	}
	pack := filepath.Join(must[*toolchain.Finder](t)(toolchain.New("../..", nil)).CacheDir, "awsguard")
	if err := trial.Copy(filepath.Join("testdata", "awsguard"), pack); err != nil {
		t.Fatal(err)
	}
	// The install script of @pulumi/aws would download a provider, which no rule uses.
	install := exec.Command("npm", "install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	install.Dir = pack
	if output, err := install.CombinedOutput(); err != nil {
		if exec.Command("npm", "ping", "--fetch-retries=0").Run() != nil {
			t.Skipf("npm's registry cannot be reached, so that awsguard cannot be installed: %v\n%s", err, output)
		}
		t.Fatalf("npm install: %v\n%s", err, output)
	}
	return pack
}

// findings previews a stack that does not exist yet, and returns what the rules report.
func (c *checkout) findings(t *testing.T, pack, stack string) (all []finding) {
	t.Helper()
	events := filepath.Join(t.TempDir(), "events")
	// The engine finds the pack's launcher on PATH. --event-log is a flag for debugging.
	script := "export PULUMI_DEBUG_COMMANDS=true PATH=" + shellWord(pack) + `:"$PATH" && pulumi preview --non-interactive --stack ` + stack +
		" --policy-pack " + shellWord(pack) + " --event-log " + shellWord(events)
	if _, err := c.shell(t, script); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(must[[]byte](t)(os.ReadFile(events))) {
		var event struct{ PolicyEvent *finding }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if event.PolicyEvent != nil {
			all = append(all, *event.PolicyEvent)
		}
	}
	return all
}

// exceptionRow is a row of the table of exceptions: the control, and the stacks.
var exceptionRow = regexp.MustCompile(`(?m)^\| (\w+\.\d+) \| ([^|]+) \|`)

// documentedExceptions are the controls that docs/security.md lists as exceptions, by stack.
func documentedExceptions(t *testing.T) map[string][]string {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile(filepath.Join("..", "..", "docs", "security.md")))
	byStack := map[string][]string{}
	for _, row := range exceptionRow.FindAllStringSubmatch(string(text), -1) {
		for stack := range strings.SplitSeq(row[2], ", ") {
			byStack[stack] = append(byStack[stack], row[1])
		}
	}
	return byStack
}
