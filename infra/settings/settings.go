// Package settings reads and checks the configuration of a stack, which has one object for each group of settings. It
// knows how values are read, but no topic: the function Read of a topic has one line for each of its settings, and that
// line declares it. The line gives the name, the default, what is allowed, the meaning and a link to the source; the value,
// the errors, docs/settings.md and docs/settings.schema.json all follow from it.
package settings

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Reader reads the settings of a stack. It never stops at an error but collects them all, and Err returns them at once.
type Reader struct {
	ctx        *pulumi.Context
	production bool
	root       *object
	groups     map[string]Group
	given      map[string]bool
	wrong      map[string]bool
	providers  map[string][]string
	errs       []error
}

// The profiles: dev is cheap and leaves nothing behind; prod is for services that customers depend on.
const (
	dev  = "dev"
	prod = "prod"
)

// New returns a reader of the configuration of the stack that ctx belongs to. It reads the setting profile at once,
// because the defaults of others follow from it.
func New(ctx *pulumi.Context) *Reader {
	r := &Reader{
		ctx: ctx, root: &object{}, groups: map[string]Group{},
		given: map[string]bool{}, wrong: map[string]bool{}, providers: map[string][]string{},
	}
	top := Group{r: r, object: r.root, values: map[string]any{}}
	if text, ok := ctx.GetConfig(ctx.Project() + ":profile"); ok {
		top.values["profile"] = text
	}
	r.production = OneOf(top, "profile", dev, []string{dev, prod},
		"`dev` keeps costs low and has no deletion protection. `prod` is for a service that customers depend on. The profile decides the defaults that differ between the two; a stack file can still set each of them.",
		"https://www.pulumi.com/docs/iac/concepts/config/") == prod

	return r
}

// Production reports whether the profile is prod.
func (r *Reader) Production() bool { return r.production }

// Given reports whether the stack sets something, by its path, to anything but false.
func (r *Reader) Given(path string) bool { return r.given[path] }

// Wrong reports whether an error is about a path or about something below it.
func (r *Reader) Wrong(path string) bool { return r.wrong[path] }

// Fail records that the value at a path is not allowed. got shows the value; allowed is a phrase that says what is.
func (r *Reader) Fail(path, got, allowed string) {
	r.problem(path, "%s: %s; allowed: %s", path, shown(got), allowed)
}

// Refuse records an error about a path for which there is no allowed value to name.
func (r *Reader) Refuse(path, problem string) { r.problem(path, "%s: %s", path, problem) }

func (r *Reader) problem(path, format string, values ...any) {
	for i, c := range path {
		if c == '.' || c == '[' {
			r.wrong[path[:i]] = true
		}
	}
	r.wrong[path] = true
	r.errs = append(r.errs, fmt.Errorf(format, values...))
}

// Conflict records that settings contradict each other although each is allowed by itself. If one of them is wrong by
// itself, that has been reported, and the contradiction would only be noise.
func (r *Reader) Conflict(paths []string, problem string) {
	if !slices.ContainsFunc(paths, r.Wrong) {
		r.errs = append(r.errs, fmt.Errorf("%s: %s", strings.Join(paths, ", "), problem))
	}
}

// Err joins all recorded errors.
func (r *Reader) Err() error {
	return errors.Join(append(slices.Clone(r.errs), r.unknown()...)...)
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

// Numbers writes numbers as people do: 1, 2, 3.
func Numbers(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}

	return strings.Join(words, ", ")
}
