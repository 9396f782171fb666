package infra_test

import (
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"fargate-nginx-sidecar/infra/stackfile"
)

const schemaFile = "docs/settings.schema.json"

// stackFiles are all that are in the project.
func stackFiles(t *testing.T) []string {
	t.Helper()

	var all []string
	for _, pattern := range []string{"Pulumi.*.yaml", "local/e2e/testdata/Pulumi.*.yaml", "examples/apps/*/Pulumi.*.yaml"} {
		if _, err := readFile(t, "Pulumi.yaml"); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 11 {
		t.Fatalf("stack files: %v; want all", all)
	}

	return all
}

// projectName is the name that Pulumi.yaml gives, with which the keys of stack files begin.
func projectName(t *testing.T) string {
	t.Helper()

	if err := goToProject(); err != nil {
		t.Fatal(err)
	}
	read, err := stackfile.Read("Pulumi.yaml", "", "")
	if err != nil {
		t.Fatal(err)
	}

	return read.Project
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()

	text, err := readFile(t, schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}

	return compiled
}

func validate(t *testing.T, schema *jsonschema.Schema, file []byte) error {
	t.Helper()

	var content any
	if err := yaml.Unmarshal(file, &content); err != nil {
		t.Fatal(err)
	}

	return schema.Validate(content)
}

// Every stack file names the schema at its head, so that editors complete and check it, and is valid.
func TestStackFilesAreValidBySchema(t *testing.T) {
	schema := schema(t)
	for _, path := range stackFiles(t) {
		text, err := readFile(t, path)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		named, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		if !ok || filepath.Join(filepath.Dir(path), named) != schemaFile {
			t.Errorf("%s begins with %q; want the schema", path, first)
		}
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Stack files that the program refuses, and the schema, too.
func TestSchemaRefusesWrongStackFiles(t *testing.T) {
	schema := schema(t)
	for name, body := range map[string]string{
		"an unknown group":           "@:apps: {}",
		"an unknown setting":         "@:app: {prot: 3000}",
		"an old flat setting":        "@:appPort: 3000",
		"a port out of range":        "@:app: {port: 70000}",
		"a port that is text":        "@:app: {port: web}",
		"a time without a unit":      "@:ingress: {idleTimeout: 30}",
		"a size without a unit":      "@:http: {bodyLimit: 1024}",
		"a word that does not exist": "@:network: {kind: small}",
		"another word for no":        "@:monitoring: {alarms: off-please}",
		"a switch that is text":      "@:task: {exec: \"on\"}",
		"a number that is none":      "@:task: {cpu: 300}",
		"a list that is text":        "@:http: {paths: /api}",
		"an element that is wrong":   "@:http: {paths: [api]}",
		"a missing member":           "@:schedule: {report: {command: [a]}}",
		"an unknown member":          "@:app: {volumes: [{name: a, fileSystem: fs-01234567, accessPoint: fsap-01234567, mountPath: /a, mode: rw}]}",
		"a list for a group":         "@:app: []",
		"another project's group":    "other:app: {}",
		"a name that is wrong":       "@:schedule: {Report: {at: rate(1 day), command: [a]}}",
	} {
		t.Run(name, func(t *testing.T) {
			text := "config:\n  aws:region: eu-central-1\n  " + strings.ReplaceAll(body, "@", projectName(t)) + "\n"
			if validate(t, schema, []byte(text)) == nil {
				t.Errorf("the schema accepts %s", body)
			}
		})
	}
}

// Pulumi takes a key without a namespace for one of the project's.
func TestTheProjectsNameMayBeLeftOut(t *testing.T) {
	with := textOf(t, "Pulumi.prod.yaml")
	without := strings.ReplaceAll(with, projectName(t)+":", "")
	if with == without {
		t.Fatal("the stack file has no key of the project")
	}
	if err := validate(t, schema(t), []byte(without)); err != nil {
		t.Error(err)
	}
	if got, want := settingsOf(t, []byte(without)), settingsOf(t, []byte(with)); !maps.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	if validate(t, schema(t), []byte("config: {app: {prot: 3000}}")) == nil {
		t.Error("the schema does not check keys without the project's name")
	}
}

// What Pulumi itself writes into a stack file is allowed.
func TestSchemaAcceptsEncryptedValuesAndImports(t *testing.T) {
	text := strings.ReplaceAll(`secretsprovider: awskms://alias/x
encryptedkey: abc
encryptionsalt: v1:abc
environment: [shared]
config:
  aws:region: eu-central-1
  aws:allowedAccountIds: ["123456789012"]
  docker:host: unix:///var/run/docker.sock
  @:app: {environment: {TOKEN: {secure: AAAB}, LEVEL: info}, buildArgs: {KEY: {secure: AAAB}}}
  @:logRouter: {secure: AAAB}
`, "@", projectName(t))
	if err := validate(t, schema(t), []byte(text)); err != nil {
		t.Error(err)
	}
}
