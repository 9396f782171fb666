// Package plot draws the pictures of docs/benchmark.md.
package plot

import (
	"fmt"
	"math"
	"strings"

	"fargate-nginx-sidecar/bench/measure"
	"fargate-nginx-sidecar/bench/opponent"
	"fargate-nginx-sidecar/bench/row"
	"fargate-nginx-sidecar/bench/stats"
)

// Picture is one file beside the document.
type Picture struct {
	File, Title string
	Draw        func(*measure.Results) string
}

// All are the pictures in the document's order.
var All = []Picture{
	{"benchmark-throughput.svg", "Answers a second through each proxy; direct to the application is 1", throughput},
	{"benchmark-cpu.svg", "CPU time for an answer, by row", cpu},
	{"benchmark-latency.svg", "p50 and p99 at fixed rates", latency},
	{"benchmark-connections.svg", "CPU time, p99 and memory by connections", connections},
}

// colours differ in lightness as well.
var colours = map[string]string{
	opponent.Direct: "#7f8c8d", opponent.Ours: "#00798c", opponent.Published: "#d1495b", opponent.Control: "#8d96a3",
	"haproxy": "#edae49", "caddy": "#30638e", "traefik": "#6a4c93",
}

// drawn are the targets in the pictures: one for each opponent.
func drawn(r *measure.Results, direct bool) []measure.Target {
	var list []measure.Target
	for _, o := range opponent.All {
		if t := r.Target(o.Name); t.Name != "" && (direct || o.Name != opponent.Direct) {
			list = append(list, t)
		}
	}
	return list
}

func label(t measure.Target) string {
	o, _ := opponent.Find(t.Opponent)
	return strings.Trim(o.Title, "*") + " " + t.Version
}

const width = 900.0

// canvas collects an SVG picture.
type canvas struct {
	b      strings.Builder
	bottom float64
}

func (c *canvas) text(x, y float64, anchor, s string) {
	c.bottom = max(c.bottom, y)
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	fmt.Fprintf(&c.b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">%s</text>\n", x, y, anchor, s)
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string, thick float64) {
	fmt.Fprintf(&c.b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x1, y1, x2, y2, colour, thick)
}

func (c *canvas) rect(x, y, w, h float64, colour string) {
	fmt.Fprintf(&c.b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, w, h, colour)
}

// legend returns where it ends.
func (c *canvas) legend(y float64, targets []measure.Target) float64 {
	x := 16.0
	for _, t := range targets {
		if x > width-150 {
			x, y = 16, y+18
		}
		c.rect(x, y-10, 12, 12, colours[t.Opponent])
		c.text(x+17, y, "start", label(t))
		x += 30 + 7*float64(len(label(t)))
	}
	return y + 14
}

func (c *canvas) svg() string {
	h := c.bottom + 16
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n%s</svg>\n",
		width, h, width, h, width, h, c.b.String())
}

// scale is a logarithmic axis.
type scale struct{ low, high, from, to float64 }

