package faults

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// badDeploy is a deploy that cannot work, or only slowly.
type badDeploy struct {
	name string
	// settings are those that differ from a good deploy.
	settings func(ctx context.Context, i *images) (map[string]string, error)
	works    bool
	// says are texts that the failed update must show: the cause, and what the container at fault wrote.
	says []string
}

// environmentOf makes an app that misbehaves.
func environmentOf(fault string) func(context.Context, *images) (map[string]string, error) {
	return func(ctx context.Context, i *images) (map[string]string, error) {
		app, err := i.app(ctx, "")
		return map[string]string{"app.image": app, "app.environment": "{FAULT: " + fault + "}"}, err
	}
}

// badDeploys are tried in this order. crashing is also part of every test run.
var (
	crashing = badDeploy{"the app crashes at its start", environmentOf("crash"), false,
		[]string{"Essential container in task exited", "app: exit code 1", "fatal: no value for DATABASE_URL"}}

	badDeploys = []badDeploy{
		crashing,
		{"the app never becomes healthy", environmentOf("ill"), false,
			[]string{"health checks", "nginx: ", "unhealthy", "the database does not answer"}},
		{"the app listens on another port", environmentOf("port"), false,
			[]string{"health checks", "unhealthy", "the app listens on 127.0.0.1:3999"}},
		{"the app needs 40 s to start", environmentOf("40s"), true, nil},
		{"the app needs 3 minutes to start", environmentOf("180s"), false,
			[]string{"health checks", "the app fills its cache for 3m0s"}},
		{"the image is for another processor", func(ctx context.Context, i *images) (map[string]string, error) {
			app, err := i.app(ctx, map[string]string{"amd64": "arm64", "arm64": "amd64"}[i.arch])
			return map[string]string{"app.image": app}, err
		}, false, []string{"exec format error"}},
		{"NGINX's configuration has a mistake", func(ctx context.Context, i *images) (map[string]string, error) {
			sidecar, err := i.brokenSidecar(ctx)
			return map[string]string{"http.image": sidecar}, err
		}, false, []string{"Essential container in task exited", "nginx: exit code 1", `unknown directive "worker_shutdown_timeuot"`}},
		{"the image is gone", func(_ context.Context, i *images) (map[string]string, error) {
			return map[string]string{"app.image": i.missing()}, nil
		}, false, []string{"CannotPullContainerError"}},
	}
)

// BadDeploy is what came of one.
type BadDeploy struct {
	Name     string
	Failed   bool
	Took     time.Duration // until the update said so
	Said     string        // why, without the advice that follows
	Requests Requests
}

// bad tries a deploy that cannot work. The old tasks must still be there when it has failed.
func (l *Lab) bad(ctx context.Context, b badDeploy) (BadDeploy, error) {
	settings, err := b.settings(ctx, l.images)
	if err != nil {
		return BadDeploy{}, err
	}
	before, err := l.running(ctx)
	if err != nil {
		return BadDeploy{}, err
	}
	traffic := startTraffic(ctx, l.url(), l.options.Seed)
	err = pause(ctx, 3*time.Second)
	begun := time.Now()
	output, failed := l.up(ctx, settings)
	took := time.Since(begun)
	if err == nil {
		err = pause(ctx, 3*time.Second)
	}
	result := BadDeploy{Name: b.name, Failed: failed != nil, Took: took, Said: said(output), Requests: traffic.Stop()}
	l.say("%s: failed: %t after %s; %d of %d requests lost %s\n%s",
		b.name, result.Failed, took.Round(time.Second), len(result.Requests.lost()), len(result.Requests), result.Requests.reasons(), result.Said)
	if err == nil && !b.works {
		err = l.stillRun(ctx, before)
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", b.name, err)
	}
	if result.Failed == b.works {
		return result, fmt.Errorf("%s: the update fails: %t; want %t\n%s", b.name, result.Failed, !b.works, output)
	}
	for _, want := range b.says {
		if !strings.Contains(result.Said, want) {
			return result, fmt.Errorf("%s: the update's error lacks %q:\n%s", b.name, want, output)
		}
	}
	return result, l.awaitWhole(ctx)
}

// BadDeploys tries all of them.
func (l *Lab) BadDeploys(ctx context.Context) ([]BadDeploy, error) {
	var all []BadDeploy
	for _, b := range badDeploys {
		result, err := l.bad(ctx, b)
		if err != nil {
			return all, err
		}
		all = append(all, result)
	}
	return all, nil
}

// explained is the part of an update's error that says what was wrong: from the cause to the last lines of the containers, up to
// the advice. Pulumi indents it.
var explained = regexp.MustCompile(`(?s)error: (service \S+: [^\n]*\n( *).*?)\n *All events: `)

// identifiers of tasks and deployments are 32 hexadecimal or 19 decimal digits.
var identifiers = regexp.MustCompile(`\b([0-9a-f]{32}|[0-9]{19})\b`)

// said finds that part, with what is different in every run taken out.
func said(output string) string {
	found := explained.FindStringSubmatch(output)
	if found == nil {
		return ""
	}
	text := strings.ReplaceAll(found[1], "\n"+found[2], "\n")
	return identifiers.ReplaceAllString(text, "…")
}
