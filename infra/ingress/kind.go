package ingress

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/stack"
)

// kinds has one line for each kind of ingress. All else about a kind is in its file.
var kinds = []description{
	ownKind,
	sharedKind,
	apiKind,
}

// description is what is known of a kind of ingress before it is declared, and how it is declared.
type description struct {
	Kind
	// meaning is what the kind is, in a list of all.
	meaning string
	Traits
	// lacks are the paths of settings without effect on the kind, with the reason where it is not plain.
	lacks map[string]string
	// idleTimeout is the default of the setting, which is AWS's own.
	idleTimeout time.Duration
	// refuse refuses what the kind does not allow beyond that. It may be nil.
	refuse func(*settings.Reader, Settings, Beside)
	of     func(*builder) way
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
	// Unusable are zones in which it cannot reach the tasks.
	Unusable stack.Unusable
	// LoadBalancers and PrivateZones are what it costs.
	LoadBalancers, PrivateZones int
}

// Beside are settings of other topics that not every kind of ingress allows.
type Beside struct {
	// Network is the kind of the network; ExistingNetwork is true if the stack does not create it.
	Network         string
	ExistingNetwork bool
	// BodyLimitKiB is the sidecar's. TrustedProxies is true if there are proxies in front of the ingress.
	BodyLimitKiB   int
	TrustedProxies bool
	// OtherMethods is true if NGINX forwards more than the methods of its default.
	OtherMethods bool
	// ScalesOnRequests is true if the number of tasks follows the requests of each.
	ScalesOnRequests bool
}

// way is one kind of ingress, as it is declared.
type way interface {
	// build declares everything that needs no tasks, and fills in the fields of the Ingress.
	build() error
	// publish sends clients to the tasks. ready is known once they are healthy.
	publish(ready pulumi.StringInput) error
	// watch is how it measures what clients see.
	watch(limits metric.Limits) metric.Traffic
}

// names are the values of the setting, and meanings what they mean.
func names() (all []Kind, meanings string) {
	for _, each := range kinds {
		all = append(all, each.Kind)
		meanings += fmt.Sprintf("`%s`, %s; ", each.Kind, each.meaning)
	}

	return all, strings.TrimSuffix(meanings, "; ")
}

// described finds the description of a kind. An unknown kind has been refused, and is described like the first.
func (k Kind) described() description {
	for _, each := range kinds {
		if each.Kind == k {
			return each
		}
	}

	return kinds[0]
}

// has reports whether a setting has an effect on the kind.
func (k Kind) has(path string) bool {
	_, lacks := k.described().lacks[path]

	return !lacks
}

// Traits returns those of the kind.
func (s Settings) Traits() Traits { return s.Kind.described().Traits }

// refuseLacking refuses settings that have no effect on the kind of ingress, so that none is ignored in silence.
func (s Settings) refuseLacking(r *settings.Reader) {
	lacks := s.Kind.described().lacks
	for _, path := range slices.Sorted(maps.Keys(lacks)) {
		if !r.Given(path) {
			continue
		}
		reason := lacks[path]
		if reason != "" {
			reason = ": " + reason
		}
		var others []string
		for _, each := range kinds {
			if each.has(path) {
				others = append(others, string(each.Kind))
			}
		}
		r.Conflict([]string{path, "ingress.kind"}, fmt.Sprintf("set, but without effect with ingress.kind %s%s; allowed with: %s",
			s.Kind, reason, strings.Join(others, ", ")))
	}
}

// CheckBeside refuses settings that the kind of ingress does not allow, when those of all topics have been read.
func (s Settings) CheckBeside(r *settings.Reader, beside Beside) {
	s.refuseLacking(r)
	if refuse := s.Kind.described().refuse; refuse != nil {
		refuse(r, s, beside)
	}
}

// AlarmMetrics is the number of metrics that its alarms read together. AWS charges alarms by it.
func (s Settings) AlarmMetrics() int {
	count := 0
	for _, alarm := range s.Kind.described().of(&builder{Ingress: &Ingress{}}).watch(metric.Limits{}).Alarms {
		count += len(alarm.Metrics)
	}

	return count
}
