package stats

import (
	"math"
	"testing"
)

func TestTheIntervalIsTheOneOfTheMediansOrderStatistics(t *testing.T) {
	// Binomial with n = 10, p = 1/2: between the second and the ninth value lies
	// the median with 97.9 %, between the third and the eighth with 89.1 %.
	got := Of([]float64{10, 1, 9, 2, 8, 3, 7, 4, 6, 5})
	if got.Median != 5.5 || got.Low != 2 || got.High != 9 || !got.Known() || got.Rounds != 10 {
		t.Errorf("got %+v", got)
	}
	// With six all of them are needed: 96.9 %.
	if got := Of([]float64{3, 1, 2, 6, 5, 4}); got.Low != 1 || got.High != 6 {
		t.Errorf("six rounds: got %+v", got)
	}
}

func TestTooFewRoundsGiveNoInterval(t *testing.T) {
	if got := Of([]float64{1, 2, 3, 4, 5}); got.Known() || got.Median != 3 || !got.Level() {
		t.Errorf("got %+v", got)
	}
	if got := Of(nil); got.Known() || !math.IsNaN(got.Median) || !got.Level() {
		t.Errorf("nothing: got %+v", got)
	}
}

func TestARoundInWhichTheMachineWasSlowChangesNoRatio(t *testing.T) {
	a := []float64{300, 300, 3, 300, 303, 300, 297, 300}
	b := []float64{100, 100, 1, 100, 101, 100, 99, 100}
	if got := Ratio(a, b); got.Median != 3 || got.Low != 3 || got.High != 3 || got.Level() {
		t.Errorf("got %+v", got)
	}
	none := math.NaN()
	if got := Ratio([]float64{1, none, 4, 6}, []float64{1, 1, none, 2}); got.Rounds != 2 || got.Median != 2 {
		t.Errorf("rounds without a figure: got %+v", got)
	}
	if got := Ratio([]float64{1, 2}, []float64{0, 1, 5}); got.Rounds != 1 || got.Median != 2 {
		t.Errorf("a round without a figure: got %+v", got)
	}
}

func TestADifferenceInsideTheIntervalIsLevel(t *testing.T) {
	for _, c := range []struct {
		ratios []float64
		want   bool
	}{
		{[]float64{0.9, 0.95, 1.02, 1.1, 1.2, 0.8, 1.01}, true},
		{[]float64{1.1, 1.2, 1.3, 1.1, 1.2, 1.3, 1.05}, false},
		{[]float64{0.9, 0.8, 0.7, 0.9, 0.8, 0.7, 0.95}, false},
	} {
		if got := Of(c.ratios); got.Level() != c.want {
			t.Errorf("%v: got %+v", c.ratios, got)
		}
	}
}
