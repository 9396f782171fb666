// Package ingress declares the way in from the Internet, for an ECS service with one HTTP port. There are three kinds: a
// load balancer of the stack's own, a rule on a load balancer that exists, and an API of API Gateway. Each kind has a file
// that implements way; what several kinds need is in the other files.
package ingress

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack. It is the same for all kinds, so that the domain's DNS record stays one
// resource when a stack changes its kind.
const Token = "fargate-nginx-sidecar:ingress:Ingress" //nolint:gosec // A type, not a credential.

// NameLimit is the length of the longest logical name of a load balancer or target group, in characters: AWS takes 32,
// of which Pulumi's random suffix needs 8.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
const NameLimit = 32 - 8

// All requests go to one target group, so any weight above 0 would do. AWS's pattern has 100.
const weight = 100

// Args describes an ingress.
type Args struct {
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
	// LogRetentionDays is how long an API's access log is kept. KMSKeyARN encrypts it, or is empty for AWS's own key.
	LogRetentionDays int
	KMSKeyARN        string
}

// validate reports missing arguments that the rest of the program has to provide.
func (a Args) validate(name string) error {
	switch longest := len(name + "-alb"); {
	case longest > NameLimit:
		return fmt.Errorf("name of %d characters; allowed: %d", len(name), NameLimit-len("-alb"))
	case a.VPCID == nil || a.SubnetIDs == nil:
		return errors.New("VPC and subnets must be given")
	case a.LogsToBucket() != (a.AccessLogBucket != nil):
		return errors.New("access logs without a bucket, or a bucket without access logs; allowed: both or neither")
	case a.TargetPort == 0:
		return errors.New("target port must be given")
	case a.Kind == APIGateway && a.TaskSubnetIDs == nil:
		return errors.New("subnets of the tasks must be given")
	}

	return nil
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

	// ListenerARN and LoadBalancerARN are nil without a load balancer.
	ListenerARN, LoadBalancerARN pulumi.StringInput
	// LoadBalancerSuffix and TargetGroupSuffix are the last parts of the ARNs, and APIID is an API's id: the names that
	// metrics have for them. Those of another kind of ingress are nil.
	LoadBalancerSuffix, TargetGroupSuffix, APIID pulumi.StringInput

	way way
}

// way is one kind of ingress.
type way interface {
	// build declares everything that needs no tasks, and fills in the fields of the Ingress.
	build(ctx *pulumi.Context, name string) error
	// publish sends clients to the tasks. ready is known once they are healthy.
	publish(ctx *pulumi.Context, name string, ready pulumi.StringInput) error
}

func (i *Ingress) wayOf(args Args) way {
	switch args.Kind {
	case Shared:
		return &sharedLoadBalancer{Ingress: i, args: args}
	case APIGateway:
		return &httpAPI{Ingress: i, args: args}
	case Own:
	}

	return &ownLoadBalancer{Ingress: i, args: args}
}

// New declares everything that needs no tasks. Publish declares the rest.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Ingress, error) {
	if err := args.validate(name); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}

	i := &Ingress{}
	if err := ctx.RegisterComponentResource(Token, name, i, opts...); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}
	i.way = i.wayOf(args)
	if err := i.way.build(ctx, name); err != nil {
		return nil, fmt.Errorf("ingress %s: %w", name, err)
	}

	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{
		"url":             i.URL,
		"targetGroupArn":  i.TargetGroupARN,
		"securityGroupId": i.SecurityGroupID,
	})
}

// Publish sends clients to the service once it is ready. ready is any output that becomes known when the service's tasks
// are healthy.
func (i *Ingress) Publish(ctx *pulumi.Context, name string, ready pulumi.StringInput) error {
	if err := i.way.publish(ctx, name, ready); err != nil {
		return fmt.Errorf("ingress %s: %w", name, err)
	}

	return nil
}

// newTargetGroup declares the group in which the tasks register. A target group works with one load balancer only, so each
// kind says with an option when a new load balancer needs a new group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
func (i *Ingress) newTargetGroup(
	ctx *pulumi.Context, name string, args Args, replace pulumi.ResourceOption,
) (*lb.TargetGroup, error) {
	protocol := "HTTP"
	if args.TargetTLS {
		protocol = "HTTPS"
	}
	targets, err := lb.NewTargetGroup(ctx, name, &lb.TargetGroupArgs{
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
		pulumi.Parent(i), pulumi.Protect(args.DeletionProtection), replace,
	)
	if err != nil {
		return nil, fmt.Errorf("target group: %w", err)
	}

	i.Target, i.TargetGroupARN, i.TargetGroupSuffix = targets, targets.Arn, targets.ArnSuffix

	return targets, nil
}
