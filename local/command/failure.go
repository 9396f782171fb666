package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fargate-nginx-sidecar/local/cloud/engine"
)

// watchEvery is how often a deployment is looked at while the engine waits for it.
const watchEvery = 2 * time.Second

// enginePatience is how long a deployment waits for a Docker engine that has stopped answering. Whoever looks after the
// engine starts it again within seconds.
const enginePatience = 30 * time.Second

// watch returns a context that ends with engine.ErrSilent when no Docker engine is left to start a task. While a deployment lasts,
// it prints what that waits for. How it ends is the program's to say, as in AWS.
func (l *Local) watch(ctx context.Context, client clients) (watched context.Context, done func()) {
	watched, cancel := context.WithCancelCause(ctx)
	go watchEngine(watched, enginePatience, cancel)
	go explainStart(watched, client, l.Progress)
	return watched, func() { cancel(nil) }
}

// watchEngine gives up when the Docker engine has not answered for as long as patience lasts.
func watchEngine(ctx context.Context, patience time.Duration, giveUp context.CancelCauseFunc) {
	for answered := time.Now(); ctx.Err() == nil; {
		err := engineAnswers(ctx)
		switch {
		case err == nil:
			answered = time.Now()
		case time.Since(answered) >= patience:
			giveUp(startIt(err))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(watchEvery, patience)):
		}
	}
}

// engineAnswers is engine.ErrSilent unless the Docker engine answers.
func engineAnswers(ctx context.Context) error {
	docker, err := engine.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = docker.Close() }()
	return engine.Answers(ctx, docker)
}

// startIt says what to do about an engine that does not answer.
func startIt(silent error) error {
	return fmt.Errorf("%w; start it, and run the command again", silent)
}

// cause is why something failed, where that says more than its own error: there is no Docker engine any more.
func cause(watched context.Context, err error) error {
	if given := context.Cause(watched); errors.Is(given, engine.ErrSilent) {
		return given
	}
	if silent := engineAnswers(context.WithoutCancel(watched)); silent != nil {
		return startIt(silent)
	}
	return err
}

// together is what a command failed for, and what its clean-up did. An engine that does not answer is the reason for both, and
// is named once.
func together(failed, cleaned error) error {
	if errors.Is(failed, engine.ErrSilent) && errors.Is(cleaned, engine.ErrSilent) {
		return cleaned
	}
	return errors.Join(failed, cleaned)
}
