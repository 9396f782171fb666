package ingress

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/settings"
)

// owners is why a setting has no effect on a shared load balancer.
const owners = "this belongs to the owner of the load balancer"

var sharedKind = description{
	Kind:    "shared",
	meaning: "rules on an existing load balancer, which `ingress.shared` describes",
	lacks: map[string]string{
		"ingress.throttle": "", "ingress.firewall": owners, "ingress.clients": owners, "ingress.ipv6": owners, "ingress.internal": owners,
		"ingress.http": owners, "ingress.accessLogs": owners, "domain.name": owners, "domain.aliases": owners, "domain.zone": owners,
		"domain.certificate": owners,
	},
	idleTimeout: idleBalancer,
	refuse:      refuseShared,
	Traits:      Traits{Name: "load balancer", Drains: true},
	of:          func(b *builder) way { return &sharedLoadBalancer{builder: b} },
}

// sharedLoadBalancer puts rules on a listener that belongs to somebody else, such as another stack of this program.
type sharedLoadBalancer struct {
	*builder
	first int
}

// Each stack takes three numbers in a row for its rules: from the given or derived one, in this order. The first number is one
// of 1, 4, 7 and so on, so that no two stacks share some of their numbers, and no stack meets its own old ones when it moves.
const (
	attachRule = iota
	loginRule
	trafficRule
	rulesOfAStack
)

// lastFirstPriority is the highest first priority of a stack. The last three numbers belong to the load balancer's owner,
// whose own rule takes whatever no other rule has taken.
const lastFirstPriority = 1 + (lastPriority-2*rulesOfAStack)/rulesOfAStack*rulesOfAStack

// attachPath is a path that the sidecar answers with 404.
const attachPath = "/.sidecar/attached"

func (s *sharedLoadBalancer) build() error {
	s.first = s.SharedLoadBalancer.Priority
	if s.first == 0 {
		s.first = derivedPriority(s.ctx.Project(), s.ctx.Stack(), s.Name)
	}
	s.listenerARN = pulumi.String(s.SharedLoadBalancer.ListenerARN)
	s.lookUp()

	// Its name differs from that of the group behind a load balancer of the stack's own: when a stack changes its ingress, it
	// needs a new group.
	targets, err := s.newTargetGroup(s.Name+"-shr", pulumi.ReplacementTrigger(pulumi.String(s.SharedLoadBalancer.ListenerARN)))
	if err != nil {
		return err
	}
	s.RequestsLabel = pulumi.Sprintf("%s/%s", s.loadBalancerSuffix, s.targetGroupSuffix)
	// ECS registers tasks only in a target group that has a load balancer. This rule gives it one before there are tasks,
	// and sends it nothing but requests for a page that does not exist.
	attached, err := s.declareRule(rule{
		name: s.Name + "-attach", priority: s.first + attachRule, conditions: s.conditions(attachPath), targets: targets.Arn,
	})
	s.Before = []pulumi.Resource{attached}

	return err
}

// lookUp finds what the load balancer's owner decided.
func (s *sharedLoadBalancer) lookUp() {
	listener := lb.LookupListenerOutput(s.ctx, lb.LookupListenerOutputArgs{Arn: pulumi.String(s.SharedLoadBalancer.ListenerARN)}, s.child)
	found := lb.LookupLoadBalancerOutput(s.ctx, lb.LookupLoadBalancerOutputArgs{Arn: listener.LoadBalancerArn()}, s.child)
	checked := pulumi.All(found, s.VPCID, s.SubnetIDs).ApplyT(func(values []any) (lb.LookupLoadBalancerResult, error) {
		balancer := values[0].(lb.LookupLoadBalancerResult)
		return balancer, compare(balancer, values[1].(string), values[2].([]string), s.IdleTimeout)
	}).(lb.LookupLoadBalancerResultOutput)

	s.LoadBalancerARN, s.loadBalancerSuffix = checked.Arn(), checked.ArnSuffix()
	s.SecurityGroupID = checked.SecurityGroups().Index(pulumi.Int(0))
	s.URL = pulumi.Sprintf("%s://%s", listener.Protocol().ApplyT(strings.ToLower), s.host(found.DnsName()))
	if s.OIDC.Issuer != "" {
		s.listenerARN = pulumi.All(listener.Arn(), listener.Protocol()).ApplyT(func(values []any) (string, error) {
			if protocol := values[1].(string); protocol != "HTTPS" {
				return "", fmt.Errorf("login: the shared listener's protocol is %s; allowed: HTTPS", protocol)
			}
			return values[0].(string), nil
		}).(pulumi.StringOutput)
	}
}

