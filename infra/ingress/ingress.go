// Package ingress declares the way in from the Internet, for an ECS service with one HTTP port. There are three kinds: a
// load balancer of the stack's own, a rule on a load balancer that exists, and an API of API Gateway. Each kind has a file
// that implements way; what several kinds need is in the other files.
package ingress

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/metric"
	"fargate-nginx-sidecar/infra/override"
	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack. It is the same for all kinds, so that the domain's DNS record stays one
// resource when a stack changes its kind.
const Token = "fargate-nginx-sidecar:ingress:Ingress" //nolint:gosec // A type, not a credential.

// All requests go to one target group, so any weight above 0 would do. AWS's pattern has 100.
const weight = 100

// Args describes an ingress.
type Args struct {
	stack.Info
	Settings
	VPCID pulumi.StringInput
	// SubnetIDs are public subnets.
	SubnetIDs pulumi.StringArrayInput
	// AccessLogBucket is the name of the bucket that gets the access logs, or nil without them.
	AccessLogBucket pulumi.StringInput
	// TargetPort is the TCP port on which the targets listen.
	TargetPort int
	// TaskSubnetIDs are the subnets of the tasks, from which an API reaches them.
	TaskSubnetIDs pulumi.StringArrayInput
	// HealthCheck is how the load balancer probes the tasks, and Drain the time that requests have to finish when their task
	// is removed.
	HealthCheck HealthCheck
	Drain       time.Duration
	// Overrides are arguments of the target group, by the names that Pulumi gives them.
	Overrides map[string]any
}

// Ingress is a way in, as the rest of the program sees it.
type Ingress struct {
	pulumi.ResourceState

	// URL is the address at which clients reach the service.
	URL pulumi.StringOutput
	// SecurityGroupID is the group of what sends requests to the tasks.
	SecurityGroupID pulumi.StringOutput
	// Target is where the tasks register: a target group, or a service of Cloud Map. When it is replaced, the ECS service
	// is replaced too. One of the two ARNs is nil.
	Target                      pulumi.Resource
	TargetGroupARN, RegistryARN pulumi.StringInput
	// Before must exist before a service registers tasks: ECS refuses a target group without a load balancer.
	Before []pulumi.Resource

	// LoadBalancerARN is nil without a load balancer.
	LoadBalancerARN pulumi.StringInput
	// RequestsLabel names it as the metric of requests per task does; nil if there is no such metric.
	RequestsLabel pulumi.StringInput
	// Outputs are for stacks that share it, by their names.
	Outputs pulumi.Map
	// Noticed are those of its resources whose replacement clients notice.
	Noticed []Noticed

	listenerARN                           pulumi.StringInput
	loadBalancerSuffix, targetGroupSuffix pulumi.StringInput // the last parts of the ARNs, as metrics have them
	way                                   way
}

// Noticed is a resource with an output that is unknown in a preview that would create it.
type Noticed struct {
	Name   string
	Output pulumi.StringOutput
}

// New declares everything that needs no tasks. Publish declares the rest.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Ingress, error) {
	i := &Ingress{}
	if err := ctx.RegisterComponentResource(Token, args.Name, i, opts...); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", args.Name, err)
	}
	i.way = args.Kind.described().of(&builder{Ingress: i, Args: args, ctx: ctx, child: pulumi.Parent(i)})
	if err := i.way.build(); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", args.Name, err)
	}

	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{
		"url":             i.URL,
		"targetGroupArn":  i.TargetGroupARN,
		"securityGroupId": i.SecurityGroupID,
	})
}

// builder fills in an Ingress, from what its resources are made of. Each kind extends it.
type builder struct {
	*Ingress
	Args
	ctx   *pulumi.Context
	child pulumi.ResourceOrInvokeOption
}

// Publish sends clients to the service once it is ready. ready is any output that becomes known when the service's tasks
// are healthy.
func (i *Ingress) Publish(ready pulumi.StringInput) error {
	if err := i.way.publish(ready); err != nil {
		return fmt.Errorf("ingress: %w", err)
	}

	return nil
}

// Watch is how the ingress measures what clients see.
func (i *Ingress) Watch(limits metric.Limits) metric.Traffic { return i.way.watch(limits) }

// newTargetGroup declares the group in which the tasks register. A target group works with one load balancer only, so each
// kind says with an option when a new load balancer needs a new group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
func (b *builder) newTargetGroup(name string, replace pulumi.ResourceOption) (*lb.TargetGroup, error) {
	protocol := "HTTP"
	if b.TargetTLS {
		protocol = "HTTPS"
	}
	var sticky lb.TargetGroupStickinessPtrInput
	if b.Sticky > 0 {
		sticky = lb.TargetGroupStickinessArgs{
			Type: pulumi.String("lb_cookie"), Enabled: pulumi.Bool(true), CookieDuration: pulumi.Int(int(b.Sticky.Seconds())),
		}
	}
	args := &lb.TargetGroupArgs{
		Stickiness:          sticky,
		VpcId:               b.VPCID,
		TargetType:          pulumi.String("ip"),
		Port:                pulumi.Int(b.TargetPort),
		Protocol:            pulumi.String(protocol),
		ProtocolVersion:     pulumi.String("HTTP1"),
		DeregistrationDelay: pulumi.Int(int(b.Drain.Seconds())),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled:            pulumi.Bool(true),
			Protocol:           pulumi.String(protocol),
			Port:               pulumi.String("traffic-port"),
			Path:               pulumi.String(b.HealthCheck.Path),
			Matcher:            pulumi.String(strconv.Itoa(200)),
			Interval:           pulumi.Int(int(b.HealthCheck.Interval.Seconds())),
			Timeout:            pulumi.Int(int(b.HealthCheck.Timeout.Seconds())),
			HealthyThreshold:   pulumi.Int(b.HealthCheck.Healthy),
			UnhealthyThreshold: pulumi.Int(b.HealthCheck.Unhealthy),
		},
	}
	if err := override.Apply(args, b.Overrides); err != nil {
		return nil, err
	}
	targets, err := lb.NewTargetGroup(b.ctx, name, args,
		b.child, pulumi.Protect(b.Protect), replace,
		// Tasks of the last release may answer 404 at another path, so they keep the group, and the path, with which they
		// became healthy, until the new tasks have taken over.
		pulumi.ReplaceOnChanges([]string{"healthCheck.path"}),
	)
	if err != nil {
		return nil, fmt.Errorf("target group: %w", err)
	}

	b.Target, b.TargetGroupARN, b.targetGroupSuffix = targets, targets.Arn, targets.ArnSuffix
	b.Noticed = append(b.Noticed, Noticed{"target group", targets.Arn})

	return targets, nil
}
