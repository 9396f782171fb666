package ingress

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/stack"
)

const (
	httpPort  = 80
	httpsPort = 443

	anywhere     = "0.0.0.0/0"
	anywhereIPv6 = "::/0"
)

// idleBalancer is a load balancer's idle timeout where nobody has set another.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
const idleBalancer = time.Minute

var ownKind = description{
	Kind:        "alb",
	meaning:     "an Application Load Balancer of the stack's own",
	lacks:       map[string]string{"ingress.shared": "", "ingress.throttle": ""},
	Traits:      Traits{Name: "load balancer", Drains: true, Firewall: true, LoadBalancers: 1},
	idleTimeout: idleBalancer,
	of:          func(b *builder) way { return &ownLoadBalancer{builder: b} },
}

// ownLoadBalancer is a load balancer that the stack has for itself, until other stacks put rules on its listener.
type ownLoadBalancer struct {
	*builder
	group        *ec2.SecurityGroup
	loadBalancer *lb.LoadBalancer
	targets      *lb.TargetGroup
	forwarding   *lb.Listener
}

// tlsPolicy allows TLS 1.2 with forward secrecy, and TLS 1.3: what Security Hub recommends, and every current browser has.
// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-17
const tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

// clientKeepAlive is AWS's own default, in seconds: how long a client may keep a connection, even one in use.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#http-client-keep-alive-duration
const clientKeepAlive = 3600

func (i *ownLoadBalancer) build() (err error) {
	if err := i.declareSecurityGroup(); err != nil {
		return err
	}
	if err := i.declareLoadBalancer(); err != nil {
		return err
	}
	i.Noticed = append(i.Noticed, Noticed{"load balancer", i.loadBalancer.Arn})
	if i.targets, err = i.newTargetGroup(i.Name+"-tg", pulumi.ReplaceWith([]pulumi.Resource{i.loadBalancer})); err != nil {
		return err
	}
	if err := i.listen(); err != nil {
		return err
	}

	i.URL = i.address()
	i.listenerARN, i.LoadBalancerARN, i.loadBalancerSuffix = i.forwarding.Arn, i.loadBalancer.Arn, i.loadBalancer.ArnSuffix
	i.RequestsLabel = pulumi.Sprintf("%s/%s", i.loadBalancerSuffix, i.targetGroupSuffix)
	// For stacks with rules of their own on this load balancer.
	i.Outputs = pulumi.Map{"loadBalancerArn": i.loadBalancer.Arn, "listenerArn": i.forwarding.Arn}
	i.SecurityGroupID = i.group.ID().ToStringOutput()
	if i.OIDC.Issuer != "" {
		return i.allowIssuerEgress()
	}

	return nil
}

// listen declares the listeners. The last one forwards requests to the targets.
func (i *ownLoadBalancer) listen() (err error) {
	if i.listensOnHTTP() {
		if i.forwarding, err = i.httpListener(); err != nil {
			return err
		}
		i.Before = append(i.Before, i.forwarding)
	}
	if i.Encrypted() {
		if i.forwarding, err = i.httpsListener(); err != nil {
			return err
		}
		i.Before = append(i.Before, i.forwarding)
	}

	return nil
}

// address returns the URL at which clients reach the service.
func (i *ownLoadBalancer) address() pulumi.StringOutput {
	switch {
	case !i.Encrypted():
		return pulumi.Sprintf("http://%s", i.loadBalancer.DnsName)
	case i.Domain == "":
		return pulumi.Sprintf("https://%s", i.loadBalancer.DnsName)
	default:
		return pulumi.Sprintf("https://%s", i.Domain)
	}
}

// declareSecurityGroup lets clients connect to the listeners' ports. The rule for the load balancer's own connections, which may
// go to the targets alone, is added by the service, because only the service knows the targets' security group.
func (i *ownLoadBalancer) declareSecurityGroup() (err error) {
	i.group, err = ec2.NewSecurityGroup(i.ctx, i.Name+"-alb", &ec2.SecurityGroupArgs{
		// A changed description would replace the group, so this one mentions nothing that may change.
		Description: pulumi.String("Load balancer"),
		VpcId:       i.VPCID,
	}, i.child)
	if err != nil {
		return fmt.Errorf("security group: %w", err)
	}

	for protocol, port := range i.ports() {
		if err := i.letIn(i.Name+"-alb-"+protocol, port); err != nil {
			return err
		}
	}

	return nil
}