// compare compares what was set for this stack with what is true of the load balancer.
func compare(balancer lb.LookupLoadBalancerResult, vpcID string, subnets []string, idle time.Duration) error {
	var errs []error
	if balancer.VpcId != vpcID {
		errs = append(errs, fmt.Errorf("network.vpc: %s; allowed: the load balancer's, %s", vpcID, balancer.VpcId))
	}
	for _, id := range balancer.Subnets {
		if !slices.Contains(subnets, id) {
			errs = append(errs, fmt.Errorf("network.publicSubnets: %s is missing; allowed: all subnets of the load balancer, from which it sends requests", id))
		}
	}
	if seconds := int(idle.Seconds()); seconds != balancer.IdleTimeout {
		errs = append(errs, fmt.Errorf("ingress.idleTimeout: %ds; allowed: the load balancer's, %ds", seconds, balancer.IdleTimeout))
	}
	// The sidecar takes the client's address from the end of X-Forwarded-For. An empty mode is the default, append.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	if mode := balancer.XffHeaderProcessingMode; mode != "" && mode != "append" {
		errs = append(errs, fmt.Errorf("ingress.shared.listener: the load balancer's routing.http.xff_header_processing.mode is %s, "+
			"with which it does not say who the client is, and clients write an address of their own or share one; allowed: append", mode))
	}
	if len(balancer.SecurityGroups) == 0 {
		errs = append(errs, errors.New("ingress.shared.listener: the load balancer has no security group; allowed: an Application Load Balancer"))
	}

	return errors.Join(errs...)
}

// host is the first host that is a name. Without one, it is a name that the first pattern admits: a request to the load
// balancer's own would meet no rule. Only a stack without hosts has that.
func (s *sharedLoadBalancer) host(own pulumi.StringOutput) pulumi.StringOutput {
	hosts := s.SharedLoadBalancer.Hosts
	if len(hosts) == 0 || hosts[0] == "*" {
		return own
	}
	for _, host := range hosts {
		if !strings.ContainsAny(host, "*?") {
			return pulumi.String(host).ToStringOutput()
		}
	}

	return pulumi.String(strings.NewReplacer("*", s.Name, "?", s.Name[:1]).Replace(hosts[0])).ToStringOutput()
}

// conditions are those of the settings, or the hosts of the settings together with other paths.
func (s *sharedLoadBalancer) conditions(paths ...string) lb.ListenerRuleConditionArray {
	var all lb.ListenerRuleConditionArray
	if hosts := s.SharedLoadBalancer.Hosts; len(hosts) > 0 {
		all = append(all, onHosts(hosts...))
	}
	if len(paths) > 0 {
		all = append(all, onPaths(paths...))
	}

	return all
}

// publish declares the rule that sends clients to the tasks. Until then they get the answer of the owner's last rule.
func (s *sharedLoadBalancer) publish(ready pulumi.StringInput) error {
	_, err := s.declareTraffic(
		rule{priority: s.first + trafficRule, conditions: s.conditions(s.SharedLoadBalancer.Paths...), targets: s.once(ready, s.TargetGroupARN)},
		s.conditions(s.OIDC.patterns()...))

	return err
}

