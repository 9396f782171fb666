package fargate

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// What a health check means where it says nothing, the times in seconds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
const (
	defaultInterval = 30
	defaultTimeout  = 5
	defaultRetries  = 3
)

// earlyInterval is between probes until the first regular one is due. ECS waits a whole interval before it probes at
// all; here a success counts as soon as it comes, and a failure before that time counts for nothing, so that the
// verdict is ECS's and only comes sooner.
const earlyInterval = 400 * time.Millisecond

// healthCheck is a container's check with its defaults filled in.
type healthCheck struct {
	command                        []string
	interval, timeout, startPeriod time.Duration
	retries                        int
}

func newHealthCheck(h *types.HealthCheck) (healthCheck, bool) {
	if h == nil || len(h.Command) == 0 || h.Command[0] == "NONE" {
		return healthCheck{}, false
	}
	check := healthCheck{
		interval:    time.Duration(*cmp.Or(h.Interval, aws.Int32(defaultInterval))) * time.Second,
		timeout:     time.Duration(*cmp.Or(h.Timeout, aws.Int32(defaultTimeout))) * time.Second,
		startPeriod: time.Duration(aws.ToInt32(h.StartPeriod)) * time.Second,
		retries:     int(*cmp.Or(h.Retries, aws.Int32(defaultRetries))),
	}
	switch h.Command[0] {
	case "CMD":
		check.command = h.Command[1:]
	case "CMD-SHELL":
		check.command = append([]string{"/bin/sh", "-c"}, h.Command[1:]...)
	default: // a list without a keyword is run as it is
		check.command = h.Command
	}
	return check, len(check.command) > 0
}

// verdict turns probe results into a health status. Failures within the start period do not count until a probe has
// passed; retries failures in a row make a container UNHEALTHY, one success makes it HEALTHY.
type verdict struct {
	check    healthCheck
	status   types.HealthStatus
	failures int
	passed   bool
}

func newVerdict(c healthCheck) *verdict { return &verdict{check: c, status: types.HealthStatusUnknown} }

// observe takes the result of a probe that began the given time after the container's start.
func (v *verdict) observe(ok bool, age time.Duration) types.HealthStatus {
	if ok {
		v.status, v.failures, v.passed = types.HealthStatusHealthy, 0, true
		return v.status
	}
	if !v.passed && (age < v.check.startPeriod || age < v.check.interval) {
		return v.status
	}
	v.failures++
	if v.failures >= v.check.retries {
		v.status = types.HealthStatusUnhealthy
	}
	return v.status
}

// pause is the time from the end of one probe to the next one.
func (v *verdict) pause(age time.Duration) time.Duration {
	if v.passed || age >= v.check.interval {
		return v.check.interval
	}
	return min(earlyInterval, v.check.interval)
}

// watchHealth probes a container until ctx ends and reports every change of its status.
func (d *docker) watchHealth(ctx context.Context, containerID string, check healthCheck, changed func(types.HealthStatus)) {
	began, v := time.Now(), newVerdict(check)
	for {
		age := time.Since(began)
		ok, err := d.probe(ctx, containerID, check)
		if ctx.Err() != nil {
			return
		}
		// An engine that does not answer says nothing of the container.
		if before := v.status; !client.IsErrConnectionFailed(err) && v.observe(ok, age) != before {
			changed(v.status)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(v.pause(time.Since(began))):
		}
	}
}

// probe runs the check's command inside the container, as the container's user. A probe that does not end within the
// timeout failed; like Docker before version 23 it is left to end by itself. The error is why there is no result.
func (d *docker) probe(ctx context.Context, containerID string, check healthCheck) (passed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, check.timeout)
	defer cancel()
	created, err := d.ContainerExecCreate(ctx, containerID, container.ExecOptions{Cmd: check.command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return false, err
	}
	stream, err := d.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, stream.Reader); close(ended) }()
	select {
	case <-ctx.Done():
		return false, nil
	case <-ended:
	}
	found, err := d.ContainerExecInspect(ctx, created.ID)
	return err == nil && !found.Running && found.ExitCode == 0, err
}
