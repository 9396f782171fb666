package e2e_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/trial"
)

// patternStack is the environment whose settings are the pattern's own; newCheckout adds its file.
const patternStack = "pattern"

// What the tests change in the sample app: its answer, and what it says about its health.
const (
	sampleAnswer  = "User ${req.params.id} found!"
	changedAnswer = "User ${req.params.id} found again!"
	healthyAnswer = "res.type('text/plain').send('ok')"
	illAnswer     = "res.status(500).send('ill')"
)

// stepsOf returns what runs the steps of a test. They build on each other, so the first one that fails ends the test.
func stepsOf(t *testing.T) func(claim string, do func(t *testing.T)) {
	t.Helper()
	return func(claim string, do func(t *testing.T)) {
		t.Helper()
		if !t.Run(claim, do) {
			t.FailNow()
		}
	}
}

// TestTheStackLivesAWholeLife takes one stack of one environment from nothing to nothing.
func TestTheStackLivesAWholeLife(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })

	step := stepsOf(t)
	step("a first deploy whose app crashes is explained and kept", func(t *testing.T) { crashFirst(t, c) })
	step("the next command deploys the corrected app over it, and verifies it", func(t *testing.T) {
		output := c.local(t, "up", "--stack", patternStack)
		for _, want := range []string{"200 Service is healthy", "200 User 1 found!", "no trace of it", c.url()} {
			if !strings.Contains(output, want) {
				t.Errorf("the output lacks %q", want)
			}
		}
	})
	step("AWS holds what the pattern describes", func(t *testing.T) { comparePattern(t, c) })
	step("a second preview shows no change, and one after an edit shows the edit", func(t *testing.T) {
		assertUnchanged(t, c)
		settings := "Pulumi." + patternStack + ".yaml"
		before := c.read(t, settings)
		c.configure(t, merged(t, before, "  fargate-nginx-sidecar:task: {memory: 4096}\n"))
		if len(c.changes(t)) == 0 {
			t.Error("a preview does not read the edited file")
		}
		c.configure(t, before)
		if output, err := c.shell(t, "pulumi config set --path task.memory 4096"); err == nil || !strings.Contains(err.Error(), settings) {
			t.Errorf("a setting goes into a copy, and is lost: %s, %v", output, err)
		}
	})
	t.Run("every stack file and shape previews as a new stack", func(t *testing.T) { previewAll(t, c) })
	t.Run("the example with a database previews beside it", func(t *testing.T) { previewDatabase(t, c) })
	step("a changed app is served without one failed request", func(t *testing.T) {
		c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
		failures := c.hammer(t, func() { c.local(t, "up", "--stack", patternStack) })
		if len(failures) > 0 {
			t.Errorf("%d requests failed during the deploy, the first: %s", len(failures), failures[0])
		}
		if got := c.user(t); got != "User 1 found again!" {
			t.Errorf("GET /api/users/1 answers %q", got)
		}
	})
	step("a deploy whose tasks never get healthy fails, and the old one goes on serving", func(t *testing.T) {
		c.edit(t, "images/app/app.js", healthyAnswer, illAnswer)
		var output string
		failures := c.hammer(t, func() {
			var err error
			if output, err = c.try(t, "up", "--stack", patternStack); err == nil {
				t.Error("the deploy is reported as a success")
			}
		})
		if len(failures) > 0 {
			t.Errorf("%d requests failed during the deploy, the first: %s", len(failures), failures[0])
		}
		for _, want := range []string{"ECS rolled the deployment back", "service web: the app answers status 500"} {
			if !strings.Contains(output, want) {
				t.Errorf("the output lacks %q", want)
			}
		}
		if got := c.user(t); got != "User 1 found again!" {
			t.Errorf("GET /api/users/1 answers %q", got)
		}
	})
	step("a corrected app, now with secrets and on another port, is deployed over the failed one without one failed request", func(t *testing.T) {
		c.edit(t, "images/app/app.js", illAnswer, healthyAnswer)
		c.edit(t, "images/app/app.js", changedAnswer, sampleAnswer)
		settings := "Pulumi." + patternStack + ".yaml"
		// Another port takes another target group and another service, which take over beside the old ones.
		c.configure(t, merged(t, c.read(t, settings), secretSettings+"  fargate-nginx-sidecar:http: {port: 8081}\n"))
		t.Setenv("DATABASE_URL", databaseValue)
		t.Setenv("STRIPE_KEY", "")
		var output string
		failures := c.hammer(t, func() { output = c.local(t, "up", "--stack", patternStack) })
		if len(failures) > 0 {
			t.Errorf("%d requests failed during the deploy, the first: %s", len(failures), failures[0])
		}
		if got := c.user(t); got != "User 1 found!" {
			t.Errorf("GET /api/users/1 answers %q", got)
		}
		if want := "placeholders for STRIPE_KEY; give a real value in the environment: STRIPE_KEY=… make local\n"; !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
		assertSecrets(t, c, output, databaseValue, "local-STRIPE_KEY")
	})
	step("a new value of a secret reaches the tasks, an old one stays, and the load balancer moves to another port", func(t *testing.T) {
		t.Setenv("DATABASE_URL", "")
		t.Setenv("STRIPE_KEY", stripeValue)
		before := c.port
		c.port = freePorts(t)
		output := c.local(t, "up", "--stack", patternStack)
		assertSecrets(t, c, output, databaseValue, stripeValue)
		if got := c.user(t); got != "User 1 found!" {
			t.Errorf("GET /api/users/1 answers %q", got)
		}
		if !trial.Free(before) || !trial.Free(before+trial.HTTPSOffset) {
			t.Errorf("port %d or %d is still held", before, before+trial.HTTPSOffset)
		}
	})
	step("a task that is interrupted while clients are still sent to it loses no request", func(t *testing.T) { interrupt(t, c) })
	step("an app that is killed is replaced, and no request fails after that", func(t *testing.T) { killApp(t, c) })
	step("a refresh finds everything as it was deployed", func(t *testing.T) {
		output, err := c.shell(t, "pulumi refresh --yes --skip-preview --expect-no-changes --non-interactive")
		if err != nil {
			t.Error(err)
		}
		t.Log(output)
		assertUnchanged(t, c)
	})
	step("destroy leaves nothing in AWS", func(t *testing.T) { destroy(t, c) })
	step("down leaves nothing on the machine", func(t *testing.T) { down(t, c) })
}

