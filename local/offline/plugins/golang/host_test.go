package golang

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// module writes a Go module of one file and returns its directory.
func module(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module sample\n\ngo 1.26\n", 0o644)
	write(t, filepath.Join(dir, "main.go"), source, 0o644)
	return dir
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func given(t *testing.T, options map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run has a host run a program and fails the test on anything but an answer.
func run(t *testing.T, req *pulumirpc.RunRequest) *pulumirpc.RunResponse {
	t.Helper()
	t.Setenv(ProgramDirVariable, t.TempDir())
	response, err := newHost("127.0.0.1:1").Run(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// dump writes what pulumi.Run reads, and the working directory, to a file beside the sources.
const dump = `package main

import (
	"encoding/json"
	"os"
	"strings"
)

func main() {
	got := map[string]string{}
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PULUMI_") || name == "FROM_THE_SHELL" {
			got[name] = value
		}
	}
	got["pwd"], _ = os.Getwd()
	content, _ := json.Marshal(got)
	if err := os.WriteFile(os.Getenv("DUMP"), content, 0o644); err != nil {
		panic(err)
	}
}
`

func TestAProgramGetsTheEnvironmentTheSDKReads(t *testing.T) {
	for _, v := range os.Environ() { // of a session that has sourced one
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PULUMI_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir, pwd, file := module(t, dump), t.TempDir(), filepath.Join(t.TempDir(), "dump")
	t.Setenv("DUMP", file)
	t.Setenv("FROM_THE_SHELL", "kept")
	response := run(t, &pulumirpc.RunRequest{
		Project: "p", Stack: "s", Organization: "o", DryRun: true, Parallel: 16, MonitorAddress: "127.0.0.1:2",
		Config: map[string]string{"p:a": "1"}, ConfigSecretKeys: []string{"p:a"}, Pwd: pwd,
		Info: &pulumirpc.ProgramInfo{RootDirectory: "/root-of-project", ProgramDirectory: dir, EntryPoint: "."},
	})
	if response.GetError() != "" || response.GetBail() {
		t.Fatal(response)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PULUMI_PROJECT": "p", "PULUMI_STACK": "s", "PULUMI_ORGANIZATION": "o", "PULUMI_DRY_RUN": "true",
		"PULUMI_PARALLEL": "16", "PULUMI_MONITOR": "127.0.0.1:2", "PULUMI_ENGINE": "127.0.0.1:1",
		"PULUMI_CONFIG": `{"p:a":"1"}`, "PULUMI_CONFIG_SECRET_KEYS": `["p:a"]`,
		"PULUMI_ROOT_DIRECTORY": "/root-of-project", "FROM_THE_SHELL": "kept", "pwd": pwd,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestNoSecretsAreAnEmptyList(t *testing.T) {
	env, err := environment(&pulumirpc.RunRequest{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(env, "PULUMI_CONFIG_SECRET_KEYS=[]") {
		t.Errorf("got %q", env)
	}
}

func TestTheEngineLearnsHowAProgramEnded(t *testing.T) {
	for _, c := range []struct {
		body string
		want *pulumirpc.RunResponse
	}{
		{"", &pulumirpc.RunResponse{}},
		{"os.Exit(32)", &pulumirpc.RunResponse{Bail: true}}, // it has told the engine itself
		{"os.Exit(3)", &pulumirpc.RunResponse{Error: "program exited with code 3"}},
		{"p, _ := os.FindProcess(os.Getpid()); p.Kill(); select {}", &pulumirpc.RunResponse{Error: "program: signal: killed"}},
	} {
		dir := module(t, "package main\n\nimport \"os\"\n\nvar _ = os.Args\n\nfunc main() { "+c.body+" }\n")
		got := run(t, &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{ProgramDirectory: dir}})
		if got.GetError() != c.want.GetError() || got.GetBail() != c.want.GetBail() {
			t.Errorf("%s: got %v; expected %v", c.body, got, c.want)
		}
	}
}

func TestAProgramThatDoesNotCompileSaysWhere(t *testing.T) {
	dir := module(t, "package main\n\nfunc main() { return 1 }\n")
	got := run(t, &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{ProgramDirectory: dir}}).GetError()
	if !strings.HasPrefix(got, "go build in "+dir+": exit status 1\n") || !strings.Contains(got, "./main.go:3:22: too many return values") {
		t.Errorf("got %s", got)
	}
}

// stream is that of an answer which has no messages.
type stream struct {
	grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse]
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func TestModulesThatAProgramNeedsAreThereOrNamed(t *testing.T) {
	for source, want := range map[string]string{
		"package main\n\nfunc main() {}\n":                                      "",
		"package main\n\nimport _ \"example.test/missing\"\n\nfunc main() {}\n": "example.test/missing",
	} {
		info := &pulumirpc.ProgramInfo{ProgramDirectory: module(t, source)}
		err := newHost("").InstallDependencies(&pulumirpc.InstallDependenciesRequest{Info: info}, stream{ctx: t.Context()})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestAPackageThatIsNoCommandIsRefused(t *testing.T) {
	dir := module(t, "package sample\n")
	got := run(t, &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{ProgramDirectory: dir}}).GetError()
	if got != "go build in "+dir+": no executable; allowed: a package main" {
		t.Errorf("got %s", got)
	}
}

func TestABinaryIsRunAsItIs(t *testing.T) {
	dir := t.TempDir() // no sources: a build would fail
	binary := filepath.Join(dir, "program")
	write(t, binary, "#!/bin/sh\nexit 32\n", 0o755)
	got := run(t, &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{
		ProgramDirectory: dir, Options: given(t, map[string]any{"binary": binary}),
	}})
	if !got.GetBail() {
		t.Errorf("got %v", got)
	}
}

func TestABuildTargetIsWhereTheProgramGoes(t *testing.T) {
	dir, target := module(t, "package main\n\nfunc main() {}\n"), filepath.Join(t.TempDir(), "out", "program")
	got := run(t, &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{
		ProgramDirectory: dir, Options: given(t, map[string]any{"buildTarget": target}),
	}})
	if got.GetError() != "" {
		t.Error(got)
	}
	if _, err := os.Stat(target); err != nil {
		t.Error(err)
	}
}

func TestWrongRuntimeOptionsAreRefused(t *testing.T) {
	for want, o := range map[string]map[string]any{
		"runtime option color: unknown; allowed: binary, buildTarget":         {"color": "red"},
		"runtime option binary: got true; allowed: a string":                  {"binary": true},
		"runtime options binary and buildTarget: only one of them is allowed": {"binary": "a", "buildTarget": "b"},
	} {
		if _, err := parseOptions(given(t, o)); err == nil || err.Error() != want {
			t.Errorf("%v: got %v; expected %s", o, err, want)
		}
	}
}

func TestAProgramStopsWhenTheEngineCancels(t *testing.T) {
	dir, started := t.TempDir(), filepath.Join(t.TempDir(), "started")
	binary := filepath.Join(dir, "program")
	write(t, binary, "#!/bin/sh\ntouch "+started+"\nexec sleep 60\n", 0o755)
	h := newHost("127.0.0.1:1")
	done := make(chan *pulumirpc.RunResponse, 1)
	request := &pulumirpc.RunRequest{Pwd: dir, Info: &pulumirpc.ProgramInfo{
		ProgramDirectory: dir, Options: given(t, map[string]any{"binary": binary}),
	}}
	go func() {
		response, _ := h.Run(context.Background(), request)
		done <- response
	}()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(started); err == nil {
			break
		}
	}
	if _, err := h.Cancel(t.Context(), &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-done:
		if got.GetError() == "" {
			t.Errorf("got %v", got)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the program goes on")
	}
}

func TestWithoutAnEngineNothingRuns(t *testing.T) {
	h := newHost("")
	if _, err := h.Run(t.Context(), &pulumirpc.RunRequest{}); err == nil {
		t.Error("got no error")
	}
	if _, err := h.Handshake(t.Context(), &pulumirpc.LanguageHandshakeRequest{EngineAddress: "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	if h.engine != "127.0.0.1:3" {
		t.Errorf("engine: got %s", h.engine)
	}
}

func TestTheHostHasAVersion(t *testing.T) {
	info, err := newHost("").GetPluginInfo(t.Context(), &emptypb.Empty{})
	if err != nil || info.GetVersion() != "3.230.0" {
		t.Errorf("got %v, %v", info, err)
	}
}
