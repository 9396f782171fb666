package settings

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
)

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Names that no setting gives a value. A task definition can be read by everyone who may describe it, and keys in it
// outlive every rotation; the tasks' role gives the same rights without a key.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-8
var keyNames = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ECS_ENGINE_AUTH_DATA"}

// An access key's id has a form of its own, whatever the variable that holds it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var keyPattern = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)

// Variables returns an object of environment variables or build arguments. Of the reserved ones the program sets the
// value itself; each has a phrase that says what is allowed instead.
func (r *Reader) Variables(key string, reserved map[string]string) map[string]string {
	values := r.Map(key)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.CheckVariable(key, name, reserved)
		if keyPattern.MatchString(values[name]) {
			r.FailIn(key, key+"."+name, "holds an AWS access key", "rights through taskPolicyArns")
		}
	}

	return values
}

// CheckVariable checks the name of a variable.
func (r *Reader) CheckVariable(key, name string, reserved map[string]string) {
	switch {
	case !namePattern.MatchString(name):
		r.FailIn(key, key, strconv.Quote(name), "names of letters, digits and underscores, first no digit")
	case slices.Contains(keyNames, name):
		r.FailIn(key, key+"."+name, "AWS keys are not handed to tasks", "rights through taskPolicyArns")
	case reserved[name] != "":
		r.FailIn(key, key+"."+name, "set by the program", reserved[name])
	}
}
