package emulator

import (
	"context"
	"sync"
	"time"
)

// rereadEvery is how often a loop reads the emulator though no change was reported: for what a person changes there past the
// endpoint.
const rereadEvery = 15 * time.Second

// Loop follows the emulator. It takes a step at its interval, and at once when it is woken; it reads the emulator only after a
// change, because all that changes it passes the endpoint. Its methods may be called from any goroutine.
type Loop struct {
	interval time.Duration
	wake     chan struct{}

	mu      sync.Mutex
	stale   bool      // what was read may have changed
	read    time.Time // when the last step began that read
	begun   int       // how many steps have begun
	ended   int       // the number of the last step that has ended
	last    error     // of the last step that read
	changed chan struct{}
}

// NewLoop returns a loop that has not begun.
func NewLoop(interval time.Duration) *Loop {
	return &Loop{interval: interval, wake: make(chan struct{}, 1), changed: make(chan struct{}), stale: true}
}

// Run calls step until ctx ends. If reads is set, the step has to read the emulator; after an error the next one has to, too.
func (l *Loop) Run(ctx context.Context, step func(ctx context.Context, reads bool) error) {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		reads := l.begin()
		l.end(reads, step(ctx, reads))
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-ticker.C:
		}
	}
}

func (l *Loop) begin() (reads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	if reads = l.stale || time.Since(l.read) >= rereadEvery; reads {
		l.stale, l.read = false, time.Now()
	}
	return reads
}

func (l *Loop) end(reads bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = l.begun
	if reads {
		l.last, l.stale = err, l.stale || err != nil
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Wake makes the loop take a step now.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Changed makes the loop read the emulator now.
func (l *Loop) Changed() {
	l.mu.Lock()
	l.stale = true
	l.mu.Unlock()
	l.Wake()
}

// Sync waits for a step that begins after the call, and so sees everything that the emulator held when Sync was called.
// It returns that step's error, or ctx's.
func (l *Loop) Sync(ctx context.Context) error {
	l.mu.Lock()
	l.stale = true
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
