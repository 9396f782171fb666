// Package settings reads and checks the stack's configuration. It knows how values are read, but nothing about any
// topic: the package that uses a value says in its function Read which key the value has and what is allowed. Types,
// defaults and descriptions are in Pulumi.yaml.
package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// Reader reads the project's settings from the stack's configuration. It never stops at an error but collects them all,
// so that a person sees them at once, from Err. Of the SDK's functions it uses only Try, because Get turns malformed
// values into zero, and Require panics.
type Reader struct {
	values   *config.Config
	project  string
	profile  string
	profiled map[string]Profiled
	read     []string
	others   map[string][]string
	wrong    map[string]bool
	errs     []error
}

// New returns a reader of the configuration of the stack that ctx belongs to. It reads the setting `profile` at once,
// because the defaults of others follow from it.
func New(ctx *pulumi.Context) *Reader {
	r := &Reader{
		values: config.New(ctx, ""), project: ctx.Project(),
		profiled: map[string]Profiled{}, others: map[string][]string{}, wrong: map[string]bool{},
	}
	r.profile = r.OneOf("profile", dev, prod)

	return r
}

// Fail records that the value of a key is not allowed. got is the value as it was given; allowed is a phrase that says
// what is allowed.
func (r *Reader) Fail(key, got, allowed string) { r.FailIn(key, key, got, allowed) }

// FailIn is Fail for one part of a structured setting, such as environment.PORT.
func (r *Reader) FailIn(key, part, got, allowed string) {
	if _, ok := r.profiled[key]; ok {
		allowed += ", or " + byProfile
	}
	r.wrong[key] = true
	r.errs = append(r.errs, fmt.Errorf("%s: %s; allowed: %s", part, shown(got), allowed))
}

// longestShown is how much of a wrong value an error shows, in bytes: enough to recognize it by.
const longestShown = 400

// shown is text from a setting as a terminal can show it: in one line, without characters that it would act upon, and
// without the middle of what is too long to read.
func shown(text string) string {
	if cut := len(text) - longestShown; cut > 0 {
		text = strings.ToValidUTF8(fmt.Sprintf("%s… (%d bytes) …%s", text[:longestShown/2], cut, text[len(text)-longestShown/2:]), "")
	}
	if quoted := strconv.Quote(text); strings.ContainsFunc(text, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return quoted[1 : len(quoted)-1]
	}

	return text
}

// Wrong says whether the value of a key has been reported as not allowed.
func (r *Reader) Wrong(key string) bool { return r.wrong[key] }

// Conflict records that settings contradict each other although each is allowed by itself. If one of them is wrong by
// itself, that has been reported, and the contradiction would only be noise.
func (r *Reader) Conflict(keys []string, problem string) {
	if !slices.ContainsFunc(keys, r.Wrong) {
		r.errs = append(r.errs, fmt.Errorf("%s: %s", strings.Join(keys, ", "), problem))
	}
}

// Err joins all recorded errors. Each line names the key, the value that was given and what is allowed.
func (r *Reader) Err() error {
	return errors.Join(append(slices.Clone(r.errs), r.unknown()...)...)
}

// value returns the text of a setting. The engine fills in the defaults of Pulumi.yaml, so a missing value means that
// something other than the engine runs the program, or that Pulumi.yaml lost the key.
func (r *Reader) value(key string) (string, bool) {
	r.read = append(r.read, key)

	value, err := r.values.Try(key)
	if err != nil {
		r.wrong[key] = true
		r.errs = append(r.errs, fmt.Errorf("%s: no value and no default in Pulumi.yaml", key))
		return "", false
	}
	if profiled, ok := r.profiled[key]; ok && value == byProfile {
		value = profiled.in(r.profile)
	}

	return value, true
}

// Text returns a setting that passes check; allowed describes in words what passes.
func (r *Reader) Text(key, allowed string, check func(string) bool) string {
	value, ok := r.value(key)
	if ok && !check(value) {
		r.Fail(key, strconv.Quote(value), allowed)
	}

	return value
}

// OneOf returns a setting that is one of the given words.
func (r *Reader) OneOf(key string, allowed ...string) string { return OneOf(r, key, allowed...) }

// OneOf returns a setting that is one of the given words, as the type that the words have.
func OneOf[T ~string](r *Reader, key string, allowed ...T) T {
	words := make([]string, len(allowed))
	for i, word := range allowed {
		words[i] = string(word)
	}

	return T(r.Text(key, strings.Join(words, ", "), func(value string) bool { return slices.Contains(words, value) }))
}

// Boolean returns a setting that is true or false.
func (r *Reader) Boolean(key string) bool { return r.OneOf(key, "true", "false") == "true" }

// Switch returns a setting that is on or off. inDev and inProd are its defaults in the two profiles.
func (r *Reader) Switch(key, inDev, inProd string) bool {
	r.FollowProfile(key, inDev, inProd)

	return r.OneOf(key, "on", "off") == "on"
}

// Between returns a whole number within two limits, both included.
func (r *Reader) Between(key string, lowest, highest int, unit string) int {
	allowed := fmt.Sprintf("%d to %d %s", lowest, highest, unit)

	return r.number(key, allowed, func(n int) bool { return n >= lowest && n <= highest })
}

// Among returns a whole number out of a list.
func (r *Reader) Among(key string, numbers []int, unit string) int {
	return r.number(key, List(numbers)+" "+unit, func(n int) bool { return slices.Contains(numbers, n) })
}

// Seconds returns a time that is given in whole seconds.
func (r *Reader) Seconds(key string, lowest, highest int) time.Duration {
	return time.Duration(r.Between(key, lowest, highest, "seconds")) * time.Second
}

func (r *Reader) number(key, allowed string, check func(int) bool) int {
	value, ok := r.value(key)
	if !ok {
		return 0
	}

	n, err := strconv.Atoi(value)
	if err != nil {
		r.Fail(key, strconv.Quote(value)+" is not a whole number", allowed)
		return 0
	}
	if !check(n) {
		r.Fail(key, value, allowed)
	}

	return n
}

// Know declares which keys exist in a namespace other than the project's.
func (r *Reader) Know(namespace string, keys []string) { r.others[namespace] = keys }

// unknown reports settings that nobody reads. Without this check, a misspelt key would silently leave the default in
// force. The SDK can look up a key but not list them all, so they come from the environment, in which the engine passes
// them to the program. A program that runs in-process has no such environment, and this check is left out.
func (r *Reader) unknown() []error {
	var given map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &given); err != nil {
		return nil
	}

	var errs []error
	for _, full := range slices.Sorted(maps.Keys(given)) {
		namespace, key, _ := strings.Cut(full, ":")
		known, shown := r.others[namespace], full
		if namespace == r.project {
			known, shown = r.read, key
		}
		if len(known) > 0 && !slices.Contains(known, key) {
			errs = append(errs, fmt.Errorf("%s: unknown setting; nearest known: %s", shown, nearest(key, known)))
		}
	}

	return errs
}

// nearest returns the word that differs from the given one by the fewest edits, or the first of several such words.
func nearest(word string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int { return distance(word, a) - distance(word, b) })
}

// distance counts the insertions, deletions and substitutions that turn one word into another (Levenshtein distance),
// ignoring case.
func distance(from, to string) int {
	from, to = strings.ToLower(from), strings.ToLower(to)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			substitution := diagonal
			if from[i] != to[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}

	return row[len(to)]
}

// List writes numbers as people do: 1, 2, 3.
func List(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}

	return strings.Join(words, ", ")
}
