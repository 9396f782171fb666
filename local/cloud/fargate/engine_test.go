package fargate

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/docker/docker/client"
)

func TestAnEngineThatDoesNotAnswerMakesNoContainerUnhealthy(t *testing.T) {
	api, err := client.NewClientWithOpts(client.WithHost("unix:///nonexistent/docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	d := &docker{APIClient: api}
	check := healthCheck{command: []string{"true"}, timeout: time.Second, retries: 1}
	if passed, err := d.probe(t.Context(), "any", check); passed || !client.IsErrConnectionFailed(err) {
		t.Fatalf("probe: %t, %v", passed, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // time for many probes
	defer cancel()
	d.watchHealth(ctx, "any", check, func(got types.HealthStatus) { t.Errorf("the container is %s", got) })
}

// A stream whose container has not ended, as far as anybody knows, would never end by itself.
func TestNobodyWaitsForTheLinesOfAContainerWhoseEndNoEngineTells(t *testing.T) {
	c := &taskContainer{
		started: make(chan struct{}), exited: make(chan struct{}),
		stream: &stream{closing: make(chan struct{}), done: make(chan struct{})},
	}
	close(c.started)
	go c.stream.ship()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c.finish(ctx)
	if ctx.Err() != nil {
		t.Error("the task's end waited for lines that do not come")
	}
}
