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
	// ThrottlePerSecond and ThrottleBurst are the requests that the kind APIGateway lets through.
	ThrottlePerSecond, ThrottleBurst int
	// Domain is the service's host name, HostedZoneID the zone that gets its DNS records, and CertificateARN an existing
	// certificate. Each may be empty, but a domain needs a zone or a certificate.
	Domain, HostedZoneID, CertificateARN string
	// DomainAliases are further host names, for which the same holds as for Domain.
	DomainAliases []string
	// AddressType says over which protocols clients can connect.
	AddressType AddressType
	// TLSPolicy is the name of one of the load balancer's security policies. It has no effect without a certificate.
	TLSPolicy string
	// HTTP says what port 80 does if there is a certificate.
	HTTP HTTP
	// TargetTLS encrypts the connections between the load balancer and the tasks.
	TargetTLS bool
	// ClientCIDRs and ClientPrefixListID say from where clients may connect: IPv4 ranges, and a prefix list or empty.
	ClientCIDRs        []string
	ClientPrefixListID string
	// AccessLogs makes the load balancer log every request.
	AccessLogs bool
	// HealthCheck says how the load balancer probes the tasks.
	HealthCheck HealthCheck
	// DeregistrationDelay is the time that requests have to finish when their task is removed.
	DeregistrationDelay time.Duration
	// IdleTimeout is the time after which a connection without traffic is closed.
	IdleTimeout time.Duration
	// ClientKeepAlive is the time after which a client's connection is closed, however busy it is.
	ClientKeepAlive time.Duration
	// DeletionProtection makes AWS refuse to delete the load balancer, and makes the engine refuse to delete or replace
	// anything that serves clients.
	DeletionProtection bool
}

// Kind is what sends the clients' requests to the tasks.
type Kind string

const (
	// Own is a load balancer that belongs to the stack.
	Own Kind = "alb"
	// Shared is a rule on a load balancer that belongs to somebody else.
	Shared Kind = "shared"
	// APIGateway is an HTTP API of API Gateway, without a load balancer.
	APIGateway Kind = "api-gateway"
)

// SharedLoadBalancer says which requests to a listener of somebody else's are for this stack: those with one of the hosts
// and one of the paths, in the patterns of the load balancer. If either list is empty, any will do. A priority of zero is
// derived from the names of project, stack and service.
type SharedLoadBalancer struct {
	ListenerARN string   `json:"listenerArn"`
	Hosts       []string `json:"hosts"`
	Paths       []string `json:"paths"`
	Priority    int      `json:"priority"`
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
	Closed HTTP = "none"
)

// HealthCheck says how targets are probed, in whole seconds and probes in a row.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
type HealthCheck struct {
	Path               string
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
}

// Encrypted says whether there is a certificate, and therefore a listener on port 443.
func (s Settings) Encrypted() bool { return s.Domain != "" || s.CertificateARN != "" }

// LogsToBucket says whether a load balancer of the stack's own writes access logs to a bucket.
func (s Settings) LogsToBucket() bool { return s.AccessLogs && s.Kind == Own }

// listensOnHTTP says whether there is a listener on port 80.
func (s Settings) listensOnHTTP() bool { return !s.Encrypted() || s.HTTP == Redirect }

var (
	// A host name that a certificate can have: two labels or more, each of at most 63 characters.
	domainPattern      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostedZonePattern  = regexp.MustCompile(`^[0-9A-Z]{1,32}$`)
	certificatePattern = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	prefixListPattern  = regexp.MustCompile(`^pl-([0-9a-f]{8}|[0-9a-f]{17})$`)
	pathPattern        = regexp.MustCompile(`^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$`)
)

