package secrets

import (
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const region = "eu-central-1"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// putSecret makes a secret of two versions and returns its ARN and the id of the older one.
func putSecret(t *testing.T, s *Stores, name, before, now string) (arn, version string) {
	t.Helper()
	made, err := s.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &before})
	must(t, err)
	_, err = s.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &now})
	must(t, err)
	return *made.ARN, *made.VersionId
}

func TestResolveReadsWhateverECSTakesAsASource(t *testing.T) {
	t.Parallel()
	s := New(emulatortest.Start(t), region)
	must(t, s.parameters.put(t.Context(), region, "/shop/database", "postgres://"))
	must(t, s.parameters.put(t.Context(), region, "token", "t1"))
	must(t, s.parameters.put(t.Context(), region, "/single", "s1"))
	must(t, s.parameters.put(t.Context(), "us-east-1", "/shop/database", "mysql://"))
	plain, _ := putSecret(t, s, "shop/plain", "old", "with: colons {and} braces")
	object, version := putSecret(t, s, "shop/stripe", `{"key":"old"}`, `{"key":"k1","port":5432,"on":true,"no":null}`)

	for valueFrom, want := range map[string]string{
		"/shop/database":   "postgres://",
		"/shop/database:1": "postgres://",
		"token":            "t1",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/database": "postgres://",
		"arn:aws:ssm:us-east-1:123456789012:parameter/shop/database":    "mysql://",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/token":         "t1",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/single":        "s1",
		plain:                                  "with: colons {and} braces",
		plain + ":::":                          "with: colons {and} braces",
		object + ":key::":                      "k1",
		object + ":port::":                     "5432",
		object + ":on::":                       "true",
		object + ":no::":                       "<nil>",
		object + ":key:AWSCURRENT:":            "k1",
		object + ":key:AWSPREVIOUS:":           "old",
		object + ":key::" + version:            "old",
		object + "::AWSPREVIOUS:":              `{"key":"old"}`,
		object + ":key:AWSPREVIOUS:" + version: "old",
	} {
		if got, err := s.Resolve(t.Context(), valueFrom); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", valueFrom, got, err, want)
		}
	}
}

func TestResolveFailsInFargatesWordsAndQuotesNoValue(t *testing.T) {
	t.Parallel()
	s := New(emulatortest.Start(t), region)
	plain, _ := putSecret(t, s, "shop/plain", "old", "hidden")
	object, _ := putSecret(t, s, "shop/stripe", `{}`, `{"key":"hidden"}`)
	missing := strings.Replace(plain, "shop/plain", "shop/none", 1)
	const (
		noParameter = "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
		noSecret    = "unable to retrieve secret from asm: service call has been retried 1 time(s): "
		noARN       = " resulted in error: an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again."
	)
	for valueFrom, want := range map[string]string{
		"/shop/none": noParameter + "invalid ssm parameters: /shop/none",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/none": noParameter + "invalid ssm parameters: /shop/none",
		"arn:aws:ssm:eu-central-1:123456789012:document/none":       noParameter + "invalid ssm parameters: arn:aws:ssm:eu-central-1:123456789012:document/none",
		missing:                     noSecret + "failed to fetch secret " + missing + " from secrets manager: operation error Secrets Manager: GetSecretValue,",
		missing + ":key::":          noSecret + "failed to fetch secret " + missing + " from secrets manager: operation error Secrets Manager: GetSecretValue,",
		object + ":key:AWSPENDING:": noSecret + "failed to fetch secret " + object + " from secrets manager: operation error Secrets Manager: GetSecretValue,",
		object + ":none::":          noSecret + "retrieved secret from Secrets Manager did not contain json key none",
		plain + ":key::":            noSecret + "retrieved secret from Secrets Manager is not a JSON object, so it did not contain json key key",
		plain + ":key":              "unable to retrieve secret from asm: trying to retrieve secret with value " + plain + ":key" + noARN,
		"arn:aws:s3:::bucket/key":   "secret arn:aws:s3:::bucket/key: not an ARN of ssm or secretsmanager",
	} {
		_, err := s.Resolve(t.Context(), valueFrom)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v, want %s", valueFrom, err, want)
		}
	}
	if _, err := s.Resolve(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Errorf("missing secret: got %v, want a ResourceNotFoundException", err)
	}
}
