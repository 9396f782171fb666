// Package verify asks a running stack, through its load balancer, what AWS's pattern promises.
//
// The pattern names three requests: the health page, which NGINX answers; one that reaches the app; and one that
// NGINX refuses without the app noticing. The last is proved by the app's own log.
// https://containersonaws.com/pattern/nginx-reverse-proxy-sidecar-ecs-fargate-task
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// logWait bounds the way of the first log line from the app to the log group, and restWait that of the lines of all other
// containers after it.
const (
	logWait  = 5 * time.Second
	restWait = 10 * time.Second
)

// retryEvery is between two looks at something that takes a while.
const retryEvery = 500 * time.Millisecond

// maxBody is how much of an answer is read, in bytes; the promised ones are a line each.
const maxBody = 64 << 10

// What the pattern's two good requests answer.
const (
	Healthy      = "Service is healthy"
	SampleAnswer = "User 1 found!"
	samplePath   = "/api/users/1"
)

// Logs reads the log group of the app from a point in time on: the messages of every stream, by stream name.
type Logs func(ctx context.Context, since time.Time) (map[string][]string, error)

// Check is one promise and what came of it.
type Check struct {
	Request string // method and path
	Got     string // what came back, in a few words
	Err     error  // nil when the promise holds

	body string
}

// Options say where the stack listens and where the app logs.
type Options struct {
	URL        string                 // of the load balancer's listener
	Reaches    func(path string) bool // whether the load balancer sends a path to this stack; nil means every path
	Prefixes   []string               // the paths that NGINX forwards to the app
	Files      []string               // the paths at which NGINX serves files itself
	Client     *http.Client
	Patience   time.Duration // for the way from running tasks to healthy targets
	Logs       Logs          // nil: the app's log cannot be read, so only answers count
	Containers int           // app containers that must have logged; the rejected request could have gone to any of them
}

// paths are what the three requests ask for.
type paths struct{ health, app, rejected string }

// paths are the pattern's own where the prefix is the pattern's.
func (o Options) paths() paths {
	p := paths{health: "/", app: o.Prefixes[0], rejected: "/web/phpmyadmin"}
	if p.app == "/api" {
		p.app = samplePath
	}
	for _, prefix := range append(slices.Clone(o.Prefixes), o.Files...) {
		if prefix == "/" {
			p.health = "/.sidecar/health"
		}
		if strings.HasPrefix(p.rejected+"/", strings.TrimSuffix(prefix, "/")+"/") {
			p.rejected = "/.sidecar/phpmyadmin" // which is nobody's, whatever the app gets
		}
	}
	if below := strings.TrimSuffix(p.app, "/") + "/"; !o.reaches(p.app) && o.reaches(below) {
		p.app = below // a rule for what lies below the prefix
	}
	return p
}

func (o Options) reaches(path string) bool { return o.Reaches == nil || o.Reaches(path) }

// Stack runs all checks. The error joins those of the checks.
func Stack(ctx context.Context, options Options) ([]Check, error) {
	paths := options.paths()
	checks := all
	if !options.reaches(paths.health) || !options.reaches(paths.rejected) {
		checks = appOnly
	}
	return judge(checks(ctx, options, paths))
}

// all are the checks of a stack that gets every path.
func all(ctx context.Context, options Options, paths paths) []Check {
	begun := time.Now()
	mark := fmt.Sprintf("verify-%d", begun.UnixNano())
	checks := []Check{
		health(ctx, options, paths.health),
		rejected(ctx, options, paths.rejected, mark),
		app(ctx, options, paths.app),
	}
	if options.Logs == nil {
		return checks
	}
	return append(checks, untouched(ctx, options, paths, mark, begun))
}

// appOnly is the check of a stack that does not get every path without a login: another stack would answer the rest, or an
// identity provider.
func appOnly(ctx context.Context, options Options, paths paths) []Check {
	other := Check{Request: "GET " + paths.health, Got: "not asked: the load balancer asks for a login first, or sends this to another stack"}
	return []Check{other, patiently(ctx, options, func() Check { return app(ctx, options, paths.app) })}
}

func judge(checks []Check) ([]Check, error) {
	var failed []error
	for _, check := range checks {
		if check.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", check.Request, check.Err))
		}
	}
	return checks, errors.Join(failed...)
}

// health asks NGINX itself. ECS calls a new service steady once its tasks run, which is before the load balancer has
// found them healthy; until then it answers 503.
func health(ctx context.Context, options Options, path string) Check {
	check := patiently(ctx, options, func() Check { return answer(ctx, options, path) })
	if check.Err == nil && check.body != Healthy {
		check.Err = fmt.Errorf("answer %q, want %q", check.body, Healthy)
	}
	return check
}

