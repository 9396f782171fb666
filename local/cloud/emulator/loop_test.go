package emulator_test

import (
	"context"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

func TestSyncWaitsForALookThatBeganLater(t *testing.T) {
	loop := emulator.NewLoop(time.Hour)
	began, end := make(chan struct{}), make(chan struct{})
	go loop.Run(t.Context(), func(context.Context) error {
		began <- struct{}{}
		<-end
		return nil
	})
	<-began // a look is under way when Sync is called
	done := make(chan error)
	go func() { done <- loop.Sync(t.Context()) }()
	time.Sleep(50 * time.Millisecond) // until Sync waits
	end <- struct{}{}
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
	end <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
