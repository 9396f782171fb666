package infra_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/infra/infratest"
)

// The controls of AWS Foundational Security Best Practices that concern the resources of this program, each as a property
// of the graph. A control that a stack does not pass must be among the exceptions, with the reason and what is done
// instead; a control that it passes must not. docs/security.md is generated from both.
// https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html

// Stacks that no file in this repository can contain, because they name things of the account in which they run.
const (
	withDomain = "prod with a domain"
	withShared = "prod on a shared load balancer"
	withAPI    = "prod behind API Gateway"
)

// controlledStacks are the stacks that are checked: the real files, alone or with the settings of another way in.
var controlledStacks = []string{"dev", "staging", "prod", withDomain, withShared, withAPI}

func controlled(t *testing.T, stack string) map[string]string {
	t.Helper()

	switch stack {
	case withDomain:
		return stackSettings(t, "prod", encrypted)
	case withShared:
		return stackSettings(t, "prod", behindAnother)
	case withAPI:
		return stackSettings(t, "prod", behindAPI)
	default:
		return stackSettings(t, stack, nil)
	}
}

// control is one control. check returns nothing when it holds, else what is wrong.
type control struct {
	id, asks, met string
	// applies returns the reason why the control does not apply to this stack, or nothing. If it is nil, the control
	// applies to every stack.
	applies func(s subject) string
	check   func(s subject) string
}

// subject is a stack that is checked.
type subject struct {
	t     *testing.T
	graph *infratest.Graph
}

// all returns the resources of a type that do not satisfy a property, as a complaint.
func (s subject) all(token, property string, holds func(infratest.Resource) bool) string {
	found := s.graph.OfType(token)
	for _, r := range found {
		if !holds(r) {
			return fmt.Sprintf("%s: not %s", r.Name, property)
		}
	}
	if len(found) == 0 {
		return "no " + token
	}

	return ""
}

// having is all for a property that must have one of the given values.
func (s subject) having(token string, path []any, allowed ...any) string {
	return s.all(token, fmt.Sprintf("%v = %v", path, allowed), func(r infratest.Resource) bool {
		return slices.Contains(allowed, at(s.t, r, path...))
	})
}

func (s subject) containers(property string, holds func(map[string]any) bool) string {
	for name, container := range containers(s.t, s.graph) {
		if !holds(container) {
			return fmt.Sprintf("container %s: not %s", name, property)
		}
	}

	return ""
}

// none says that a control does not apply to a stack without resources of the given type.
func none(token, why string) func(subject) string {
	return func(s subject) string {
		if len(s.graph.OfType(token)) == 0 {
			return why
		}

		return ""
	}
}

func (s subject) listenersWith(protocol string) []infratest.Resource {
	var all []infratest.Resource
	for _, r := range s.graph.OfType(listener) {
		if at(s.t, r, "protocol") == protocol {
			all = append(all, r)
		}
	}

	return all
}

// foreignLoadBalancer says that a control does not apply to a stack without a load balancer of its own.
func foreignLoadBalancer(s subject) string {
	switch {
	case len(s.graph.OfType(loadBalancer)) > 0:
		return ""
	case len(s.graph.OfType(api)) > 0:
		return "no load balancer"
	default:
		return "the load balancer is its owner's"
	}
}

var (
	foreignVPC     = none(vpc, "the VPC is not the stack's own")
	withoutAPI     = none(api, "no API")
	withoutBuckets = none(bucket, "no bucket")
)

// Resources of a bucket.
const (
	publicAccessBlock = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	ownership         = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
	lifecycle         = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	bucketLogging     = "aws:s3/bucketLoggingV2:BucketLoggingV2"
)

func withoutTLS(s subject) string {
	if why := foreignLoadBalancer(s); why != "" {
		return why
	}
	if len(s.listenersWith("HTTPS")) == 0 {
		return "no TLS listener"
	}

	return ""
}

func (s subject) redirects() string {
	for _, r := range s.listenersWith("HTTP") {
		if at(s.t, r, "defaultActions", 0, "type") != "redirect" {
			return r.Name + " answers without TLS"
		}
	}

	return ""
}