// tlsPolicies are the load balancer's security policies that Security Hub recommends. They exclude TLS 1.1 and older.
// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-17
var tlsPolicies = []string{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"}

// Read returns the settings of the ingress.
func Read(r *settings.Reader) Settings {
	kind := settings.OneOf(r, "ingress", Own, Shared, APIGateway)
	s := Settings{
		Kind:               kind,
		SharedLoadBalancer: readShared(r),
		OIDC:               readOIDC(r),
		ThrottlePerSecond:  r.Between("throttlePerSecond", 1, 1000000, "requests a second"),
		ThrottleBurst:      r.Between("throttleBurst", 1, 1000000, "requests"),
		// A certificate's common name has at most 64 characters.
		// https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
		Domain: r.Text("domain", "empty, or a host name in lower case of at most 64 characters, such as www.example.com",
			func(name string) bool { return name == "" || isHost(name) }),
		DomainAliases: r.Texts("domainAliases", "a host name in lower case of at most 64 characters, such as example.com", isHost),
		HostedZoneID: r.Text("hostedZoneId", "empty, or up to 32 digits and capital letters",
			func(id string) bool { return id == "" || hostedZonePattern.MatchString(id) }),
		CertificateARN: r.Text("certificateArn", "empty, or arn:aws:acm:<region>:<account>:certificate/<id>",
			func(arn string) bool { return arn == "" || certificatePattern.MatchString(arn) }),
		AddressType: settings.OneOf(r, "ipAddressType", IPv4, Dualstack),
		TLSPolicy:   r.OneOf("tlsPolicy", tlsPolicies...),
		HTTP:        settings.OneOf(r, "http", Redirect, Closed),
		TargetTLS:   r.Switch("targetTls", "off", inProd(kind != APIGateway)),
		ClientCIDRs: r.Texts("clientCidrs", "a range without host bits, such as 203.0.113.0/24 or 2001:db8::/32", isRange),
		ClientPrefixListID: r.Text("clientPrefixListId", "empty, or pl- and 8 or 17 hexadecimal digits",
			func(id string) bool { return id == "" || prefixListPattern.MatchString(id) }),
		AccessLogs:          r.Switch("accessLogs", "off", inProd(kind != Shared)),
		HealthCheck:         readHealthCheck(r),
		DeregistrationDelay: r.Seconds("deregistrationDelaySeconds", 0, 3600),
		// AWS allows 1 to 4000. The lower limit here is 5, because NGINX waits one second less than the load balancer, and
		// an app needs some seconds to answer.
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
		IdleTimeout: r.Seconds("idleTimeoutSeconds", 5, 4000),
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#http-client-keep-alive-duration
		ClientKeepAlive:    r.Seconds("clientKeepAliveSeconds", 60, 604800),
		DeletionProtection: r.Switch("deletionProtection", "off", "on"),
	}
	checkCertificate(r, s)
	checkAliases(r, s)
	checkClients(r, s)
	checkAddresses(r, s)
	checkShared(r, s)
	checkAPI(r, s)
	checkOIDC(r, s)

	return s
}

// inProd is the profile's value of a switch that only some kinds of ingress have.
func inProd(has bool) string {
	if has {
		return "on"
	}

	return "off"
}

func isHost(name string) bool { return len(name) <= 64 && domainPattern.MatchString(name) }

func isRange(value string) bool {
	prefix, err := netip.ParsePrefix(value)

	return err == nil && !prefix.Addr().Is4In6() && prefix == prefix.Masked() && prefix.String() == value
}

func isIPv6(cidr string) bool { return strings.Contains(cidr, ":") }

func readHealthCheck(r *settings.Reader) HealthCheck {
	check := HealthCheck{
		Path: r.Text("healthCheckPath",
			"empty, or a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters",
			func(path string) bool { return path == "" || len(path) <= 1024 && pathPattern.MatchString(path) }),
		Interval:  r.Seconds("healthCheckIntervalSeconds", 5, 300),
		Timeout:   r.Seconds("healthCheckTimeoutSeconds", 2, 120),
		Healthy:   r.Between("healthyThreshold", 2, 10, "checks"),
		Unhealthy: r.Between("unhealthyThreshold", 2, 10, "checks"),
	}
	if check.Timeout >= check.Interval {
		r.Conflict([]string{"healthCheckTimeoutSeconds", "healthCheckIntervalSeconds"},
			fmt.Sprintf("%g is not less than %g; checks would overlap", check.Timeout.Seconds(), check.Interval.Seconds()))
	}

	return check
}

func checkCertificate(r *settings.Reader, s Settings) {
	if s.Domain != "" && s.HostedZoneID == "" && s.CertificateARN == "" {
		r.Conflict([]string{"domain", "hostedZoneId", "certificateArn"},
			"domain is "+s.Domain+", but the other two are empty; allowed: a hostedZoneId, in whose zone a record validates a new certificate, or a certificateArn")
	}
	if s.HostedZoneID != "" && s.Domain == "" {
		r.Conflict([]string{"hostedZoneId", "domain"}, "a zone is given, but domain is empty; allowed: a domain in that zone")
	}
	if !s.Encrypted() && s.HTTP == Closed {
		r.Conflict([]string{"http", "domain", "certificateArn"},
			"http is none, but there is no certificate, so no port would be open; allowed: redirect, or none with domain and hostedZoneId, or with certificateArn")
	}
}

// mostAliases is how many names a certificate has at most, unless the account's quota has been raised, without the first.
// https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
const mostAliases = 10 - 1

func checkAliases(r *settings.Reader, s Settings) {
	keys := []string{"domainAliases", "domain"}
	names := slices.Sorted(slices.Values(append([]string{s.Domain}, s.DomainAliases...)))
	switch {
	case len(s.DomainAliases) > mostAliases:
		r.Fail("domainAliases", fmt.Sprintf("%d names", len(s.DomainAliases)), fmt.Sprintf("at most %d", mostAliases))
	case len(s.DomainAliases) > 0 && s.Domain == "":
		r.Conflict(keys, "further names are given, but domain is empty; allowed: a domain, and further names")
	case len(slices.Compact(names)) <= len(s.DomainAliases):
		r.Conflict(keys, "a name is given twice; allowed: each name once")
	case len(s.DomainAliases) > 0 && s.Kind != Own:
		r.Conflict([]string{"domainAliases", "ingress"}, fmt.Sprintf("given, but ingress is %s; allowed with: alb", s.Kind))
	}
}

// checkAddresses refuses ranges that no client can come from, and a choice of protocols that lets nobody in over one of them.
func checkAddresses(r *settings.Reader, s Settings) {
	keys := []string{"ipAddressType", "clientCidrs"}
	switch ranges := slices.ContainsFunc(s.ClientCIDRs, isIPv6); {
	case s.AddressType == Dualstack && s.Kind != Own:
		r.Conflict([]string{"ipAddressType", "ingress"}, fmt.Sprintf("dualstack, but ingress is %s; allowed with: alb", s.Kind))
	case s.AddressType == Dualstack && !ranges && s.ClientPrefixListID == "":
		r.Conflict(keys, "dualstack, but no IPv6 range may connect; allowed with: such a range, as in [0.0.0.0/0, ::/0]")
	case s.AddressType == IPv4 && ranges:
		r.Conflict(keys, "an IPv6 range is given, but the load balancer has IPv4 addresses alone; allowed with: dualstack")
	}
}

func checkClients(r *settings.Reader, s Settings) {
	keys := []string{"clientCidrs", "clientPrefixListId"}

	if len(s.ClientCIDRs) == 0 && s.ClientPrefixListID == "" {
		r.Conflict(keys, "both are empty, so nobody could reach the load balancer; allowed: at least one range or a list")
	}
	for _, everybody := range []string{anywhere, anywhereIPv6} {
		sameKind := func(cidr string) bool { return isIPv6(cidr) == isIPv6(everybody) }
		others := slices.ContainsFunc(s.ClientCIDRs, func(cidr string) bool { return cidr != everybody && sameKind(cidr) })
		if slices.Contains(s.ClientCIDRs, everybody) && (s.ClientPrefixListID != "" || others) {
			r.Conflict(keys, fmt.Sprintf("%s admits everybody, so a further range or list would restrict nothing; allowed: %[1]s alone, or others without it", everybody))
		}
	}
}
