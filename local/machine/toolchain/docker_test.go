package toolchain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dockerCommand puts a docker on PATH that answers every question with one text.
func dockerCommand(t *testing.T, answer string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho '" + answer + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestEveryClientAsksTheEngineOfTheChosenContext(t *testing.T) {
	for _, test := range []struct{ host, context, want, refused string }{
		{context: "default unix:///var/run/docker.sock", want: ""},
		{context: "colima unix:///Users/me/.colima/docker.sock", want: "unix:///Users/me/.colima/docker.sock"},
		{context: "build ssh://me@build.example.test", refused: "the docker context build leads to another machine: ssh://me@build.example.test"},
		{host: "unix:///run/user/1000/docker.sock", want: "unix:///run/user/1000/docker.sock"},
		{host: "tcp://127.0.0.1:2375", want: "tcp://127.0.0.1:2375"},
		{host: "tcp://10.0.0.7:2376", refused: "DOCKER_HOST leads to another machine: tcp://10.0.0.7:2376"},
	} {
		dockerCommand(t, test.context)
		t.Setenv("DOCKER_HOST", test.host)
		err := UseContext(context.Background())
		if test.refused != "" {
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%+v: got %v", test, err)
			}
			continue
		}
		if got := os.Getenv("DOCKER_HOST"); err != nil || got != test.want {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
}

func TestAnEngineThatCannotRunTheStackIsRefusedByName(t *testing.T) {
	for answer, want := range map[string]string{
		`{"Version":"20.10.24+dfsg1","Components":[{"Name":"Engine"}]}`: "",
		`{"Version":"28.2.2"}`:  "",
		`{"Version":"19.03.8"}`: "its version is 19.03.8; allowed: 20.10 and newer",
		`{"Version":"5.2.0","Components":[{"Name":"Podman Engine"}]}`: "it is Podman Engine; allowed: Docker Engine",
	} {
		dockerCommand(t, answer)
		_, err := finder(t, "", nil).Docker(context.Background())
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", answer, err)
		case want != "" && (!errors.Is(err, errUnfit) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", answer, err, want)
		}
	}
}

// In one line: what is wrong, where, and what to do.
func TestAnEngineOfSomebodyElseThatDoesNotAnswerIsNamed(t *testing.T) {
	dir := t.TempDir()
	const docker = "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///run/their.sock. Is the docker daemon running?' >&2; exit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("DOCKER_HOST", "unix:///run/their.sock")
	_, err := finder(t, "", nil).Docker(t.Context())
	const want = "docker: no engine answers at unix:///run/their.sock; start it and run the command again, or choose another one with DOCKER_HOST: " +
		"Cannot connect to the Docker daemon at unix:///run/their.sock. Is the docker daemon running?"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
