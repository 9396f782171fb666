package emulator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

func TestSyncWaitsForALookThatBeganLater(t *testing.T) {
	loop := emulator.NewLoop(time.Hour)
	began, end := make(chan struct{}), make(chan error)
	go loop.Run(t.Context(), func(_ context.Context, reads bool) error {
		if !reads {
			return nil
		}
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

func TestTheEmulatorIsReadAfterAChangeOnly(t *testing.T) {
	loop := emulator.NewLoop(time.Millisecond)
	steps, failing := make(chan bool), make(chan error, 1)
	failing <- errors.New("the first read fails")
	go loop.Run(t.Context(), func(ctx context.Context, reads bool) (err error) {
		select {
		case steps <- reads:
		case <-ctx.Done():
		}
		select {
		case err = <-failing:
		default:
		}
		return err
	})
	expect := func(when string, want bool) {
		t.Helper()
		if got := <-steps; got != want {
			t.Errorf("%s: the step reads: %t", when, got)
		}
	}
	expect("at the beginning", true)
	expect("after a read that failed", true)
	expect("without a change", false)
	expect("without a change", false)
	loop.Wake()
	expect("woken", false)
	loop.Changed()
	// The first of these may have begun before the change.
	if read := []bool{<-steps, <-steps, <-steps}; !slices.Contains(read, true) {
		t.Error("no step reads after a change")
	}
	expect("after a change was read", false)
}
