package ingress

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says how clients reach the service: from where, under which name, with or without TLS. It also says how the
// load balancer treats connections and tasks.
type Settings struct {
	Kind Kind
	// SharedLoadBalancer is for the kind Shared.
	SharedLoadBalancer SharedLoadBalancer
	// OIDC makes the load balancer ask for a login.
	OIDC OIDC
	// ThrottlePerSecond is the number of requests that the kind APIGateway lets through.
	ThrottlePerSecond int
	// Domain is the service's host name, HostedZoneID the zone that gets its DNS records, and CertificateARN an existing
	// certificate. Each may be empty, but a domain needs a zone or a certificate.
	Domain, HostedZoneID, CertificateARN string
	// DomainAliases are further host names, for which the same holds as for Domain.
	DomainAliases []string
	// AddressType says over which protocols clients can connect.
	AddressType AddressType
	// Internal gives the load balancer private addresses alone, in the subnets of the tasks.
	Internal bool
	// HTTP says what port 80 does if there is a certificate.
	HTTP HTTP
	// TargetTLS encrypts the connections between the load balancer and the tasks.
	TargetTLS bool
	// Clients are the address ranges and the ids of prefix lists from which clients may connect.
	Clients []string
	// AccessLogs makes the load balancer log every request.
	AccessLogs bool
	// HealthPath is the path of the load balancer's health check; the health page of NGINX if it is empty.
	HealthPath string
	// Sticky is how long the load balancer sends the requests of a client to the same task; zero is not at all.
	Sticky time.Duration
	// IdleTimeout is the time after which a connection without traffic is closed.
	IdleTimeout time.Duration
}

// Kind is what sends the clients' requests to the tasks.
type Kind string

// SharedLoadBalancer says which requests to a listener of somebody else's are for this stack: those with one of the hosts
// and one of the paths, in the patterns of the load balancer. If either list is empty, any will do. A priority of zero is
// derived from the names of project, stack and service.
type SharedLoadBalancer struct {
	ListenerARN  string
	Hosts, Paths []string
	Priority     int
}

// AddressType says over which protocols clients can connect.
type AddressType string

const (
	// IPv4 is for IPv4 alone.
	IPv4 AddressType = "ipv4"
	// Dualstack is for IPv4 and IPv6.
	Dualstack AddressType = "dualstack"
)

// HTTP says what port 80 does if there is a certificate.
type HTTP string

const (
	// Redirect sends clients to port 443.
	Redirect HTTP = "redirect"
	// Closed leaves port 80 closed.
	Closed HTTP = ""
)

// Encrypted says whether there is a certificate, and therefore a listener on port 443.
func (s Settings) Encrypted() bool { return s.Domain != "" || s.CertificateARN != "" }

// LogsToBucket says whether a load balancer of the stack's own writes access logs to a bucket.
func (s Settings) LogsToBucket() bool { return s.AccessLogs && s.Traits().LoadBalancers > 0 }

// listensOnHTTP says whether there is a listener on port 80.
func (s Settings) listensOnHTTP() bool { return !s.Encrypted() || s.HTTP == Redirect }

var (
	// A host name that a certificate can have: two labels or more, each of at most 63 characters.
	domainPattern      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	certificatePattern = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
)

// host is the form of a name in a certificate, whose common name has at most 64 characters.
// https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
var host = settings.Form{
	Allowed: "a host name in lower case of at most 64 characters, such as www.example.com",
	Pattern: domainPattern, Check: func(name string) bool { return len(name) <= 64 },
}

