package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// interruptions is how many moments TestTheNextCommandRecoversFromAnyInterruption tries: INTERRUPTIONS, or these few, which
// cover a command that is killed right after a push, one that is killed at any moment, and one that its user interrupts.
const interruptions = 3

// longestMoment is about as long as an update of the app takes, and longestFirst as long as the first deploy.
const (
	longestMoment = 20 * time.Second
	longestFirst  = 100 * time.Second
)

// interruption is what ends a command, or a part of the run, in the middle.
type interruption struct {
	name    string
	command []string
	signal  syscall.Signal
	of      func(t *testing.T, c *checkout, command int) (pid int) // 0 if it does not run at this moment
	first   bool                                                   // the command makes everything: nothing runs before
	pushed  bool                                                   // not at a random moment, but right after the first push
}

func theCommand(_ *testing.T, _ *checkout, command int) int { return command }

func theBackgroundProcess(_ *testing.T, c *checkout, _ int) int {
	current, err := run.Load(run.Dir(c.root))
	if err != nil {
		return 0
	}
	return current.PID
}

func theEmulator(t *testing.T, c *checkout, command int) int {
	t.Helper()
	parent := theBackgroundProcess(t, c, command)
	output, _ := exec.Command("pgrep", "--parent", strconv.Itoa(parent), "--full", "localrun").Output()
	pid, _ := strconv.Atoi(strings.TrimSpace(string(output)))
	return pid
}

var deploy = []string{"up", "--stack", patternStack}

// What can end in the middle. The first six keep what the emulator knows, so the next command goes on from there; after the
// others, the stack is made anew.
var kinds = []interruption{
	{name: "the command is killed right after a push", command: deploy, signal: syscall.SIGKILL, of: theCommand, pushed: true},
	{"the command is killed", deploy, syscall.SIGKILL, theCommand, false, false},
	{"the user interrupts the command", deploy, syscall.SIGINT, theCommand, false, false},
	{"the command is killed", deploy, syscall.SIGKILL, theCommand, false, false},
	{"the terminal is closed", deploy, syscall.SIGHUP, theCommand, false, false},
	{"the command is killed", deploy, syscall.SIGKILL, theCommand, false, false},
	{"taking the stack down is killed", []string{"down"}, syscall.SIGKILL, theCommand, false, false},
	{"the background process is killed", deploy, syscall.SIGKILL, theBackgroundProcess, false, false},
	{"the emulator is killed", deploy, syscall.SIGKILL, theEmulator, false, false},
	{"the first deploy is killed", deploy, syscall.SIGKILL, theCommand, true, false},
	{"the user interrupts the first deploy", deploy, syscall.SIGINT, theCommand, true, false},
	{"the background process of the first deploy is killed", deploy, syscall.SIGKILL, theBackgroundProcess, true, false},
}

// defaultSeed makes every run of all tests try the same moments, so that a change is judged by itself and not by luck.
const defaultSeed = 20261126

// TestTheNextCommandRecoversFromAnyInterruption ends commands at moments that SEED decides. INTERRUPTIONS=50 tries more.
func TestTheNextCommandRecoversFromAnyInterruption(t *testing.T) {
	count, seed := environmentNumber(t, "INTERRUPTIONS", interruptions), environmentNumber(t, "SEED", defaultSeed)
	t.Logf("SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.local(t, "up", "--stack", patternStack)
	answer := sampleAnswer
	for i := range count {
		kind := kinds[i%uint64(len(kinds))]
		next := fmt.Sprintf("User ${req.params.id} found by revision %d!", i)
		c.edit(t, "images/app/app.js", answer, next)
		answer = next
		longest := longestMoment
		if kind.first {
			longest = longestFirst
		}
		moment := time.Duration(random.Int64N(int64(longest)))
		t.Run(fmt.Sprintf("%s after %s", kind.name, moment.Round(10*time.Millisecond)), func(t *testing.T) {
			if kind.first {
				c.local(t, "down")
			}
			t.Log(c.interrupt(t, kind, moment))
			begun := time.Now()
			c.local(t, "up", "--stack", patternStack)
			t.Logf("recovered in %s", time.Since(begun).Round(time.Second))
			if got, want := c.user(t), strings.ReplaceAll(next, "${req.params.id}", "1"); got != want {
				t.Errorf("GET /api/users/1 answers %q, want %q", got, want)
			}
			assertUnchanged(t, c)
		})
	}
	ended := c.current(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}

// interrupt starts a command, sends the signal at the moment, and returns how the command had ended by itself, or what it
// last said.
func (c *checkout) interrupt(t *testing.T, kind interruption, moment time.Duration) string {
	t.Helper()
	var output strings.Builder
	cmd := exec.Command(driver, append([]string{"--root", c.root}, kind.command...)...)
	cmd.Env = append(os.Environ(), "LOCAL_PORT="+strconv.Itoa(c.port))
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kind.pushed {
		c.awaitPush(t)
	} else {
		time.Sleep(moment)
	}
	if pid := kind.of(t, c, cmd.Process.Pid); pid > 0 {
		_ = syscall.Kill(pid, kind.signal) // a command that was faster has ended by itself
	}
	err := cmd.Wait()
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	return fmt.Sprintf("%v; the last line: %s", err, lines[len(lines)-1])
}

// awaitPush returns when the registry has an image more than now.
func (c *checkout) awaitPush(t *testing.T) {
	t.Helper()
	client := c.cloud(t).ecr
	count := func() (images int) {
		for _, repository := range must[*ecr.DescribeRepositoriesOutput](t)(client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})).Repositories {
			images += len(must[*ecr.ListImagesOutput](t)(client.ListImages(t.Context(), &ecr.ListImagesInput{RepositoryName: repository.RepositoryName})).ImageIds)
		}
		return images
	}
	for before, until := count(), time.Now().Add(5*time.Minute); count() == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("nothing is pushed")
		}
	}
}

func environmentNumber(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return number
}
