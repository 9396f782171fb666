package fargate_test

import (
	"net/http"
	"testing"

	"fargate-nginx-sidecar/local/fargate"
)

func TestServiceBecomesSteadyAndServes(t *testing.T) {
	w := newWorld(t)
	service := w.serve(w.register(nil, web(w.image(nil), "one")), 2, 8080)
	status := w.steady(service)
	if code, body := w.get("/"); code != http.StatusOK || body != "one" {
		t.Errorf("load balancer: got %d %q, want 200 one", code, body)
	}
	if got, want := status.Events[0].Message, "(service web) has reached a steady state."; got != want {
		t.Errorf("event: got %q, want %q", got, want)
	}
	for _, e := range status.Events {
		t.Log(e.Message)
	}
	_ = fargate.ServiceStatus{}
}