// letIn declares one rule for each source of clients. Each rule is named after its source, so that adding or removing a
// source does not touch the other rules.
func (i *ownLoadBalancer) letIn(name string, port int) error {
	rules := map[string]*vpc.SecurityGroupIngressRuleArgs{}
	for _, cidr := range i.Clients {
		from := name + "-from-" + strings.NewReplacer("/", "-", ":", ".").Replace(cidr)
		switch {
		case isPrefixList(cidr):
			rules[from] = &vpc.SecurityGroupIngressRuleArgs{PrefixListId: pulumi.String(cidr)}
		case cidr == anywhere:
			rules[name] = &vpc.SecurityGroupIngressRuleArgs{CidrIpv4: pulumi.String(cidr)}
		case isIPv6(cidr):
			rules[from] = &vpc.SecurityGroupIngressRuleArgs{CidrIpv6: pulumi.String(cidr)}
		default:
			rules[from] = &vpc.SecurityGroupIngressRuleArgs{CidrIpv4: pulumi.String(cidr)}
		}
	}

	for from, rule := range rules {
		rule.SecurityGroupId = i.group.ID()
		rule.Description = pulumi.String("Clients")
		rule.IpProtocol = pulumi.String("tcp")
		rule.FromPort, rule.ToPort = pulumi.Int(port), pulumi.Int(port)
		if _, err := vpc.NewSecurityGroupIngressRule(i.ctx, from, rule, i.child); err != nil {
			return fmt.Errorf("security group rule: %w", err)
		}
	}

	return nil
}

func (i *ownLoadBalancer) declareLoadBalancer() (err error) {
	i.loadBalancer, err = lb.NewLoadBalancer(i.ctx, i.Name+"-alb", &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"),
		Internal:         pulumi.Bool(i.Internal),
		IpAddressType:    pulumi.String(string(i.AddressType)),
		Subnets:          i.SubnetIDs,
		SecurityGroups:   pulumi.StringArray{stack.OwnRulesOnly(i.ctx, i.group, i.child)},
		IdleTimeout:      pulumi.Int(int(i.IdleTimeout.Seconds())),
		ClientKeepAlive:  pulumi.Int(clientKeepAlive),
		// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-4
		DropInvalidHeaderFields: pulumi.Bool(true),
		// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-12
		DesyncMitigationMode:     pulumi.String("defensive"),
		AccessLogs:               accessLogs(i.AccessLogBucket),
		EnableDeletionProtection: pulumi.Bool(i.Protect),
	},
		i.child, pulumi.Protect(i.Protect),
		// The security group is replaced when the VPC changes, and a load balancer cannot move to another VPC.
		pulumi.ReplaceWith([]pulumi.Resource{i.group}),
	)
	if err != nil {
		return fmt.Errorf("load balancer: %w", err)
	}

	return nil
}

// accessLogs states explicitly that there are none, too. If the block were left out, the AWS provider would leave the
// load balancer as it is, and it would go on writing to a bucket that is about to be deleted.
func accessLogs(bucket pulumi.StringInput) lb.LoadBalancerAccessLogsArgs {
	if bucket == nil {
		return lb.LoadBalancerAccessLogsArgs{Enabled: pulumi.Bool(false), Bucket: pulumi.String("")}
	}

	return lb.LoadBalancerAccessLogsArgs{Enabled: pulumi.Bool(true), Bucket: bucket}
}

func (i *ownLoadBalancer) httpListener() (*lb.Listener, error) {
	action := forward(i.targets)
	if i.Encrypted() {
		action = lb.ListenerDefaultActionArgs{
			Type: pulumi.String("redirect"),
			Redirect: lb.ListenerDefaultActionRedirectArgs{
				Protocol:   pulumi.String("HTTPS"),
				Port:       pulumi.String(strconv.Itoa(httpsPort)),
				Host:       pulumi.String("#{host}"),
				Path:       pulumi.String("/#{path}"),
				Query:      pulumi.String("#{query}"),
				StatusCode: pulumi.String("HTTP_301"),
			},
		}
	}
	listener, err := lb.NewListener(i.ctx, i.Name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: i.loadBalancer.Arn,
		Port:            pulumi.Int(httpPort),
		Protocol:        pulumi.String("HTTP"),
		DefaultActions:  lb.ListenerDefaultActionArray{action},
		// A listener that only redirects may be deleted: it sends no request to the service.
	}, i.child, pulumi.Protect(i.Protect && !i.Encrypted()))
	if err != nil {
		return nil, fmt.Errorf("HTTP listener: %w", err)
	}

	return listener, nil
}

