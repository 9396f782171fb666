package emulator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

func TestSyncWaitsForALookThatBeganLater(t *testing.T) {
	loop := emulator.NewLoop(time.Hour)
	began, end := make(chan struct{}), make(chan error)
	go loop.Run(t.Context(), func(context.Context) error {
		began <- struct{}{}
		return <-end
	})
	<-began // a look is under way when Sync is called
	done := make(chan error)
	go func() { done <- loop.Sync(t.Context()) }()
	time.Sleep(50 * time.Millisecond) // until Sync waits
	end <- nil
	select {
	case <-done:
		t.Fatal("Sync was content with a look that had begun before it was called")
	case <-began: // Sync woke the loop: the next look in an hour would be too late
	}
	select {
	case <-done:
		t.Fatal("Sync did not wait for the end of the look")
	case <-time.After(50 * time.Millisecond):
	}
	want := errors.New("what the look ran into")
	end <- want
	if got := <-done; !errors.Is(got, want) {
		t.Errorf("got %v, want the look's own error", got)
	}
}