// watch leaves out what the load balancer does as a whole, which says nothing about this service.
func (s *sharedLoadBalancer) watch(limits metric.Limits) metric.Traffic {
	w := s.balancerWatch(limits)
	w.requests.Dimensions = w.targets
	watched := w.graphs()
	watched.Alarms = []metric.Alarm{w.failedTasks(), w.slowTasks(), w.unhealthyTasks()}

	return watched
}

// derivedPriority is the same at every update of a stack, and most likely differs from those of other stacks. AWS refuses
// a priority that is in use. The AWS provider would choose the number after the highest one, which lies beyond the rule
// of an owner that takes all other requests.
// https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/elbv2/listener_rule.go (highestListenerRulePriority)
func derivedPriority(names ...string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(strings.Join(names, "/"))) // it never fails

	return 1 + rulesOfAStack*int(hash.Sum32()%(1+lastFirstPriority/rulesOfAStack))
}

// Patterns as a load balancer takes them, with * for any characters and ? for one.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
var (
	listener = settings.Pattern("arn:aws:elasticloadbalancing:<region>:<account>:listener/app/<name>/<id>/<id>",
		`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}/[0-9a-f]{16}$`)
	hostCondition = settings.Pattern("host names of letters, digits, hyphens and dots, in which * stands for any characters and ? for one", `^[A-Za-z0-9*?.-]{1,128}$`)
	pathCondition = settings.Pattern("paths that begin with /, in which * stands for any characters and ? for one", "^/[A-Za-z0-9*?_.$/~\"'@:+&-]{0,127}$")
)

// mostPatterns is the number of patterns that the conditions of one rule can have.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const mostPatterns = 5

func readShared(r *settings.Reader, ingress settings.Group) SharedLoadBalancer {
	const source = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html"
	g := ingress.Group("shared", "The listener of an existing load balancer, and the requests for this stack. `network.kind` must be `existing`, with the load balancer's VPC and subnets.")
	s := SharedLoadBalancer{
		ListenerARN: g.Required("listener", listener, "ARN of the listener that gets the rules.", source),
		Hosts: g.Texts("hosts", nil, hostCondition,
			"Hosts of the requests for this stack. Hosts and paths together: at least one pattern, at most five.", source),
		Paths: g.Texts("paths", nil, pathCondition, "Paths of the requests for this stack.", source),
		Priority: g.Else("derived").Int("priority", 0, 1, lastFirstPriority, "",
			"First of three numbers in a row for the stack's rules, of which lower ones come first: 1, 4, 7 and so on. By default derived from the names of project, stack and service.", source),
	}
	if beyond := (s.Priority - 1) % rulesOfAStack; s.Priority > 0 && beyond != 0 {
		r.Fail("ingress.shared.priority", strconv.Itoa(s.Priority), fmt.Sprintf("each third number, so that the three of a stack meet no others: 1, 4, 7 and so on, here %d or %d",
			s.Priority-beyond, s.Priority-beyond+rulesOfAStack))
	}
	if patterns := len(s.Hosts) + len(s.Paths); patterns > mostPatterns {
		r.Fail("ingress.shared", fmt.Sprintf("%d hosts and paths", patterns), fmt.Sprintf("at most %d together", mostPatterns))
	}

	return s
}

// refuseShared refuses a shared load balancer that is not described, and a network that it cannot be in.
func refuseShared(r *settings.Reader, s Settings, beside Beside) {
	given := s.SharedLoadBalancer
	if given.ListenerARN == "" || len(given.Hosts)+len(given.Paths) == 0 {
		r.Conflict([]string{"ingress.kind", "ingress.shared"}, "the kind is shared; set listener, and hosts or paths")
	}
	if !beside.ExistingNetwork {
		r.Conflict([]string{"ingress.kind", "network.kind"},
			fmt.Sprintf("the ingress is shared, but the network is %s; allowed with: existing, the network of the load balancer", beside.Network))
	}
}
