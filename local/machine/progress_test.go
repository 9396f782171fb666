package machine

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAStepIsOneLineWithItsTimeAndItsLastReport(t *testing.T) {
	var out bytes.Buffer
	p := NewPrinter(&out)
	err := p.Follow("pulumi up", func(report func(string)) error {
		report("1 of 2")
		p.Line("between")
		report("2 of 2")
		return nil
	})
	if want := "between\n  pulumi up: 0s, 2 of 2\n"; err != nil || out.String() != want {
		t.Errorf("got %q, %v; want %q", out.String(), err, want)
	}
}

func TestAStepThatFailsLeavesNoLine(t *testing.T) {
	var out bytes.Buffer
	why := errors.New("why")
	if err := NewPrinter(&out).Step("build", func() error { return why }); !errors.Is(err, why) || out.Len() > 0 {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// A terminal shows what is below the last erasure: the moving line is never left between others.
func TestOnATerminalTheRunningStepsAreTheLastLine(t *testing.T) {
	var out bytes.Buffer
	p := NewPrinter(&out)
	p.moves = true
	err := p.Step("one", func() error {
		return p.Step("two", func() error {
			p.Line("between")
			if shown := onScreen(out.String()); shown[len(shown)-1] != "  one: 0s · two: 0s" || shown[0] != "between" {
				t.Errorf("the terminal shows %q", shown)
			}
			time.Sleep(redrawEvery + redrawEvery/2)
			return nil
		})
	})
	shown := onScreen(out.String())
	if want := "between|  two: 1s|  one: 1s|"; err != nil || strings.Join(shown, "|") != want {
		t.Errorf("the terminal shows %q, %v; want %q", strings.Join(shown, "|"), err, want)
	}
}

// onScreen are the lines that a terminal shows.
func onScreen(written string) []string {
	written = strings.NewReplacer(noWrap, "", wrap, "").Replace(written)
	lines := strings.Split(written, "\n")
	for i, line := range lines {
		erased := strings.Split(line, eraseLine)
		lines[i] = erased[len(erased)-1]
	}
	return lines
}
