package faults

import (
	"fmt"
	"strings"
)

// curve is one value of the samples.
type curve struct {
	name, unit string
	colour     string
	value      func(Sample) float64
}

// curves are grouped by unit: each unit is a panel of the picture.
var curves = []curve{
	{"memory of NGINX", "MiB", "#00798c", func(s Sample) float64 { return s.NginxMemory }},
	{"memory of the app", "MiB", "#d1495b", func(s Sample) float64 { return s.AppMemory }},
	{"open files of NGINX", "files", "#00798c", func(s Sample) float64 { return float64(s.NginxFiles) }},
	{"open files of the app", "files", "#d1495b", func(s Sample) float64 { return float64(s.AppFiles) }},
	{"quick answers, p50", "ms", "#00798c", func(s Sample) float64 { return s.P50.Seconds() * 1000 }},
	{"quick answers, p99", "ms", "#d1495b", func(s Sample) float64 { return s.P99.Seconds() * 1000 }},
}

// The picture's measures, in pixels.
const (
	pictureWidth = 900
	panelHeight  = 130
	panelLeft    = 60
	panelWidth   = 640
	panelStep    = 190
)

// Picture draws a soak as an SVG: a panel for each unit, with the time from left to right.
func (s Soak) Picture() string {
	var body strings.Builder
	top := 40
	for _, unit := range []string{"MiB", "files", "ms"} {
		s.panel(&body, top, unit)
		top += panelStep
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %[1]d %[2]d\" font-family=\"sans-serif\" font-size=\"12\">\n"+
		"<rect width=\"%[1]d\" height=\"%[2]d\" fill=\"#fff\"/>\n%[3]s</svg>\n", pictureWidth, top-10, body.String())
}

func (s Soak) panel(body *strings.Builder, top int, unit string) {
	highest := 1.0
	for _, c := range curves {
		for _, sample := range s.Samples {
			if c.unit == unit {
				highest = max(highest, c.value(sample))
			}
		}
	}
	x := func(sample Sample) float64 { return panelLeft + panelWidth*sample.At.Seconds()/s.Lasted.Seconds() }
	y := func(value float64) float64 { return float64(top+panelHeight) - panelHeight*value/highest }
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(body, format+"\n", args...) }
	for _, value := range []float64{0, highest / 2, highest} {
		line(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>`, panelLeft, y(value), panelLeft+panelWidth, y(value))
		line(`<text x="%d" y="%.1f" text-anchor="end" fill="#222">%.3g</text>`, panelLeft-6, y(value)+4, value)
	}
	line(`<text x="%d" y="%d" text-anchor="middle" fill="#222">%s after the start</text>`, panelLeft+panelWidth, top+panelHeight+18, duration(s.Lasted))
	label := top + 12
	for _, c := range curves {
		if c.unit != unit {
			continue
		}
		var points []string
		for _, sample := range s.Samples {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(sample), y(c.value(sample))))
		}
		line(`<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, strings.Join(points, " "), c.colour)
		line(`<text x="%d" y="%d" fill="%s">%s, %s</text>`, panelLeft+panelWidth+12, label, c.colour, c.name, c.unit)
		label += 18
	}
}
