// Package alb does beside an AWS emulator what an Application Load Balancer does: it reads load balancers,
// listeners, rules and target groups through the ELB API, opens one local listener for each of theirs, and balances
// requests over the targets that pass the target group's own health check.
//
// Targets are known by their address in the VPC, which is only a name here; connections go to the local address
// that was registered with it.
//
// It exists for the local run only and is a stand-in: it balances nothing in AWS.
package alb

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb/oidc"
	"fargate-nginx-sidecar/local/cloud/emulator"
	"fargate-nginx-sidecar/local/cloud/ports"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Options of a Balancer. Endpoint and Region are needed.
type Options struct {
	Endpoint string // the emulator's own URL
	Region   string

	// Ports maps a listener's port in AWS to the local one that stands for it; a port that is not in the map gets a free
	// port of 127.0.0.1.
	Ports map[int]*ports.Port

	// IdentityProviders calls the providers of authenticate-oidc actions; nil is Go's own transport, which trusts the
	// certificates that this machine trusts.
	IdentityProviders http.RoundTripper

	Poll   time.Duration // between two looks at the emulator; 0 is one second
	Logger *slog.Logger  // nil is slog.Default()
}

// Balancer is every load balancer the emulator holds.
type Balancer struct {
	*emulator.Loop
	options Options
	log     *slog.Logger
	source  *source
	login   *oidc.Authenticator

	mu      sync.Mutex
	groups  map[string]*group  // by target group ARN
	servers map[string]*server // by listener ARN
}

// New checks the options. It opens nothing.
func New(options Options) (*Balancer, error) {
	if options.Endpoint == "" || options.Region == "" {
		return nil, errors.New("endpoint, region: empty; want the emulator's URL and an AWS region")
	}
	if options.Poll == 0 {
		options.Poll = time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	login, err := oidc.New(options.IdentityProviders)
	if err != nil {
		return nil, err
	}
	return &Balancer{
		Loop:    emulator.NewLoop(options.Poll),
		options: options,
		log:     options.Logger,
		source:  newSource(options.Endpoint, options.Region),
		login:   login,
		groups:  map[string]*group{},
		servers: map[string]*server{},
	}, nil
}

// Run follows the emulator until ctx ends, then closes every listener.
func (b *Balancer) Run(ctx context.Context) error {
	defer b.close()
	b.Loop.Run(ctx, b.look)
	return nil
}

// PublicKeys serves the key with which applications verify what a login tells them of the user, as
// https://public-keys.auth.elb.<region>.amazonaws.com/<key id> does.
func (b *Balancer) PublicKeys() http.Handler { return b.login.Keys() }

// Addresses returns the local address of every open listener, by listener ARN.
func (b *Balancer) Addresses() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	addresses := map[string]string{}
	for arn, s := range b.servers {
		addresses[arn] = s.address()
	}
	return addresses
}

// look reads what is wanted, and opens, changes and closes listeners accordingly. Without a change there is nothing to do.
func (b *Balancer) look(ctx context.Context, reads bool) error {
	if !reads {
		return nil
	}
	wanted, err := b.source.read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.log.Warn("the load balancers cannot be read; listeners stay as they are", "error", err)
		}
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for arn, settings := range wanted.groups {
		b.group(arn).configure(settings)
	}
	var failed []error
	for arn, settings := range wanted.listeners {
		if s, ok := b.servers[arn]; ok {
			if s.configure(settings) {
				continue
			}
			s.close() // what an open listener cannot change
		}
		s, err := b.open(settings)
		if err != nil {
			delete(b.servers, arn)
			b.log.Error("listener cannot open", "port", settings.port, "error", err)
			failed = append(failed, err)
			continue
		}
		b.servers[arn] = s
	}
	for arn, s := range b.servers {
		if _, ok := wanted.listeners[arn]; !ok {
			s.close()
			delete(b.servers, arn)
		}
	}
	return errors.Join(failed...)
}

// group returns a target group's record, which may be older than the target group itself. The caller holds b.mu.
func (b *Balancer) group(arn string) *group {
	g, ok := b.groups[arn]
	if !ok {
		g = newGroup(arn, b.log)
		b.groups[arn] = g
	}
	return g
}

func (b *Balancer) find(arn string) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.group(arn)
}

func (b *Balancer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for arn, s := range b.servers {
		s.close()
		delete(b.servers, arn)
	}
	for _, g := range b.groups {
		g.close()
	}
}

// Register adds a target: its name (an address in the VPC) and port, and the local address that reaches it.
func (b *Balancer) Register(targetGroupARN, target string, port int, address string) {
	b.find(targetGroupARN).register(key{target, port}, address)
}

// Deregister sends a target no new request. The channel is closed when no request is in flight any more, when the
// deregistration delay is over, or when ctx ends.
func (b *Balancer) Deregister(ctx context.Context, targetGroupARN, target string, port int) <-chan struct{} {
	return b.find(targetGroupARN).deregister(ctx, key{target, port})
}

// TargetState returns a target's state and its description in ELB's words; "" when it is not registered.
func (b *Balancer) TargetState(targetGroupARN, target string, port int) (state types.TargetHealthStateEnum, description string) {
	for _, t := range b.TargetHealth(targetGroupARN) {
		if *t.Target.Id == target && int(*t.Target.Port) == port {
			return t.TargetHealth.State, *t.TargetHealth.Description
		}
	}
	return "", ""
}

// TargetHealth returns what DescribeTargetHealth shows of a group.
func (b *Balancer) TargetHealth(targetGroupARN string) []types.TargetHealthDescription {
	return b.find(targetGroupARN).health()
}
