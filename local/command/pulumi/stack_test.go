package pulumi

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestTheCopyOfAStacksFileHasItsOwnEncryptionAndImportsNothing(t *testing.T) {
	s := &Stack{Root: t.TempDir(), Dir: t.TempDir(), Name: "prod"}
	write := func(dir, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "Pulumi.prod.yaml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copied := func() map[string]any {
		t.Helper()
		if _, err := s.WriteSettings(map[string]any{"shop:task.cpu": 256, "aws:profile": nil, "aws:token": nil}); err != nil {
			t.Fatal(err)
		}
		file, err := readYAML(filepath.Join(s.ProjectDir(), "Pulumi.prod.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if err := os.MkdirAll(s.ProjectDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Root, "Pulumi.yaml"), []byte("name: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(s.Root, "secretsprovider: awskms://alias/pulumi\nencryptedkey: AQEC\nencryptionsalt: owners\nenvironment: [shop/prod]\nconfig:\n  task: {cpu: 1024, memory: 2048}\n  aws:profile: production\n  aws:region: eu-central-1\n")
	if _, imports, err := s.StackConfig(); err != nil || !imports {
		t.Errorf("what the file imports is not seen: %v", err)
	}
	want := map[string]any{"config": map[string]any{"shop:task": map[string]any{"cpu": 256, "memory": 2048}, "aws:region": "eu-central-1"}}
	if got := copied(); !reflect.DeepEqual(got, want) {
		t.Errorf("the first copy is %v, want %v", got, want)
	}
	// The CLI writes its salt into the copy.
	write(s.ProjectDir(), "encryptionsalt: own\nconfig: {}\n")
	want["encryptionsalt"] = "own"
	if got := copied(); !reflect.DeepEqual(got, want) {
		t.Errorf("the second copy is %v, want %v", got, want)
	}
}

func TestWhatAKilledCommandLeftUnrecordedIsToldFromOtherFailures(t *testing.T) {
	const rule = "api error InvalidPermission.Duplicate: The specified rule already exists"
	for _, c := range []struct {
		said        string
		interrupted bool
		want        bool
	}{
		{rule, true, true},
		{rule, false, false}, // something of the owner's is in the way
		{"deployment failed: tasks failed to start", true, false},
	} {
		s := &Stack{Dir: t.TempDir(), Name: "dev", CLI: filepath.Join(t.TempDir(), "pulumi"), interrupted: c.interrupted}
		script := "#!/bin/sh\ntest \"$1\" = up || exit 0\necho 'error: " + c.said + "'\nexit 1\n"
		if err := errors.Join(os.MkdirAll(s.ProjectDir(), 0o700), os.WriteFile(s.CLI, []byte(script), 0o700)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := s.Up(t.Context(), Watcher{Log: &out, Status: func(string) {}})
		if err == nil || errors.Is(err, ErrUnrecorded) != c.want {
			t.Errorf("%q, after an interruption: %t: got %v", c.said, c.interrupted, err)
		}
		if out.String() != "error: "+c.said+"\n" {
			t.Errorf("the report became %q", out.String())
		}
	}
}
