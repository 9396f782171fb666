package turns_test

import (
	"context"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/turns"
)

func TestNextWaitsForATurnThatBeganLater(t *testing.T) {
	loop := turns.New()
	loop.Begin() // a turn is under way when Next is called
	done := make(chan error)
	woken := make(chan struct{})
	go func() { done <- loop.Next(context.Background(), func() { close(woken) }) }()
	<-woken
	loop.End(nil)
	select {
	case <-done:
		t.Fatal("Next took a turn that had begun before it was called")
	case <-time.After(50 * time.Millisecond):
	}
	loop.Begin()
	loop.End(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
