package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const checkoutRoot = "../.."

// clone is a copy of the files that Git knows, in a repository of its own.
func clone(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	shell(t, checkoutRoot, `git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xf - -C "$0"`, root)
	shell(t, root, "git init -q && git config user.email test@example.com && git config user.name test && "+commit)

	return root
}

const commit = "git add --all && git commit -q --allow-empty -m change"

func shell(t *testing.T, dir, script string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-ec", script}, arguments...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}

	return string(output)
}

// mustRename renames and commits.
func mustRename(t *testing.T, root, name string) {
	t.Helper()
	said, err := rename(root, name)
	if err != nil || !strings.Contains(said, "is now "+name) {
		t.Fatalf("%v %s", err, said)
	}
	shell(t, root, commit)
}

func TestABadNameIsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"": "NAME is not given", "Shop": "allowed: 1 to 100", "my_shop": "allowed: 1 to 100", "shop.example": "allowed: 1 to 100",
		"-shop": "allowed: 1 to 100", "shop-": "allowed: 1 to 100", "my--shop": "allowed: 1 to 100", "1shop": "allowed: 1 to 100",
		"my shop": "allowed: 1 to 100", "a/b": "allowed: 1 to 100", strings.Repeat("a", 101): "allowed: 1 to 100",
		"aws": "reserved: it means the AWS provider", "bootstrap": "reserved", "net": "reserved: it means a package", "internal": "reserved",
	} {
		if said, err := rename(checkoutRoot, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %q; want %s", name, err, said, want)
		}
	}
	for _, name := range []string{"shop", "my-shop-2", strings.Repeat("a", 100)} {
		if err := checkName(name); err != nil {
			t.Error(err)
		}
	}
}

// What is renamed in two steps, with a name in between that many documents and tests use as a word, is what it was: nothing but the
// project's name is touched.
func TestRenamingThereAndBackChangesNothing(t *testing.T) {
	root := clone(t)
	first, err := projectName(root)
	if err != nil {
		t.Fatal(err)
	}
	before := strings.TrimSpace(shell(t, root, "git rev-parse HEAD"))
	for _, name := range []string{"shop", "web", "app", "project", first} {
		if name == first {
			if _, err := rename(root, name); err != nil {
				t.Fatal(err)
			}
			break
		}
		mustRename(t, root, name)
	}
	if left := shell(t, root, "git add --all && git diff --stat --cached "+before); left != "" {
		t.Errorf("changed:\n%s", left)
	}
	if said, err := rename(root, first); err != nil || !strings.Contains(said, "already called "+first) {
		t.Errorf("the same name: %v %s", err, said)
	}
}

func TestACheckoutThatIsInUseIsNotRenamed(t *testing.T) {
	root := clone(t)
	if err := os.Mkdir(filepath.Join(root, ".local"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := rename(root, "shop"); err == nil || !strings.Contains(err.Error(), "make local-down") {
		t.Errorf("a local run: %v", err)
	}
	shell(t, root, "rmdir .local && echo >>README.md")
	if _, err := rename(root, "shop"); err == nil || !strings.Contains(err.Error(), "not committed") || !strings.Contains(err.Error(), "README.md") {
		t.Errorf("a change: %v", err)
	}
	if left := shell(t, root, "git checkout -q README.md && git status --porcelain"); left != "" {
		t.Errorf("a refusal changed files:\n%s", left)
	}
}

// ours are the places where the former name stays, because it is the program's: types of components, labels, folders and images of
// the local run and the benchmark, recorded output, the authors.
var ours = regexp.MustCompile(`[A-Za-z]+:[A-Z]|^infra/graph_test.go|^LICENSE|^ops/preview/testdata/|^bench/|^local/(cloud|machine|offline|README)|` +
	`^images/imagetest/|label=|labelRun|labelTask|labelContainer|test-postgresql|fargate-nginx-sidecar-faults`)

// No setting is lost: the stack files of a renamed copy are valid, each has the graph that it had, and the documents are current.
func TestARenamedCopyHasTheSameStacks(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the program anew, under its other name: a minute or two")
	}
	root := clone(t)
	first, err := projectName(root)
	if err != nil {
		t.Fatal(err)
	}
	mustRename(t, root, "my-shop")

	if got := strings.TrimSpace(shell(t, root, "go list -m && git grep -h ^name: Pulumi.yaml")); got != "my-shop\nname: my-shop" {
		t.Errorf("module and project: %s", got)
	}
	for line := range strings.Lines(shell(t, root, "git grep -F "+first+" || true")) {
		if !ours.MatchString(line) {
			t.Errorf("the former name is left: %s", strings.TrimSpace(line))
		}
	}
	if unformatted := shell(t, root, "gofmt -l ."); unformatted != "" {
		t.Errorf("not formatted:\n%s", unformatted)
	}
	// With, what an earlier run compiled in another folder counts.
	shell(t, root, "go test -count=1 ./infra -run 'Golden|StackFile|Document|Schema|GoSample'")
	shell(t, root, "go build -o check ./infra/check && for stack in dev staging prod; do ./check -stack $stack; done")
	shell(t, root, "cd local && go list -deps . >/dev/null && cd ../bench && go list -deps . >/dev/null")
}