// crashFirst deploys an app that ends at once. Its user reads why, and can look at what there is.
func crashFirst(t *testing.T, c *checkout) {
	t.Helper()
	const crash = "throw new Error('no database at db.example.test');\n"
	server := c.read(t, "images/app/server.js")
	c.write(t, "images/app/server.js", crash+server)
	output, err := c.try(t, "up", "--stack", patternStack)
	if err == nil {
		t.Error("the deploy is reported as a success")
	}
	for _, want := range []string{"no database at db.example.test", "make local-status and make local-logs show it"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	for _, unwanted := range []string{"context canceled", "^C received"} {
		if strings.Contains(output, unwanted) {
			t.Errorf("the program was interrupted before it explained: %q", unwanted)
		}
	}
	c.statusShows(t, "0 of 2 tasks running") // one of them may live for a moment
	if logs := c.local(t, "logs", "--follow=false"); !strings.Contains(logs, "no database at db.example.test") {
		t.Error("the app's log is gone")
	}
	c.write(t, "images/app/server.js", server)
}

// statusShows waits up to a minute for a text.
func (c *checkout) statusShows(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		status := must[string](t)(c.run("status"))
		if strings.Contains(status, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the status does not show %q:\n%s", want, status)
			return
		}
	}
}

// killApp kills the app of one task, as a lack of memory does. ECS stops the task and starts another one.
func killApp(t *testing.T, c *checkout) {
	t.Helper()
	victim := c.containers(t, "app")[0]
	docker(t, nil, "kill", victim)
	eventually(t, func() error {
		if err := c.othersRun(t, victim, 2); err != nil {
			return err
		}
		for range 20 {
			if _, err := ask(c.url(), ""); err != nil {
				return err
			}
		}
		return nil
	})
	loseNothing(t, c.url(), []string{""}, func() {})
}

// TestTheStackMovesFromOneEnvironmentToAnother changes a stack that runs into those of the other files, and back.
func TestTheStackMovesFromOneEnvironmentToAnother(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })

	step := stepsOf(t)
	step("one command deploys it", func(t *testing.T) { c.local(t, "up", "--stack", patternStack) })
	step("it becomes a production stack and goes back", func(t *testing.T) { production(t, c) })
	var others given
	step("it becomes a staging stack that uses what others own", func(t *testing.T) { others = staging(t, c) })
	step("destroy leaves nothing in AWS but what was given", func(t *testing.T) {
		destroy(t, c)
		others.assertFree(t, c)
	})
	step("an existing network and prebuilt images need no Docker engine", func(t *testing.T) { existingNetwork(t, c) })
	step("down leaves nothing on the machine", func(t *testing.T) { down(t, c) })
}

func destroy(t *testing.T, c *checkout) {
	t.Helper()
	if output, err := c.shell(t, "pulumi destroy --yes --skip-preview --non-interactive"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	assertNothingInAWS(t, c)
}

func down(t *testing.T, c *checkout) {
	t.Helper()
	ended := c.current(t)
	if output := c.local(t, "down"); !requests.MatchString(output) {
		t.Error("the output does not say whether AWS would have taken the run's requests")
	}
	c.assertNothingLeft(t, ended)
}

func assertUnchanged(t *testing.T, c *checkout) {
	t.Helper()
	for _, change := range c.changes(t) {
		t.Errorf("%s %s %v", change.Operation, change.URN, change.DetailedDiff)
	}
}

// user asks the stack for the sample's user and returns the answer's text.
func (c *checkout) user(t *testing.T) string {
	t.Helper()
	response, err := http.Get(c.url() + "/api/users/1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// hammer sends requests one after the other for as long as do runs, and returns what went wrong with any of them.
func (c *checkout) hammer(t *testing.T, do func()) (failures []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var sent int
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			sent++
			response, err := http.Get(c.url() + "/api/users/1")
			switch {
			case err != nil:
				failures = append(failures, err.Error())
			case response.StatusCode != http.StatusOK:
				failures = append(failures, response.Status)
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	do()
	cancel()
	group.Wait()
	t.Logf("%d requests during the deploy, %d failed", sent, len(failures))
	if sent < 100 {
		t.Errorf("only %d requests were sent: this proves nothing", sent)
	}
	return failures
}
