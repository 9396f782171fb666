package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"gopkg.in/yaml.v3"
)

// Provided is what became of a setting.
type Provided struct {
	Placeholders []string // variables whose value is only a placeholder, sorted
	Changed      bool     // a value that was there before is another one now
}

// Provide makes sure that everything the `secrets` setting names exists. A variable's value is the one that the
// environment has under the same name. Where the environment has none, a value that exists is kept, and otherwise a
// placeholder is made. An entry that the program refuses is skipped: the program reports it.
func (s *Stores) Provide(ctx context.Context, setting any, environment func(string) string) (Provided, error) {
	var all Provided
	for _, e := range entriesOf(setting) {
		before, exists, err := s.read(ctx, e)
		if err != nil {
			return all, fmt.Errorf("secrets: %s: %w", e, err)
		}
		after, placeholders, err := e.value(before, exists, environment)
		if err != nil {
			return all, fmt.Errorf("secrets: %s: %w", e, err)
		}
		all.Placeholders = append(all.Placeholders, placeholders...)
		if exists && after == before {
			continue
		}
		all.Changed = all.Changed || exists
		if err := s.write(ctx, e, after, exists); err != nil {
			return all, fmt.Errorf("secrets: %s: %w", e, err)
		}
	}
	slices.Sort(all.Placeholders)
	return all, nil
}

// entry is one parameter or secret and the variables that come from it.
type entry struct {
	secret bool // in Secrets Manager, else in Parameter Store
	name   string
	whole  []string          // variables that hold all of it
	fields map[string]string // variable → JSON key
}

func (e entry) String() string {
	if e.secret {
		return "secret " + e.name
	}
	return "parameter " + e.name
}

// sourcePattern is the form of a setting's values, as the program has it.
var sourcePattern = regexp.MustCompile(`^(?:ssm:(/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)|secretsmanager:([A-Za-z0-9/_+=.@-]+)(?:#([A-Za-z0-9_.-]+))?)$`)

// entriesOf reads the setting as YAML has it: an object, or its JSON as text. Entries are in the order of their names.
func entriesOf(setting any) []entry {
	if text, is := setting.(string); is {
		setting = nil
		_ = yaml.Unmarshal([]byte(text), &setting) // not an object: the program reports it
	}
	variables, _ := setting.(map[string]any)
	entries := map[string]entry{}
	for _, variable := range slices.Sorted(maps.Keys(variables)) {
		part := sourcePattern.FindStringSubmatch(fmt.Sprint(variables[variable]))
		if part == nil {
			continue
		}
		e := entry{secret: part[2] != "", name: part[1] + part[2]}
		if !e.secret && strings.Contains(e.name, "/") && !strings.HasPrefix(e.name, "/") {
			e.name = "/" + e.name // the only name that its ARN can stand for
		}
		if known, is := entries[e.String()]; is {
			e = known
		} else {
			e.fields = map[string]string{}
		}
		if part[3] == "" {
			e.whole = append(e.whole, variable)
		} else {
			e.fields[variable] = part[3]
		}
		entries[e.String()] = e
	}
	var all []entry
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, entries[name])
	}
	return all
}

// placeholder is harmless, and tells a person who meets it where it comes from.
func placeholder(variable string) string { return "local-" + variable }

// value is what the entry has to hold, and which variables get no more than a placeholder by that.
func (e entry) value(before string, exists bool, environment func(string) string) (after string, placeholders []string, err error) {
	after = before
	var from string
	for _, variable := range e.whole {
		switch text := environment(variable); {
		case text == "":
		case from != "" && text != after:
			return "", nil, fmt.Errorf("%s and %s have different values in the environment", from, variable)
		default:
			after, from = text, variable
		}
	}
	// A placeholder may get a better value, or become an object.
	given := from != "" || exists && !slices.ContainsFunc(e.whole, func(variable string) bool { return before == placeholder(variable) })
	switch {
	case len(e.fields) > 0:
		return e.object(after, given, environment)
	case given:
		return after, nil, nil
	case exists:
		return before, e.whole, nil
	}
	return placeholder(e.whole[0]), e.whole, nil
}

// object is value for an entry that has fields. What else its JSON holds is kept as it is.
func (e entry) object(text string, given bool, environment func(string) string) (after string, placeholders []string, err error) {
	object := map[string]json.RawMessage{}
	if given {
		if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
			// Not the decoder's words, which quote the value.
			return "", nil, fmt.Errorf("its value is not a JSON object that could have the fields %s", strings.Join(slices.Sorted(maps.Keys(e.fields)), ", "))
		}
	}
	changed := !given
	for _, variable := range slices.Sorted(maps.Keys(e.fields)) {
		key := e.fields[variable]
		wanted := environment(variable)
		if _, has := object[key]; wanted == "" && !has {
			wanted = placeholder(variable)
		}
		if wanted != "" && string(object[key]) != string(quoted(wanted)) {
			object[key], changed = quoted(wanted), true
		}
		if string(object[key]) == string(quoted(placeholder(variable))) {
			placeholders = append(placeholders, variable)
		}
	}
	if !changed {
		return text, placeholders, nil
	}
	content, err := json.Marshal(object)
	return string(content), placeholders, err
}

func quoted(text string) json.RawMessage {
	content, _ := json.Marshal(text) // text always encodes
	return content
}

// read returns what an entry holds.
func (s *Stores) read(ctx context.Context, e entry) (value string, exists bool, err error) {
	if e.secret {
		found, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.name})
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
		return aws.ToString(found.SecretString), true, nil
	}
	found, err := s.parameters.get(ctx, s.region, e.name)
	value, exists = found[e.name]
	return value, exists, err
}

func (s *Stores) write(ctx context.Context, e entry, value string, exists bool) error {
	var err error
	switch {
	case !e.secret:
		err = s.parameters.put(ctx, s.region, e.name, value)
	case exists:
		_, err = s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &e.name, SecretString: &value})
	default:
		_, err = s.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &e.name, SecretString: &value})
	}
	return err
}