// over covers the values, all above zero, in whole powers of ten.
func over(values []float64, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if low > high {
		low, high = 1, 10
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
	if low == high {
		high *= 10
	}
	return scale{low, high, from, to}
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	return s.from + (s.to-s.from)*math.Log10(v/s.low)/math.Log10(s.high/s.low)
}

func (s scale) ticks() []float64 {
	var list []float64
	for v := s.low; v <= s.high*1.001; v *= 10 {
		list = append(list, v)
	}
	return list
}

// cpu draws what a proxy's answer costs.
func cpu(r *measure.Results) string {
	figure := func(m measure.Measurement) float64 { return m.OfAnswers(m.ProxyCPU) }
	return bars(r, "CPU time of the proxy for an answer, µs (logarithmic; the thin line is the 95 % interval)", 0,
		func(c, _ *measure.Cell) stats.Interval { return stats.Of(c.Values(figure)) })
}

// throughput draws how many answers come through a proxy.
func throughput(r *measure.Results) string {
	figure := func(m measure.Measurement) float64 { return m.Rate }
	return bars(r, "Answers a second, direct to the application = 1 (logarithmic; the thin line is the 95 % interval)", 1,
		func(c, direct *measure.Cell) stats.Interval {
			return stats.Ratio(c.Values(figure), direct.Values(figure))
		})
}

// offAxis is how many times smaller than the line from which bars start a value may be. A smaller one would make all others
// hard to tell apart; its bar ends at the axis.
const offAxis = 100

// number writes a value with about three digits, or that it is off the axis.
func number(v, low float64) string {
	switch {
	case v < low:
		return fmt.Sprintf("under %g", low)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// bars draws one for each row and target, with its interval, from a value on; 0
// is the axis's end.
func bars(r *measure.Results, title string, from float64, figure func(cell, direct *measure.Cell) stats.Interval) string {
	c := &canvas{}
	c.text(16, 22, "start", title)
	targets := drawn(r, false)
	y := c.legend(44, targets)
	intervals := map[*measure.Cell]stats.Interval{}
	var values []float64
	for _, each := range row.All {
		for _, t := range targets {
			if cell := r.Cell(each.Name, twin(r, t, each), false); cell != nil {
				if i := figure(cell, r.Cell(each.Name, opponent.Direct, false)); i.Median > 0 {
					intervals[cell] = i
					values = append(values, max(i.Median, from/offAxis))
				}
			}
		}
	}
	x := over(values, 250, width-70)
	start := x.at(max(from, x.low))
	top := y
	for _, each := range row.All {
		began := y
		for _, t := range targets {
			i, ok := intervals[r.Cell(each.Name, twin(r, t, each), false)]
			if !ok {
				continue
			}
			at := x.at(i.Median)
			c.rect(min(start, at), y, max(1, math.Abs(at-start)), 11, colours[t.Opponent])
			end := max(start, at)
			if i.Known() {
				c.line(x.at(i.Low), y+5.5, x.at(i.High), y+5.5, "#222", 1.5)
				end = max(end, x.at(i.High))
			}
			c.text(end+5, y+10, "start", number(i.Median, x.low))
			y += 14
		}
		if y > began {
			c.text(x.from-10, (began+y)/2+3, "end", each.Name)
			y += 10
		}
	}
	for _, v := range x.ticks() {
		c.line(x.at(v), top-4, x.at(v), y, "#bbb", 0.5)
		c.text(x.at(v), y+14, "middle", fmt.Sprint(v))
	}
	return c.svg()
}

// twin is the target that stands for an opponent in rows for TLS and for files, and
// the target itself in all others.
func twin(r *measure.Results, t measure.Target, each row.Row) string {
	if !each.TLS && !each.Static || each.Static && t.Opponent == opponent.Direct {
		return t.Name
	}
	for _, o := range r.Targets {
		if o.Opponent == t.Opponent && o.TLS == each.TLS && o.Static == each.Static {
			return o.Name
		}
	}
	return ""
}

// point is one value of a line, with a place on the axis below.
type point struct {
	label  string
	values map[string]float64 // by target
}

// panel draws lines over a few places.
func (c *canvas) panel(left, top, wide float64, title string, targets []measure.Target, points []point) {
	const high = 260.0
	c.text(left, top-8, "start", title)
	var values []float64
	for _, p := range points {
		for _, v := range p.values {
			values = append(values, v)
		}
	}
	y := over(values, top+high, top)
	for _, v := range y.ticks() {
		c.line(left, y.at(v), left+wide, y.at(v), "#ddd", 1)
		c.text(left-6, y.at(v)+4, "end", fmt.Sprint(v))
	}
	x := func(i int) float64 { return left + wide*(float64(i)+0.5)/float64(len(points)) }
	for i, p := range points {
		c.text(x(i), top+high+18, "middle", p.label)
	}
	for _, t := range targets {
		last := -1
		for i, p := range points {
			v, ok := p.values[t.Name]
			if !ok {
				continue
			}
			if last >= 0 {
				c.line(x(last), y.at(points[last].values[t.Name]), x(i), y.at(v), colours[t.Opponent], 2)
			}
			fmt.Fprintf(&c.b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x(i), y.at(v), colours[t.Opponent])
			last = i
		}
	}
}

// points takes one figure from rows.
func points(r *measure.Results, targets []measure.Target, rows, labels []string, figure func(measure.Measurement) float64) []point {
	var list []point
	for i, name := range rows {
		p := point{label: labels[i], values: map[string]float64{}}
		for _, t := range targets {
			if v := stats.Of(r.Cell(name, t.Name, false).Values(figure)).Median; v > 0 {
				p.values[t.Name] = v
			}
		}
		list = append(list, p)
	}
	return list
}

// latency draws p50 and p99 over the fixed rates.
func latency(r *measure.Results) string {
	c := &canvas{}
	c.text(16, 22, "start", "Small answers at fixed rates: time from when a request is due, ms (logarithmic)")
	targets := drawn(r, true)
	top := c.legend(44, targets) + 26
	var rows, labels []string
	for i, part := range row.Paces.Parts {
		if i < len(r.Pace) {
			rows, labels = append(rows, measure.PaceName(part)), append(labels, fmt.Sprintf("%.0f/s", r.Pace[i]))
		}
	}
	if len(rows) > 0 {
		c.panel(70, top, 350, "p50", targets, points(r, targets, rows, labels, func(m measure.Measurement) float64 { return m.OfAnswers(m.P50) }))
		c.panel(520, top, 350, "p99", targets, points(r, targets, rows, labels, func(m measure.Measurement) float64 { return m.OfAnswers(m.P99) }))
	}
	return c.svg()
}

// connections draws what grows with the connections.
func connections(r *measure.Results) string {
	c := &canvas{}
	c.text(16, 22, "start", "Small answers by connections (logarithmic)")
	targets := drawn(r, true)
	top := c.legend(44, targets) + 26
	rows := []string{"small-64", "small-512", "small-9800"}
	labels := []string{"64", "512", fmt.Sprint(r.Most)}
	proxies := drawn(r, false)
	c.panel(60, top, 220, "CPU of the proxy, µs an answer", proxies, points(r, proxies, rows, labels, func(m measure.Measurement) float64 { return m.OfAnswers(m.ProxyCPU) }))
	c.panel(360, top, 220, "p99, ms", targets, points(r, targets, rows, labels, func(m measure.Measurement) float64 { return m.OfAnswers(m.P99) }))
	c.panel(660, top, 220, "memory of the proxy, MiB", proxies, points(r, proxies, rows, labels, func(m measure.Measurement) float64 { return m.Memory }))
	return c.svg()
}
