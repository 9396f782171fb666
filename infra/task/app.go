package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// App describes the app's container, apart from its image.
type App struct {
	// Command replaces the image's command unless it is empty.
	Command []string
	// HealthPath is a path that a healthy app answers to NGINX. HealthCommand, which begins with CMD or CMD-SHELL, is run
	// in the app's container instead, unless it is empty.
	HealthPath    string
	HealthCommand []string
	// User is the number of a user other than root, optionally followed by a colon and the number of a group.
	User string
	// WritablePaths are directories that the app may write to; the rest of its file system is read-only. Each is empty
	// when a task starts.
	WritablePaths []string
	Environment   map[string]string
	// Secrets are variables whose values ECS reads from a store when it starts a task.
	Secrets map[string]settings.Secret
	// Restart is how long the app must have run for ECS to start it again in its task after it has ended; zero is never.
	Restart time.Duration
}

var (
	userPattern  = regexp.MustCompile(`^[1-9][0-9]{0,8}(:[1-9][0-9]{0,8})?$`)
	healthPath   = regexp.MustCompile(`^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$`)
	pathOfVolume = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
)

const (
	userAllowed          = "a number above 0, or two with a colon between them, such as 1000:1000"
	healthCommandAllowed = "CMD, a program and its arguments, or CMD-SHELL and one line"
)

func isHealthCommand(words []string) bool {
	return !slices.Contains(words, "") && (len(words) >= 2 && words[0] == "CMD" || len(words) == 2 && words[0] == "CMD-SHELL")
}

// The limits of the time that a container must have run before ECS starts it again in its task, in seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerRestartPolicy.html
const shortestRestart, longestRestart = 60, 1800

const restartAllowed = "0 (never), or 60 to 1800 seconds"

func restartIsAllowed(seconds int) bool {
	return seconds == 0 || seconds >= shortestRestart && seconds <= longestRestart
}

func readRestart(r *settings.Reader) time.Duration {
	const key = "appRestartSeconds"

	seconds := r.Between(key, 0, longestRestart, "seconds")
	if !r.Wrong(key) && !restartIsAllowed(seconds) {
		r.Fail(key, strconv.Itoa(seconds), restartAllowed)
	}

	return time.Duration(seconds) * time.Second
}

// hasHealthCommand reports whether a command in the app's own container determines its health.
func (a App) hasHealthCommand() bool { return len(a.HealthCommand) > 0 }

// ownVariables are set by the program. Each comes with what an error names as allowed instead.
var ownVariables = map[string]string{
	"HOST":                  "no other value; the app must listen on 127.0.0.1, where NGINX alone reaches it",
	"PORT":                  "the setting appPort instead",
	"KEEP_ALIVE_TIMEOUT_MS": "the setting appKeepAliveSeconds instead",
	"SOCKET":                "the setting appListen instead",
}

func readApp(r *settings.Reader) App {
	app := App{
		Command: r.Words("appCommand", "a list of words without an empty one, or an empty list for the image's own command", func([]string) bool { return true }),
		HealthPath: r.Text("appHealthPath", "a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters",
			func(path string) bool { return len(path) <= 1024 && healthPath.MatchString(path) }),
		HealthCommand: r.Words("appHealthCommand", healthCommandAllowed+", or an empty list",
			func(words []string) bool { return len(words) == 0 || isHealthCommand(words) }),
		User: r.Text("appUser", userAllowed, userPattern.MatchString),
		WritablePaths: r.Texts("appWritablePaths", "an absolute path below /, such as /tmp",
			func(path string) bool { return pathOfVolume.MatchString(path) && !strings.Contains(path, "..") }),
		Environment: r.Variables("environment", ownVariables),
		Secrets:     r.CheckSecrets("secrets", "secrets", r.Map("secrets"), ownVariables),
		Restart:     readRestart(r),
	}
	for _, name := range slices.Sorted(maps.Keys(app.Secrets)) {
		if _, both := app.Environment[name]; both {
			r.Conflict([]string{"environment", "secrets"}, name+" is in both; allowed: in one of them")
		}
	}

	return app
}

// appVolume names the volume of the app's writable path with the given index.
func appVolume(index int) string {
	return fmt.Sprintf("%s-writable-%d", AppContainer, index+1)
}
