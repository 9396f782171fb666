//go:build linux

package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"
)

// What commands say of an engine that is gone: one that needs it from the start, and one that it left in the middle.
const (
	neverThere = "\nerror: docker: no engine answers at "
	wentAway   = "\nerror: the Docker engine does not answer at "
)

// TestAStackSurvivesItsEngine kills the Docker engine of a stack: while images are built, while the stack serves, while an
// update waits for its tasks, and while the stack is taken down. The containers outlive the engine, and the next one finds and
// ends them. It takes minutes and an engine of its own, so it is run by `make test-loopback` alone.
func TestAStackSurvivesItsEngine(t *testing.T) {
	c, engine := onAnEngineOfItsOwn(t)

	first := c.begin(t, "up", "--stack", patternStack)
	first.until("docker:index:Image web-app creating")
	engine.Kill(t)
	first.fails(wentAway)
	c.refusesWithoutEngine(t)
	engine.Restart(t)
	c.local(t, "up", "--stack", patternStack)

	t.Run("while it serves", func(t *testing.T) {
		killed := time.Now()
		engine.Kill(t)
		c.refusesWithoutEngine(t)
		if output := c.local(t, "status"); !strings.Contains(output, "docker    the Docker engine does not answer at ") {
			t.Error("the status does not say that the engine is gone")
		}
		engine.Restart(t)
		restarted := time.Now()
		c.awaitAnswer(t, "User 1 found!")
		t.Logf("away for %.1f s; the stack answers %.1f s after the engine's return", restarted.Sub(killed).Seconds(), time.Since(restarted).Seconds())
		c.local(t, "up", "--stack", patternStack)
		assertUnchanged(t, c)
	})
	t.Run("while an update waits, and comes back", func(t *testing.T) {
		c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
		update := c.begin(t, "up", "--stack", patternStack)
		update.until("aws:ecs:Service web updating")
		engine.Kill(t)
		time.Sleep(5 * time.Second)
		engine.Restart(t)
		update.succeeds()
		c.awaitAnswer(t, "User 1 found again!")
		assertUnchanged(t, c)
	})
	t.Run("while an update waits, for good", func(t *testing.T) {
		c.edit(t, "images/app/app.js", changedAnswer, sampleAnswer)
		update := c.begin(t, "up", "--stack", patternStack)
		update.until("aws:ecs:Service web updating")
		engine.Kill(t)
		update.fails(wentAway)
		engine.Restart(t)
		c.local(t, "up", "--stack", patternStack)
		c.awaitAnswer(t, "User 1 found!")
		assertUnchanged(t, c)
	})
	ended := c.current(t)
	down := c.begin(t, "down")
	down.until("aws:ecs:Service web deleting")
	engine.Kill(t)
	down.fails(wentAway)
	if _, err := os.Stat(run.Dir(c.root)); err != nil {
		t.Errorf("what is left is noted nowhere: %v", err)
	}
	engine.Restart(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}

// refusesWithoutEngine runs both commands that need an engine. Neither changes anything.
func (c *checkout) refusesWithoutEngine(t *testing.T) {
	t.Helper()
	for _, arguments := range [][]string{{"up", "--stack", patternStack}, {"down"}} {
		begun := c.begin(t, arguments...)
		begun.fails(neverThere)
	}
}

// awaitAnswer waits until the stack answers so.
func (c *checkout) awaitAnswer(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		got := c.user(t)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET /api/users/1 answers %q, want %q", got, want)
		}
	}
}

// begun is a command that runs.
type begun struct {
	t       *testing.T
	command string
	ended   chan error

	mu     sync.Mutex
	output strings.Builder
}

func (b *begun) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.Write(text)
}

func (b *begun) printed() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.String()
}

// begin starts a command of the driver.
func (c *checkout) begin(t *testing.T, arguments ...string) *begun {
	t.Helper()
	b := &begun{t: t, command: "local " + strings.Join(arguments, " "), ended: make(chan error, 1)}
	cmd := exec.Command(driver, append([]string{"--root", c.root}, arguments...)...)
	cmd.Env = append(os.Environ(), "LOCAL_PORT="+strconv.Itoa(c.port))
	cmd.Stdout, cmd.Stderr = b, b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { b.ended <- cmd.Wait() }()
	return b
}

// until waits until the command has printed a text.
func (b *begun) until(text string) {
	b.t.Helper()
	for !strings.Contains(b.printed(), text) {
		select {
		case err := <-b.ended:
			b.t.Fatalf("%s: ended before %q: %v\n%s", b.command, text, err, b.printed())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// fails waits for the command's end, which must have one error of one line that begins so.
func (b *begun) fails(with string) {
	b.t.Helper()
	err := <-b.ended
	output := b.printed()
	b.t.Logf("%s: %v\n%s", b.command, err, output)
	_, said, found := strings.Cut(output, with)
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !found || strings.Count(strings.TrimSpace(said), "\n") > 0 {
		b.t.Errorf("%s: %v; want an error of one line that begins with %q", b.command, err, strings.TrimSpace(with))
	}
}

func (b *begun) succeeds() {
	b.t.Helper()
	err := <-b.ended
	b.t.Logf("%s: %v\n%s", b.command, err, b.printed())
	if err != nil {
		b.t.Fatalf("%s: %v", b.command, err)
	}
}
