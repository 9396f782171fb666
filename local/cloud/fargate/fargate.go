// Package fargate does beside an AWS emulator what Amazon ECS does on Fargate: it reads clusters, services and task
// definitions through the ECS API and runs every service's tasks as containers of the local Docker engine.
//
// Kept from Fargate: one network namespace per task, user, read-only root, volumes and their ownership, limits,
// dependsOn, health checks, essential, stop order, stop signal and stopTimeout, rolling updates, the deployment
// circuit breaker, stop reasons and service events in ECS's words, and awslogs into CloudWatch Logs.
//
// It exists for the local run only and is a stand-in: nothing here schedules anything in AWS.
package fargate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/turns"

	"github.com/docker/docker/client"
)

// LoadBalancer is what the scheduler needs of a load balancer: targets come and go and have a health.
type LoadBalancer interface {
	// Register adds a target, named by its task's address and container port, that is reached at a local address.
	Register(targetGroupARN, target string, port int, address string)
	// Deregister takes a target out; the channel is closed when it is drained or ctx ends.
	Deregister(ctx context.Context, targetGroupARN, target string, port int) <-chan struct{}
	// TargetState is the target's state, reason code and description in ELB's words; the state of a target that
	// is not registered is "".
	TargetState(targetGroupARN, target string, port int) (state, reason, description string)
}

// Options of a Scheduler. RunID, Endpoint and Region are needed.
type Options struct {
	RunID    string // in the name and labels of everything made in Docker: letters, digits, '-'
	Endpoint string // the emulator's own URL
	Region   string

	// Docker is the engine; nil takes DOCKER_HOST or the default socket and negotiates the API version.
	Docker client.APIClient
	// LoadBalancer gets the tasks of services with target groups; nil leaves them without one.
	LoadBalancer LoadBalancer
	// Overlay returns, by their names in the ECS API, members of a service that its creator sent and the emulator
	// forgets: deploymentConfiguration, healthCheckGracePeriodSeconds, networkConfiguration. nil overlays nothing.
	Overlay func(serviceARN string) map[string]any
	// Secret resolves the valueFrom of a container's secrets; nil fails every task that has one.
	Secret func(ctx context.Context, valueFrom string) (string, error)
	// Credentials returns what to pull an image with, as the Docker Engine API wants it (X-Registry-Auth), "" for
	// none; nil pulls everything without.
	Credentials func(ctx context.Context, reference string) (string, error)

	Poll       time.Duration // between two looks at the emulator; 0 is 500 ms
	SettleTime time.Duration // until a task without any health check counts as healthy; 0 is ECS's 40 s
	GoTool     string        // builds the pause program; "" is go on PATH
	Logger     *slog.Logger  // nil is slog.Default()
}

// ECS waits 40 seconds before a running task without load balancer and health check counts towards the minimum.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
const settleTime = 40 * time.Second

const defaultPoll = 500 * time.Millisecond

// ECS shows a stopped task for at least one hour.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const stoppedTaskKept = time.Hour

// ErrTaskNotFound is StopTask's answer to a task that does not exist or has stopped.
var ErrTaskNotFound = errors.New("task: not found among the running tasks")

var runIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)

// Scheduler runs the tasks of every service the emulator holds.
type Scheduler struct {
	options  Options
	log      *slog.Logger
	emulator *emulator
	engine   *engine

	wake chan struct{}

	// kill ends everything at once: containers are then stopped without waiting.
	kill     context.Context
	killNow  context.CancelFunc
	finished sync.WaitGroup // one per task that is not STOPPED

	mu       sync.Mutex
	services map[string]*service
	stopped  []*task // of every service, for one hour
	stopping bool    // no new task starts
	turns    *turns.Turns
}

// New checks the options and that the Docker engine answers, for which ctx is. It starts nothing.
func New(ctx context.Context, options Options) (*Scheduler, error) {
	if err := checkOptions(&options); err != nil {
		return nil, err
	}
	engine, err := newEngine(ctx, options)
	if err != nil {
		return nil, err
	}
	kill, killNow := context.WithCancel(context.Background())
	return &Scheduler{
		options:  options,
		log:      options.Logger,
		emulator: newEmulator(options),
		engine:   engine,
		wake:     make(chan struct{}, 1),
		kill:     kill,
		killNow:  killNow,
		services: map[string]*service{},
		turns:    turns.New(),
	}, nil
}

func checkOptions(o *Options) error {
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
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	if o.SettleTime == 0 {
		o.SettleTime = settleTime
	}
	if o.GoTool == "" {
		o.GoTool = "go"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return errors.Join(wrong...)
}

// Run removes what an earlier run with the same id left, then keeps every service at its desired count until ctx
// ends. It leaves the tasks running: Stop ends them.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.engine.prepare(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	ticker := time.NewTicker(s.options.Poll)
	defer ticker.Stop()
	for {
		s.turn(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
		}
	}
}

// turn reads what is wanted and moves every service one step towards it. Nothing in it waits for a container.
func (s *Scheduler) turn(ctx context.Context) {
	s.turns.Begin()
	declared, err := s.emulator.services(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("services are unknown, tasks stay as they are", "error", err)
		}
		s.turns.End(err)
		return
	}
	s.mu.Lock()
	s.reconcile(ctx, declared, time.Now())
	s.mu.Unlock()
	s.turns.End(nil)
}

// Wake makes the scheduler look at the emulator now.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Sync returns when a turn that began after the call is done, so that Service then answers for what the emulator
// held when Sync was called.
func (s *Scheduler) Sync(ctx context.Context) error { return s.turns.Next(ctx, s.Wake) }

// Stop stops every task the way ECS does, draining first, and starts no new one. When ctx ends, what still runs is
// killed.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for _, service := range s.services {
		for _, task := range service.tasks {
			task.end(stopCodeUser, "Task stopped by user")
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.finished.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.killNow()
		<-done
		return fmt.Errorf("tasks: killed before they had stopped: %w", ctx.Err())
	}
}

// StopTask stops one task, given by ARN or id; its service starts another.
func (s *Scheduler) StopTask(arn, reason string) error {
	if reason == "" {
		reason = "Task stopped by user"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, service := range s.services {
		for _, task := range service.tasks {
			if task.arn == arn || task.id == arn {
				task.end(stopCodeUser, reason)
				return nil
			}
		}
	}
	return ErrTaskNotFound
}