// patiently asks until the answer is right or the patience is over.
func patiently(ctx context.Context, options Options, ask func() Check) Check {
	check := ask()
	for until := time.Now().Add(options.Patience); check.Err != nil && ctx.Err() == nil && time.Now().Before(until); check = ask() {
		time.Sleep(retryEvery)
	}
	return check
}

// app asks the app through NGINX. The app is the user's, so its answer may be any but a server's error; NGINX's own
// errors, which have an id, mean that the app was not asked.
func app(ctx context.Context, options Options, path string) Check {
	check := Check{Request: "GET " + path}
	status, body, err := get(ctx, options.Client, options.URL+path)
	if err == nil && (status >= http.StatusInternalServerError || status >= http.StatusBadRequest && strings.Contains(body, `"request_id":"`)) {
		err = fmt.Errorf("status %d, want the app's answer: %s", status, body)
	}
	check.Got, check.Err, check.body = fmt.Sprintf("%d %s", status, beginning(body)), err, body
	if check.Err == nil && body != SampleAnswer && path == samplePath {
		check.Got += fmt.Sprintf(" (the unchanged sample app answers %q)", SampleAnswer)
	}
	return check
}

// beginning is as much of an answer as a line shows: a site's page is long.
func beginning(body string) string {
	const most = 60
	line, _, cut := strings.Cut(body, "\n")
	if len(line) > most {
		line, cut = line[:most], true
	}
	if cut {
		line += " …"
	}
	return line
}

// answer makes one request, which must succeed.
func answer(ctx context.Context, options Options, path string) Check {
	check := Check{Request: "GET " + path}
	status, body, err := get(ctx, options.Client, options.URL+path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d, want 200: %s", status, body)
	}
	check.Got, check.Err, check.body = fmt.Sprintf("%d %s", status, body), err, body
	return check
}

// rejected sends a scanner's request often enough that every task sees it.
func rejected(ctx context.Context, options Options, path, mark string) Check {
	check := Check{Request: "GET " + path}
	for range 4 * options.Containers {
		status, _, err := get(ctx, options.Client, options.URL+path+"/"+mark)
		if err == nil && status != http.StatusNotFound {
			err = fmt.Errorf("status %d, want 404", status)
		}
		if check.Err = err; err != nil {
			return check
		}
	}
	check.Got = "404"
	return check
}

// untouched sends requests until the log of every app container shows one. The rejected requests came earlier: had one reached
// the app, its line would stand before these. Only the sample is known to log requests, so an app that logs none is no failure.
func untouched(ctx context.Context, options Options, paths paths, mark string, since time.Time) Check {
	check := Check{Request: "app's log after the 404"}
	within, cancel := context.WithTimeout(ctx, restWait)
	defer cancel()
	// In the path, because a log has good reasons to leave the query out.
	marked := strings.TrimSuffix(paths.app, "/") + "/" + mark
	begun, seen := time.Now(), 0
	for {
		streams, err := marks(within, options, marked, since)
		// A request that the end of the wait cuts off says nothing about the stack.
		if err != nil && within.Err() == nil {
			check.Err = err
			return check
		}
		found, leaked := search(streams, marked, "phpmyadmin/"+mark)
		seen = max(seen, found)
		switch {
		case leaked != "":
			check.Err = fmt.Errorf("the rejected request reached the app: %s", leaked)
			return check
		case seen >= options.Containers:
			check.Got = "no trace of it"
			return check
		case seen == 0 && time.Since(begun) >= logWait:
			check.Got = "shows nothing: this app does not log its requests"
			return check
		}
		select {
		case <-within.Done():
			check.Got = fmt.Sprintf("no trace of it in %d of %d logs; the others show no request", seen, options.Containers)
			return check
		case <-time.After(retryEvery):
		}
	}
}

// marks sends requests that every app container should get, and returns what all have logged since the checks began.
func marks(ctx context.Context, options Options, path string, begun time.Time) (map[string][]string, error) {
	for range 2 * options.Containers {
		if _, _, err := get(ctx, options.Client, options.URL+path); err != nil {
			return nil, err
		}
	}
	return options.Logs(ctx, begun)
}

// search counts the streams with a line that holds wanted, and finds a line that holds unwanted.
func search(streams map[string][]string, wanted, unwanted string) (seen int, leaked string) {
	for _, messages := range streams {
		found := false
		for _, message := range messages {
			found = found || strings.Contains(message, wanted)
			if strings.Contains(message, unwanted) {
				leaked = message
			}
		}
		if found {
			seen++
		}
	}
	return seen, leaked
}

func get(ctx context.Context, client *http.Client, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return response.StatusCode, strings.TrimSpace(string(content)), err
}
