package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fault is something that happens to one of two tasks, or to both, while both serve.
type fault struct {
	name string
	// both are to be replaced, not only one.
	both bool
	// strike lets it happen to a task. What it returns ends it; nil where the task must be replaced by itself.
	strike func(ctx context.Context, l *Lab, victim types.Task) (end func(context.Context) error, err error)
	// lasts is how long a fault that must be ended lasts.
	lasts time.Duration
	// settings are those of the stack while it happens, where they differ.
	settings map[string]string
	// follows says what the service does about it.
	follows string
}

// signal sends a signal to the first process of a container.
func signal(container, name string) func(context.Context, *Lab, types.Task) (func(context.Context) error, error) {
	return func(ctx context.Context, l *Lab, victim types.Task) (func(context.Context) error, error) {
		id, err := l.container(ctx, victim, container)
		if err != nil {
			return nil, err
		}
		_, err = command(ctx, "docker", "kill", "--signal="+name, id)
		return nil, err
	}
}

// request sends one to the app of whatever task the load balancer chooses.
func request(path string) func(context.Context, *Lab, types.Task) (func(context.Context) error, error) {
	return func(ctx context.Context, l *Lab, _ types.Task) (func(context.Context) error, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		sent, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url()+path, http.NoBody)
		if err != nil {
			return nil, err
		}
		if response, err := http.DefaultClient.Do(sent); err == nil { // an app that dies of it does not answer
			_ = response.Body.Close()
		}
		return nil, nil
	}
}

// killedApp is also part of every test run.
var killedApp = fault{name: "the app is killed (SIGKILL)", strike: signal("app", "KILL"),
	follows: "ECS sees the container end, stops the task and starts another."}

// faults are tried in this order.
var faults = []fault{
	killedApp,
	{name: "NGINX is killed (SIGKILL)", strike: signal("nginx", "KILL"),
		follows: "As above."},
	{name: "the app hangs (SIGSTOP)", strike: signal("app", "STOP"),
		follows: "The health check, which asks the app through NGINX, fails three times; ECS starts another task, and then stops this one."},
	{name: "the app hangs, and the load balancer asks it, too", strike: signal("app", "STOP"),
		settings: map[string]string{"ingress.health": "/api/healthz"},
		follows:  "With the app's path as `ingress.health`, the load balancer sends the task no more requests after two failed checks."},
	{name: "the app takes more memory than there is", strike: request("/api/fault/memory"),
		follows: "The kernel kills it; as above."},
	{name: "the app has no file descriptors left", strike: request("/api/fault/descriptors"),
		follows: "It accepts no new connection, the health check fails, and ECS replaces the task."},
	{name: "the disk for NGINX's temporary files is full", strike: fillDisk,
		follows: "NGINX answers 500 to uploads that it cannot keep in memory, and logs why. The health check fails, and ECS replaces the task."},
	{name: "a task is gone, as when its machine fails", strike: removeTask,
		follows: "The load balancer's connections to it end; ECS starts another."},
	{name: "all tasks are gone at once", both: true, strike: removeTasks,
		follows: "The load balancer answers every request with 503 at once, until ECS has started as many tasks as there were."},
	{name: "the app is killed while no registry answers", strike: killWithoutRegistry, lasts: 40 * time.Second,
		follows: "The other task serves alone; ECS tries until the registry answers again."},
}

// fillDisk hides the directory of NGINX's request bodies behind a small file system, and fills that. A task's volume has no
// limit in the local run, and filling it would fill this machine's disk.
func fillDisk(ctx context.Context, l *Lab, victim types.Task) (func(context.Context) error, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("mounting a file system needs root")
	}
	id, err := l.container(ctx, victim, "nginx")
	if err != nil {
		return nil, err
	}
	pid, err := command(ctx, "docker", "inspect", "--format", "{{.State.Pid}}", id)
	if err != nil {
		return nil, err
	}
	const full = "mount -t tmpfs -o size=16k,mode=1777 tmpfs /tmp/nginx/body && { cat /dev/zero >/tmp/nginx/body/other 2>/dev/null || true; }"
	_, err = command(ctx, "nsenter", "--target", strings.TrimSpace(pid), "--mount", "sh", "-c", full)
	return nil, err
}

// removeTask takes all containers of a task away, and with them its network.
func removeTask(ctx context.Context, l *Lab, victim types.Task) (func(context.Context) error, error) {
	return nil, l.remove(ctx, labelTask+"="+taskID(victim))
}

// removeTasks takes those of all tasks away.
func removeTasks(ctx context.Context, l *Lab, _ types.Task) (func(context.Context) error, error) {
	return nil, l.remove(ctx, labelTask)
}

// remove takes containers away that have a label.
func (l *Lab) remove(ctx context.Context, label string) error {
	found, err := l.containers(ctx, label)
	if err != nil {
		return err
	}
	_, err = command(ctx, "docker", append([]string{"rm", "--force"}, found...)...)
	return err
}

