package settings

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Day is the longest unit of durations.
const Day = 24 * time.Hour

// Size is a number of bytes.
type Size int

// The units of sizes.
const (
	KiB Size = 1024
	MiB      = 1024 * KiB
	GiB      = 1024 * MiB
)

type unit struct {
	name string
	size int
}

// Units in descending order: a value is written in the longest that fits.
var (
	times = []unit{{"d", int(Day)}, {"h", int(time.Hour)}, {"m", int(time.Minute)}, {"s", int(time.Second)}, {"ms", int(time.Millisecond)}}
	sizes = []unit{{"GiB", int(GiB)}, {"MiB", int(MiB)}, {"KiB", int(KiB)}}
)

// Both forms end in a unit, so that no one has to look up whether a number is in seconds or milliseconds.
const (
	timeForm = `^[0-9]{1,9}(ms|s|m|h|d)$`
	sizeForm = `^[0-9]{1,9}(KiB|MiB|GiB)$`
)

// Written is a duration as a stack file has it. Hours and minutes are only for round values: 90s, not 1.5m.
func Written(d time.Duration) string { return write(int(d), times) }

// Written is a size as a stack file has it.
func (s Size) Written() string { return write(int(s), sizes) }

func write(value int, units []unit) string {
	for _, u := range units {
		if value >= u.size && value%u.size == 0 {
			return strconv.Itoa(value/u.size) + u.name
		}
	}

	return "0s"
}

func parse(text, form string, units []unit) (int, bool) {
	part := regexp.MustCompile(form[:len(form)-1]).FindStringSubmatch(text)
	if part == nil || len(part[0]) != len(text) {
		return 0, false
	}
	number, err := strconv.Atoi(text[:len(text)-len(part[1])])
	for _, u := range units {
		if u.name == part[1] {
			return number * u.size, err == nil && number <= math.MaxInt/u.size
		}
	}

	return 0, false
}

// Duration returns a time within two limits, both included, in whole seconds, or milliseconds if the lower limit is one.
func (g Group) Duration(name string, def, lowest, highest time.Duration, meaning, source string) time.Duration {
	step := time.Second
	if lowest > 0 && lowest < time.Second {
		step = time.Millisecond
	}
	allowed := fmt.Sprintf("%s to %s", Written(lowest), Written(highest))

	return time.Duration(measure(g, name, def, allowed, timeForm, times, meaning, source, func(n int) bool {
		d := time.Duration(n)
		return d >= lowest && d <= highest && d%step == 0
	}))
}

// DurationOf returns a time out of a list of days.
func (g Group) DurationOf(name string, def time.Duration, days []int, meaning, source string) time.Duration {
	var allowed string
	for i, n := range days {
		if i > 0 {
			allowed += ", "
		}
		allowed += strconv.Itoa(n) + "d"
	}

	return time.Duration(measure(g, name, def, allowed, timeForm, times, meaning, source, func(n int) bool {
		for _, d := range days {
			if n == d*int(Day) {
				return true
			}
		}
		return false
	}))
}

// Size returns a size within two limits, both included, in whole KiB, or GiB if the lower limit is in these.
func (g Group) Size(name string, def, lowest, highest Size, meaning, source string) Size {
	step := KiB
	if lowest%GiB == 0 {
		step = GiB
	}
	allowed := fmt.Sprintf("%s to %s", lowest.Written(), highest.Written())

	return Size(measure(g, name, def, allowed, sizeForm, sizes, meaning, source, func(n int) bool {
		return Size(n) >= lowest && Size(n) <= highest && Size(n)%step == 0
	}))
}

func measure[T ~int | ~int64](g Group, name string, def T, allowed, form string, units []unit, meaning, source string, check func(int) bool) int {
	shownDefault := write(int(def), units)
	if def == 0 {
		shownDefault = ""
	}
	if g.inProd != nil {
		if inProd, ok := g.inProd.(T); ok {
			g.inProd = inUnits{write(int(inProd), units), int(inProd)}
		}
	}
	g.declare(name, shownDefault, allowed, map[string]any{"type": "string", "pattern": form}, meaning, source)
	value, given := g.take(name)
	if !given {
		if inProd, ok := g.inProd.(inUnits); ok && g.r.production {
			return inProd.value
		}
		return int(def)
	}
	if g.isOff(value) {
		return 0
	}
	text, _ := value.(string)
	n, ok := parse(text, form, units)
	if !ok || !check(n) {
		g.fail(name, value, allowed)
		return int(def)
	}

	return n
}

// inUnits is a default in the profile prod.
type inUnits struct {
	text  string
	value int
}

// Written is the default as a stack file has it.
func (u inUnits) Written() string { return u.text }
