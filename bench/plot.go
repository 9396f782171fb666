package main

import (
	"fmt"
	"math"
	"strings"
)

// One colour a target in both plots; chosen to differ in lightness as well.
var colours = map[string]string{"direct": "#7f8c8d", "pattern": "#d1495b", "ours": "#00798c", "haproxy": "#edae49", "caddy": "#30638e"}

const font = `font-family="sans-serif" font-size="12" fill="#222"`

// canvas collects an SVG picture.
type canvas struct{ b strings.Builder }

func (c *canvas) text(x, y float64, anchor, s string) {
	fmt.Fprintf(&c.b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y, anchor, font, s)
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(&c.b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x1, y1, x2, y2, colour, width)
}

func (c *canvas) rect(x, y, w, h float64, colour string) {
	fmt.Fprintf(&c.b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, w, h, colour)
}

func (c *canvas) legend(x, y float64) {
	for i, t := range targetNames {
		c.rect(x+float64(i)*150, y-10, 12, 12, colours[t])
		c.text(x+float64(i)*150+17, y, "start", strings.Trim(titles[t], "*"))
	}
}

func (c *canvas) svg(w, h int) string {
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n%s</svg>\n", w, h, w, h, w, h, c.b.String())
}

// throughputPlot shows, for each load, requests a second relative to direct,
// pinned and unpinned, on a logarithmic scale: half and double are equally far.
func (r *results) throughputPlot() string {
	const width, rowHeight, left, right = 860.0, 96.0, 230.0, 70.0
	c := &canvas{}
	c.text(16, 22, "start", "Requests a second, direct to the application = 1 (bars from 1; logarithmic)")
	c.legend(16, 44)
	x := func(v float64) float64 { // 1/4 … 32
		return left + (width-left-right)*(math.Log2(min(max(v, 0.25), 32))+2)/7
	}
	y := 70.0
	for _, pinned := range []bool{true, false} {
		c.text(16, y+4, "start", map[bool]string{true: "pinned", false: "unpinned"}[pinned])
		top := y
		y += 14
		for _, sc := range scenarios {
			c.text(left-12, y+rowHeight/2-8, "end", sc.title)
			for i, t := range targetNames {
				v, ok := r.ratio(sc.name, t, "direct", pinned)
				if !ok {
					continue
				}
				at := y + float64(i)*15
				c.rect(min(x(1), x(v)), at, max(2, math.Abs(x(v)-x(1))), 12, colours[t])
				c.text(max(x(1), x(v))+5, at+10, "start", fmt.Sprintf("%.2f", v))
			}
			y += rowHeight
		}
		for _, v := range []float64{0.25, 0.5, 1, 2, 4, 8, 16, 32} {
			c.line(x(v), top+8, x(v), y-12, "#bbb", 0.5)
			c.text(x(v), y+2, "middle", fmt.Sprint(v))
		}
		y += 34
	}
	return c.svg(int(width), int(y))
}

// connectionsPlot shows p99 and memory at 64, 512 and 10,000 connections.
func (r *results) connectionsPlot() string {
	const width, height = 860.0, 400.0
	c := &canvas{}
	c.text(16, 22, "start", "Small requests, pinned, by connections (both scales logarithmic)")
	c.legend(16, 44)
	names := []string{"small-64", "small-512", "small-10000"}
	labels := []string{"64", "512", "10,000"}
	panel := func(left float64, title string, low, high float64, figure func(measurement) float64, targets []string) {
		const top, bottom, wide = 90.0, 350.0, 330.0
		c.text(left, 76, "start", title)
		y := func(v float64) float64 {
			v = min(max(v, low), high)
			return bottom - (bottom-top)*math.Log10(v/low)/math.Log10(high/low)
		}
		for v := low; v <= high; v *= 10 {
			c.line(left, y(v), left+wide, y(v), "#ddd", 1)
			c.text(left-6, y(v)+4, "end", fmt.Sprint(v))
		}
		for i, l := range labels {
			c.text(left+30+float64(i)*135, bottom+20, "middle", l)
		}
		for _, t := range targets {
			px, py := 0.0, 0.0
			for i, n := range names {
				v, ok := r.median(n, t, true, figure)
				if !ok {
					continue
				}
				x, yy := left+30+float64(i)*135, y(v)
				if px > 0 {
					c.line(px, py, x, yy, colours[t], 2)
				}
				fmt.Fprintf(&c.b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x, yy, colours[t])
				px, py = x, yy
			}
		}
	}
	panel(70, "p99, ms", 1, 100000, p99, targetNames)
	panel(490, "memory of the proxy, MiB", 1, 10000, memory, targetNames[1:])
	return c.svg(int(width), int(height))
}
