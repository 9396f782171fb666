package e2e_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"
)

// secretSettings give the app two values from stores that are empty at first.
const secretSettings = `
  fargate-nginx-sidecar:app:
    secrets:
      DATABASE_URL: ssm:/shop/database
      STRIPE_KEY: secretsmanager:shop/stripe#key
`

// Values that are found nowhere by accident.
const (
	databaseValue = "postgres://shop:e2e-hidden-1@db/shop"
	stripeValue   = "e2e-hidden-2"
)

// assertSecrets holds what the containers see against the values wanted, and looks for values where none belongs.
func assertSecrets(t *testing.T, c *checkout, output, databaseURL, stripeKey string) {
	t.Helper()
	for _, id := range c.settled(t, "app") {
		seen := docker(t, nil, "exec", id, "node", "-p", "[process.env.DATABASE_URL, process.env.STRIPE_KEY].join(' ')")
		if want := databaseURL + " " + stripeKey; strings.TrimSpace(seen) != want {
			t.Errorf("the app sees %q, want %q", seen, want)
		}
	}
	for _, id := range c.containers(t, "nginx") {
		seen := docker(t, nil, "inspect", id)
		if strings.Contains(seen, "e2e-hidden") || strings.Contains(seen, "STRIPE_KEY") {
			t.Error("nginx sees the app's secrets")
		}
	}
	state := must[string](t)(c.shell(t, "pulumi stack export --show-secrets"))
	for what, text := range map[string]string{
		"up":                  output,
		"status":              must[string](t)(c.run("status")),
		"logs":                must[string](t)(c.run("logs", "--follow=false")), // too long to show
		"pulumi stack export": state,
	} {
		if strings.Contains(text, "e2e-hidden") {
			t.Errorf("%s shows a value", what)
		}
	}
	if !strings.Contains(state, "STRIPE_KEY") {
		t.Error("the state does not name the secrets, so it proves nothing")
	}
	for _, file := range c.filesWith(t, "e2e-hidden") {
		t.Errorf("%s holds a value", file)
	}
	if len(c.filesWith(t, "STRIPE_KEY")) == 0 {
		t.Error("no file names the secrets, so none was read")
	}
}

// settled are the containers of the tasks that serve, once those that they replaced, whose end an update does not wait for,
// are gone.
func (c *checkout) settled(t *testing.T, name string) []string {
	t.Helper()
	const tasks = 2 // of the pattern's stack
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		ids := c.containers(t, name)
		if len(ids) == tasks {
			return ids
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s containers run, not %d", len(ids), name, tasks)
		}
	}
}

// containers are the running containers of this name, of all tasks; there is one at least.
func (c *checkout) containers(t *testing.T, name string) []string {
	t.Helper()
	ids := c.running(t, name)
	if len(ids) == 0 {
		t.Fatalf("no %s container runs", name)
	}
	return ids
}

// running is the same for containers of which there may be none.
func (c *checkout) running(t *testing.T, name string) []string {
	t.Helper()
	return strings.Fields(docker(t, nil, "ps", "--quiet",
		"--filter", "label=fargate-nginx-sidecar.run="+c.current(t).ID, "--filter", "label=fargate-nginx-sidecar.container="+name))
}

// filesWith lists the files of the run that hold a text.
func (c *checkout) filesWith(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(run.Dir(c.root), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}
