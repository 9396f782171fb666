package machine

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOneHoldsTheLockAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	release, err := TryLock(file)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	second := make(chan error)
	go func() {
		release, err := NewPrinter(&said).Lock(t.Context(), file, "the cache is")
		if err == nil {
			release()
		}
		second <- err
	}()
	select {
	case <-second:
		t.Error("two hold the lock at once")
	case <-time.After(2 * lockRetry):
		release()
		if err := <-second; err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(said.String(), "waiting: the cache is in use by another command") {
		t.Errorf("the one that waited said %q", said.String())
	}
	if held, err := Held(file); held || err != nil {
		t.Errorf("held after both: %v, %v", held, err)
	}
}

func TestWhoWaitsForALockCanBeInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	release, err := TryLock(file)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewPrinter(&bytes.Buffer{}).Lock(ctx, file, "the cache is"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestThoseWhoShareALockKeepAwayWhoWantsItAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	printer := NewPrinter(&bytes.Buffer{})
	var shares []func()
	for range 2 {
		release, err := printer.Share(t.Context(), file, "the engine is")
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, release)
	}
	for _, release := range shares {
		if _, err := TryLock(file); !errors.Is(err, ErrHeld) {
			t.Fatalf("shared, and held alone: %v", err)
		}
		release()
	}
	release, err := TryLock(file)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := printer.Share(ctx, file, "the engine is"); !errors.Is(err, context.Canceled) {
		t.Errorf("held alone, and shared: %v", err)
	}
}
