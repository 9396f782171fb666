package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Provider declares a namespace that belongs to a provider of the program. Without keys, every key is let through.
func (r *Reader) Provider(namespace string, keys []string) { r.providers[namespace] = keys }

// unknown reports settings that no line reads. Without this check, a misspelt key would silently leave the default in
// force. The SDK can look up a key but not list them all, so they come from the environment, in which the engine passes
// them to the program. A program that runs in-process has no such environment, and only the groups are checked.
func (r *Reader) unknown() []error {
	var given map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &given); err != nil {
		given = nil
	}

	var errs []error
	foreign := map[string][]string{}
	for _, full := range slices.Sorted(maps.Keys(given)) {
		namespace, key, _ := strings.Cut(full, ":")
		keys, isProvider := r.providers[namespace]
		_, known := r.root.find(key)
		switch {
		case namespace == r.ctx.Project() && !known:
			errs = append(errs, r.unknownMember(key, key, r.root))
		case namespace == r.ctx.Project(), isProvider && (keys == nil || slices.Contains(keys, key)):
		case isProvider:
			errs = append(errs, fmt.Errorf("%s: unknown setting; nearest: %s:%s", full, namespace, nearest(key, keys)))
		default:
			foreign[namespace] = append(foreign[namespace], full)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(foreign)) {
		errs = append(errs, fmt.Errorf("%s: namespace %s is neither the project's, %s, nor a provider's; to rename the project, run make rename NAME=…, which also renames these",
			strings.Join(foreign[namespace], ", "), namespace, r.ctx.Project()))
	}
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		g := r.groups[name]
		errs = append(errs, r.unknownIn(g.path, g.object, g.values)...)
	}

	return errs
}

// unknownIn reports the members of a given object that are not declared.
func (r *Reader) unknownIn(path string, o *object, values map[string]any) []error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		at := path + "." + key
		if o.kind == mapOf {
			if inner, ok := values[key].(map[string]any); ok {
				errs = append(errs, r.unknownIn(at, &object{members: o.members}, inner)...)
			}
			continue
		}
		m, ok := o.find(key)
		switch {
		case !ok:
			errs = append(errs, r.unknownMember(at, key, o))
		case m.object == nil:
		case m.object.kind == listOf:
			list, _ := values[key].([]any)
			for i, element := range list {
				if inner, ok := element.(map[string]any); ok {
					errs = append(errs, r.unknownIn(fmt.Sprintf("%s[%d]", at, i), &object{members: m.object.members}, inner)...)
				}
			}
		default:
			if inner, ok := values[key].(map[string]any); ok {
				errs = append(errs, r.unknownIn(at, m.object, inner)...)
			}
		}
	}

	return errs
}

// unknownMember names the most similar setting: of the same object first, and otherwise any.
func (r *Reader) unknownMember(path, key string, o *object) error {
	best, closest := "", len(key)/2+1
	consider := func(candidate string, far int) {
		if far < closest {
			best, closest = candidate, far
		}
	}
	for _, m := range o.members {
		consider(strings.TrimSuffix(path, key)+m.name(), distance(key, m.name()))
	}
	for _, candidate := range r.Paths() {
		last := candidate[strings.LastIndex(candidate, ".")+1:]
		consider(candidate, min(distance(key, last)+1, distance(key, strings.ReplaceAll(candidate, ".", ""))))
	}
	if best == "" {
		return fmt.Errorf("%s: unknown setting; known here: %s", shown(path), o.names())
	}

	return fmt.Errorf("%s: unknown setting; nearest: %s", shown(path), shown(best))
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
