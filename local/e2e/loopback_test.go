//go:build linux

package e2e_test

import (
	"os"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/engine/enginetest"
)

// TestAStackRunsOnAnEngineWithALoopbackOfItsOwn deploys, changes and destroys a stack on such an engine, as Docker Desktop,
// Colima and OrbStack have it. It takes minutes and, while it runs, three rules in this machine's firewall, so it is run by
// `make test-loopback` alone. Package engine tests its parts in every run.
func TestAStackRunsOnAnEngineWithALoopbackOfItsOwn(t *testing.T) {
	c, _ := onAnEngineOfItsOwn(t)
	output := c.local(t, "up", "--stack", patternStack)
	if !strings.Contains(output, ", through a container, because the Docker engine has a loopback of its own") {
		t.Error("the run does not say how the engine reaches the registry")
	}
	c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
	c.local(t, "up", "--stack", patternStack)
	if got := c.user(t); got != "User 1 found again!" {
		t.Errorf("GET /api/users/1 answers %q", got)
	}
	assertUnchanged(t, c)
	ended := c.current(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}

// onAnEngineOfItsOwn returns a checkout whose commands use an engine that the test has for itself.
func onAnEngineOfItsOwn(t *testing.T) (*checkout, *enginetest.Engine) {
	t.Helper()
	if os.Getenv("OWN_LOOPBACK") == "" {
		t.Skip("OWN_LOOPBACK is not set: run `make test-loopback`")
	}
	c := newCheckout(t)
	engine := enginetest.Start(t)
	engine.Outside(t)
	t.Setenv("DOCKER_HOST", engine.Host)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	return c, engine
}