// Read returns the settings of the ingress.
func Read(r *settings.Reader) Settings {
	g := r.Group("ingress")
	all, meanings := names()
	kind := settings.OneOf(g, "kind", all[0], all,
		meanings+". docs/ways-in.md compares them. A change replaces the ECS service, and clients need the new address.",
		"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html")
	s := Settings{
		Kind:               kind,
		SharedLoadBalancer: readShared(r, g),
		Clients: g.SomeTexts("clients", []string{anywhere}, settings.Form{Allowed: "a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32, or the id of a prefix list, such as pl-0123456789abcdef0", Check: isSource},
			"Ranges from which clients may connect, IPv4 and, with `ingress.ipv6`, IPv6, and ids of managed prefix lists, such as CloudFront's. `0.0.0.0/0` and `::/0` admit every client and cannot be combined with other ranges of their kind or with a prefix list. Each range takes one rule per open port in the load balancer's security group, which by default holds at most 60 rules; a prefix list takes as many as its maximum of entries. Only with the kind `alb`.",
			"https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"),
		AddressType: addressType(g.Bool("ipv6", false,
			"Whether clients also reach the load balancer over IPv6. Needs an existing network with public subnets that have IPv6 ranges, and an IPv6 range in `ingress.clients`, such as `::/0`; the domain then also gets an AAAA record. The load balancer reaches the tasks over IPv4. Only with the kind `alb`.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#ip-address-type")),
		Internal: g.Bool("internal", false,
			"Whether the load balancer has private addresses alone, in the subnets of the tasks: for clients in the VPC, or in networks that are connected to it. An existing network then needs no public subnets, but private ones in two zones. A change replaces the load balancer. Only with the kind `alb`.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#load-balancer-scheme"),
		HTTP: settings.OneOf(g.OrFalse(), "http", Redirect, []HTTP{Redirect},
			"What port 80 does if there is a certificate: `redirect` sends clients to port 443, `false` closes the port. Without a certificate, port 80 serves the app unencrypted. Only with the kind `alb`.",
			"https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-1"),
		TargetTLS: inProd(g, kind.has("ingress.targetTls")).Bool("targetTls", false,
			"Whether the load balancer uses TLS to NGINX, also for its health checks. Each container makes its own certificate when it starts, and the private key never leaves it; a prebuilt `http.image` must contain openssl for that. A change replaces the target group and the ECS service: the old ones answer until the new tasks are healthy.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-routing-configuration"),
		AccessLogs: inProd(g, kind.has("ingress.accessLogs")).Bool("accessLogs", false,
			"Whether the load balancer logs every request to an S3 bucket, or an API to a log group, for `storage.logRetention`. Not with the kind `shared`.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html"),
		// AWS allows 1 to 4000. The lower limit here is 5, because NGINX waits one second less than the load balancer, and
		// an app needs some seconds to answer.
		IdleTimeout: g.Duration("idleTimeout", kind.described().idleTimeout, 5*time.Second, 4000*time.Second,
			"Time after which the load balancer closes an idle connection. The idle timeouts of NGINX and the app are derived from it, so that the side that sends requests on a connection always closes it first. With the kind `shared`, that of the load balancer; the program compares them. With `api-gateway`, the time after which API Gateway answers 503, at most and by default 30s.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout"),
		Sticky: g.OrFalse().Else("false").Duration("sticky", 0, time.Second, 7*24*time.Hour,
			"Time for which the load balancer sends the requests of a client to the same task, by a cookie of its own (`AWSALB`): for an app that keeps sessions in a task's memory, such as socket.io with polling. When the task ends, the client gets another one.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#sticky-sessions"),
		HealthPath: g.Else("NGINX's page").Text("health", "", HealthPath,
			"Path of the load balancer's health check. By default NGINX answers it itself, at `/`, or at `/.sidecar/health` if `http.paths` or `http.static` has `/`. Otherwise a path that `http.paths` covers, which the app answers; the load balancer then sends a task no more requests after two failed checks, 6 s apart.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"),
		ThrottlePerSecond: g.Int("throttle", 1000, 1, 1000000, "requests a second",
			"Requests per second that an API lets through on average, from all clients together, and half as many at once; it answers 429 to requests above that. The account's own quota also holds. Only with the kind `api-gateway`.",
			"https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html"),
		OIDC: readOIDC(r),
	}
	readDomain(r, &s)
	checkCertificate(r, s)
	checkAliases(r, s)
	checkClients(r, s)
	checkAddresses(r, s)
	checkOIDC(r, s)

	return s
}

func readDomain(r *settings.Reader, s *Settings) {
	g := r.Group("domain")
	s.Domain = g.Text("name", "", host,
		"Host name of the service. With `domain.zone`, the program creates an alias record for it. Without `domain.certificate`, it also requests a certificate, and the update waits until ACM has found the DNS validation record. If that takes more than a few minutes, check that the registrar names the hosted zone's name servers.",
		"https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html")
	s.DomainAliases = g.Texts("aliases", nil, host,
		"Additional host names, at most 9, such as `[example.com]` beside `www.example.com`. Each gets an alias record in the same zone, and a place in the certificate. A change requests another certificate, which is used once it is valid. Only with the kind `alb`.",
		"https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html")
	s.HostedZoneID = g.Text("zone", "", settings.Pattern("up to 32 digits and capital letters", `^[0-9A-Z]{1,32}$`),
		"Id of the public Route 53 hosted zone that holds `domain.name`, such as `Z0123456789ABCDEFGHIJ`. Without it, no record is created, and the name needs a `domain.certificate`.",
		"https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html")
	s.CertificateARN = g.Text("certificate", "", settings.Form{Allowed: "arn:aws:acm:<region>:<account>:certificate/<id>", Pattern: certificatePattern},
		"Existing certificate to use instead of one that the program requests.",
		"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html")
}

