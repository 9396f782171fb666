package e2e_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ops builds what a team's commands are, from the copy of the checkout, and returns how it is called in a shell that has sourced
// .local/env.
func (c *checkout) ops(t *testing.T) func(arguments string) (string, error) {
	t.Helper()
	build := exec.Command("go", "build", "-o", ".build/bin/ops", "./ops")
	build.Dir = c.root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return func(arguments string) (string, error) {
		begun := time.Now()
		output, err := c.shell(t, ".build/bin/ops "+arguments+" 2>&1")
		t.Logf("ops %s (%s)\n%s", arguments, time.Since(begun).Round(time.Second), output)
		return output, err
	}
}

// images are those of a stack, as a person reads them.
func (c *checkout) images(t *testing.T, stack string) (app, nginx string) {
	t.Helper()
	text := func(name string) string {
		output, err := c.shell(t, "pulumi stack output "+name+" --stack "+stack)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(output)
	}
	return text("appImage"), text("nginxImage")
}

// TestATeamTakesAChangeToASecondStackAndBack takes an image from the stack that has built it to another one, which never builds, and
// back again.
func TestATeamTakesAChangeToASecondStackAndBack(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.withStack(t, guestStack)
	run := c.ops(t)
	step := stepsOf(t)

	step("one stack builds the images, and another one runs them", func(t *testing.T) {
		c.local(t, "up", "--stack", patternStack)
		app, nginx := c.images(t, patternStack)
		if output, err := run("images --stack guest --app " + app + " --nginx " + nginx); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		c.local(t, "up", "--stack", guestStack)
	})
	step("a preview of nothing is one line", func(t *testing.T) {
		if output, err := run("preview --stack guest"); err != nil || !strings.HasSuffix(output, "**guest**: no change\n") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	step("a promotion takes the changed app to the second stack, and loses no request", func(t *testing.T) {
		c.edit(t, "images/app/app.js", sampleAnswer, changedAnswer)
		c.local(t, "up", "--stack", patternStack)
		before := c.read(t, "Pulumi.guest.yaml")
		if output, err := run("promote --from pattern --to guest </dev/null"); err == nil || c.read(t, "Pulumi.guest.yaml") != before {
			t.Errorf("without an answer it is deployed, or the file changes: %v\n%s", err, output)
		}
		loseNothing(t, c.url(), []string{guestHost}, func() {
			if output, err := run("promote --from pattern --to guest --yes"); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
		if got, err := ask(c.url(), guestHost); err != nil || got != "User 1 found again!" {
			t.Errorf("the second stack answers %q, %v", got, err)
		}
		after := regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllString(c.read(t, "Pulumi.guest.yaml"), "D")
		if regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllString(before, "D") != after {
			t.Errorf("more than the digests changed:\n%s", after)
		}
	})
	step("a command runs with the promoted app, and its exit code comes back", func(t *testing.T) {
		output, err := run(`run --stack guest -- node -e "console.log('in ' + process.env.NODE_ENV); process.exitCode = 3"`)
		if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(output, "\nin production\n") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	step("a command can be interrupted, and is stopped", func(t *testing.T) {
		begun := time.Now()
		output, err := c.shell(t, `timeout --signal INT 15 .build/bin/ops run --stack guest -- node -e "setInterval(() => {}, 1000)" 2>&1; echo "code $?"`)
		if err != nil || !strings.Contains(output, "interrupted; the command has been stopped") || time.Since(begun) > 2*time.Minute {
			t.Errorf("%v\n%s", err, output)
		}
	})
	step("status and logs show the second stack", func(t *testing.T) {
		output, err := run("status --stack guest")
		if err != nil || !strings.Contains(output, "tasks running, 0 pending") || !strings.Contains(output, "last events:") {
			t.Errorf("%v\n%s", err, output)
		}
		if output, err = run("logs --stack guest --since 1h --follow=false"); err != nil || !strings.Contains(output, "/app/app/") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	step("a rollback serves the revision before, loses no request, and leaves nothing to deploy", func(t *testing.T) {
		loseNothing(t, c.url(), []string{guestHost}, func() {
			if output, err := run("rollback --stack guest"); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
		if got, err := ask(c.url(), guestHost); err != nil || got != "User 1 found!" {
			t.Errorf("the second stack answers %q, %v", got, err)
		}
		if output, err := run("preview --stack guest"); err != nil || !strings.HasSuffix(output, "**guest**: no change\n") {
			t.Errorf("%v\n%s", err, output)
		}
	})
}
