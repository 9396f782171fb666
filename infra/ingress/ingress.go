// Package ingress declares the way in from the Internet: an Application Load Balancer with its listeners and security
// group, the certificate and DNS records of its domain, and the target group in which tasks register. It is for an ECS
// service with one HTTP port.
package ingress

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:ingress:Ingress" //nolint:gosec // A type, not a credential.

// NameLimit is the length of the longest logical name of a load balancer or target group, in characters: AWS takes 32,
// of which Pulumi's random suffix needs 8.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
const NameLimit = 32 - 8

const (
	httpPort  = 80
	httpsPort = 443
	// All requests go to one target group, so any weight above 0 would do. AWS's pattern has 100.
	weight   = 100
	anywhere = "0.0.0.0/0"
)

// Args describes an ingress.
type Args struct {
	Settings
	VPCID     pulumi.StringInput
	SubnetIDs pulumi.StringArrayInput
	// AccessLogBucket is the name of the bucket that gets the access logs, or nil without them.
	AccessLogBucket pulumi.StringInput
	// TargetPort is the TCP port on which the targets listen.
	TargetPort int
}

// validate reports missing arguments that the rest of the program has to provide.
func (a Args) validate(name string) error {
	switch longest := len(name + "-alb"); {
	case longest > NameLimit:
		return fmt.Errorf("name of %d characters; allowed: %d", len(name), NameLimit-len("-alb"))
	case a.VPCID == nil || a.SubnetIDs == nil:
		return errors.New("VPC and subnets must be given")
	case a.AccessLogs != (a.AccessLogBucket != nil):
		return errors.New("access logs without a bucket, or a bucket without access logs; allowed: both or neither")
	case a.TargetPort == 0:
		return errors.New("target port must be given")
	}

	return nil
}

// Ingress is a load balancer with its listeners and one target group.
type Ingress struct {
	pulumi.ResourceState

	URL             pulumi.StringOutput
	TargetGroupARN  pulumi.StringOutput
	SecurityGroupID pulumi.StringOutput
	LoadBalancerARN pulumi.StringOutput
	// ListenerARN is the listener that forwards requests to the targets.
	ListenerARN pulumi.StringOutput
	// LoadBalancerSuffix and TargetGroupSuffix are the last parts of the ARNs, by which metrics name the two.
	LoadBalancerSuffix, TargetGroupSuffix pulumi.StringOutput
	// Listeners must exist before a service registers targets: ECS refuses a target group without a load balancer.
	Listeners []pulumi.Resource
	// TargetGroup belongs to one service. When it is replaced, the service is replaced too.
	TargetGroup pulumi.Resource

	args         Args
	loadBalancer *lb.LoadBalancer
	forwarding   *lb.Listener
}

// New declares a load balancer.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Ingress, error) {
	if err := args.validate(name); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}

	i := &Ingress{args: args}
	if err := ctx.RegisterComponentResource(Token, name, i, opts...); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}
	if err := i.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}

	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{
		"url":             i.URL,
		"targetGroupArn":  i.TargetGroupARN,
		"securityGroupId": i.SecurityGroupID,
	})
}

func (i *Ingress) build(ctx *pulumi.Context, name string, args Args) error {
	group, err := i.securityGroup(ctx, name, args)
	if err != nil {
		return err
	}
	if i.loadBalancer, err = i.newLoadBalancer(ctx, name, args, group); err != nil {
		return err
	}
	targets, err := i.newTargetGroup(ctx, name, args)
	if err != nil {
		return err
	}
	if err := i.listen(ctx, name, args, targets); err != nil {
		return err
	}

	i.URL = address(args, i.loadBalancer)
	i.TargetGroup, i.TargetGroupARN, i.TargetGroupSuffix = targets, targets.Arn, targets.ArnSuffix
	i.LoadBalancerARN, i.LoadBalancerSuffix = i.loadBalancer.Arn, i.loadBalancer.ArnSuffix
	i.ListenerARN = i.forwarding.Arn
	i.SecurityGroupID = group.ID().ToStringOutput()

	return nil
}