// openPorts complains about ports that are open to everybody and not allowed.
func (s subject) openPorts(allowed ...float64) string {
	for _, r := range s.graph.OfType(ingressRule) {
		open := at(s.t, r, "cidrIpv4") == "0.0.0.0/0" || at(s.t, r, "cidrIpv6") == "::/0"
		from, to := at(s.t, r, "fromPort"), at(s.t, r, "toPort")
		if open && (from != to || !slices.Contains(allowed, from.(float64))) {
			return fmt.Sprintf("%s opens %v to %v to everybody", r.Name, from, to)
		}
	}

	return ""
}

// rights looks for actions in the policies of roles.
func (s subject) rights(wrong func(action string) bool) string {
	for _, document := range policies(s.t, s.graph, rolePolicy, "policy") {
		for _, statement := range document.Statement {
			if i := slices.IndexFunc(statement.Action, wrong); i >= 0 && statement.Effect == "Allow" {
				return "a role may " + statement.Action[i]
			}
		}
	}

	return ""
}

// endpoint looks for an interface endpoint of one of AWS's services.
func (s subject) endpoint(service string) string {
	for _, r := range s.graph.OfType("aws:ec2/vpcEndpoint:VpcEndpoint") {
		if name, _ := at(s.t, r, "serviceName").(string); strings.HasSuffix(name, "."+service) &&
			at(s.t, r, "vpcEndpointType") == "Interface" {
			return ""
		}
	}

	return "no interface endpoint for " + service
}

const (
	flowLog        = "aws:ec2/flowLog:FlowLog"
	webACL         = "aws:wafv2/webAcl:WebAcl"
	webAssociation = "aws:wafv2/webAclAssociation:WebAclAssociation"
	webLogging     = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
)

