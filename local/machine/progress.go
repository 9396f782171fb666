package machine

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// How often a running step is shown: on a terminal, where its line moves, and elsewhere, where each time is a line.
const (
	redrawEvery = 500 * time.Millisecond
	repeatEvery = 30 * time.Second
)

// Printer reports what a long command does: one line a step, with its time. On a terminal, a last line that moves shows the
// steps that are running; a pipe gets whole lines alone. Any number of steps may run at once.
type Printer struct {
	Verbose bool // raw output of other programs is wanted, too

	mutex   sync.Mutex
	out     io.Writer
	moves   bool // out is a terminal
	begun   time.Time
	running []*step
}

type step struct {
	what, status string
	begun        time.Time
}

// NewPrinter returns a printer whose clock starts now.
func NewPrinter(out io.Writer) *Printer {
	return &Printer{out: out, moves: isTerminal(out), begun: time.Now()}
}

func isTerminal(out io.Writer) bool {
	file, is := out.(*os.File)
	if !is || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Line prints one line.
func (p *Printer) Line(format string, values ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.erase()
	_, _ = fmt.Fprintf(p.out, format+"\n", values...)
	p.draw()
}

// Write lets another program print whole lines through the printer.
func (p *Printer) Write(content []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.erase()
	defer p.draw()
	return p.out.Write(content)
}

// Elapsed is the time since the printer was made.
func (p *Printer) Elapsed() time.Duration { return time.Since(p.begun).Round(time.Second) }

// Step runs do, and prints what it was and how long it took.
func (p *Printer) Step(what string, do func() error) error {
	return p.Follow(what, func(func(string)) error { return do() })
}

// Follow is Step for something that reports what it is doing. The last report stands in the step's line.
func (p *Printer) Follow(what string, do func(report func(status string)) error) error {
	s := &step{what: what, begun: time.Now()}
	p.change(func() { p.running = append(p.running, s) })
	ended := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { p.show(s, ended) })
	err := do(func(status string) { p.change(func() { s.status = status }) })
	close(ended)
	shown.Wait()
	p.change(func() {
		for i, other := range p.running {
			if other == s {
				p.running = append(p.running[:i], p.running[i+1:]...)
				break
			}
		}
		if err == nil {
			_, _ = fmt.Fprintf(p.out, "  %s\n", s)
		}
	})
	return err
}

// show shows a step again and again until it has ended.
func (p *Printer) show(s *step, ended <-chan struct{}) {
	every := repeatEvery
	if p.moves {
		every = redrawEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
		p.change(func() {
			if !p.moves {
				_, _ = fmt.Fprintf(p.out, "  … %s\n", s)
			}
		})
	}
}

// change does something to the steps or the output, below which the moving line then stands again.
func (p *Printer) change(do func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.erase()
	do()
	p.draw()
}

func (s *step) String() string {
	text := fmt.Sprintf("%s: %s", s.what, time.Since(s.begun).Round(time.Second))
	if s.status != "" {
		text += ", " + s.status
	}
	return text
}

// Control sequences of terminals: to the line's beginning and erase to its end; and whether a line that is too long goes on
// below, where it could not be erased. https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
const (
	eraseLine = "\r\x1b[K"
	noWrap    = "\x1b[?7l"
	wrap      = "\x1b[?7h"
)

func (p *Printer) erase() {
	if p.moves && len(p.running) > 0 {
		_, _ = io.WriteString(p.out, eraseLine)
	}
}

func (p *Printer) draw() {
	if !p.moves || len(p.running) == 0 {
		return
	}
	texts := make([]string, len(p.running))
	for i, s := range p.running {
		texts[i] = strings.ReplaceAll(s.String(), "\n", " ")
	}
	_, _ = io.WriteString(p.out, noWrap+"  "+strings.Join(texts, " · ")+wrap)
}
