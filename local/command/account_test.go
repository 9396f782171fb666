package command

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/machine"
)

func TestMain(m *testing.M) { emulatortest.Main(m) }

// ownersFile is a stack's file as its owner deploys it to an account.
const ownersFile = `
environment: [shop/prod]
secretsprovider: awskms://alias/pulumi?region=eu-central-1
encryptedkey: AQECAHgh
config:
  aws:region: eu-central-1
  aws:profile: production
  aws:allowedAccountIds: ["111122223333"]
  aws:assumeRole: {roleArn: "arn:aws:iam::111122223333:role/deploy"}
  aws:defaultTags: {tags: {Team: shop}}
  shop:storage: {kmsKey: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
  shop:domain: {name: www.example.com, zone: Z0123456789ABCDEFGHIJ}
  shop:app:
    policies: []
    environment:
      TOKEN: {secure: AAABAK3k}
      LEVEL: 3
  shop:monitoring: {secure: AAABABbb}
`

func owners(t *testing.T, out *bytes.Buffer) (*Local, stackSettings) {
	t.Helper()
	l := &Local{Root: t.TempDir(), Progress: machine.NewPrinter(out)}
	for file, content := range map[string]string{"Pulumi.yaml": "name: shop\n", "Pulumi.prod.yaml": ownersFile} {
		if err := os.WriteFile(filepath.Join(l.Root, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(l.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	config, err := l.stackConfig("prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	return l, config
}

func TestWhatLeadsToAnAccountOrIsEncryptedForItsOwnerStaysOutOfTheRun(t *testing.T) {
	var out bytes.Buffer
	l, config := owners(t, &out)
	values := map[string]any{}
	l.withoutEncryption(config, values)
	l.withoutAccount(config, values)
	want := map[string]any{
		"aws:profile": nil, "aws:assumeRole": nil, "aws:allowedAccountIds": nil,
		"shop:app":        map[string]any{"policies": []any{}, "environment": map[string]any{"TOKEN": "local-TOKEN", "LEVEL": 3}},
		"shop:monitoring": nil,
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("got %v, want %v", values, want)
	}
	const said = "secrets   defaults or placeholders for what is encrypted in the stack's file: shop:app, shop:monitoring\n" +
		"account   without aws:profile, aws:assumeRole, aws:allowedAccountIds of the stack's file, which lead to an account\n" +
		"settings  without what the stack's file imports from Pulumi ESC, which only Pulumi Cloud has; the defaults instead\n"
	if out.String() != said {
		t.Errorf("it says %q, want %q", out.String(), said)
	}
}

func TestTheRunGetsTheEmulatorsIdsAndTheOwnersFileKeepsItsOwn(t *testing.T) {
	var out bytes.Buffer
	l, config := owners(t, &out)
	current := run.Run{Endpoint: emulatortest.Start(t), Region: "eu-central-1"}
	// What another stack of the run has put in place of a setting comes before the stack's file.
	values := map[string]any{"shop:domain.zone": ""}
	if err := l.provideExisting(t.Context(), current, config, values); err != nil {
		t.Fatal(err)
	}
	key, _ := values["shop:storage.kmsKey"].(string)
	if !strings.HasPrefix(key, "arn:aws:kms:eu-central-1:") || strings.Contains(ownersFile, key) {
		t.Errorf("storage.kmsKey is %q, want one of the emulator's", key)
	}
	if values["shop:domain.zone"] != "" || len(values) != 2 {
		t.Errorf("got %v", values)
	}
	want := "existing  storage.kmsKey arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: made in the emulator, as " + key + "\n"
	if out.String() != want {
		t.Errorf("it says %q, want %q", out.String(), want)
	}
	if content, err := os.ReadFile(filepath.Join(l.Root, "Pulumi.prod.yaml")); err != nil || string(content) != ownersFile {
		t.Errorf("the owner's file is changed: %s %v", content, err)
	}
}
