package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// reader takes settings of one namespace out of the stack's configuration. It never stops at an error: it collects
// them, so that a user sees all of them at once. It uses Try alone, because Get turns garbage into zero and Require
// panics.
type reader struct {
	settings *pulumiconfig.Config
	project  string
	profile  string
	known    []string
	wrong    map[string]bool
	errs     []error
}

func newReader(ctx *pulumi.Context) *reader {
	return &reader{settings: pulumiconfig.New(ctx, ""), project: ctx.Project(), wrong: map[string]bool{}}
}

// fail records that the value of a key is not allowed. got is shown as given, allowed is a phrase.
func (r *reader) fail(key, got, allowed string) {
	r.wrong[key] = true
	r.errs = append(r.errs, fmt.Errorf("%s: %s; allowed: %s", key, got, alsoProfile(key, allowed)))
}

// contradiction records that two or more settings, each fine alone, cannot be together. Where one of them is wrong in
// itself, that has been said and the rest would be noise.
func (r *reader) contradiction(keys []string, problem string) {
	if slices.ContainsFunc(keys, func(key string) bool { return r.wrong[key] }) {
		return
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %s", strings.Join(keys, ", "), problem))
}

// raw returns the text of a setting. The engine fills in the defaults of Pulumi.yaml, so a missing value means that
// something other than the engine runs the program, or that Pulumi.yaml lost the key.
func (r *reader) raw(key string) (string, bool) {
	r.known = append(r.known, key)

	value, err := r.settings.Try(key)
	if err != nil {
		r.wrong[key] = true
		r.errs = append(r.errs, fmt.Errorf("%s: no value and no default in Pulumi.yaml", key))
		return "", false
	}

	return r.resolve(key, value), true
}

// text returns a string setting that passes check; allowed describes in words what passes.
func (r *reader) text(key, allowed string, check func(string) bool) string {
	value, ok := r.raw(key)
	if ok && !check(value) {
		r.fail(key, strconv.Quote(value), allowed)
	}

	return value
}

func (r *reader) oneOf(key string, allowed ...string) string {
	return r.text(key, strings.Join(allowed, ", "), func(value string) bool { return slices.Contains(allowed, value) })
}

// between returns a whole number within two limits, both included.
func (r *reader) between(key string, lowest, highest int, unit string) int {
	allowed := fmt.Sprintf("%d to %d %s", lowest, highest, unit)

	return r.number(key, allowed, func(n int) bool { return n >= lowest && n <= highest })
}

// among returns a whole number out of a list.
func (r *reader) among(key string, numbers []int, unit string) int {
	return r.number(key, list(numbers)+" "+unit, func(n int) bool { return slices.Contains(numbers, n) })
}

func (r *reader) number(key, allowed string, check func(int) bool) int {
	value, ok := r.raw(key)
	if !ok {
		return 0
	}

	n, err := strconv.Atoi(value)
	if err != nil {
		r.fail(key, strconv.Quote(value)+" is not a whole number", allowed)
		return 0
	}

	if !check(n) {
		r.fail(key, value, allowed)
	}

	return n
}

func (r *reader) boolean(key string) bool {
	return r.oneOf(key, "true", "false") == "true"
}

// texts returns a list of strings of which each passes check, none twice.
func (r *reader) texts(key, allowed string, check func(string) bool) []string {
	return elements(r, key, allowed, check)
}

// numbers returns a list of whole numbers of which each passes check, none twice.
func (r *reader) numbers(key, allowed string, check func(int) bool) []int {
	return elements(r, key, allowed, check)
}

func elements[T string | int](r *reader, key, allowed string, check func(T) bool) []T {
	value, ok := r.raw(key)
	if !ok {
		return nil
	}

	var all []T
	if err := json.Unmarshal([]byte(value), &all); err != nil {
		r.fail(key, strconv.Quote(value)+" is not a list", "a list of: "+allowed)
		return nil
	}

	seen := map[T]bool{}
	for _, element := range all {
		if !check(element) {
			r.fail(key, fmt.Sprintf("%#v", element), "a list of: "+allowed)
		}
		if seen[element] {
			r.fail(key, fmt.Sprintf("%#v twice", element), "each once")
		}
		seen[element] = true
	}

	return all
}

// objects returns a list of objects that have the given fields and no others.
func objects[T any](r *reader, key, fields string) []T {
	value, ok := r.raw(key)
	if !ok {
		return nil
	}

	var all []T
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		r.fail(key, strconv.Quote(value), "a list of objects with the fields "+fields)
		return nil
	}

	return all
}

// unknownKeys reports settings of the project's namespace that nobody reads: a misspelt key would otherwise leave its
// default in force without a word. The SDK looks keys up but does not list them; the engine hands them to the program
// in the environment, and where it does not (a program run in-process) this check is left out.
func (r *reader) unknownKeys() {
	var given map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &given); err != nil {
		return
	}

	var unknown []string
	for full := range given {
		namespace, key, _ := strings.Cut(full, ":")
		if namespace == r.project && !slices.Contains(r.known, key) {
			unknown = append(unknown, key)
		}
	}

	slices.Sort(unknown)
	for _, key := range unknown {
		r.errs = append(r.errs, fmt.Errorf("%s: unknown setting; nearest known: %s", key, nearest(key, r.known)))
	}
}

func (r *reader) err() error {
	return errors.Join(r.errs...)
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

// list writes numbers as people do: 1, 2, 3.
func list(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}

	return strings.Join(words, ", ")
}
