//go:build linux

package engine

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine/enginetest"
)

func TestAnEngineWithALoopbackOfItsOwnReachesThisProcessThroughARelay(t *testing.T) {
	own := enginetest.Start(t)
	t.Setenv("DOCKER_HOST", own.Host)
	docker, runID := connected(t)
	listener, relayed, err := Listen(t.Context(), docker, runID, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	if !relayed {
		t.Error("not relayed, so the engine is on this machine's own network, and this test proves nothing")
	}
	serveImages(t, listener)
	pushAndPull(t, docker, runID, listener.Addr().String())
	// A relay that has ended is started again by the engine.
	relay := func() (pid int) {
		found, err := docker.ContainerInspect(t.Context(), NamePrefix+runID+"-relay")
		if err != nil {
			t.Fatal(err)
		}
		return found.State.Pid
	}
	killed := relay()
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); relay() == killed || relay() == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the engine has not started the relay again")
		}
	}
	pushAndPull(t, docker, runID, listener.Addr().String())
	// And by an engine that is started again itself.
	own.Kill(t)
	if err := Answers(t.Context(), docker); !errors.Is(err, ErrSilent) {
		t.Errorf("an engine that was killed: %v", err)
	}
	own.Restart(t)
	pushAndPull(t, docker, runID, listener.Addr().String())
}
