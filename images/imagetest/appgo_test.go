package imagetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// goImage is the Go sample, built as its README says for machines that cannot pull Go's image.
const goImage = "fargate-nginx-sidecar/test-app-go"

// buildGo compiles the sample outside the checkout with the machine's own Go and lets the sample's Dockerfile take the
// binary.
func buildGo(t *testing.T) {
	t.Helper()
	source := filepath.Join(imagetest.Root(), "images", "app-go")
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "socket"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prebuilt.Dockerfile", ".dockerignore", "go.mod", "main.go", "socket/.keep"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o644); err != nil { //nolint:gosec // names from this repository
			t.Fatal(err)
		}
	}
	compile := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", "build/app", ".")
	compile.Dir = directory
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	imagetest.Docker(t, "build", "--quiet", "--file", filepath.Join(directory, "prebuilt.Dockerfile"), "--tag", goImage, directory)
}

// startGo runs NGINX and the Go sample as one task.
func startGo(t *testing.T) (task *imagetest.Task, app string) {
	t.Helper()
	buildGo(t)
	return imagetest.StartApp(t, goImage)
}

func TestAnAppOfAnotherLanguageMovesInBehindTheSameSidecar(t *testing.T) {
	task, app := startGo(t)
	imagetest.AnswersThePattern(t, task, app)
	if id := task.Get(t, "/api/users/7").Header.Get("X-Request-Id"); id == "" || !strings.Contains(imagetest.Logs(t, app), id) {
		t.Errorf("id %q is not in the app's log:\n%s", id, imagetest.Logs(t, app))
	}
}

func TestControlBytesInAHeaderAreRefused(t *testing.T) {
	task, app := startGo(t)
	imagetest.RefusesControlBytes(t, task, app)
}

func TestTheGoSampleAnswersThroughASocket(t *testing.T) {
	buildGo(t)
	task, app := imagetest.StartAppOnSocket(t, goImage)
	imagetest.AnswersThePattern(t, task, app)
	imagetest.UsesTheSocket(t, task, app)
	imagetest.IsFoundHealthy(t, task, app)
}

func TestAnImageFromNothingIsFoundHealthyAndStopsByItself(t *testing.T) {
	task, app := startGo(t)
	imagetest.IsFoundHealthy(t, task, app)
	imagetest.Docker(t, "stop", "--time=10", app)
	if code := strings.TrimSpace(imagetest.Docker(t, "inspect", "--format={{.State.ExitCode}}", app)); code != "0" {
		t.Errorf("stopped with code %s; want 0:\n%s", code, imagetest.Logs(t, app))
	}
}

// Both Dockerfiles make the same image; they differ in where the binary comes from.
func TestBothDockerfilesOfTheGoSampleMakeTheSame(t *testing.T) {
	last := func(name string) string {
		text, err := os.ReadFile(filepath.Join(imagetest.Root(), "images", "app-go", name))
		if err != nil {
			t.Fatal(err)
		}
		_, stage, found := strings.Cut(string(text), "\nFROM scratch\nCOPY ")
		_, rest, line := strings.Cut(stage, "\n")
		if !found || !line {
			t.Fatalf("%s has no stage from scratch that copies the binary", name)
		}
		return rest
	}
	if whole, short := last("Dockerfile"), last("prebuilt.Dockerfile"); whole != short {
		t.Errorf("Dockerfile:\n%s\nprebuilt.Dockerfile:\n%s", whole, short)
	}
}
