package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stats"
)

// goal is a ratio between us and somebody else that we want to reach.
type goal struct {
	text     string
	row      string
	figure   func(measure.Measurement) float64
	beside   string // opponent
	bothCPUs bool
	atLeast  float64
	atMost   float64
}

var ratios = []goal{
	{text: "small answers ≥ 2.2 × the pattern's", row: "small-64", figure: rate, beside: opponent.Published, atLeast: 2.2},
	{text: "small answers ≥ 1.25 × HAProxy's", row: "small-64", figure: rate, beside: "haproxy", atLeast: 1.25},
	{text: "small answers ≥ 0.80 × direct, with both CPUs", row: "small-64", figure: rate, beside: opponent.Direct, bothCPUs: true, atLeast: 0.8},
	{text: "CPU of a refused path ≤ 0.75 × HAProxy's", row: "refused", figure: proxyCPU, beside: "haproxy", atMost: 0.75},
	{text: "CPU of a health page ≤ HAProxy's", row: "health", figure: proxyCPU, beside: "haproxy", atMost: 1},
	{text: "compressed answers ≥ HAProxy's", row: "gzip", figure: rate, beside: "haproxy", atLeast: 1},
	{text: "bytes of a compressed answer ≤ HAProxy's", row: "gzip", figure: size, beside: "haproxy", atMost: 1},
}

// verdict says whether a goal is met, by its whole interval.
func (g goal) verdict(i stats.Interval) string {
	low, high := i.Low, i.High
	if !i.Known() {
		return "too few rounds: " + digits(i.Median)
	}
	met, missed := low >= g.atLeast, high < g.atLeast
	if g.atMost > 0 {
		met, missed = high <= g.atMost, low > g.atMost
	}
	switch {
	case met:
		return "met: " + between(i)
	case missed:
		return "not met: " + between(i)
	}
	return "not decided: " + between(i)
}

func goals(b *strings.Builder, r *measure.Results) {
	var lines [][]string
	ours := r.Target(opponent.Ours).Name
	for _, g := range ratios {
		us, them := r.Cell(g.row, ours, g.bothCPUs), r.Cell(g.row, r.Target(g.beside).Name, g.bothCPUs)
		if us != nil && them != nil {
			lines = append(lines, []string{g.text, g.verdict(stats.Ratio(us.Values(g.figure), them.Values(g.figure)))})
		}
	}
	for _, name := range []string{"small-512", "small-9800"} {
		if c := r.Cell(name, ours, false); c != nil {
			each, _ := row.Find(name)
			lines = append(lines, []string{fmt.Sprintf("no request lost at %d connections", min(each.Connections, r.Most)), count(c.Lost(), "lost")})
		}
	}
	if c := r.Cell("small-512", ours, false); c != nil {
		lines = append(lines, []string{"memory ≤ 20 MiB at 512 connections", under(slices.Max(c.Values(memory)), 20, "MiB")})
	}
	if alone, flooded := r.Cell(measure.FloodAlone, ours, false), r.Cell(measure.Flood, ours, false); alone != nil && flooded != nil {
		g := goal{atLeast: 0.9}
		lines = append(lines, []string{"good requests keep ≥ 0.9 of their rate in a flood of ten times as many", g.verdict(stats.Ratio(flooded.Values(rate), alone.Values(rate)))})
	}
	if lost, rows := logLines(r, ours); rows > 0 {
		lines = append(lines, []string{"no log line lost", count(lost, "lost")})
	}
	if behind, rows := behind(r); rows > 0 {
		verdict := "met"
		if len(behind) > 0 {
			verdict = "not met: " + strings.Join(behind, "; ")
		}
		lines = append(lines, []string{"in no row more CPU than HAProxy, Caddy, Traefik or the pattern's directives", verdict})
	}
	if len(lines) > 0 {
		b.WriteString("\n### Goals\n")
		table(b, 2, []string{"Goal", "Result"}, lines)
	}
}

func count(n int, what string) string {
	if n == 0 {
		return "met: 0 " + what
	}
	return fmt.Sprintf("not met: %d %s", n, what)
}

func under(v, limit float64, unit string) string {
	if v <= limit {
		return "met: " + digits(v) + " " + unit
	}
	return "not met: " + digits(v) + " " + unit
}

func logLines(r *measure.Results, target string) (lost, rows int) {
	for _, c := range r.Cells {
		if c.Target == target && c.Logged.Wanted > 0 {
			lost += c.Logged.Lost()
			rows++
		}
	}
	return lost, rows
}

// behind lists the rows in which another proxy surely takes less CPU than ours.
// The control takes no part: it does not do the job.
func behind(r *measure.Results) (list []string, rows int) {
	for _, each := range row.All {
		compared := false
		for _, t := range r.Targets {
			us, them := r.Cell(each.Name, oursBeside(r, t), false), r.Cell(each.Name, t.Name, false)
			if us == nil || them == nil || slices.Contains([]string{opponent.Direct, opponent.Ours, opponent.Control}, t.Opponent) {
				continue
			}
			compared = true
			if i := stats.Ratio(us.Values(proxyCPU), them.Values(proxyCPU)); i.Known() && i.Low > 1 && !math.IsNaN(i.Median) {
				list = append(list, fmt.Sprintf("%s, %s: %s", each.Name, title(t), between(i)))
			}
		}
		if compared {
			rows++
		}
	}
	return list, rows
}
