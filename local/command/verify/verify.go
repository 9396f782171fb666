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
	"strings"
	"time"
)

// logWait bounds the way of a log line from the app to the log group.
const logWait = 20 * time.Second

// retryEvery is between two looks at something that takes a while.
const retryEvery = 500 * time.Millisecond

// maxBody is how much of an answer is read, in bytes; the promised ones are a line each.
const maxBody = 64 << 10

// What the pattern's two good requests answer.
const (
	Healthy      = "Service is healthy"
	SampleAnswer = "User 1 found!"
)

// Logs reads the log group of the app: the messages of every stream, by stream name.
type Logs func(ctx context.Context) (map[string][]string, error)

// Check is one promise and what came of it.
type Check struct {
	Request string // method and path
	Got     string // what came back, in a few words
	Err     error  // nil when the promise holds

	body string
}

// Options say where the stack listens and where the app logs.
type Options struct {
	URL        string // of the load balancer's listener
	Client     *http.Client
	Patience   time.Duration // for the way from running tasks to healthy targets
	Logs       Logs
	Containers int // app containers that must have logged; the rejected request could have gone to any of them
}

// Stack runs all checks. The error joins those of the checks.
func Stack(ctx context.Context, options Options) ([]Check, error) {
	mark := fmt.Sprintf("verify-%d", time.Now().UnixNano())
	checks := []Check{
		health(ctx, options),
		rejected(ctx, options, mark),
		app(ctx, options),
		untouched(ctx, options, mark),
	}
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
func health(ctx context.Context, options Options) Check {
	check := answer(ctx, options, "/")
	ctx, cancel := context.WithTimeout(ctx, options.Patience)
	defer cancel()
	for check.Err != nil && ctx.Err() == nil {
		time.Sleep(retryEvery)
		if again := answer(ctx, options, "/"); ctx.Err() == nil {
			check = again
		}
	}
	if check.Err == nil && check.body != Healthy {
		check.Err = fmt.Errorf("answer %q, want %q", check.body, Healthy)
	}
	return check
}

// app asks the app through NGINX. The app is the user's, so another text than the sample's is no failure.
func app(ctx context.Context, options Options) Check {
	check := answer(ctx, options, "/api/users/1")
	if check.Err == nil && check.body != SampleAnswer {
		check.Got += fmt.Sprintf(" (the unchanged sample app answers %q)", SampleAnswer)
	}
	return check
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
func rejected(ctx context.Context, options Options, mark string) Check {
	const path = "/web/phpmyadmin"
	check := Check{Request: "GET " + path}
	for range 4 * options.Containers {
		status, _, err := get(ctx, options.Client, options.URL+path+"?"+mark)
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

// untouched sends requests that the app does log until the log of every app container shows one. The rejected
// requests came earlier: had one reached the app, its line would stand before these.
func untouched(ctx context.Context, options Options, mark string) Check {
	check := Check{Request: "app's log after the 404"}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	marked := "/api/users/1?" + mark
	for {
		for range 2 * options.Containers {
			if _, _, err := get(ctx, options.Client, options.URL+marked); err != nil {
				check.Err = err
				return check
			}
		}
		streams, err := options.Logs(ctx)
		if err != nil {
			check.Err = err
			return check
		}
		seen, leaked := search(streams, marked, "phpmyadmin?"+mark)
		if leaked != "" {
			check.Err = fmt.Errorf("the rejected request reached the app: %s", leaked)
			return check
		}
		if seen >= options.Containers {
			check.Got = "no trace of it"
			return check
		}
		select {
		case <-ctx.Done():
			check.Err = fmt.Errorf("%d of %d app containers logged a request within %s", seen, options.Containers, logWait)
			return check
		case <-time.After(retryEvery):
		}
	}
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