func killWithoutRegistry(ctx context.Context, l *Lab, victim types.Task) (func(context.Context) error, error) {
	if err := l.images.close(); err != nil {
		return nil, err
	}
	_, err := signal("app", "KILL")(ctx, l, victim)
	return func(context.Context) error { return l.images.open() }, err
}

// Outcome is what came of a fault.
type Outcome struct {
	Name, Follows string
	Requests      Requests      // all of them, those before the fault too
	Lost          Requests      // since the fault
	LastLost      time.Duration // from the fault to the end of the last lost request
	Whole         time.Duration // from the fault until all tasks serve
}

// quiet is how long the load runs before a fault, and after all is well again.
const quiet = 5 * time.Second

// strike lets a fault happen under load and waits until all is well again.
func (l *Lab) strike(ctx context.Context, f fault) (outcome Outcome, err error) {
	outcome = Outcome{Name: f.name, Follows: f.follows}
	if len(f.settings) > 0 {
		back, failed := l.become(ctx, f.settings)
		if failed != nil {
			return outcome, failed
		}
		defer func() { err = errors.Join(err, back(ctx)) }()
	}
	victim, err := l.victim(ctx)
	if err != nil {
		return outcome, err
	}
	traffic := startTraffic(ctx, l.url(), l.options.Seed)
	at, whole, err := l.struck(ctx, f, victim)
	outcome.Requests = traffic.Stop()
	if err != nil {
		return outcome, fmt.Errorf("%s: %w", f.name, err)
	}
	if before := outcome.Requests.lostBetween(time.Time{}, at); len(before) > 0 {
		return outcome, fmt.Errorf("%s: %d requests were lost before anything had happened: %s", f.name, len(before), before.reasons())
	}
	outcome.Whole = whole
	if outcome.Lost = outcome.Requests.lost(); len(outcome.Lost) > 0 {
		outcome.LastLost = outcome.Lost.lastEnd().Sub(at)
	}
	l.say("%s: %d of %d requests lost, the last one %s after it; all tasks serve after %s\n          %s",
		f.name, len(outcome.Lost), len(outcome.Requests), outcome.LastLost.Round(100*time.Millisecond), whole.Round(100*time.Millisecond), outcome.Lost.reasons())
	return outcome, nil
}

// struck returns when the fault happened, and how long it took until all tasks served again.
func (l *Lab) struck(ctx context.Context, f fault, victim types.Task) (at time.Time, whole time.Duration, err error) {
	if err := pause(ctx, quiet); err != nil {
		return at, 0, err
	}
	before, err := l.running(ctx)
	if err != nil {
		return at, 0, err
	}
	at = time.Now()
	end, err := f.strike(ctx, l, victim)
	if err == nil && end != nil {
		err = pause(ctx, f.lasts)
	}
	if end != nil {
		err = errors.Join(err, end(context.WithoutCancel(ctx)))
	}
	if err == nil {
		err = l.awaitReplaced(ctx, before, f.both)
		whole = time.Since(at)
	}
	return at, whole, errors.Join(err, pause(ctx, quiet))
}

// awaitReplaced returns when one of the tasks, or both, are gone and others serve in their place.
func (l *Lab) awaitReplaced(ctx context.Context, before []types.Task, both bool) error {
	var ids []string
	for _, task := range before {
		ids = append(ids, taskID(task))
	}
	ways := slices.Collect(slices.Chunk(ids, 1))
	if both {
		ways = [][]string{ids}
	}
	ctx, cancel := context.WithTimeout(ctx, recoveryLimit)
	defer cancel()
	for {
		for _, gone := range ways {
			if ok, err := l.whole(ctx, gone...); ok || err != nil && ctx.Err() == nil {
				return err
			}
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return fmt.Errorf("the tasks are not replaced within %s", recoveryLimit)
		}
	}
}

// grace is healthCheckGracePeriodSeconds, in which ECS ignores failed health checks of a new task.
const grace = 60 * time.Second

// victim chooses one of the tasks, when all serve and none is new.
func (l *Lab) victim(ctx context.Context) (types.Task, error) {
	if err := l.awaitWhole(ctx); err != nil {
		return types.Task{}, err
	}
	found, err := l.running(ctx)
	if err != nil {
		return types.Task{}, err
	}
	youngest := aws.ToTime(found[len(found)-1].CreatedAt)
	if err := pause(ctx, time.Until(youngest.Add(grace+quiet))); err != nil {
		return types.Task{}, err
	}
	return found[l.random.IntN(len(found))], nil
}

// Faults lets all of them happen, one after the other, or only the one of a name.
func (l *Lab) Faults(ctx context.Context, only string) ([]Outcome, error) {
	chosen := slices.Clone(faults)
	if only != "" {
		chosen = slices.DeleteFunc(chosen, func(f fault) bool { return f.name != only })
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("fault %q; allowed: %s", only, strings.Join(faultNames(), "; "))
	}
	var all []Outcome
	for _, f := range chosen {
		outcome, err := l.strike(ctx, f)
		if err != nil {
			return all, err
		}
		all = append(all, outcome)
	}
	return all, nil
}

func faultNames() []string {
	var names []string
	for _, f := range faults {
		names = append(names, f.name)
	}
	return names
}
