// Package settings reads and checks the stack's configuration. It knows how a value is read, and no topic: which keys
// there are and what is allowed for each is said by the package that uses the value, in a function named Read. Types,
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

// Reader takes the settings of the project out of the stack's configuration. It never stops at an error: it collects
// them, so that a person sees all of them at once, from Err. It uses Try alone, because the SDK's Get turns garbage
// into zero and its Require panics.
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

// Fail records that the value of a key is not allowed. got is shown as given, allowed is a phrase.
func (r *Reader) Fail(key, got, allowed string) { r.FailIn(key, key, got, allowed) }

// FailIn is Fail for one part of a structured setting, which is named as a person would look for it.
func (r *Reader) FailIn(key, part, got, allowed string) {
	if _, ok := r.profiled[key]; ok {
		allowed += ", or " + byProfile
	}
	r.wrong[key] = true
	r.errs = append(r.errs, fmt.Errorf("%s: %s; allowed: %s", part, got, allowed))
}

// Wrong says whether the value of a key has been found to be not allowed.
func (r *Reader) Wrong(key string) bool { return r.wrong[key] }

// Conflict records that settings that are each allowed by themselves cannot be together. Where one of them is wrong in
// itself, that has been said, and the rest would be noise.
func (r *Reader) Conflict(keys []string, problem string) {
	if !slices.ContainsFunc(keys, r.Wrong) {
		r.errs = append(r.errs, fmt.Errorf("%s: %s", strings.Join(keys, ", "), problem))
	}
}

// Err joins everything that was recorded. Each line names the key, what was given and what is allowed.
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

// Switch returns a setting that is on or off, and whose default follows the profile: in dev, in prod.
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

// Know says which keys there are in a namespace other than the project's.
func (r *Reader) Know(namespace string, keys []string) { r.others[namespace] = keys }

// unknown reports settings that nobody reads: a misspelt key would otherwise leave its default in force without a word.
// The SDK looks keys up but does not list them; the engine hands them to the program in the environment, and where it
// does not (a program run in-process) this check is left out.
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

// nearest returns the word with the fewest edits to the given one; the first of several.
func nearest(word string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int { return distance(word, a) - distance(word, b) })
}

// distance counts the insertions, deletions and substitutions that turn one word into another (Levenshtein),
// upper and lower case being the same.
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