// forward sends requests to the targets.
func forward(targets *lb.TargetGroup) lb.ListenerDefaultActionArgs {
	return lb.ListenerDefaultActionArgs{
		Type: pulumi.String("forward"),
		Forward: lb.ListenerDefaultActionForwardArgs{
			TargetGroups: lb.ListenerDefaultActionForwardTargetGroupArray{
				lb.ListenerDefaultActionForwardTargetGroupArgs{Arn: targets.Arn, Weight: pulumi.Int(weight)},
			},
		},
	}
}

func (i *ownLoadBalancer) httpsListener() (*lb.Listener, error) {
	certificate, err := i.declareCertificate()
	if err != nil {
		return nil, err
	}
	forwarding := forward(i.targets)
	actions := lb.ListenerDefaultActionArray{forwarding}
	if i.OIDC.Issuer != "" {
		forwarding.Order = pulumi.Int(2)
		actions = lb.ListenerDefaultActionArray{i.defaultLogin(), forwarding}
	}
	listener, err := lb.NewListener(i.ctx, i.Name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: i.loadBalancer.Arn,
		Port:            pulumi.Int(httpsPort),
		Protocol:        pulumi.String("HTTPS"),
		SslPolicy:       pulumi.String(tlsPolicy),
		CertificateArn:  certificate,
		DefaultActions:  actions,
	}, i.child, pulumi.Protect(i.Protect))
	if err != nil {
		return nil, fmt.Errorf("HTTPS listener: %w", err)
	}

	return listener, nil
}

// publish declares the rule that forwards every request to the target group, and the domain's DNS record. The rule comes
// last, so that other stacks can put rules of their own before it.
//
// When a change replaces the target group, the engine first creates the new group and a new service for it, then changes
// this rule, and finally deletes the old group and service. Until the rule changes, it keeps forwarding to the old group.
// The listener's default action already points to the new group, which is still empty, but the rule takes precedence.
func (i *ownLoadBalancer) publish(ready pulumi.StringInput) error {
	traffic, err := i.declareTraffic(
		rule{priority: lastPriority, conditions: lb.ListenerRuleConditionArray{onPaths("/*")}, targets: i.once(ready, i.TargetGroupARN)},
		lb.ListenerRuleConditionArray{onPaths(i.OIDC.patterns()...)})
	if err != nil || i.HostedZoneID == "" {
		return err
	}

	return i.declareAlias(target{i.loadBalancer.DnsName, i.loadBalancer.ZoneId}, traffic)
}

func (i *ownLoadBalancer) watch(limits metric.Limits) metric.Traffic {
	w := i.balancerWatch(limits)
	refused := w.of("HTTPCode_ELB_5XX_Count", "Sum", w.balancer)
	watched := w.graphs()
	watched.Errors = append(watched.Errors, metric.Line{Metric: refused, Label: "5xx of the load balancer", Colour: metric.DarkRed})
	watched.Alarms = []metric.Alarm{
		// Deployments are not rolled back on this alarm: a new target group has no tasks for a moment, and a rollback
		// would then restore a revision to which no listener sends requests.
		errorAlarm("alb-5xx", w.requests, refused, limits, false,
			fmt.Sprintf("The load balancer itself answered at least %d %% of the requests with 5xx in 3 of the last 5 minutes: "+
				"either no task is healthy, or the tasks do not answer in time.", limits.ErrorPercent)),
		w.failedTasks(),
		w.slowTasks(),
		{
			Name:        "rejected-connections",
			Description: "The load balancer rejected connections in 3 of the last 5 minutes, because it had reached its maximum number of connections.",
			Metrics:     []metric.Metric{w.of("RejectedConnectionCount", "Sum", w.balancer)},
			Threshold:   1, Bad: 3, Of: 5, Missing: metric.QuietIsFine,
		},
		w.unhealthyTasks(),
	}

	return watched
}
