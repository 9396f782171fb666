//go:build linux

package toolchain

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/machine"
)

// TestMain lets this test program be the keeper of an engine, as the local run's program is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, KeepCommand) {
		f := &Finder{CacheDir: os.Getenv("TEST_CACHE"), EngineDir: os.Getenv("TEST_ENGINE")}
		if err := f.KeepEngine(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bareMachine has an installed engine that does not run. The file up is there as long as the engine runs, and holds the
// process ids of the engine and of its keeper.
type bareMachine struct {
	dir string
	up  string
}

func newBareMachine(t *testing.T) bareMachine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root starts an engine")
	}
	m := bareMachine{dir: t.TempDir()}
	m.up = filepath.Join(m.dir, "up")
	m.program(t, "docker", `test -e '`+m.up+`' && echo '{"Version":"28.2.2"}'`)
	m.program(t, "dockerd", `trap 'rm '"'`+m.up+`'"'; exit' TERM; echo $$ $PPID >'`+m.up+`'; while :; do sleep 0.05; done`)
	t.Setenv("PATH", m.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("DOCKER_HOST", "")
	return m
}

func (m bareMachine) program(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (m bareMachine) runs() bool { return exists(m.up) }

// checkout is the finder of one of several checkouts on the machine.
func (m bareMachine) checkout(t *testing.T) *Finder {
	t.Helper()
	f := finder(t, "", &bytes.Buffer{})
	f.EngineDir = filepath.Join(m.dir, "engine")
	t.Setenv("TEST_CACHE", f.CacheDir)
	t.Setenv("TEST_ENGINE", f.EngineDir)
	return f
}

// docker begins a use of the engine.
func docker(t *testing.T, f *Finder, name string) *Engine {
	t.Helper()
	use, err := f.Docker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if use.Name != name {
		t.Errorf("got %q, want %q", use.Name, name)
	}
	return use
}

func end(t *testing.T, use *Engine) {
	t.Helper()
	if err := use.End(); err != nil {
		t.Fatal(err)
	}
}

func TestAnEngineThatWasStartedIsStoppedWithItsLastUse(t *testing.T) {
	m := newBareMachine(t)
	first := docker(t, m.checkout(t), "engine 28.2.2, started for this run")
	second := docker(t, m.checkout(t), "running engine 28.2.2")
	end(t, first)
	if !m.runs() || !first.Left {
		t.Fatal("one checkout has stopped the engine that another one uses")
	}
	second.Leave() // as a background process that ends: whoever takes its run down stops the engine
	if !m.runs() {
		t.Fatal("the engine was stopped before the run was taken down")
	}
	f := m.checkout(t)
	third, err := f.UseEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	end(t, third)
	if m.runs() || third.Left {
		t.Error("the engine goes on running after its last use")
	}
	if held, err := machine.Held(f.engineFile(engineKeeper)); held || err != nil {
		t.Errorf("the keeper is left: %t, %v", held, err)
	}
	end(t, docker(t, f, "engine 28.2.2, started for this run"))
	if m.runs() {
		t.Error("the second engine goes on running")
	}
}

func TestAnEngineThatRanBeforeIsNotStopped(t *testing.T) {
	m := newBareMachine(t)
	if err := os.WriteFile(m.up, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	use := docker(t, m.checkout(t), "running engine 28.2.2")
	end(t, use)
	if !m.runs() {
		t.Error("somebody else's engine was stopped")
	}
}

// A process id that was written down would be a stranger's by now; a keeper that was killed holds no lock.
func TestAnEngineWhoseKeeperWasKilledIsStartedAnew(t *testing.T) {
	m := newBareMachine(t)
	f := m.checkout(t)
	use := docker(t, f, "engine 28.2.2, started for this run")
	content, err := os.ReadFile(m.up)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := strconv.Atoi(strings.Fields(string(content))[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); m.runs(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the engine outlives its keeper")
		}
	}
	end(t, use)
	end(t, docker(t, f, "engine 28.2.2, started for this run"))
}

// kill kills the engine's process, which then leaves the file behind, as the real one leaves its socket.
func (m bareMachine) kill(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(m.up)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(content))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(m.up); err != nil {
		t.Fatal(err)
	}
}

func TestAnEngineThatWasKilledIsStartedAgainByItsKeeper(t *testing.T) {
	m := newBareMachine(t)
	f := m.checkout(t)
	use := docker(t, f, "engine 28.2.2, started for this run")
	m.kill(t)
	next := docker(t, f, "engine 28.2.2, which had ended; started again")
	next.Leave()
	end(t, use)
	if m.runs() || f.kept() {
		t.Errorf("after the last use, the engine runs: %t, and its keeper: %t", m.runs(), f.kept())
	}
}

// In a container, PID 1 may leave the engine's containerd a zombie for good.
func TestAContainerdThatNobodyHasNoticedTheEndOfIsForgotten(t *testing.T) {
	f := finder(t, "", &bytes.Buffer{})
	file := filepath.Join(f.system, "run/docker/containerd/containerd.pid")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	containerd := exec.Command("sleep", "60")
	if err := containerd.Start(); err != nil {
		t.Fatal(err)
	}
	noted := func() bool { f.forgetContainerd(); return exists(file) }
	if err := os.WriteFile(file, []byte(strconv.Itoa(containerd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	if !noted() {
		t.Error("a containerd that runs is forgotten")
	}
	if err := containerd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); noted(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a zombie is taken for a containerd")
		}
	}
	_ = containerd.Wait()
}

func TestAnEngineThatEndsAgainAndAgainIsGivenUp(t *testing.T) {
	m := newBareMachine(t)
	started := filepath.Join(m.dir, "started")
	m.program(t, "dockerd", `echo once >>'`+started+`'; echo the data root is on a disk that fails; exit 1`)
	f := m.checkout(t)
	_, err := f.Docker(t.Context())
	if err == nil || !strings.Contains(err.Error(), "docker: dockerd ended by itself:\nthe data root is on a disk that fails") {
		t.Errorf("got %v", err)
	}
	content, err := os.ReadFile(started)
	if starts := strings.Count(string(content), "once"); err != nil || starts != startsAtMost {
		t.Errorf("started %d times, %v; want %d", starts, err, startsAtMost)
	}
	if f.kept() {
		t.Error("the keeper is left")
	}
}

func TestAStoppedEngineIsStartedAsTheSystemsService(t *testing.T) {
	for _, test := range []struct{ sign, program, command string }{
		{"run/systemd/system/any", "systemctl", "systemctl start docker"},
		{"run/openrc/softlevel", "rc-service", "rc-service docker start"},
		{"etc/init.d/docker", "service", "service docker start"},
	} {
		m := newBareMachine(t)
		f := m.checkout(t)
		for name, content := range map[string]string{test.sign: "", "proc/1/comm": "init\n"} {
			name = filepath.Join(f.system, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m.program(t, test.program, `echo "$0 $*" >'`+m.up+`'`)
		use := docker(t, f, "engine 28.2.2, which was stopped; started with `"+test.command+"`, and stays running")
		end(t, use)
		content, err := os.ReadFile(m.up)
		if want := filepath.Join(m.dir, test.command) + "\n"; err != nil || string(content) != want {
			t.Errorf("ran %q, %v, want %q", content, err, want)
		}
	}
}

func TestWithoutAnEngineNothingIsInstalledWhereThatIsForbidden(t *testing.T) {
	newBareMachine(t)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("INSTALL", "no")
	_, err := finder(t, "", &bytes.Buffer{}).Docker(t.Context())
	want := "docker: no engine is installed: INSTALL=no forbids `apt-get install docker.io`; install one: https://docs.docker.com/engine/install/"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
