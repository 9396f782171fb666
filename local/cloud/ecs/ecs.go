// Package ecs does beside an AWS emulator what Amazon ECS does with services: it reads clusters, services and task
// definitions through the ECS API and decides which tasks run. Package fargate runs them.
//
// Kept from ECS: the desired count, rolling updates within the deployment's percentages, replacement of unhealthy tasks,
// the deployment circuit breaker, and service events in ECS's words.
//
// It is a stand-in for the local run only: nothing here schedules anything in AWS.
package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/fargate"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// LoadBalancer is what the scheduler needs of a load balancer: targets come and go and have a health.
type LoadBalancer interface {
	fargate.LoadBalancer
	// TargetState is the target's state and its description in ELB's words; the state of a target that is not
	// registered is "".
	TargetState(targetGroupARN, target string, port int) (state elbtypes.TargetHealthStateEnum, description string)
}

// Registry is what the scheduler needs of service discovery: instances come and go, and their health changes.
type Registry interface {
	fargate.Registry
	// SetHealth changes an instance's health at once, without a call to AWS, and returns whether it was another one.
	SetHealth(serviceARN, instanceID string, healthy bool) (changed bool)
	// Publish writes an instance's health to AWS.
	Publish(ctx context.Context, serviceARN, instanceID string)
}

// Options of a Scheduler.
type Options struct {
	fargate.Options // how the tasks run; New fills in the load balancer and service discovery

	LoadBalancer LoadBalancer
	Registry     Registry
	// Overlay returns, by their names in the ECS API, members of a service that its creator sent and the emulator
	// forgets: deploymentConfiguration, healthCheckGracePeriodSeconds, networkConfiguration.
	Overlay func(serviceARN string) map[string]any
	// Restore gives a service back those members that Overlay returned for an earlier revision of it.
	Restore func(serviceARN string, members map[string]any)
	// SettleTime is how long a task without any health check runs until it counts as healthy; 0 is ECS's 40 s.
	SettleTime time.Duration
}

// ECS waits 40 seconds before a running task without load balancer and health check counts towards the minimum.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
const settleTime = 40 * time.Second

// pollEvery is between two looks at the tasks.
const pollEvery = 500 * time.Millisecond

// ECS shows a stopped task for at least one hour.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const stoppedTaskKept = time.Hour

const stoppedByUser = "Task stopped by user"

// ErrTaskNotFound is StopTask's answer to a task that does not exist or has stopped.
var ErrTaskNotFound = errors.New("task: not found among the running tasks")

// Scheduler decides about the tasks of every service the emulator holds.
type Scheduler struct {
	*emulator.Loop
	options Options
	log     *slog.Logger
	source  *source
	runtime *fargate.Runtime

	declared []declared // as last read; only the loop uses it

	mu         sync.Mutex
	services   map[string]*service
	standalone []*task // of no service, not STOPPED
	stopped    []*task // all of them, for one hour
	stopping   bool    // no new task starts
	silent     bool    // the Docker engine does not answer

	// afterwards are the calls to AWS that a look has decided on. They are made without the lock, so that a description of
	// services never waits for them.
	afterwards []func(context.Context)
}

// New checks the options and that the Docker engine answers, for which ctx is. It starts nothing.
func New(ctx context.Context, options Options) (*Scheduler, error) {
	options.Options.LoadBalancer, options.Options.Registry = options.LoadBalancer, options.Registry
	options.SettleTime = cmp.Or(options.SettleTime, settleTime)
	runtime, err := fargate.New(ctx, options.Options)
	if err != nil {
		return nil, err
	}
	return &Scheduler{
		Loop:     emulator.NewLoop(pollEvery),
		options:  options,
		log:      options.Logger,
		source:   newSource(options),
		runtime:  runtime,
		services: map[string]*service{},
	}, nil
}

// Run keeps every service at its desired count until ctx ends. It leaves the tasks running: Stop ends them.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.runtime.Prepare(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("docker engine: %w", err)
	}
	s.Loop.Run(ctx, s.look)
	return nil
}

// look reads what is wanted and moves every service one step towards it. Nothing in it waits for a container, and no call
// goes over the network while it holds the lock.
func (s *Scheduler) look(ctx context.Context, reads bool) error {
	if reads {
		declared, err := s.source.services(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("the services cannot be read; tasks stay as they are", "error", err)
			}
			return err
		}
		s.declared = declared
	}
	silent := s.runtime.Answers(ctx)
	if ctx.Err() != nil {
		return nil
	}
	for _, call := range s.decide(s.declared, silent) {
		call(ctx)
	}
	return nil
}

// decide moves every service one step, and returns the calls to AWS that follow from it.
func (s *Scheduler) decide(all []declared, silent error) (calls []func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hear(silent)
	s.reconcile(all, time.Now())
	calls, s.afterwards = s.afterwards, nil
	return calls
}

// hear notes whether the Docker engine answers. The caller holds s.mu.
func (s *Scheduler) hear(silent error) {
	switch {
	case silent != nil && !s.silent:
		s.log.Warn("services stay as they are", "error", silent)
	case silent == nil && s.silent:
		s.log.Info("the Docker engine answers again")
	}
	s.silent = silent != nil
}

// Stop stops every task the way ECS does, draining first, and starts no new one. When ctx ends, what still runs is
// killed.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for _, task := range s.everyTask() {
		task.Stop(types.TaskStopCodeUserInitiated, stoppedByUser)
	}
	s.mu.Unlock()
	return s.runtime.Wait(ctx)
}

// StopTask stops one task, given by ARN or id; its service, if it has one, starts another.
func (s *Scheduler) StopTask(arn, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, task := range s.everyTask() {
		if task.ARN == arn || task.ID == arn {
			task.Stop(types.TaskStopCodeUserInitiated, cmp.Or(reason, stoppedByUser))
			return nil
		}
	}
	return ErrTaskNotFound
}

// task is a task, of a service or of none, and what the scheduler thinks of it. Scheduler.mu guards all that changes here.
type task struct {
	*fargate.Task
	deployment      *deployment
	healthy         bool
	proven          bool   // was healthy once
	counted         bool   // as a failure of its deployment
	unhealthyTarget string // which of its targets failed, in ECS's words
}

func (t *task) lastStatus() string { return *t.Describe().LastStatus }
