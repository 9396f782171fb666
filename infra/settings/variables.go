package settings

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// keyNames are variables that no setting may set. Everyone who may describe a task definition can read it, and a key in
// it stays there after the key has been rotated. The tasks' role grants the same rights without a key.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-8
var keyNames = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ECS_ENGINE_AUTH_DATA"}

// An access key's id can be recognized by its form, whatever the name of the variable.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var keyPattern = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)

// HoldsAWSKey reports whether the id of an access key is in a text.
func HoldsAWSKey(text string) bool { return keyPattern.MatchString(text) }

// Variables returns an object of environment variables or build arguments. The program itself sets the values of the
// reserved ones; each is given with a phrase that says what is allowed instead.
func (r *Reader) Variables(key string, reserved map[string]string) map[string]string {
	values := r.Map(key)
	r.CheckVariables(key, key, values, reserved)

	return values
}

// CheckVariables checks environment variables that are one part of a setting, or the whole of it.
func (r *Reader) CheckVariables(key, part string, values, reserved map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.checkVariable(key, part, name, reserved)
		if HoldsAWSKey(values[name]) {
			r.FailIn(key, part+"."+name, "holds an AWS access key", "rights granted through taskPolicyArns")
		}
	}
}

// CheckSecrets checks environment variables that are filled from a store, and returns the values they name.
func (r *Reader) CheckSecrets(key, part string, values, reserved map[string]string) map[string]Secret {
	all := map[string]Secret{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.checkVariable(key, part, name, reserved)
		secret, ok := ParseSecret(values[name])
		if !ok {
			r.FailIn(key, part+"."+name, strconv.Quote(values[name]), SecretAllowed)
			continue
		}
		all[name] = secret
	}

	return all
}

func (r *Reader) checkVariable(key, part, name string, reserved map[string]string) {
	switch {
	case !namePattern.MatchString(name):
		r.FailIn(key, part, strconv.Quote(name), "names of letters, digits and underscores that do not begin with a digit")
	case slices.Contains(keyNames, name):
		r.FailIn(key, part+"."+name, "AWS keys are not passed to tasks", "rights granted through taskPolicyArns")
	case reserved[name] != "":
		r.FailIn(key, part+"."+name, "set by the program", reserved[name])
	}
}
