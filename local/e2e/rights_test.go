package e2e_test

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// recordActions adds the actions of a run to what bootstrap's tests know of runs.
var recordActions = flag.Bool("record", false, "add the AWS actions of this run to bootstrap/testdata/actions.json")

// recordedActions has, from the tip of the repository, the actions that commands have called.
const recordedActions = "bootstrap/testdata/actions.json"

// clientName matches the commands of a script that call AWS, and the part of each that names it.
var clientName = regexp.MustCompile(`\b(pulumi|ops) ([a-z]+)`)

// clientOf is the name under which the requests of a script are recorded, as in the driver's own: pulumi-preview, ops-rollback.
func clientOf(script string) string {
	if found := clientName.FindStringSubmatch(script); found != nil {
		return found[1] + "-" + found[2]
	}

	return "other"
}

// assertRights fails a test whose commands have called what the roles of bootstrap/ may not: a preview with the role that
// only reads, everything else with that of an environment.
func (c *checkout) assertRights(t *testing.T) {
	t.Helper()
	called := map[string][]string{}
	if !readJSON(t, filepath.Join(c.root, ".build", "aws-actions.json"), &called) {
		return
	}
	delete(called, "other") // the tests' own
	preview, deploy := granted(t, "preview"), granted(t, "deploy")
	for command, actions := range called {
		role, allowed := "deploy", deploy
		if command == "pulumi-preview" || command == "ops-preview" {
			role, allowed = "preview", preview
		}
		for _, action := range actions {
			if !slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, action) }) {
				t.Errorf("%s called %s, which docs/iam/%s.json does not allow", command, action, role)
			}
		}
	}
	if *recordActions {
		record(t, called)
	}
}

// granted are the actions that a policy of docs/iam allows.
func granted(t *testing.T, role string) (actions []string) {
	t.Helper()
	var policy struct {
		Statement []struct {
			Effect string
			Action []string
		}
	}
	if !readJSON(t, filepath.Join("..", "..", "docs", "iam", role+".json"), &policy) {
		t.Fatalf("docs/iam has no policy for %s", role)
	}
	for _, statement := range policy.Statement {
		if statement.Effect == "Allow" {
			actions = append(actions, statement.Action...)
		}
	}

	return actions
}

func covers(pattern, action string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(action, prefix)
	}

	return pattern == action
}

// record is used by lanes side by side, which wait for each other.
func record(t *testing.T, called map[string][]string) {
	t.Helper()
	file := must[*os.File](t)(os.OpenFile(filepath.Join("..", "..", filepath.FromSlash(recordedActions)), os.O_RDWR|os.O_CREATE, 0o600))
	defer file.Close() //nolint:errcheck // also gives the lock back
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	if err := json.NewDecoder(file).Decode(&known); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for command, actions := range called {
		all := append(known[command], actions...)
		slices.Sort(all)
		known[command] = slices.Compact(all)
	}
	content := must[[]byte](t)(json.MarshalIndent(known, "", "  "))
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(append(content, '\n'), 0); err != nil {
		t.Fatal(err)
	}
}

// readJSON says whether there is such a file.
func readJSON(t *testing.T, file string, into any) bool {
	t.Helper()
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}

	return true
}
