package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"
)

// guest are the settings of a stack that uses another's load balancer.
func guest(shared map[string]any) stackSettings {
	return stackSettings{
		project: "shop", region: "eu-central-1",
		file: map[string]any{"shop:ingress": map[string]any{"kind": "shared", "shared": shared}},
	}
}

func TestOnlyAStackOnTheSameLoadBalancerComesBeside(t *testing.T) {
	current := run.Run{Stacks: []string{"a"}, Region: "eu-central-1"}
	if err := mayJoin(current, "b", guest(nil)); err != nil {
		t.Errorf("shared: %v", err)
	}
	own := guest(nil)
	own.given = map[string]any{"shop:ingress.kind": "alb"}
	if err := mayJoin(current, "b", own); err == nil || !strings.Contains(err.Error(), "a is running; b can run beside it only with `ingress.kind: shared`") {
		t.Errorf("a load balancer of its own: %v", err)
	}
	far := guest(nil)
	far.region = "us-east-1"
	if err := mayJoin(current, "b", far); err == nil || !strings.Contains(err.Error(), "aws:region is us-east-1, and the run with the load balancer of a is in eu-central-1") {
		t.Errorf("another region: %v", err)
	}
}

func TestAGuestGetsTheOwnersLoadBalancerAndNetwork(t *testing.T) {
	public, private := []any{"subnet-1", "subnet-2"}, []any{"subnet-3", "subnet-4"}
	config := guest(map[string]any{"listener": "arn:of:an:account", "hosts": []any{"b.example"}})
	for _, c := range []struct {
		name        string
		tasks, want []any
	}{{"private subnets", private, private}, {"public subnets", public, []any{}}} {
		got, err := config.behind(map[string]any{"listenerArn": "arn:here", "vpcId": "vpc-1", "publicSubnetIds": public, "taskSubnetIds": c.tasks}, "75s")
		want := map[string]any{
			"shop:ingress.shared":      map[string]any{"listener": "arn:here", "hosts": []any{"b.example"}},
			"shop:network":             map[string]any{"kind": "existing", "vpc": "vpc-1", "publicSubnets": public, "privateSubnets": c.want},
			"shop:ingress.idleTimeout": "75s",
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, got, err, want)
		}
	}
	if before := config.value("ingress.shared.listener"); before != "arn:of:an:account" {
		t.Errorf("the stack's own settings changed: %v", before)
	}
	if _, err := config.behind(map[string]any{}, "60s"); err == nil || !strings.Contains(err.Error(), "no listener") {
		t.Errorf("an owner without a listener: %v", err)
	}
}

func TestRequestsForAGuestNameItsHostAndPaths(t *testing.T) {
	for _, c := range []struct {
		shared     map[string]any
		host       string
		yes, never string // paths
	}{
		{map[string]any{"hosts": []any{"b.example", "c.example"}}, "b.example", "/", ""},
		{map[string]any{"hosts": []any{"*.example.com"}}, "www.example.com", "/x", ""},
		{map[string]any{"paths": []any{"/b", "/b/*"}}, "", "/b/1", "/bc"},
	} {
		host, reaches, err := guest(c.shared).address()
		if err != nil || host != c.host || !reaches(c.yes) || c.never != "" && reaches(c.never) {
			t.Errorf("%v: got host %q, %s %t, %s %t, %v", c.shared, host, c.yes, reaches(c.yes), c.never, reaches(c.never), err)
		}
	}
	if _, _, err := guest(map[string]any{"hosts": "b.example"}).address(); err == nil {
		t.Error("hosts that are no list: no error")
	}
	own := guest(map[string]any{"hosts": []any{"b.example"}})
	own.given = map[string]any{"shop:ingress.kind": "alb"}
	if host, reaches, err := own.address(); host != "" || !reaches("/") || err != nil {
		t.Errorf("a load balancer of its own: got host %q, %v", host, err)
	}

	for paths, open := range map[string][]bool{"": {false, false}, "/api": {true, false}} { // of / and /api/users/1
		login := guest(nil)
		login.given = map[string]any{"shop:ingress.kind": "alb"}
		login.file["shop:login"] = map[string]any{"issuer": "https://idp"}
		if paths != "" {
			login.file["shop:login"].(map[string]any)["paths"] = []any{paths}
		}
		if _, reaches, err := login.address(); err != nil || reaches("/") != open[0] || reaches("/api/users/1") != open[1] {
			t.Errorf("login on %q: reaches / %t, /api/users/1 %t, %v", paths, reaches("/"), reaches("/api/users/1"), err)
		}
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, r.Host)
	}))
	t.Cleanup(server.Close)
	for host, want := range map[string]string{"b.example": "b.example", "": strings.TrimPrefix(server.URL, "http://")} {
		response, err := clientFor(host).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(got) != want || response.StatusCode != http.StatusFound {
			t.Errorf("host %q: the request named %q, want %q", host, got, want)
		}
	}
}

func TestGuestsGoBeforeTheOwner(t *testing.T) {
	two := run.Run{Stacks: []string{"a", "b"}}
	for _, c := range []struct {
		current run.Run
		stack   string
		want    []string
		err     string
	}{
		{two, "", []string{"b", "a"}, ""},
		{two, "b", []string{"b"}, ""},
		{two, "a", nil, "a owns the load balancer that b uses"},
		{two, "c", nil, "c is not running; what runs is stack a and, on its load balancer, b"},
		{run.Run{Stacks: []string{"a"}}, "a", []string{"a"}, ""},
	} {
		got, err := destroyable(c.current, c.stack)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q of %v: got %v, %v; want %v, %q", c.stack, c.current.Stacks, got, err, c.want, c.err)
		}
	}
}
