package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"fargate-nginx-sidecar/local/cloud/alb"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
	"fargate-nginx-sidecar/local/machine/toolchain"
)

// ingressShared is the value of `ingress.kind` with which a stack uses the load balancer of another.
const ingressShared = "shared"

// mayJoin says whether a stack can come into a run beside the stacks that run already.
func mayJoin(current run.Run, stack string, config stackSettings) error {
	if config.value(ingressKind) != ingressShared {
		return fmt.Errorf("stack: %s is running; %s can run beside it only with `ingress.kind: %s`, which makes it use the load balancer of %s; take %[1]s down first with `make local-down`",
			current.Stacks[0], stack, ingressShared, current.Stacks[0])
	}
	if config.region != current.Region {
		return fmt.Errorf("stack %s: aws:region is %s, and the run with the load balancer of %s is in %s; set the same region", stack, config.region, current.Stacks[0], current.Region)
	}
	return nil
}

// join notes a stack as one of the run's.
func (l *Local) join(current run.Run, stack string) (run.Run, error) {
	current.Stacks = append(slices.Clone(current.Stacks), stack)
	return current, current.Save(l.dir())
}

// leave destroys a stack that uses the load balancer of the run's first, which goes on.
func (l *Local) leave(ctx context.Context, current run.Run, stack string, found toolchain.Tools) error {
	pulumi := l.stack(current, stack, found)
	if err := l.follow("pulumi destroy", func(w watcher) error { return pulumi.Destroy(ctx, w) }); err != nil {
		return err
	}
	gone := func(other string) bool { return other == stack }
	current.Stacks, current.Served = slices.DeleteFunc(slices.Clone(current.Stacks), gone), slices.DeleteFunc(slices.Clone(current.Served), gone)
	return current.Save(l.dir())
}

// useLoadBalancer puts the load balancer and the network of the run's first stack into another stack's settings, in place
// of those of an account, which do not exist here.
func (l *Local) useLoadBalancer(ctx context.Context, owner *pulumi.Stack, config stackSettings, values map[string]any) error {
	outputs, err := owner.Outputs(ctx)
	if err != nil {
		return err
	}
	deployed := &pulumi.Stack{Root: owner.ProjectDir(), Name: owner.Name}
	file, _, err := deployed.StackConfig()
	if err != nil {
		return err
	}
	settings := stackSettings{project: config.project, file: file}
	here, err := config.behind(outputs, settings.value(idleTimeout))
	if err != nil {
		return fmt.Errorf("stack %s: %w", owner.Name, err)
	}
	maps.Copy(values, here)
	l.Progress.Line("ingress   the load balancer, VPC and subnets of stack %s, instead of those that the settings name", owner.Name)
	return nil
}

// behind are the settings of a stack behind the load balancer of another, which has these outputs and this idle timeout: the
// program compares its own with the load balancer's.
func (s stackSettings) behind(outputs map[string]any, idle any) (map[string]any, error) {
	listener, _ := outputs["listenerArn"].(string)
	if listener == "" {
		return nil, errors.New("has no listener that another stack could use; give it `ingress.kind: alb`")
	}
	shared, err := s.shared()
	if err != nil {
		return nil, err
	}
	shared["listener"] = listener
	private := outputs["taskSubnetIds"]
	if reflect.DeepEqual(private, outputs["publicSubnetIds"]) {
		private = []any{} // its tasks run in public subnets
	}
	network := map[string]any{
		"kind": "existing", "vpc": outputs["vpcId"], "publicSubnets": outputs["publicSubnetIds"], "privateSubnets": private,
	}
	// What the tasks may connect to is the stack's own.
	for _, name := range []string{"ports", "groups"} {
		if value := s.value("network." + name); value != nil {
			network[name] = value
		}
	}
	return map[string]any{
		s.project + ":" + sharedBalancer: shared,
		s.project + ":network":           network,
		s.project + ":" + idleTimeout:    idle,
	}, nil
}

// shared is a copy of `ingress.shared`.
func (s stackSettings) shared() (map[string]any, error) {
	value := s.value(sharedBalancer)
	shared, isObject := value.(map[string]any)
	if value != nil && !isObject {
		return nil, fmt.Errorf("ingress.shared: got %v; want an object with hosts or paths", value)
	}
	if shared == nil {
		shared = map[string]any{}
	}
	return maps.Clone(shared), nil
}

// address says how requests without a login reach the stack: with which Host, and on which paths. With a load balancer of its
// own that is any Host, "", and every path for which it does not ask for a login.
func (s stackSettings) address() (host string, reaches func(path string) bool, err error) {
	every := func(path string) bool { return !s.asksForLogin(path) }
	if s.value(ingressKind) != ingressShared {
		return "", every, nil
	}
	shared, err := s.shared()
	if err != nil {
		return "", nil, err
	}
	hosts, isHosts := texts(shared["hosts"])
	patterns, isPaths := texts(shared["paths"])
	if !isHosts || !isPaths {
		return "", nil, errors.New("ingress.shared: hosts and paths want lists of text")
	}
	if len(hosts) > 0 {
		host = strings.NewReplacer("*", "www", "?", "w").Replace(hosts[0])
	}
	if len(patterns) == 0 {
		return host, every, nil
	}
	return host, func(path string) bool {
		return every(path) && slices.ContainsFunc(patterns, func(pattern string) bool { return alb.Wildcard(pattern, path) })
	}, nil
}

// asksForLogin says whether the load balancer has users log in for a path: with `login`, on its `paths` or on all.
func (s stackSettings) asksForLogin(path string) bool {
	oidc, _ := s.value(login).(map[string]any)
	prefixes, _ := texts(oidc["paths"])
	below := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
	return len(oidc) > 0 && (len(prefixes) == 0 || slices.ContainsFunc(prefixes, below))
}

// texts is a list of text as YAML gives it; nothing is the empty list.
func texts(value any) (all []string, ok bool) {
	list, isList := value.([]any)
	for _, entry := range list {
		text, isText := entry.(string)
		isList = isList && isText
		all = append(all, text)
	}
	return all, isList || value == nil
}

// withHost is what a person adds to a request that has to name a host.
func withHost(host string) string {
	if host == "" {
		return ""
	}
	return fmt.Sprintf(" with `Host: %s`, as in curl -H 'Host: %[1]s'", host)
}

// named is one stack, or several, for a line of output.
func named(stacks []string) string {
	if len(stacks) == 1 {
		return "stack " + stacks[0]
	}
	return fmt.Sprintf("stack %s and, on its load balancer, %s", stacks[0], strings.Join(stacks[1:], ", "))
}

// destroyable are the stacks that `down` destroys, in this order: those that use the load balancer before the one that owns
// it. "" means all.
func destroyable(current run.Run, stack string) ([]string, error) {
	switch i := slices.Index(current.Stacks, stack); {
	case stack == "":
		all := slices.Clone(current.Stacks)
		slices.Reverse(all)
		return all, nil
	case i < 0:
		return nil, fmt.Errorf("stack: %s is not running; what runs is %s", stack, named(current.Stacks))
	case i == 0 && len(current.Stacks) > 1:
		return nil, fmt.Errorf("stack: %s owns the load balancer that %s uses; take that down first, or everything with `make local-down`", stack, strings.Join(current.Stacks[1:], ", "))
	}
	return []string{stack}, nil
}
