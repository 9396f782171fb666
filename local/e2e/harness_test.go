// Package e2e_test runs the unchanged program through the real Pulumi engine, on a copy of this checkout, and looks at
// what came out: in the emulator, in the containers, and through the load balancer.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/trial"
)

// driver is the built command of the local run.
var driver string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "local-driver-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	driver = filepath.Join(dir, "local")
	build := exec.Command("go", "build", "-o", driver, "..")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the driver:", err)
		return 1
	}
	return m.Run()
}

// checkout is a copy of this repository that a test may change, and the local run in it.
type checkout struct {
	root string
	port int
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	c := &checkout{root: filepath.Join(t.TempDir(), "a checkout"), port: freePorts(t)}
	if err := trial.Copy(filepath.Join("..", ".."), c.root); err != nil {
		t.Fatal(err)
	}
	if err := trial.CopyFile(filepath.Join("testdata", "Pulumi.pattern.yaml"), filepath.Join(c.root, "Pulumi.pattern.yaml")); err != nil {
		t.Fatal(err)
	}
	return c
}

// freePorts returns a port for a stack's load balancer.
func freePorts(t *testing.T) int {
	t.Helper()
	return must[int](t)(trial.FreePort())
}

// url is where the stack's load balancer listens.
func (c *checkout) url() string { return "http://127.0.0.1:" + strconv.Itoa(c.port) }

// run runs a command of the driver and returns what it printed.
func (c *checkout) run(command string, arguments ...string) (string, error) {
	cmd := exec.Command(driver, append([]string{"--root", c.root, command}, arguments...)...)
	cmd.Env = append(os.Environ(), "LOCAL_PORT="+strconv.Itoa(c.port))
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// progress is a line about one resource that is being created, changed or deleted, or about waiting.
var progress = regexp.MustCompile(`(?m)^( [-+~]{1,2} .*|.*: still running after .*)\n`)

// try is run, with the output in the test's. Of a command that succeeds, lines of progress are left out: there are hundreds,
// and they would hide what a test says.
func (c *checkout) try(t *testing.T, command string, arguments ...string) (string, error) {
	t.Helper()
	begun := time.Now()
	output, err := c.run(command, arguments...)
	shown := output
	if err == nil {
		shown = progress.ReplaceAllString(output, "")
	}
	t.Logf("local %s %s (%s)\n%s", command, strings.Join(arguments, " "), time.Since(begun).Round(time.Second), shown)
	assertRequests(t, output)
	c.assertRights(t)
	return output, err
}

// requests is what the driver says of all requests to AWS that a run has made so far.
var requests = regexp.MustCompile(`(?m)^requests  \d+ of \d+ operations checked against AWS's API models; violations: (\d+); not checked: (\d+)`)

// assertRequests fails a test whose run asked for something that AWS would refuse, or that could not be checked.
func assertRequests(t *testing.T, output string) {
	t.Helper()
	for _, line := range requests.FindAllStringSubmatch(output, -1) {
		if line[1] != "0" || line[2] != "0" {
			t.Error(line[0])
		}
	}
}

// local is try for a command that must succeed.
func (c *checkout) local(t *testing.T, command string, arguments ...string) string {
	t.Helper()
	output, err := c.try(t, command, arguments...)
	if err != nil {
		t.Fatalf("local %s: %v", command, err)
	}
	return output
}

// shell runs a script as a person would who has sourced the env file.
func (c *checkout) shell(t *testing.T, script string, environment ...string) (string, error) {
	t.Helper()
	// The env file takes out what a shell has said about AWS before.
	cmd := exec.Command("sh", "-c", ". .local/env && export AWS_SDK_UA_APP_ID="+clientOf(script)+" && "+script)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s%s", err, output, stderr.String())
	}
	return string(output), err
}

// current describes the run.
func (c *checkout) current(t *testing.T) run.Run {
	t.Helper()
	current, err := run.Load(run.Dir(c.root))
	if err != nil {
		t.Fatal(err)
	}
	return current
}

// step is one operation on one resource in a preview.
type step struct {
	Operation    string         `json:"op"`
	URN          string         `json:"urn"`
	DetailedDiff map[string]any `json:"detailedDiff"`
}

// preview is what `pulumi preview --json` prints.
type preview struct {
	Steps       []step `json:"steps"`
	Diagnostics []struct {
		Message  string `json:"message"`
		Severity string `json:"severity"`
	} `json:"diagnostics"`
}

// preview previews the stack that a shell works on, with flags of the CLI.
func (c *checkout) preview(t *testing.T, flags []string, environment ...string) preview {
	t.Helper()
	output, err := c.shell(t, "pulumi preview --json "+strings.Join(flags, " "), environment...)
	if err != nil {
		t.Fatalf("pulumi preview: %v", err)
	}
	var report preview
	if err := json.Unmarshal([]byte(output), &report); err != nil {
		t.Fatalf("pulumi preview: %v\n%s", err, output)
	}
	if len(report.Steps) == 0 {
		t.Fatal("the preview has no steps, not even for unchanged resources: it read nothing")
	}
	return report
}

// changes are the steps that a preview with some flags announces, without the unchanged resources.
func (c *checkout) changes(t *testing.T, flags ...string) []step {
	t.Helper()
	return changed(c.preview(t, flags))
}

func changed(report preview) []step {
	return slices.DeleteFunc(report.Steps, func(s step) bool { return s.Operation == "same" || s.Operation == "read" })
}

// outputs returns the stack's outputs that are text.
func (c *checkout) outputs(t *testing.T) map[string]string {
	t.Helper()
	output, err := c.shell(t, "pulumi stack output --json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal([]byte(output), &all); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, value := range all {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts
}

// edit replaces text in a file of the copy. The text must be there.
func (c *checkout) edit(t *testing.T, file, before, after string) {
	t.Helper()
	name := filepath.Join(c.root, file)
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), before) {
		t.Fatalf("%s does not hold %q", file, before)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(content), before, after, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// assertNothingLeft looks for whatever a run could leave behind.
func (c *checkout) assertNothingLeft(t *testing.T, ended run.Run) {
	t.Helper()
	if _, err := os.Stat(run.Dir(c.root)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run's folder is left: %v", err)
	}
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", ended.PID)); err == nil {
		t.Errorf("the background process is left: %s", comm)
	}
	for what, arguments := range map[string][]string{
		"containers": {"ps", "--all", "--quiet", "--filter", "label=fargate-nginx-sidecar.run=" + ended.ID},
		"volumes":    {"volume", "ls", "--quiet", "--filter", "label=fargate-nginx-sidecar.run=" + ended.ID},
		"networks":   {"network", "ls", "--quiet", "--filter", "label=fargate-nginx-sidecar.run=" + ended.ID},
		"images":     {"images", "--quiet", "--filter", "reference=" + ended.Registry + "/*"},
	} {
		output, err := exec.Command("docker", arguments...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(output)) > 0 {
			t.Errorf("%s are left: %s", what, output)
		}
	}
	for _, address := range []string{ended.Registry, strings.TrimPrefix(ended.Endpoint, "http://"), ended.Listen} {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
		if err == nil {
			_ = connection.Close()
			t.Errorf("something still listens on %s", address)
		}
	}
}
