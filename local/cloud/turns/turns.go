// Package turns lets callers wait for a whole turn of a loop that looks at the emulator again and again.
package turns

import (
	"context"
	"sync"
)

// Turns counts the turns of one loop. Its methods may be called from any goroutine.
type Turns struct {
	mu      sync.Mutex
	begun   int
	done    int
	last    error
	changed chan struct{}
}

// New returns the count of a loop that has not begun.
func New() *Turns { return &Turns{changed: make(chan struct{})} }

// Begin is called by the loop when a turn begins.
func (t *Turns) Begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun++
}

// End is called by the loop when the turn is done, with what went wrong in it.
func (t *Turns) End(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done, t.last = t.begun, err
	close(t.changed)
	t.changed = make(chan struct{})
}

// Next wakes the loop, waits for the first turn that begins from now on, and returns its error, or ctx's.
func (t *Turns) Next(ctx context.Context, wake func()) error {
	t.mu.Lock()
	wanted := t.begun + 1
	t.mu.Unlock()
	wake()
	for {
		t.mu.Lock()
		done, last, changed := t.done, t.last, t.changed
		t.mu.Unlock()
		if done >= wanted {
			return last
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
