package machine

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// every is how often a step that is still running says so.
const every = 15 * time.Second

// Printer tells a person what a long command is doing, in whole lines that read the same on a terminal and in a CI log.
// Any number of steps may print at once.
type Printer struct {
	mutex sync.Mutex
	out   io.Writer
	begun time.Time
}

// NewPrinter returns a printer whose clock starts now.
func NewPrinter(out io.Writer) *Printer { return &Printer{out: out, begun: time.Now()} }

// Line prints one line.
func (p *Printer) Line(format string, values ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, _ = fmt.Fprintf(p.out, format+"\n", values...)
}

// Write lets a child process print through the printer. Lines of two writers may interleave, never tear.
func (p *Printer) Write(content []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.out.Write(content)
}

// Elapsed is the time since the printer was made.
func (p *Printer) Elapsed() time.Duration { return time.Since(p.begun).Round(time.Second) }

// Step runs do, says every few seconds that it is still running, and how long it took if that was noticeable.
func (p *Printer) Step(what string, do func() error) error {
	begun := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	result := make(chan error, 1)
	go func() { result <- do() }()
	for {
		select {
		case err := <-result:
			if took := time.Since(begun).Round(time.Second); err == nil && took >= 2*time.Second {
				p.Line("  %s: done in %s", what, took)
			}
			return err
		case <-ticker.C:
			p.Line("  %s: still running after %s", what, time.Since(begun).Round(time.Second))
		}
	}
}