// listen declares the listeners. The last one forwards requests to the targets.
func (i *Ingress) listen(ctx *pulumi.Context, name string, args Args, targets *lb.TargetGroup) (err error) {
	if args.listensOnHTTP() {
		if i.forwarding, err = i.httpListener(ctx, name, args, targets); err != nil {
			return err
		}
		i.Listeners = append(i.Listeners, i.forwarding)
	}
	if args.Encrypted() {
		if i.forwarding, err = i.httpsListener(ctx, name, args, targets); err != nil {
			return err
		}
		i.Listeners = append(i.Listeners, i.forwarding)
	}

	return nil
}

// address returns the URL at which clients reach the service.
func address(args Args, loadBalancer *lb.LoadBalancer) pulumi.StringOutput {
	switch {
	case !args.Encrypted():
		return pulumi.Sprintf("http://%s", loadBalancer.DnsName)
	case args.Domain == "":
		return pulumi.Sprintf("https://%s", loadBalancer.DnsName)
	default:
		return pulumi.Sprintf("https://%s", args.Domain)
	}
}

// securityGroup lets clients connect to the listeners' ports. The rule for the load balancer's own connections, which may
// go to the targets alone, is added by the service, because only the service knows the targets' security group.
func (i *Ingress) securityGroup(ctx *pulumi.Context, name string, args Args) (*ec2.SecurityGroup, error) {
	group, err := ec2.NewSecurityGroup(ctx, name+"-alb", &ec2.SecurityGroupArgs{
		// A changed description would replace the group, so this one mentions nothing that may change.
		Description: pulumi.String("Load balancer"),
		VpcId:       args.VPCID,
	}, pulumi.Parent(i))
	if err != nil {
		return nil, fmt.Errorf("security group: %w", err)
	}

	ports := map[string]int{}
	if args.listensOnHTTP() {
		ports["http"] = httpPort
	}
	if args.Encrypted() {
		ports["https"] = httpsPort
	}
	for protocol, port := range ports {
		if err := i.letIn(ctx, name+"-alb-"+protocol, port, args, group); err != nil {
			return nil, err
		}
	}

	return group, nil
}

// letIn declares one rule for each source of clients. Each rule is named after its source, so that adding or removing a
// source does not touch the other rules.
func (i *Ingress) letIn(ctx *pulumi.Context, name string, port int, args Args, group *ec2.SecurityGroup) error {
	rules := map[string]*vpc.SecurityGroupIngressRuleArgs{}
	for _, cidr := range args.ClientCIDRs {
		from := name + "-from-" + strings.ReplaceAll(cidr, "/", "-")
		if cidr == anywhere {
			from = name
		}
		rules[from] = &vpc.SecurityGroupIngressRuleArgs{CidrIpv4: pulumi.String(cidr)}
	}
	if args.ClientPrefixListID != "" {
		rules[name+"-from-"+args.ClientPrefixListID] = &vpc.SecurityGroupIngressRuleArgs{
			PrefixListId: pulumi.String(args.ClientPrefixListID),
		}
	}

	for from, rule := range rules {
		rule.SecurityGroupId = group.ID()
		rule.Description = pulumi.String("Clients")
		rule.IpProtocol = pulumi.String("tcp")
		rule.FromPort, rule.ToPort = pulumi.Int(port), pulumi.Int(port)
		if _, err := vpc.NewSecurityGroupIngressRule(ctx, from, rule, pulumi.Parent(i)); err != nil {
			return fmt.Errorf("security group rule: %w", err)
		}
	}

	return nil
}

