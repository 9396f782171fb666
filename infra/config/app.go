package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// App is what an app that moves in says about itself, besides its image.
type App struct {
	Command       []string
	HealthCommand []string
	User          string
	WritablePaths []string
	Environment   map[string]string
	Secrets       map[string]Secret
}

// Stores of secret values.
const (
	StoreParameter = "ssm"
	StoreSecret    = "secretsmanager"
)

// Secret names a value that ECS reads when a task starts. Key picks one field of a secret that holds JSON, or is empty.
type Secret struct{ Store, Name, Key string }

func (r *reader) app() App {
	return App{
		Command: r.words("appCommand", "a list of words; empty: the image's own", func([]string) bool { return true }),
		HealthCommand: r.words("appHealthCommand", "CMD and a program with its arguments, or CMD-SHELL and one line",
			func(words []string) bool {
				return len(words) >= 2 && words[0] == "CMD" || len(words) == 2 && words[0] == "CMD-SHELL"
			}),
		User: r.text("appUser", "a number above 0, or two with a colon between them, such as 1000:1000", userPattern.MatchString),
		WritablePaths: r.texts("appWritablePaths", "an absolute path below /, such as /tmp",
			func(path string) bool { return pathOfVolume.MatchString(path) && !strings.Contains(path, "..") }),
		Environment: r.variables("environment"),
		Secrets:     r.secrets(),
	}
}

var (
	userPattern  = regexp.MustCompile(`^[1-9][0-9]{0,8}(:[1-9][0-9]{0,8})?$`)
	pathOfVolume = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Names that no task gets from settings. A task definition can be read by everyone who may describe it, and keys in it
// outlive every rotation; the tasks' role gives the same rights without a key.
// https://docs.aws.amazon.com/securityhub/latest/userguide/ecs-controls.html#ecs-8
var keyNames = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ECS_ENGINE_AUTH_DATA"}

// An access key's id has a form of its own, whatever the variable that holds it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var keyPattern = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z2-7]{16}\b`)

// Variables that follow from other settings.
var ownVariables = map[string]string{
	"HOST":                  "none; the app listens for NGINX alone",
	"PORT":                  "through appPort",
	"KEEP_ALIVE_TIMEOUT_MS": "through appKeepAliveSeconds",
}

// variable checks the name of an environment variable of the app.
func (r *reader) variable(key, name string) {
	switch {
	case !namePattern.MatchString(name):
		r.failIn(key, key, strconv.Quote(name), "names of letters, digits and underscores, first no digit")
	case slices.Contains(keyNames, name):
		r.failIn(key, key+"."+name, "AWS keys are not handed to tasks", "rights through taskPolicyArns")
	case ownVariables[name] != "":
		r.failIn(key, key+"."+name, "set by the program", ownVariables[name])
	}
}

func (r *reader) variables(key string) map[string]string {
	values := r.object(key)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.variable(key, name)
		if keyPattern.MatchString(values[name]) {
			r.failIn(key, key+"."+name, "holds an AWS access key", "rights through taskPolicyArns")
		}
	}

	return values
}

// Names that the two stores take, and a field of a secret that holds JSON.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
// https://docs.aws.amazon.com/secretsmanager/latest/APIReference/API_CreateSecret.html
var secretPattern = regexp.MustCompile(
	`^(?:(ssm):(/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)|(secretsmanager):([A-Za-z0-9/_+=.@-]{1,512})(?:#([A-Za-z0-9_.-]+))?)$`)

func (r *reader) secrets() map[string]Secret {
	const key = "secrets"

	all := map[string]Secret{}
	values := r.object(key)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.variable(key, name)
		part := secretPattern.FindStringSubmatch(values[name])
		if part == nil {
			r.failIn(key, key+"."+name, strconv.Quote(values[name]),
				"ssm:<name of a parameter>, secretsmanager:<name of a secret> or secretsmanager:<name>#<field>")
			continue
		}
		all[name] = Secret{Store: part[1] + part[3], Name: part[2] + part[4], Key: part[5]}
	}

	return all
}

func (r *reader) appContradictions(cfg *Config) {
	for _, name := range slices.Sorted(maps.Keys(cfg.App.Secrets)) {
		if _, both := cfg.App.Environment[name]; both {
			r.contradiction([]string{"environment", "secrets"}, name+" is in both")
		}
	}
	if cfg.Images.App.Prebuilt != "" {
		r.onlyBuilt("appTarget", "appImage", cfg.Images.App.Target != "")
		r.onlyBuilt("appBuildArgs", "appImage", len(cfg.Images.App.BuildArgs) > 0)
	}
	if cfg.Images.Nginx.Prebuilt != "" {
		r.onlyBuilt("nginxBuildArgs", "nginxImage", len(cfg.Images.Nginx.BuildArgs) > 0)
	}
}

func (r *reader) onlyBuilt(key, imageKey string, given bool) {
	if given {
		r.contradiction([]string{key, imageKey}, "given, but "+imageKey+" is too, and then nothing is built; allowed: one of them")
	}
}

// object returns an object whose values are text, numbers or booleans, all as text.
func (r *reader) object(key string) map[string]string {
	value, ok := r.raw(key)
	if !ok {
		return nil
	}

	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		r.fail(key, strconv.Quote(value)+" is not an object", "names with values")
		return nil
	}

	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch value := all[name].(type) {
		case string, json.Number, bool:
			texts[name] = fmt.Sprint(value)
		default:
			r.failIn(key, key+"."+name, "neither text nor number nor boolean", "one value")
		}
	}

	return texts
}

// words returns a command. Unlike in other lists, a word may be there twice.
func (r *reader) words(key, allowed string, check func([]string) bool) []string {
	value, ok := r.raw(key)
	if !ok {
		return nil
	}

	var all []string
	if err := json.Unmarshal([]byte(value), &all); err != nil || !check(all) || slices.Contains(all, "") {
		r.fail(key, value, allowed)
	}

	return all
}
