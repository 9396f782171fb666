package infra_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// example is a value of a setting of the given type, as it stands in a stack file, and as the provider gets it.
func example(t *testing.T, typ reflect.Type) (text string, want any) {
	t.Helper()

	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ.Kind() {
	case reflect.String:
		return "value", "value"
	case reflect.Bool:
		return "true", true
	case reflect.Int:
		return "7", 7.0
	case reflect.Map:
		return `{"name":"value"}`, map[string]any{"name": "value"}
	case reflect.Slice:
		inside, element := example(t, typ.Elem())
		if typ.Elem().Kind() == reflect.String {
			inside = `"` + inside + `"`
		}
		return "[" + inside + "]", []any{element}
	case reflect.Struct:
		field := typ.Field(0)
		inside, element := example(t, field.Type)
		if _, isText := element.(string); isText {
			inside = `"` + inside + `"`
		}
		key := field.Tag.Get("pulumi")
		return `{"` + key + `":` + inside + "}", map[string]any{key: element}
	default:
		t.Fatalf("no example of %s", typ)
		return "", nil
	}
}

// An explicit provider gets nothing from the stack's configuration by itself. A setting that the program does not pass on
// would be ignored silently, such as the accounts to which a stack may be deployed.
func TestEverySettingOfTheAWSProviderIsPassedOn(t *testing.T) {
	arguments := aws.ProviderArgs{}.ElementType()
	if arguments.NumField() < 30 {
		t.Fatalf("%d arguments of the provider; want all of them", arguments.NumField())
	}
	for i := range arguments.NumField() {
		key := arguments.Field(i).Tag.Get("pulumi")
		text, want := example(t, arguments.Field(i).Type)
		if key == "region" {
			continue // The program reads it itself; every other test sees it.
		}
		// A preview calls nothing but the provider, which here accepts every value.
		preview := options(defaults(t, map[string]string{"aws:" + key: text}))
		preview.Preview, preview.Exists = true, true
		graph, err := infratest.Run(infra.Program, preview)
		if err != nil {
			t.Fatal(err)
		}
		got := at(t, one(t, graph, provider), key)
		if key == "defaultTags" {
			want = map[string]any{"tags": map[string]any{
				"name": "value", "Project": infratest.Project, "Stack": "test", "Service": "web", "ManagedBy": "pulumi",
			}}
		}
		if secret, ok := got.(*resource.Secret); ok {
			got = secret.Element.Mappable()
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("aws:%s=%s: the provider gets %v; want %v", key, text, got, want)
		}
	}
}

func asText(t *testing.T, value any) string {
	t.Helper()

	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

func TestWrongSettingsOfTheAWSProviderAreRefused(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{"allowedAccountIds", "123456789012", `aws:allowedAccountIds: "123456789012"; allowed: a list of strings, such as ["123456789012"]`},
		{"allowedAccountIds", `"123456789012"`, `aws:allowedAccountIds: "\"123456789012\""; allowed: a list of strings, such as ["123456789012"]`},
		{"useFipsEndpoint", "yes", `aws:useFipsEndpoint: "yes"; allowed: true, false`},
		{"maxRetries", "many", `aws:maxRetries: "many"; allowed: a whole number`},
		{"assumeRole", `{"arn":"x"}`, `aws:assumeRole: "{\"arn\":\"x\"}"; allowed: an object with the fields duration, externalId, policy, policyArns, roleArn, sessionName, sourceIdentity, tags, transitiveTagKeys`},
		{"endpoints", `{"ecs":"http://x"}`, `aws:endpoints: "{\"ecs\":\"http://x\"}"; allowed: a list of objects that name services, such as [{"ecs":"https://ecs.example.com"}]`},
		{"defaultTags", `{"tags":{"Stack":"mine"}}`, `aws:defaultTags.tags.Stack: reserved: set by the program; allowed: tags other than ManagedBy, Project, Service, Stack`},
	} {
		got := refused(t, defaults(t, map[string]string{"aws:" + test.key: test.value}))
		if !slices.Equal(got, []string{test.want}) {
			t.Errorf("aws:%s=%s:\n%s\nwant:\n%s", test.key, test.value, strings.Join(got, "\n"), test.want)
		}
	}
}

// A misspelt setting that should protect a stack would otherwise be ignored silently.
func TestUnknownSettingsOfTheAWSProviderAreRefused(t *testing.T) {
	settings := defaults(t, map[string]string{"aws:assumeRoles": "[]", "aws:allowedAccountId": "[]", "docker:host": "unix:///x"})
	t.Setenv(pulumi.EnvConfig, asText(t, settings))

	want := []string{
		"aws:allowedAccountId: unknown setting; nearest: aws:allowedAccountIds",
		"aws:assumeRoles: unknown setting; nearest: aws:assumeRole",
	}
	if got := refused(t, settings); !slices.Equal(got, want) {
		t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
