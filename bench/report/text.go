package report

import (
	"fmt"
	"math"
	"strings"

	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/stats"
)

// The figures of a measurement that tables show.
func rate(m measure.Measurement) float64     { return m.Rate }
func proxyCPU(m measure.Measurement) float64 { return m.OfAnswers(m.ProxyCPU) }
func appCPU(m measure.Measurement) float64   { return m.OfAnswers(m.AppCPU) }
func p50(m measure.Measurement) float64      { return m.OfAnswers(m.P50) }
func p99(m measure.Measurement) float64      { return m.OfAnswers(m.P99) }
func p999(m measure.Measurement) float64     { return m.OfAnswers(m.P999) }
func size(m measure.Measurement) float64     { return m.OfAnswers(m.Bytes) }
func memory(m measure.Measurement) float64   { return m.Memory }
func busy(m measure.Measurement) float64     { return 100 * m.TaskBusy }
func refused(m measure.Measurement) float64  { return m.RefusedRate }

// title names a target in a table, with its version.
func title(t measure.Target) string {
	o, _ := opponent.Find(t.Opponent)
	name := o.Title
	if t.Version != "" {
		name += " " + t.Version
	}
	if t.Socket {
		name += ", socket"
	}
	if t.Cache {
		name += ", answers kept 1 s"
	}
	return name
}

// keeps says how much of the contract an opponent fails.
func keeps(r *measure.Results, t measure.Target) string {
	c, asked := r.Contracts[t.Opponent]
	switch {
	case !asked:
		return "–"
	case len(c.Failed) == 0:
		return "all"
	}
	return fmt.Sprintf("fails %d", len(c.Failed))
}

// digits writes a number with about three digits.
func digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// between writes a median with its interval.
func between(i stats.Interval) string {
	if !i.Known() {
		return digits(i.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", digits(i.Median), digits(i.Low), digits(i.High))
}

// beside writes a ratio, or that there is no difference to speak of.
func beside(i stats.Interval) string {
	switch {
	case i.Rounds == 0:
		return "–"
	case !i.Known():
		return digits(i.Median) + " ×, too few rounds"
	case i.Level():
		return "level"
	}
	return fmt.Sprintf("%s × (%s–%s)", digits(i.Median), digits(i.Low), digits(i.High))
}

// table writes rows of cells; columns after the first count are aligned right.
func table(b *strings.Builder, left int, header []string, lines [][]string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n| " + strings.Join(header, " | ") + " |\n|")
	for i := range header {
		if i < left {
			b.WriteString("---|")
		} else {
			b.WriteString("--:|")
		}
	}
	b.WriteString("\n")
	for _, line := range lines {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
	}
}
