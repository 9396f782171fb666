package nginx

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// setting is one variable of the container's environment.
type setting interface {
	name() string
	// read takes the value, or the default if it is empty, and returns what is wrong with it.
	read(s *Settings, value string) []error
	// write is the value as read takes it.
	write(s Settings) string
	// fallback is the default, as write would write it.
	fallback(s Settings) string
	row() Row
}

// Row is a line of the document's table of settings.
type Row struct{ Name, Default, Allowed, Meaning string }

// Rows are all settings, for the document.
func Rows() []Row {
	var rows []Row
	for _, each := range all {
		rows = append(rows, each.row())
	}
	return rows
}

func wrong(name, value, allowed string) error {
	return fmt.Errorf("%s: got %q, allowed: %s", name, value, allowed)
}

// Number is a setting that is a whole number.
type Number struct {
	Name     string
	Default  int // unless it follows from other settings
	Min, Max int
	Unit     string
	Meaning  string

	at      func(*Settings) *int
	follows func(Settings) int
}

func number(name string, fallback, lowest, highest int, unit string, at func(*Settings) *int, meaning string) Number {
	return Number{Name: name, Default: fallback, Min: lowest, Max: highest, Unit: unit, Meaning: meaning, at: at}
}

// follows makes the default of a number depend on settings that are read before it.
func follows(n Number, from func(Settings) int) Number {
	n.follows = from
	return n
}

// Allowed is the range in words.
func (n Number) Allowed() string {
	return strings.TrimSpace(fmt.Sprintf("%d to %d %s", n.Min, n.Max, n.Unit))
}

func (n Number) name() string            { return n.Name }
func (n Number) write(s Settings) string { return strconv.Itoa(*n.at(&s)) }

func (n Number) fallback(s Settings) string {
	if n.follows != nil {
		return strconv.Itoa(n.follows(s))
	}
	return strconv.Itoa(n.Default)
}

func (n Number) read(s *Settings, value string) []error {
	if value == "" {
		value = n.fallback(*s)
	}
	got, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(got) != value || got < n.Min || got > n.Max {
		got, _ = strconv.Atoi(n.fallback(*s)) // so that what follows from it is not wrong, too
		err = wrong(n.Name, value, n.Allowed())
	}
	*n.at(s) = got
	if err != nil {
		return []error{err}
	}
	return nil
}

func (n Number) row() Row {
	fallback := strconv.Itoa(n.Default)
	if n.follows != nil {
		fallback = "computed"
	}
	return Row{n.Name, fallback, n.Allowed(), n.Meaning}
}

// Choice is a setting that is one of a few words, of which the first is the default.
type Choice[T ~string] struct {
	Name, Meaning string
	Words         []T

	at func(*Settings) *T
}

func choice[T ~string](name string, at func(*Settings) *T, meaning string, words ...T) Choice[T] {
	return Choice[T]{Name: name, Meaning: meaning, Words: words, at: at}
}

func (c Choice[T]) allowed(separator string) string {
	var words []string
	for _, word := range c.Words {
		words = append(words, string(word))
	}
	return strings.Join(words, separator)
}

func (c Choice[T]) name() string             { return c.Name }
func (c Choice[T]) write(s Settings) string  { return string(*c.at(&s)) }
func (c Choice[T]) fallback(Settings) string { return string(c.Words[0]) }

func (c Choice[T]) read(s *Settings, value string) []error {
	*c.at(s) = c.Words[0]
	if value == "" {
		return nil
	}
	if !slices.Contains(c.Words, T(value)) {
		return []error{wrong(c.Name, value, c.allowed(", "))}
	}
	*c.at(s) = T(value)
	return nil
}

func (c Choice[T]) row() Row {
	return Row{c.Name, string(c.Words[0]), c.allowed(", "), c.Meaning}
}

// Switch is a setting that is on or off, and off by default.
type Switch struct {
	Name, Meaning string

	at func(*Settings) *bool
}

func onOff(name string, at func(*Settings) *bool, meaning string) Switch {
	return Switch{Name: name, Meaning: meaning, at: at}
}

func (w Switch) name() string             { return w.Name }
func (w Switch) fallback(Settings) string { return "off" }
func (w Switch) row() Row                 { return Row{w.Name, "off", "on, off", w.Meaning} }

func (w Switch) write(s Settings) string {
	if *w.at(&s) {
		return "on"
	}
	return "off"
}

func (w Switch) read(s *Settings, value string) []error {
	*w.at(s) = value == "on"
	if value != "" && value != "on" && value != "off" {
		return []error{wrong(w.Name, value, "on, off")}
	}
	return nil
}

// List is a setting that is several words, separated by commas.
type List[T any] struct {
	Name, Default string
	Each          string // what one word may be
	separator     string // if it is no comma
	Meaning       string

	at     func(*Settings) *[]T
	parse  func(string) (T, bool)
	format func(T) string
}

func list(name, fallback, each string, at func(*Settings) *[]string, fits func(string) bool, meaning string) List[string] {
	return List[string]{
		Name: name, Default: fallback, Each: each, Meaning: meaning, at: at,
		parse:  func(word string) (string, bool) { return word, fits(word) },
		format: func(word string) string { return word },
	}
}

// Defaults are the words of the default.
func (l List[T]) Defaults() []string { return strings.Split(l.Default, ",") }

// Allows reports whether a word may be in the list.
func (l List[T]) Allows(word string) bool {
	_, ok := l.parse(word)
	return ok
}

func (l List[T]) name() string             { return l.Name }
func (l List[T]) fallback(Settings) string { return l.Default }

func (l List[T]) write(s Settings) string {
	var words []string
	for _, each := range *l.at(&s) {
		words = append(words, l.format(each))
	}
	return strings.Join(words, cmp.Or(l.separator, ","))
}

func (l List[T]) read(s *Settings, value string) (errs []error) {
	if value == "" {
		value = l.Default
	}
	*l.at(s) = nil
	if value == "" {
		return nil
	}
	allowed := l.Each + "; several are separated by commas"
	if l.separator != "" {
		allowed = l.Each + "; one a line"
	}
	for _, word := range strings.Split(value, cmp.Or(l.separator, ",")) {
		each, ok := l.parse(word)
		if !ok {
			errs = append(errs, wrong(l.Name, word, allowed))
			continue
		}
		*l.at(s) = append(*l.at(s), each)
	}
	return errs
}

func (l List[T]) row() Row {
	fallback := l.Default
	if fallback == "" {
		fallback = "none"
	}
	if l.separator != "" {
		return Row{l.Name, fallback, "one a line", l.Meaning}
	}
	return Row{l.Name, fallback, "list with commas", l.Meaning}
}

// Text is a setting that is one word, or nothing.
type Text struct {
	Name, Kind, Allowed, Meaning string

	at   func(*Settings) *string
	fits func(string) bool
}

func text(name, kind, allowed string, at func(*Settings) *string, fits func(string) bool, meaning string) Text {
	return Text{Name: name, Kind: kind, Allowed: allowed, Meaning: meaning, at: at, fits: fits}
}

func (x Text) name() string             { return x.Name }
func (x Text) write(s Settings) string  { return *x.at(&s) }
func (x Text) fallback(Settings) string { return "" }
func (x Text) row() Row                 { return Row{x.Name, "none", x.Kind, x.Meaning} }

func (x Text) read(s *Settings, value string) []error {
	*x.at(s) = ""
	if value != "" && !x.fits(value) {
		return []error{wrong(x.Name, value, x.Allowed)}
	}
	*x.at(s) = value
	return nil
}
