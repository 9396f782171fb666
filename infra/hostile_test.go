package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// hostile are values of every kind that people and scripts put where they do not belong.
var hostile = []string{
	"", " ", "\t", "-1", "0", "007", "1.5", "1e3", "0x10", "NaN", "99999999999999999999", "-99999999999999999999",
	"true", "TRUE", "maybe", "null", "~", "[]", "[1", "{}", `{"a":`, "[null]", "[[[]]]", `[""]`, `["a","a"]`, `[{}]`, `[{"x":1}]`,
	`{"":""}`, `{"x":null}`, `{"x":{"y":[]}}`, `{"x":"y"}`, `{"X":"` + strings.Repeat("y", 100_000) + `"}`,
	"\u202eevil", "ключ", "🦊", "\x00", "a\x7fb", "a\nadd_header X y;", `a"; return 200 "x`, "a';}", "${NGINX_PORT}", "$(id)", "`id`", "%00", "%n",
	"../../etc/passwd", "/", "//", "a b", strings.Repeat("a", 100_000), strings.Repeat("9", 100_000),
	"http://169.254.169.254/", "arn:aws:iam::123456789012:root", "0.0.0.0/0", "::/0",
}

// longestLine is what a person can read of one error, in bytes.
const longestLine = 1000

// Whatever a setting is given, the program takes it, or refuses it in one line that names the setting and that a terminal
// can show. It never panics, and it declares nothing. All settings get a value at once, and those that take it once more,
// each alone.
func TestEverySettingTakesOrRefusesWhateverItIsGiven(t *testing.T) {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(declared(t))), listMark.MatchString)
	taken, refusals := 0, 0
	for _, value := range hostile {
		everywhere := map[string]string{}
		for _, key := range keys {
			everywhere[key] = value
		}
		err := tryRead(defaults(t, everywhere))
		if err == nil {
			t.Fatalf("%.60q: all settings take it", value)
		}
		list := assertReadable(t, value, err)
		for _, key := range keys {
			if slices.ContainsFunc(list, func(line string) bool { return strings.HasPrefix(line, key+":") }) {
				refusals++
				continue
			}
			taken++
			assertHarmless(t, key, value)
		}
	}
	t.Logf("%d values taken, %d refused", taken, refusals)
	if refusals < 10*taken {
		t.Error("these values are wrong for most settings: this proves nothing")
	}
}

// tryRead reads settings, and declares nothing.
func tryRead(settings map[string]string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	_, err = infratest.Run(func(ctx *pulumi.Context) error {
		_, err := infra.Read(ctx)
		return err
	}, options(settings))

	return err
}

// assertReadable returns the lines of an error.
func assertReadable(t *testing.T, value string, err error) []string {
	t.Helper()

	_, list, found := strings.Cut(err.Error(), "configuration of stack test:\n")
	if !found {
		t.Errorf("%.60q: the error is not about settings: %.300v", value, err)
	}
	lines := strings.Split(list, "\n")
	for _, line := range lines {
		if len(line) > longestLine {
			t.Errorf("%.60q: a line of %d bytes: %.200s…", value, len(line), line)
		}
		if strings.ContainsFunc(line, unprintable) {
			t.Errorf("%.60q: a terminal would not show the error as it is: %.200q", value, line)
		}
	}

	return lines
}

// unprintable are characters that a terminal acts upon, or that change the order of the others.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// assertHarmless deploys with a value that a setting has taken, and looks whether NGINX gets anything of an odd one.
func assertHarmless(t *testing.T, key, value string) {
	t.Helper()

	settings := defaults(t, map[string]string{key: value})
	if err := tryRead(settings); err != nil {
		assertReadable(t, value, err)
		return
	}
	if !strings.ContainsAny(value, "\n\x00\x7f\"';$`{}%") || strings.HasPrefix(value, "[") || value == "{}" {
		return
	}
	graph, err := infratest.Run(infra.Program, options(settings))
	if err != nil {
		t.Errorf("%s=%.60q: taken and then refused: %.300v", key, value, err)
		return
	}
	var containers []struct {
		Name        string
		Environment []struct{ Name, Value string }
	}
	definitions := at(t, one(t, graph, taskDefinition), "containerDefinitions").(string)
	if err := json.Unmarshal([]byte(definitions), &containers); err != nil {
		t.Errorf("%s=%.60q: container definitions: %v", key, value, err)
	}
	for _, container := range containers {
		for _, variable := range container.Environment {
			if container.Name == "nginx" && strings.ContainsAny(variable.Value, "\n\x00\x7f\"';$`{}") {
				t.Errorf("%s=%.60q: NGINX gets %s=%.60q", key, value, variable.Name, variable.Value)
			}
		}
	}
}
