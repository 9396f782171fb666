package machine

import (
	"path/filepath"
	"testing"
	"time"
)

func TestOneHoldsTheLockAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	release, err := Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		release, err := Lock(file)
		if err == nil {
			release()
		}
		second <- err
	}()
	select {
	case <-second:
		t.Error("two hold the lock at once")
	case <-time.After(200 * time.Millisecond):
		release()
		if err := <-second; err != nil {
			t.Error(err)
		}
	}
}
