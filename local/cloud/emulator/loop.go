package emulator

import (
	"context"
	"sync"
	"time"
)

// Loop looks at the emulator again and again: at its interval, and at once when somebody wakes it. Its methods may be
// called from any goroutine.
type Loop struct {
	interval time.Duration
	wake     chan struct{}

	mu      sync.Mutex
	begun   int   // how many looks have begun
	ended   int   // the number of the last look that has ended
	last    error // of that look
	changed chan struct{}
}

// NewLoop returns a loop that has not begun.
func NewLoop(interval time.Duration) *Loop {
	return &Loop{interval: interval, wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Run calls look until ctx ends.
func (l *Loop) Run(ctx context.Context, look func(context.Context) error) {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		l.begin()
		l.end(look(ctx))
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-ticker.C:
		}
	}
}

func (l *Loop) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
}

func (l *Loop) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.last = l.begun, err
	close(l.changed)
	l.changed = make(chan struct{})
}

// Wake makes the loop look now.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Sync waits for a look that begins after the call, and so sees everything that the emulator held when Sync was called.
// It returns that look's error, or ctx's.
func (l *Loop) Sync(ctx context.Context) error {
	l.mu.Lock()
	wanted := l.begun + 1
	l.mu.Unlock()
	l.Wake()
	for {
		l.mu.Lock()
		ended, last, changed := l.ended, l.last, l.changed
		l.mu.Unlock()
		if ended >= wanted {
			return last
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
