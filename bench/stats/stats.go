// Package stats says what the rounds of a measurement let one say.
//
// An interval is that of the median, from order statistics: it lies between two
// of the measured values and assumes nothing about how they are distributed. At
// least six rounds are needed for 95 %. Go's benchstat does the same, and its
// library does it here.
// https://pkg.go.dev/golang.org/x/perf/benchmath#AssumeNothing
package stats

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Confidence of all intervals.
const Confidence = 0.95

// Interval is a median and where the true one lies.
type Interval struct {
	Median, Low, High float64
	Rounds            int
}

// Of is the interval of values, one a round. NaN stands for a round that has
// none.
func Of(values []float64) Interval {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(values) == 0 {
		return Interval{Median: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}
	}
	thresholds := benchmath.DefaultThresholds
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &thresholds), Confidence)
	return Interval{Median: s.Center, Low: s.Lo, High: s.Hi, Rounds: len(values)}
}

// Ratio is the interval of a ÷ b, formed within each round: what else the machine
// did in a round met both.
func Ratio(a, b []float64) Interval {
	var ratios []float64
	for i, v := range a {
		if i < len(b) && b[i] > 0 {
			ratios = append(ratios, v/b[i])
		}
	}
	return Of(ratios)
}

// Known reports whether there were enough rounds for an interval.
func (i Interval) Known() bool { return !math.IsInf(i.Low, 0) && !math.IsInf(i.High, 0) }

// Level reports whether a ratio may as well be 1.
func (i Interval) Level() bool { return !i.Known() || (i.Low <= 1 && i.High >= 1) }
