// Package fargate runs the tasks of a local run as containers of the local Docker engine, the way AWS Fargate runs them:
// what a task is made of, how it starts, how it is watched and how it stops. Which tasks run is not decided here; package
// ecs does that.
//
// Kept from Fargate: one network namespace per task, user, read-only root, volumes and their ownership, limits,
// dependsOn, health checks, essential, restart policies, stop order, stop signal and stopTimeout, stop reasons in ECS's
// words, and awslogs into CloudWatch Logs.
//
// It is a stand-in for the local run only: nothing here runs anything in AWS.
package fargate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"

	"fargate-nginx-sidecar/local/cloud/cloudmap"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/engine"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// LoadBalancer is what tasks need of a load balancer: to be its targets.
type LoadBalancer interface {
	// Register adds a target, named by its task's address and container port, that is reached at a local address.
	Register(targetGroupARN, target string, port int, address string)
	// Deregister takes a target out; the channel is closed when it is drained or ctx ends.
	Deregister(ctx context.Context, targetGroupARN, target string, port int) <-chan struct{}
}

// Registry is what tasks need of service discovery: to be found.
type Registry interface {
	Register(ctx context.Context, serviceARN string, instance cloudmap.Instance)
	// Deregister takes an instance out at once.
	Deregister(ctx context.Context, serviceARN, instanceID string)
}

// Options of a Runtime. All but Credentials are needed.
type Options struct {
	RunID    string // in the name and labels of everything made in Docker: letters, digits, '-'
	Endpoint string // the emulator's own URL
	Region   string

	LoadBalancer LoadBalancer
	Registry     Registry
	// Secret resolves the valueFrom of a container's secrets.
	Secret func(ctx context.Context, valueFrom string) (string, error)
	// Credentials returns what to pull an image with, as the Docker Engine API wants it (X-Registry-Auth), "" for
	// none; nil pulls everything without.
	Credentials func(ctx context.Context, reference string) (string, error)
	Logger      *slog.Logger
}

var runIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)

func (o Options) check() error {
	var wrong []error
	if !runIDPattern.MatchString(o.RunID) {
		wrong = append(wrong, fmt.Errorf("run id: %q; allowed: letters, digits and '-'", o.RunID))
	}
	if o.Endpoint == "" {
		wrong = append(wrong, errors.New("endpoint: empty; want the emulator's URL"))
	}
	if o.Region == "" {
		wrong = append(wrong, errors.New("region: empty"))
	}
	return errors.Join(wrong...)
}

// Runtime runs the tasks of one run.
type Runtime struct {
	options Options
	docker  *docker
	logs    *cloudwatchlogs.Client
	subnets *subnets

	// kill ends everything at once: containers are then stopped without waiting.
	kill     context.Context
	killNow  context.CancelFunc
	finished sync.WaitGroup // one per task that is not STOPPED
}

// New checks the options and that the Docker engine answers, for which ctx is. It starts nothing.
func New(ctx context.Context, options Options) (*Runtime, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	docker, err := newDocker(ctx, options)
	if err != nil {
		return nil, err
	}
	kill, killNow := context.WithCancel(context.Background())
	return &Runtime{
		options: options,
		docker:  docker,
		logs:    cloudwatchlogs.NewFromConfig(emulator.Config(options.Endpoint, options.Region)),
		subnets: newSubnets(options),
		kill:    kill,
		killNow: killNow,
	}, nil
}

// Prepare makes the network and the pause image.
func (r *Runtime) Prepare(ctx context.Context) error { return r.docker.prepare(ctx) }

// Answers is engine.ErrSilent while the Docker engine does not answer, so that no task can start or stop.
func (r *Runtime) Answers(ctx context.Context) error { return engine.Answers(ctx, r.docker) }

// Start starts a task and returns at once.
func (r *Runtime) Start(spec Spec) *Task {
	t := newTask(r, spec)
	r.finished.Go(t.run)
	return t
}

// Wait returns when no task is left. When ctx ends, the tasks that still run are killed.
func (r *Runtime) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { r.finished.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		r.killNow()
		<-done
		return fmt.Errorf("tasks: killed before they had stopped: %w", ctx.Err())
	}
}
