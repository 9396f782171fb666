package secrets

import (
	"context"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

// environment is a process environment.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func TestProvidedValuesAreWhatTheTasksThenRead(t *testing.T) {
	t.Parallel()
	s := New(emulatortest.Start(t), region)
	setting := map[string]any{
		"DATABASE_URL": "ssm:/shop/database", "TOKEN": "ssm:token", "LATER": "ssm:shop/later",
		"STRIPE": "secretsmanager:shop/stripe", "STRIPE_KEY": "secretsmanager:shop/stripe#key", "STRIPE_ID": "secretsmanager:shop/stripe#id",
		"PLAIN": "secretsmanager:plain",
		"WRONG": "/shop/wrong", "ALSO": 3, "FIELD": "ssm:/shop/database#field",
	}
	const parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter/"

	// Each step is one deploy to the same emulator.
	for _, step := range []struct {
		claim        string
		environment  environment
		placeholders []string
		changed      bool
		want         map[string]string // valueFrom → value
	}{
		{"nothing is set", nil, []string{"DATABASE_URL", "LATER", "PLAIN", "STRIPE_ID", "STRIPE_KEY", "TOKEN"}, false, map[string]string{
			parameter + "shop/database": "local-DATABASE_URL", parameter + "token": "local-TOKEN", parameter + "shop/later": "local-LATER",
			"plain": "local-PLAIN", "shop/stripe": `{"id":"local-STRIPE_ID","key":"local-STRIPE_KEY"}`}},
		{"nothing has changed", nil, []string{"DATABASE_URL", "LATER", "PLAIN", "STRIPE_ID", "STRIPE_KEY", "TOKEN"}, false, nil},
		{"some are set", environment{"DATABASE_URL": "postgres://", "STRIPE_KEY": `"k"&`, "PLAIN": "p", "PATH": "/bin"}, []string{"LATER", "STRIPE_ID", "TOKEN"}, true, map[string]string{
			parameter + "shop/database": "postgres://", parameter + "token": "local-TOKEN", "plain": "p", "shop/stripe#key": `"k"&`, "shop/stripe#id": "local-STRIPE_ID"}},
		{"what was set before stays", nil, []string{"LATER", "STRIPE_ID", "TOKEN"}, false, map[string]string{
			parameter + "shop/database": "postgres://", "plain": "p", "shop/stripe#key": `"k"&`}},
		{"the whole object is set", environment{"STRIPE": `{"key": "a", "id": 12345678901234567890, "more": 1}`}, []string{"LATER", "TOKEN"}, true, map[string]string{
			"shop/stripe": `{"key": "a", "id": 12345678901234567890, "more": 1}`}},
		{"the object and a field are set", environment{"STRIPE": `{"key": "a", "id": 12345678901234567890, "more": 1}`, "STRIPE_KEY": "b"}, []string{"LATER", "TOKEN"}, true, map[string]string{
			"shop/stripe": `{"id":12345678901234567890,"key":"b","more":1}`}},
	} {
		provided, err := s.Provide(t.Context(), setting, step.environment.get)
		must(t, err)
		if !slices.Equal(provided.Placeholders, step.placeholders) || provided.Changed != step.changed {
			t.Errorf("%s: got placeholders for %v, changed %t; want %v, %t", step.claim, provided.Placeholders, provided.Changed, step.placeholders, step.changed)
		}
		for valueFrom, want := range step.want {
			if got, err := s.Resolve(t.Context(), arnOf(t, s, valueFrom)); err != nil || got != want {
				t.Errorf("%s: %s: got %q, %v; want %q", step.claim, valueFrom, got, err, want)
			}
		}
	}
}

// arnOf is what the program makes of name#field of a secret; an ARN stays what it is.
func arnOf(t *testing.T, s *Stores, name string) string {
	t.Helper()
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	name, key, _ := strings.Cut(name, "#")
	found, err := s.secrets.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	must(t, err)
	if key == "" {
		return *found.ARN
	}
	return *found.ARN + ":" + key + "::"
}

func TestASettingThatCannotBeProvidedIsRefusedWithoutItsValue(t *testing.T) {
	t.Parallel()
	s := New(emulatortest.Start(t), region)
	for want, c := range map[string]struct {
		setting     map[string]any
		environment environment
	}{
		"secrets: secret shop/stripe: its value is not a JSON object that could have the fields ID, KEY": {
			map[string]any{"STRIPE": "secretsmanager:shop/stripe", "KEY": "secretsmanager:shop/stripe#key", "ID": "secretsmanager:shop/stripe#id"},
			environment{"STRIPE": "hidden"}},
		"secrets: secret shop/null: its value is not a JSON object that could have the fields KEY": {
			map[string]any{"NULL": "secretsmanager:shop/null", "KEY": "secretsmanager:shop/null#key"}, environment{"NULL": "null"}},
		"secrets: parameter /shop/database: A and B have different values in the environment": {
			map[string]any{"A": "ssm:/shop/database", "B": "ssm:/shop/database"}, environment{"A": "hidden", "B": "hidden too"}},
		"secrets: parameter ssm-token: SSM: PutParameter: status 400, ValidationException: Parameter name:": {
			map[string]any{"TOKEN": "ssm:ssm-token"}, environment{"TOKEN": "hidden"}},
	} {
		_, err := s.Provide(t.Context(), c.setting, c.environment.get)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestASettingIsReadAsPulumiReadsIt(t *testing.T) {
	want := entriesOf(map[string]any{"A": "ssm:a"})
	if len(want) != 1 || want[0].String() != "parameter a" {
		t.Fatalf("an object: got %v", want)
	}
	if got := entriesOf(`{"A":"ssm:a"}`); len(got) != 1 || got[0].String() != "parameter a" {
		t.Errorf("its JSON: got %v", got)
	}
	for _, setting := range []any{nil, "", "ssm:a", "{", 3, map[string]any{}, []any{"ssm:a"}} {
		if got := entriesOf(setting); len(got) > 0 {
			t.Errorf("%v: got %v, want nothing", setting, got)
		}
	}
	if _, err := New("http://127.0.0.1:1", region).Provide(context.Background(), nil, environment{}.get); err != nil {
		t.Errorf("without secrets the stores are asked all the same: %v", err)
	}
}
