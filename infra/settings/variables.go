package settings

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// variableName admits dots, as in spring.profiles.active: not every shell can set such a variable, but ECS can.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// keyNames are variables that no setting may set. Everyone who may describe a task definition can read it, and a key in
// it stays there after the key has been rotated. The tasks' role grants the same permissions without a key.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-8
var keyNames = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ECS_ENGINE_AUTH_DATA"}

// An access key's id can be recognized by its form, whatever the name of the variable.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var keyPattern = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)

// HoldsAWSKey reports whether the id of an access key is in a text.
func HoldsAWSKey(text string) bool { return keyPattern.MatchString(text) }

const instead = "permissions granted through app.policies"

// Variables returns an object of environment variables or build arguments. The program itself sets the values of the
// reserved ones; each is given with a phrase that says what to do instead.
func (g Group) Variables(name string, reserved map[string]string, meaning, source string) map[string]string {
	values, path := g.Map(name, meaning, source), g.at(name)
	for _, variable := range slices.Sorted(maps.Keys(values)) {
		g.r.checkVariable(path, variable, reserved)
		if HoldsAWSKey(values[variable]) {
			g.r.Fail(path+"."+variable, "holds an AWS access key", instead)
		}
	}

	return values
}

// Secrets returns an object of environment variables that are filled from a store, with the values that they name.
func (g Group) Secrets(name string, reserved map[string]string, meaning, source string) map[string]Secret {
	values, path := g.Map(name, meaning, source), g.at(name)
	all := map[string]Secret{}
	for _, variable := range slices.Sorted(maps.Keys(values)) {
		g.r.checkVariable(path, variable, reserved)
		secret, ok := ParseSecret(values[variable])
		if !ok {
			// What names no secret may be the secret itself, so the error does not repeat it.
			g.r.Fail(path+"."+variable, "not the name of a secret", SecretAllowed)
			continue
		}
		all[variable] = secret
	}

	return all
}

func (r *Reader) checkVariable(path, name string, reserved map[string]string) {
	switch {
	case !variableName.MatchString(name):
		r.Fail(path, strconv.Quote(name), "names of letters, digits, dots and underscores that do not begin with a digit")
	case slices.Contains(keyNames, name):
		r.Fail(path+"."+name, "AWS keys are not passed to tasks", instead)
	case reserved[name] != "":
		r.Refuse(path+"."+name, "reserved: set by the program; "+reserved[name])
	}
}
