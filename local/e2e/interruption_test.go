package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// delaySettings let NGINX serve on after the signal to stop, for longer than the load balancer takes to notice: three
// checks, one every 6 s.
const delaySettings = `
  fargate-nginx-sidecar:task: {stopDelay: 20s}
`

// interruptionWait bounds the end of an interrupted container: the delay, and the longest request after it.
const interruptionWait = 60 * time.Second

// interrupt stops a task as an interruption of Fargate Spot may: it gets the signal while the load balancer still sends
// requests to it. Without a delay, NGINX stops listening at once, and those requests fail.
func interrupt(t *testing.T, c *checkout) {
	t.Helper()
	settings := "Pulumi." + patternStack + ".yaml"
	c.configure(t, merged(t, c.read(t, settings), delaySettings))
	c.local(t, "up", "--stack", patternStack)
	container := ""
	for _, id := range c.containers(t, "nginx") { // those of the revision before may still be stopping
		if strings.Contains(docker(t, nil, "inspect", id), "NGINX_STOP_DELAY=20") {
			container = id
		}
	}
	if container == "" {
		t.Fatal("no NGINX has the delay")
	}
	failures := c.hammer(t, func() {
		if output, err := exec.Command("docker", "kill", "--signal=QUIT", container).CombinedOutput(); err != nil {
			t.Fatalf("docker kill: %v\n%s", err, output)
		}
		for deadline := time.Now().Add(interruptionWait); ; time.Sleep(500 * time.Millisecond) {
			output, err := exec.Command("docker", "ps", "--quiet", "--no-trunc", "--filter", "id="+container).Output()
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(output)) == "" {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("NGINX still runs %s after the signal to stop", interruptionWait)
			}
		}
	})
	if len(failures) > 0 {
		t.Errorf("%d requests failed during the interruption, the first: %s", len(failures), failures[0])
	}
}
