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

// Variables returns an object of environment variables or build arguments. The program itself sets the values of the
// reserved ones; each is given with a phrase that says what is allowed instead.
func (r *Reader) Variables(key string, reserved map[string]string) map[string]string {
	values := r.Map(key)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.CheckVariable(key, name, reserved)
		if keyPattern.MatchString(values[name]) {
			r.FailIn(key, key+"."+name, "holds an AWS access key", "rights granted through taskPolicyArns")
		}
	}

	return values
}

// CheckVariable checks the name of a variable.
func (r *Reader) CheckVariable(key, name string, reserved map[string]string) {
	switch {
	case !namePattern.MatchString(name):
		r.FailIn(key, key, strconv.Quote(name), "names of letters, digits and underscores that do not begin with a digit")
	case slices.Contains(keyNames, name):
		r.FailIn(key, key+"."+name, "AWS keys are not passed to tasks", "rights granted through taskPolicyArns")
	case reserved[name] != "":
		r.FailIn(key, key+"."+name, "set by the program", reserved[name])
	}
}
