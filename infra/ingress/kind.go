package ingress

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
)

// kinds has one line for each kind of ingress. All else about a kind is in its file.
var kinds = map[Kind]description{
	Own:        ownKind,
	Shared:     sharedKind,
	APIGateway: apiKind,
}

// description is what is known of a kind of ingress before it is declared, and how it is declared.
type description struct {
	Traits
	of func(*Ingress, Args) way
}

// Traits are those that other topics depend on.
type Traits struct {
	// Name is what sends the requests to the tasks.
	Name string
	// FromTaskSubnets is true if requests come from the subnets of the tasks, and false if they come from the public ones.
	FromTaskSubnets bool
	// Client is the name that the sidecar has for it, if it finds the client's address in another way than behind a load
	// balancer.
	Client string
	// Drains is true if it probes the tasks, and sends no more requests to a task that is about to be removed.
	Drains bool
	// Firewall is true if a web ACL can be associated with it.
	Firewall bool
	// LoadBalancers and PrivateZones are what it costs.
	LoadBalancers, PrivateZones int
}

// way is one kind of ingress, as it is declared.
type way interface {
	// build declares everything that needs no tasks, and fills in the fields of the Ingress.
	build(ctx *pulumi.Context, name string) error
	// publish sends clients to the tasks. ready is known once they are healthy.
	publish(ctx *pulumi.Context, name string, ready pulumi.StringInput) error
	// watch is how it measures what clients see.
	watch(limits metric.Limits) metric.Traffic
}

// Traits returns those of the kind.
func (s Settings) Traits() Traits { return kinds[s.Kind].Traits }

// AlarmMetrics is the number of metrics that its alarms read together. AWS charges alarms by it.
func (s Settings) AlarmMetrics() int {
	count := 0
	for _, alarm := range kinds[s.Kind].of(&Ingress{}, Args{}).watch(metric.Limits{}).Alarms {
		count += len(alarm.Metrics)
	}

	return count
}
