package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A pull request of somebody without an account: both revisions run here, and the text is that of a preview with one.
func TestMakePreviewComparesTwoRevisionsWithoutAnAccount(t *testing.T) {
	c := newCheckout(t)
	for _, arguments := range [][]string{{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "--quiet", "--message=base"}} {
		shown(t, c.root, nil, "git", arguments...)
	}
	const stack = "Pulumi.dev.yaml"
	before := c.read(t, stack)

	c.write(t, stack, before+"  fargate-nginx-sidecar:scale: {min: many}\n")
	if text, err := c.makePreview("main"); err == nil || !strings.Contains(text, `scale.min: "many"`) || strings.Contains(text, "emulator") {
		t.Errorf("a wrong setting is not the first that is said: %v\n%s", err, text)
	}
	c.write(t, stack, before)
	if text, err := c.makePreview("nothing"); err == nil || !strings.Contains(text, "BASE: nothing is no revision") {
		t.Errorf("a revision that does not exist: %v\n%s", err, text)
	}

	c.edit(t, stack, "cpu: 256, memory: 512", "cpu: 256, memory: 1024")
	text, err := c.makePreview("main")
	for _, want := range []string{"### dev: 1 to change, 1 to replace", "  - TaskDefinition `web`: `memory`", " USD a month (+", "no container, process, network or file of the run is left"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("the text lacks %q: %v\n%s", want, err, text)
		}
	}
	if _, err := os.Stat(filepath.Join(c.root, ".build", "compare")); !os.IsNotExist(err) {
		t.Errorf("the other revision's worktree is left: %v", err)
	}
}

// makePreview returns what the command prints, with what it does meanwhile.
func (c *checkout) makePreview(base string) (string, error) {
	cmd := exec.Command("make", "preview", "STACK=dev", "BASE="+base)
	cmd.Dir, cmd.Env = c.root, append(os.Environ(), "LOCAL_PORT="+strconv.Itoa(c.port))
	output, err := cmd.CombinedOutput()

	return string(output), err
}