func (i *Ingress) newLoadBalancer(
	ctx *pulumi.Context, name string, args Args, group *ec2.SecurityGroup,
) (*lb.LoadBalancer, error) {
	loadBalancer, err := lb.NewLoadBalancer(ctx, name+"-alb", &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"),
		Internal:         pulumi.Bool(false),
		IpAddressType:    pulumi.String("ipv4"),
		Subnets:          args.SubnetIDs,
		SecurityGroups:   pulumi.StringArray{group.ID()},
		IdleTimeout:      pulumi.Int(int(args.IdleTimeout.Seconds())),
		ClientKeepAlive:  pulumi.Int(int(args.ClientKeepAlive.Seconds())),
		// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-4
		DropInvalidHeaderFields: pulumi.Bool(true),
		// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-12
		DesyncMitigationMode:     pulumi.String("defensive"),
		AccessLogs:               accessLogs(args.AccessLogBucket),
		EnableDeletionProtection: pulumi.Bool(args.DeletionProtection),
	},
		pulumi.Parent(i), pulumi.Protect(args.DeletionProtection),
		// The security group is replaced when the VPC changes, and a load balancer cannot move to another VPC.
		pulumi.ReplaceWith([]pulumi.Resource{group}),
	)
	if err != nil {
		return nil, fmt.Errorf("load balancer: %w", err)
	}

	return loadBalancer, nil
}

// accessLogs states explicitly that there are none, too. If the block were left out, the AWS provider would leave the
// load balancer as it is, and it would go on writing to a bucket that is about to be deleted.
func accessLogs(bucket pulumi.StringInput) lb.LoadBalancerAccessLogsArgs {
	if bucket == nil {
		return lb.LoadBalancerAccessLogsArgs{Enabled: pulumi.Bool(false), Bucket: pulumi.String("")}
	}

	return lb.LoadBalancerAccessLogsArgs{Enabled: pulumi.Bool(true), Bucket: bucket}
}

func (i *Ingress) newTargetGroup(ctx *pulumi.Context, name string, args Args) (*lb.TargetGroup, error) {
	protocol := "HTTP"
	if args.TargetTLS {
		protocol = "HTTPS"
	}
	targets, err := lb.NewTargetGroup(ctx, name+"-tg", &lb.TargetGroupArgs{
		VpcId:               args.VPCID,
		TargetType:          pulumi.String("ip"),
		Port:                pulumi.Int(args.TargetPort),
		Protocol:            pulumi.String(protocol),
		ProtocolVersion:     pulumi.String("HTTP1"),
		DeregistrationDelay: pulumi.Int(int(args.DeregistrationDelay.Seconds())),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled:            pulumi.Bool(true),
			Protocol:           pulumi.String(protocol),
			Port:               pulumi.String("traffic-port"),
			Path:               pulumi.String(args.HealthCheck.Path),
			Matcher:            pulumi.String(strconv.Itoa(200)),
			Interval:           pulumi.Int(int(args.HealthCheck.Interval.Seconds())),
			Timeout:            pulumi.Int(int(args.HealthCheck.Timeout.Seconds())),
			HealthyThreshold:   pulumi.Int(args.HealthCheck.Healthy),
			UnhealthyThreshold: pulumi.Int(args.HealthCheck.Unhealthy),
		},
	},
		pulumi.Parent(i), pulumi.Protect(args.DeletionProtection),
		// A target group works with one load balancer only: a new load balancer cannot take over the old one's group.
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
		pulumi.ReplaceWith([]pulumi.Resource{i.loadBalancer}),
	)
	if err != nil {
		return nil, fmt.Errorf("target group: %w", err)
	}

	return targets, nil
}

func (i *Ingress) httpListener(
	ctx *pulumi.Context, name string, args Args, targets *lb.TargetGroup,
) (*lb.Listener, error) {
	action := forward(targets)
	if args.Encrypted() {
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
	listener, err := lb.NewListener(ctx, name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: i.loadBalancer.Arn,
		Port:            pulumi.Int(httpPort),
		Protocol:        pulumi.String("HTTP"),
		DefaultActions:  lb.ListenerDefaultActionArray{action},
		// A listener that only redirects may be deleted: it sends no request to the service.
	}, pulumi.Parent(i), pulumi.Protect(args.DeletionProtection && !args.Encrypted()))
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