func addressType(ipv6 bool) AddressType {
	if ipv6 {
		return Dualstack
	}

	return IPv4
}

// inProd is true by default in the profile prod, where the kind of ingress has what a setting switches on.
func inProd(g settings.Group, possible bool) settings.Group {
	if possible {
		return g.InProd(true)
	}

	return g
}

func isRange(value string) bool {
	prefix, err := netip.ParsePrefix(value)

	return err == nil && !prefix.Addr().Is4In6() && prefix == prefix.Masked() && prefix.String() == value
}

var prefixListPattern = regexp.MustCompile(`^pl-([0-9a-f]{8}|[0-9a-f]{17})$`)

// isSource reports whether a value is an address range or the id of a prefix list.
// https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
func isSource(value string) bool { return isPrefixList(value) || isRange(value) }

func isPrefixList(value string) bool { return prefixListPattern.MatchString(value) }

func isIPv6(cidr string) bool { return strings.Contains(cidr, ":") }

// HealthPath is the form of a path that a health check requests.
var HealthPath = settings.Form{
	Allowed: "a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters",
	Pattern: regexp.MustCompile(`^/([A-Za-z0-9._~-]+/?)*$`), Check: func(path string) bool { return len(path) <= 1024 },
}

func checkCertificate(r *settings.Reader, s Settings) {
	if s.Domain != "" && s.HostedZoneID == "" && s.CertificateARN == "" {
		r.Conflict([]string{"domain.name", "domain.zone", "domain.certificate"},
			"domain is "+s.Domain+", but neither a zone nor a certificate is set; allowed: domain.zone, in which a record validates a new certificate, or domain.certificate")
	}
	if s.HostedZoneID != "" && s.Domain == "" {
		r.Conflict([]string{"domain.zone", "domain.name"}, "a zone is set, but no name; allowed: a name in that zone")
	}
	if !s.Encrypted() && s.Kind.has("ingress.http") && (s.HTTP == Closed || r.Given("ingress.http")) {
		r.Conflict([]string{"ingress.http", "domain.name", "domain.certificate"},
			"set, but there is no certificate, and port 80 serves the app; allowed with: domain.name and domain.zone, or domain.certificate")
	}
}

// mostAliases is how many names a certificate has at most, unless the account's quota has been raised, without the first.
// https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
const mostAliases = 10 - 1

func checkAliases(r *settings.Reader, s Settings) {
	keys := []string{"domain.aliases", "domain.name"}
	names := slices.Sorted(slices.Values(append([]string{s.Domain}, s.DomainAliases...)))
	switch {
	case len(s.DomainAliases) > mostAliases:
		r.Fail("domain.aliases", fmt.Sprintf("%d names", len(s.DomainAliases)), fmt.Sprintf("at most %d", mostAliases))
	case len(s.DomainAliases) > 0 && s.Domain == "":
		r.Conflict(keys, "aliases are set, but no name; allowed: a name, and aliases")
	case len(slices.Compact(names)) <= len(s.DomainAliases):
		r.Conflict(keys, "a name is given twice; allowed: each name once")
	}
}

// checkAddresses refuses ranges that no client can come from, and a choice of protocols that lets nobody in over one of them.
func checkAddresses(r *settings.Reader, s Settings) {
	keys := []string{"ingress.ipv6", "ingress.clients"}
	switch ranges := slices.ContainsFunc(s.Clients, isIPv6); {
	case s.AddressType == Dualstack && !ranges && !slices.ContainsFunc(s.Clients, isPrefixList):
		r.Conflict(keys, "true, but no IPv6 range may connect; allowed with: such a range, as in [0.0.0.0/0, ::/0]")
	case s.AddressType == Dualstack && s.Internal:
		r.Conflict([]string{"ingress.ipv6", "ingress.internal"}, "both are set, but the subnets of the tasks are looked up for IPv4 alone; allowed: one of them")
	case s.AddressType == IPv4 && ranges:
		r.Conflict(keys, "an IPv6 range is given, but the load balancer has IPv4 addresses alone; allowed with: ipv6: true")
	}
}

func checkClients(r *settings.Reader, s Settings) {
	for _, everybody := range []string{anywhere, anywhereIPv6} {
		restricts := func(source string) bool {
			return source != everybody && (isPrefixList(source) || isIPv6(source) == isIPv6(everybody))
		}
		if slices.Contains(s.Clients, everybody) && slices.ContainsFunc(s.Clients, restricts) {
			r.Conflict([]string{"ingress.clients"}, fmt.Sprintf("%s admits every client, so another range or list would restrict nothing; allowed: %[1]s alone, or others without it", everybody))
		}
	}
}