// Policies that AWS recommends. https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-17
var recommendedTLS = []any{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"}

var controls = []control{
	{
		id: "ECS.1", asks: "tasks have a network of their own", met: "network mode awsvpc",
		check: func(s subject) string { return s.having(taskDefinition, []any{"networkMode"}, "awsvpc") },
	},
	{
		id: "ECS.2", asks: "tasks get no public addresses", met: "private subnets",
		check: func(s subject) string {
			return s.having(ecsService, []any{"networkConfiguration", "assignPublicIp"}, false)
		},
	},
	{
		id: "ECS.3", asks: "tasks do not share the host's processes", met: "no pidMode",
		check: func(s subject) string { return s.having(taskDefinition, []any{"pidMode"}, nil) },
	},
	{
		id: "ECS.4", asks: "containers are not privileged", met: "privileged is never set, and Fargate does not support it",
		check: func(s subject) string {
			return s.containers("unprivileged", func(c map[string]any) bool { return c["privileged"] != true })
		},
	},
	{
		id: "ECS.5", asks: "containers cannot write to their root file system", met: "readonlyRootFilesystem on every container",
		check: func(s subject) string {
			return s.containers("read-only", func(c map[string]any) bool { return c["readonlyRootFilesystem"] == true })
		},
	},
	{
		id: "ECS.8", asks: "environment variables hold no secrets", met: "variables with AWS keys are refused",
		check: func(s subject) string {
			return s.containers("free of AWS keys", func(c map[string]any) bool {
				for name := range environment(c) {
					if slices.Contains([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECS_ENGINE_AUTH_DATA"}, name) {
						return false
					}
				}
				return true
			})
		},
	},
	{
		id: "ECS.9", asks: "containers have a log", met: "awslogs on both, each with its own log group",
		check: func(s subject) string {
			return s.containers("logging", func(c map[string]any) bool {
				configuration, _ := c["logConfiguration"].(map[string]any)
				return configuration["logDriver"] == "awslogs" || configuration["logDriver"] == "awsfirelens"
			})
		},
	},
	{
		id: "ECS.10", asks: "services run on the newest Fargate platform", met: "platformVersion LATEST",
		check: func(s subject) string { return s.having(ecsService, []any{"platformVersion"}, "LATEST") },
	},
	{
		id: "ECS.12", asks: "Container Insights is on", met: "`monitoring.containerInsights`",
		check: func(s subject) string {
			return s.having(cluster, []any{"settings", 0, "value"}, "enabled", "enhanced")
		},
	},
	{
		id: "ECS.20", asks: "containers do not run as root", met: "user 101 and user 1000, in the task definition too; `containers` must name one",
		check: func(s subject) string {
			return s.containers("without root", func(c map[string]any) bool {
				user, _ := c["user"].(string)
				return user != "" && user != "root" && user != "0" && !strings.HasPrefix(user, "0:")
			})
		},
	},
	{
		id: "ECS.21", asks: "no administrators in Windows containers", met: "there are none: operatingSystemFamily LINUX",
		check: func(s subject) string {
			return s.having(taskDefinition, []any{"runtimePlatform", "operatingSystemFamily"}, "LINUX")
		},
	},
	{
		id: "ELB.1", asks: "HTTP redirects to HTTPS", met: "the listener on port 80 redirects, or there is none", applies: foreignLoadBalancer,
		check: subject.redirects,
	},
	{
		id: "ELB.4", asks: "the load balancer drops invalid headers", met: "dropInvalidHeaderFields", applies: foreignLoadBalancer,
		check: func(s subject) string { return s.having(loadBalancer, []any{"dropInvalidHeaderFields"}, true) },
	},
	{
		id: "ELB.5", asks: "the load balancer logs requests", met: "`ingress.accessLogs`", applies: foreignLoadBalancer,
		check: func(s subject) string { return s.having(loadBalancer, []any{"accessLogs", "enabled"}, true) },
	},
	{
		id: "ELB.6", asks: "the load balancer cannot be deleted by accident", met: "`deployment.deletionProtection`", applies: foreignLoadBalancer,
		check: func(s subject) string { return s.having(loadBalancer, []any{"enableDeletionProtection"}, true) },
	},
	{
		id: "ELB.12", asks: "the load balancer handles ambiguous requests (HTTP desync)", met: "desyncMitigationMode defensive", applies: foreignLoadBalancer,
		check: func(s subject) string {
			return s.having(loadBalancer, []any{"desyncMitigationMode"}, "defensive", "strictest")
		},
	},
	{
		id: "ELB.13", asks: "the load balancer is in two zones or more", met: "a public subnet in each of two zones", applies: foreignLoadBalancer,
		check: func(s subject) string {
			return s.all(loadBalancer, "in two subnets", func(r infratest.Resource) bool {
				return len(at(s.t, r, "subnets").([]any)) >= 2
			})
		},
	},
	{
		id: "ELB.16", asks: "a web ACL protects the load balancer", met: "`ingress.firewall`", applies: foreignLoadBalancer,
		check: func(s subject) string {
			return s.all(webAssociation, "of the load balancer", func(r infratest.Resource) bool {
				return at(s.t, r, "resourceArn") == s.graph.Outputs[one(s.t, s.graph, loadBalancer).URN]["arn"].StringValue()
			})
		},
	},
	{
		id: "ELB.17", asks: "listeners use a TLS policy that AWS recommends", met: "a constant", applies: withoutTLS,
		check: func(s subject) string {
			for _, r := range s.listenersWith("HTTPS") {
				if policy := at(s.t, r, "sslPolicy"); !slices.Contains(recommendedTLS, policy) {
					return fmt.Sprintf("%s: policy %v", r.Name, policy)
				}
			}
			return ""
		},
	},
	{
		id: "ELB.18", asks: "all listeners use TLS", met: "no listener on port 80", applies: foreignLoadBalancer,
		check: func(s subject) string { return s.having(listener, []any{"protocol"}, "HTTPS") },
	},
	{
		id: "ELB.21", asks: "health checks use TLS", met: "`ingress.targetTls`", applies: none(targetGroup, "no target group"),
		check: func(s subject) string { return s.having(targetGroup, []any{"healthCheck", "protocol"}, "HTTPS") },
	},
	{
		id: "ELB.22", asks: "requests to the tasks use TLS", met: "`ingress.targetTls`", applies: none(targetGroup, "no target group"),
		check: func(s subject) string { return s.having(targetGroup, []any{"protocol"}, "HTTPS") },
	},
	{
		id: "S3.5", asks: "buckets refuse requests without TLS", met: "a statement of each bucket's policy", applies: withoutBuckets,
		check: func(s subject) string {
			return s.all(bucketPolicy, "refusing requests without TLS", func(r infratest.Resource) bool {
				return strings.Contains(at(s.t, r, "policy").(string), `"aws:SecureTransport":"false"`)
			})
		},
	},
	{
		id: "S3.8", asks: "buckets are closed to the public", met: "a constant", applies: withoutBuckets,
		check: func(s subject) string {
			return s.all(publicAccessBlock, "closed", func(r infratest.Resource) bool {
				for _, way := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
					if at(s.t, r, way) != true {
						return false
					}
				}
				return len(s.graph.OfType(publicAccessBlock)) == len(s.graph.OfType(bucket))
			})
		},
	},
	{
		id: "S3.9", asks: "buckets log requests", met: "nothing", applies: withoutBuckets,
		check: func(s subject) string {
			return s.all(bucketLogging, "there", func(infratest.Resource) bool { return true })
		},
	},
	{
		id: "S3.12", asks: "buckets have no access control lists", met: "a constant", applies: withoutBuckets,
		check: func(s subject) string {
			return s.having(ownership, []any{"rule", "objectOwnership"}, "BucketOwnerEnforced")
		},
	},
	{
		id: "S3.13", asks: "what lies in buckets expires", met: "`storage.logRetention`", applies: withoutBuckets,
		check: func(s subject) string { return s.having(lifecycle, []any{"rules", 0, "status"}, "Enabled") },
	},
	{
		id: "APIGateway.8", asks: "routes name an authorization type", met: "the app decides who may call it", applies: withoutAPI,
		check: func(s subject) string {
			return s.having(apiRoute, []any{"authorizationType"}, "AWS_IAM", "CUSTOM", "JWT")
		},
	},
	{
		id: "APIGateway.9", asks: "stages log requests", met: "`ingress.accessLogs`", applies: withoutAPI,
		check: func(s subject) string {
			return s.all(apiStage, "logging", func(r infratest.Resource) bool { return at(s.t, r, "accessLogSettings") != nil })
		},
	},
	{
		id: "APIGateway.10", asks: "private integrations use TLS", met: "a certificate that API Gateway can check", applies: withoutAPI,
		check: func(s subject) string {
			return s.all(apiIntegration, "with TLS", func(r infratest.Resource) bool { return at(s.t, r, "tlsConfig") != nil })
		},
	},
	{
		id: "ECR.1", asks: "images are scanned", met: "scan on push",
		check: func(s subject) string {
			return s.having(repository, []any{"imageScanningConfiguration", "scanOnPush"}, true)
		},
	},
	{
		id: "ECR.2", asks: "tags cannot be moved", met: "immutable tags, one for each content",
		check: func(s subject) string { return s.having(repository, []any{"imageTagMutability"}, "IMMUTABLE") },
	},
	{
		id: "ECR.3", asks: "repositories have a lifecycle policy", met: "the newest 30 stay",
		check: func(s subject) string {
			if got, want := len(s.graph.OfType(lifecyclePolicy)), len(s.graph.OfType(repository)); got != want {
				return fmt.Sprintf("%d policies for %d repositories", got, want)
			}
			return ""
		},
	},
	{
		id: "ECR.5", asks: "images are encrypted with a customer's key", met: "`storage.kmsKey`",
		check: func(s subject) string {
			return s.having(repository, []any{"encryptionConfigurations", 0, "encryptionType"}, "KMS", "KMS_DSSE")
		},
	},
	{
		id: "EC2.2", asks: "the default security group is closed", met: "the stack adopts it and removes its rules", applies: foreignVPC,
		check: func(s subject) string {
			return s.all(defaultGroup, "closed", func(r infratest.Resource) bool {
				return len(at(s.t, r, "ingress").([]any)) == 0 && len(at(s.t, r, "egress").([]any)) == 0
			})
		},
	},
	{
		id: "EC2.6", asks: "the VPC logs its flows", met: "`network.flowLogs`", applies: foreignVPC,
		check: func(s subject) string {
			return s.all(flowLog, "of the VPC", func(r infratest.Resource) bool {
				return at(s.t, r, "vpcId") == s.graph.Outputs[one(s.t, s.graph, vpc).URN]["vpcId"].StringValue()
			})
		},
	},
	{
		id: "EC2.15", asks: "subnets give out no public addresses", met: "mapPublicIpOnLaunch off", applies: foreignVPC,
		// Subnets are inside awsx's component, whose version 2 has no setting for it.
		check: func(s subject) string {
			return s.all(vpc, "without public subnets", func(r infratest.Resource) bool {
				return at(s.t, r, "subnetSpecs", 0, "type") != "Public"
			})
		},
	},
	{
		id: "EC2.18", asks: "only authorised ports are open to everybody", met: "80 and 443 of the load balancer",
		check: func(s subject) string { return s.openPorts(80, 443) },
	},
	{
		id: "EC2.19", asks: "no high-risk port is open to everybody", met: "80 and 443 of the load balancer",
		check: func(s subject) string { return s.openPorts(80, 443) },
	},
	{
		id: "EC2.55", asks: "the VPC has an endpoint for ECR's API", met: "`network.egress: endpoints`", applies: foreignVPC,
		check: func(s subject) string { return s.endpoint("ecr.api") },
	},
	{
		id: "EC2.56", asks: "the VPC has an endpoint for ECR's registry", met: "`network.egress: endpoints`", applies: foreignVPC,
		check: func(s subject) string { return s.endpoint("ecr.dkr") },
	},
	{
		id: "EC2.57", asks: "the VPC has an endpoint for Systems Manager", met: "`network.egress: endpoints`", applies: foreignVPC,
		check: func(s subject) string { return s.endpoint("ssm") },
	},
	{
		id: "EC2.172", asks: "the account blocks traffic between VPCs and the Internet", met: "a setting of the account",
		check: func(s subject) string { return s.having(loadBalancer, []any{"internal"}, true) },
	},
	{
		id: "IAM.1", asks: "no policy allows everything", met: "every action is named",
		check: func(s subject) string { return s.rights(func(action string) bool { return action == "*" }) },
	},
	{
		id: "IAM.21", asks: "no policy allows all actions of a service", met: "every action is named",
		check: func(s subject) string {
			return s.rights(func(action string) bool { return strings.HasSuffix(action, ":*") })
		},
	},
	{
		id: "ACM.1", asks: "certificates are renewed in time", met: "validated through DNS, which ACM renews by itself",
		applies: none(certificate, "no certificate of the stack's own"),
		check:   func(s subject) string { return s.having(certificate, []any{"validationMethod"}, "DNS") },
	},
	{
		id: "ACM.2", asks: "RSA keys have 2048 bits or more", met: "ACM's default key, RSA 2048",
		applies: none(certificate, "no certificate of the stack's own"),
		check: func(s subject) string {
			return s.having(certificate, []any{"keyAlgorithm"}, nil, "RSA_2048", "EC_prime256v1", "EC_secp384r1")
		},
	},
	{
		id: "WAF.10", asks: "web ACLs have rules", met: "AWS's managed rule groups and a rate limit",
		applies: none(webACL, "no web ACL of the stack's own"),
		check: func(s subject) string {
			return s.all(webACL, "with rules", func(r infratest.Resource) bool {
				rules, _ := at(s.t, r, "rules").([]any)
				return len(rules) > 0
			})
		},
	},
	{
		id: "WAF.11", asks: "web ACLs log", met: "each has a log group",
		applies: none(webACL, "no web ACL of the stack's own"),
		check: func(s subject) string {
			if got, want := len(s.graph.OfType(webLogging)), len(s.graph.OfType(webACL)); got != want {
				return fmt.Sprintf("%d of %d log", got, want)
			}
			return ""
		},
	},
	{
		id: "WAF.12", asks: "rules of web ACLs have metrics", met: "visibilityConfig of every rule",
		applies: none(webACL, "no web ACL of the stack's own"),
		check: func(s subject) string {
			return s.all(webACL, "measured", func(r infratest.Resource) bool {
				rules, _ := at(s.t, r, "rules").([]any)
				for i := range rules {
					if at(s.t, r, "rules", i, "visibilityConfig", "cloudwatchMetricsEnabled") != true {
						return false
					}
				}
				return at(s.t, r, "visibilityConfig", "cloudwatchMetricsEnabled") == true
			})
		},
	},
	{
		id: "CloudWatch.16", asks: "logs are kept for a year", met: "`storage.logRetention`",
		check: func(s subject) string {
			return s.all(logGroup, "kept for 365 days", func(r infratest.Resource) bool {
				return at(s.t, r, "retentionInDays").(float64) >= 365
			})
		},
	},
}

// exception is a control that the named stacks do not pass, on purpose.
type exception struct {
	id           string
	stacks       []string
	reason       string
	compensation string
}

var (
	everywhere = controlledStacks
	// Stacks with a VPC of their own.
	ownVPC = []string{"dev", "staging", "prod", withDomain, withAPI}
	// Stacks with buckets for logs.
	withLogs = []string{"staging", "prod", withDomain, withAPI}
)

var exceptions = []exception{
	{"ECS.2", []string{"dev"}, "Tasks in private subnets need a NAT gateway or endpoints, which would be the most expensive part of dev",
		"The tasks' security group admits connections to one port, from the load balancer alone"},
	{"ECS.12", []string{"dev"}, "The metrics of Container Insights cost money", "ECS publishes metrics of CPU and memory without it"},
	{"ELB.1", []string{"dev", "staging", "prod"}, "TLS needs a domain, which belongs to the account, so the stack file cannot contain one",
		"`domain.name` or `domain.certificate` turns TLS and the redirect on"},
	{"ELB.5", []string{"dev"}, "Access logs cost money", "NGINX logs every request except health checks, with the client's address"},
	{"ELB.6", []string{"dev", "staging"}, "`pulumi destroy` must work without further steps", "No customer depends on them"},
	{"ELB.16", []string{"dev"}, "Each rule and each request costs money", "NGINX refuses paths, methods and malformed requests that are not meant for the app"},
	{"ELB.18", []string{"dev", "staging", "prod"}, "TLS needs a domain; see ELB.1", "`domain.name` or `domain.certificate` turns TLS and the redirect on"},
	{"ELB.18", []string{withDomain}, "People type addresses without https", "The listener on port 80 only redirects; `ingress.http: false` removes it"},
	{"ELB.21", []string{"dev"}, "A TLS handshake for each health check costs CPU, of which a small task has little",
		"The traffic stays inside the VPC, between two security groups whose rules name each other"},
	{"ELB.22", []string{"dev"}, "TLS costs CPU, of which a small task has little",
		"The traffic stays inside the VPC, between two security groups whose rules name each other"},
	{"APIGateway.8", []string{withAPI}, "The app's users are not known to the program", "The app checks credentials itself; `ingress.throttle` limits the requests of all clients together"},
	{"APIGateway.10", []string{withAPI}, "API Gateway accepts no certificate that a task has made itself, and AWS issues none for a task",
		"The traffic stays inside the VPC, between two security groups whose rules name each other"},
	{"ECR.5", everywhere, "A key costs money and belongs to the account", "ECR encrypts images with AES-256 and a key that AWS manages"},
	{"EC2.6", []string{"dev"}, "Flow logs cost money", "The security groups admit only the connections that are needed"},
	{"EC2.15", ownVPC, "awsx 2 has no way to turn it off for public subnets",
		"Public subnets hold only the load balancer, NAT gateways and, in dev, tasks; the service decides whether its tasks get public addresses"},
	{"EC2.55", ownVPC, "The tasks reach AWS through NAT gateways or an internet gateway, because an app may need the Internet; endpoints would cost extra",
		"Requests to ECR are signed and use TLS"},
	{"EC2.56", ownVPC, "As for EC2.55", "Requests to ECR are signed and use TLS"},
	{"EC2.57", ownVPC, "As for EC2.55", "Requests to Systems Manager are signed and use TLS"},
	{"EC2.172", everywhere, "A load balancer for clients on the Internet needs an internet gateway, and so does a NAT gateway",
		"From the Internet only the load balancer can be reached, on the ports of its listeners"},
	{"S3.9", withLogs, "The buckets hold logs: a log of who reads logs would need a bucket of its own, which again would need one",
		"Nobody but the services that write the logs and the account's own roles may reach them"},
	{"CloudWatch.16", []string{"dev", "staging"}, "Keeping logs costs money", "They serve no customers, so their logs hold no customer data"},
}

// verdicts are what the table shows for each stack: pass, not applicable with the reason, or exception.
func verdicts(t *testing.T) map[string]map[string]string {
	t.Helper()

	all := map[string]map[string]string{}
	for _, stack := range controlledStacks {
		s := subject{t: t, graph: run(t, controlled(t, stack))}
		for _, c := range controls {
			if all[c.id] == nil {
				all[c.id] = map[string]string{}
			}
			all[c.id][stack] = verdict(c, s)
		}
	}

	return all
}

func verdict(c control, s subject) string {
	if c.applies != nil {
		if why := c.applies(s); why != "" {
			return "not applicable: " + why
		}
	}
	if problem := c.check(s); problem != "" {
		return "fails: " + problem
	}

	return "pass"
}

func excepted(id, stack string) bool {
	return slices.ContainsFunc(exceptions, func(e exception) bool { return e.id == id && slices.Contains(e.stacks, stack) })
}

func TestEveryControlHoldsOrIsAWrittenException(t *testing.T) {
	all := verdicts(t)
	for _, c := range controls {
		for _, stack := range controlledStacks {
			got := all[c.id][stack]
			t.Logf("%-14s %-18s %s", c.id, stack, got)
			switch fails := strings.HasPrefix(got, "fails"); {
			case fails && !excepted(c.id, stack):
				t.Errorf("%s (%s): %s %s", c.id, c.asks, stack, got)
			case !fails && excepted(c.id, stack):
				t.Errorf("%s (%s): %s is an exception, but the control does not fail; remove the exception", c.id, c.asks, stack)
			}
		}
	}
	for _, e := range exceptions {
		if _, known := all[e.id]; !known || e.reason == "" || e.compensation == "" {
			t.Errorf("exception %s: control, reason and compensation are needed", e.id)
		}
	}
}

// ECS Exec needs a writable file system. docs/security.md says which control that breaks.
func TestExecBreaksOneControl(t *testing.T) {
	for _, stack := range controlledStacks {
		settings := controlled(t, stack)
		without := subject{t: t, graph: run(t, settings)}
		settings = infratest.With(settings, map[string]string{"task.exec": "true"})
		with := subject{t: t, graph: run(t, settings)}

		var broken []string
		for _, c := range controls {
			if verdict(c, with) != verdict(c, without) {
				broken = append(broken, c.id)
			}
		}
		if !slices.Equal(broken, []string{"ECS.5"}) {
			t.Errorf("%s: exec changes the verdict on %v", stack, broken)
		}
	}
}

// controlsTable writes both tables as Markdown.
func controlsTable(t *testing.T) string {
	t.Helper()

	var table strings.Builder
	table.WriteString("\n| Control | Requirement | Met by | " + strings.Join(controlledStacks, " | ") + " |\n|---|---|---|" +
		strings.Repeat("---|", len(controlledStacks)) + "\n")
	all := verdicts(t)
	for _, c := range controls {
		service, _, _ := strings.Cut(strings.ToLower(c.id), ".")
		fmt.Fprintf(&table, "| [%s](https://docs.aws.amazon.com/securityhub/latest/userguide/%s-controls.html#%s) | %s | %s |",
			c.id, service, strings.ReplaceAll(strings.ToLower(c.id), ".", "-"), c.asks, c.met)
		for _, stack := range controlledStacks {
			got := all[c.id][stack]
			if strings.HasPrefix(got, "fails") {
				got = "exception"
			}
			fmt.Fprintf(&table, " %s |", got)
		}
		table.WriteString("\n")
	}

	table.WriteString("\n### Exceptions\n\n| Control | Stacks | Reason | Instead |\n|---|---|---|---|\n")
	order := func(id string) int { return slices.IndexFunc(controls, func(c control) bool { return c.id == id }) }
	for _, e := range slices.SortedStableFunc(slices.Values(exceptions), func(a, b exception) int {
		return cmp.Compare(order(a.id), order(b.id))
	}) {
		fmt.Fprintf(&table, "| %s | %s | %s. | %s. |\n", e.id, strings.Join(e.stacks, ", "), e.reason, e.compensation)
	}

	return table.String() + "\n"
}

// A name in backticks is a setting for which people will look.
func TestControlsAndExceptionsNameSettingsThatExist(t *testing.T) {
	settings := settingNames(t)
	var texts []string
	for _, c := range controls {
		texts = append(texts, c.met)
	}
	for _, e := range exceptions {
		texts = append(texts, e.reason, e.compensation)
	}
	for _, text := range texts {
		for _, name := range regexp.MustCompile("`([a-zA-Z0-9.]+)(?:: [a-z-]+)?`").FindAllStringSubmatch(text, -1) {
			if !settings[name[1]] {
				t.Errorf("%q: there is no setting %s", text, name[1])
			}
		}
	}
}

func TestSecurityDocumentHoldsTheTableOfControls(t *testing.T) {
	between(t, "docs/security.md", "<!-- controls:begin -->", "<!-- controls:end -->", controlsTable(t))
}
