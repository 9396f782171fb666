package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Edge describes how clients reach the load balancer: encryption, names, and from where.
type Edge struct {
	Domain, HostedZoneID, CertificateARN string
	TLSPolicy                            string
	// HTTP is what port 80 does beside a certificate: redirect or none.
	HTTP string
	// TargetTLS is encryption between the load balancer and the tasks.
	TargetTLS bool
	// ClientCIDRs and ClientPrefixListID are the sources that may open connections.
	ClientCIDRs        []string
	ClientPrefixListID string
	// AccessLogs are the load balancer's. They and the network's flow logs are the traffic logs.
	AccessLogs             bool
	TrafficLogDays         int
	ForceDeleteTrafficLogs bool
	// WAF is off, managed, or the ARN of a web ACL. WAFRateLimit belongs to managed.
	WAF          string
	WAFRateLimit int
}

// TLS says whether there is a certificate, and with it a listener on port 443.
func (e Edge) TLS() bool { return e.Domain != "" || e.CertificateARN != "" }

var (
	// A host name as certificates have it: two labels or more, each of 63 characters at most.
	domainPattern      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostedZonePattern  = regexp.MustCompile(`^[0-9A-Z]{1,32}$`)
	certificatePattern = regexp.MustCompile(`^arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	webACLPattern      = regexp.MustCompile(`^arn:aws[a-z-]*:wafv2:([a-z0-9-]+):[0-9]{12}:regional/webacl/[A-Za-z0-9_-]+/[0-9a-f-]+$`)
	prefixListPattern  = regexp.MustCompile(`^pl-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

// tlsPolicies are those of the load balancer's policies that a security scan accepts and that know no TLS 1.1.
// https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-17
var tlsPolicies = []string{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"}

func (r *reader) edge() Edge {
	return Edge{
		// A certificate's common name has at most 64 characters.
		// https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
		Domain: r.text("domain", "empty, or a host name in lower case of at most 64 characters, such as www.example.com",
			func(name string) bool { return name == "" || len(name) <= 64 && domainPattern.MatchString(name) }),
		HostedZoneID: r.text("hostedZoneId", "empty, or up to 32 digits and capital letters",
			func(id string) bool { return id == "" || hostedZonePattern.MatchString(id) }),
		CertificateARN: r.text("certificateArn", "empty, or arn:aws:acm:<region>:<account>:certificate/<id>",
			func(arn string) bool { return arn == "" || certificatePattern.MatchString(arn) }),
		TLSPolicy: r.oneOf("tlsPolicy", tlsPolicies...),
		HTTP:      r.oneOf("http", "redirect", "none"),
		TargetTLS: r.switched("targetTls"),
		ClientCIDRs: r.texts("clientCidrs", "an IPv4 range without host bits, such as 203.0.113.0/24",
			func(value string) bool {
				prefix, err := netip.ParsePrefix(value)
				return err == nil && prefix.Addr().Is4() && prefix == prefix.Masked() && prefix.String() == value
			}),
		ClientPrefixListID: r.text("clientPrefixListId", "empty, or pl- and 8 or 17 hexadecimal digits",
			func(id string) bool { return id == "" || prefixListPattern.MatchString(id) }),
		AccessLogs:             r.switched("accessLogs"),
		TrafficLogDays:         r.between("trafficLogDays", 1, 3650, "days"),
		ForceDeleteTrafficLogs: r.boolean("forceDeleteTrafficLogs"),
		WAF: r.text("waf", "off, managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>",
			func(value string) bool {
				return value == "off" || value == "managed" || webACLPattern.MatchString(value)
			}),
		WAFRateLimit: r.between("wafRateLimit", 10, 2000000000, "requests in five minutes"),
	}
}

func (r *reader) edgeContradictions(cfg *Config) {
	edge := cfg.Edge

	if edge.Domain != "" && edge.HostedZoneID == "" && edge.CertificateARN == "" {
		r.contradiction([]string{"domain", "hostedZoneId", "certificateArn"},
			"domain is "+edge.Domain+", and the other two are empty; allowed: the zone in which a record can prove the certificate, or a certificate")
	}
	if edge.HostedZoneID != "" && edge.Domain == "" {
		r.contradiction([]string{"hostedZoneId", "domain"}, "given, but domain is empty; allowed: a name in the zone")
	}
	if !edge.TLS() && edge.HTTP == "none" {
		r.contradiction([]string{"http", "domain", "certificateArn"},
			"http is none, but there is no certificate; no port would be open; allowed: domain with hostedZoneId, certificateArn, or redirect")
	}
	if part := certificatePattern.FindStringSubmatch(edge.CertificateARN); part != nil && part[1] != cfg.Region {
		r.contradiction([]string{"certificateArn", "aws:region"},
			fmt.Sprintf("the certificate is in %s; allowed: one in %s, like the load balancer", part[1], cfg.Region))
	}
	if part := webACLPattern.FindStringSubmatch(edge.WAF); part != nil && part[1] != cfg.Region {
		r.contradiction([]string{"waf", "aws:region"},
			fmt.Sprintf("the web ACL is in %s; allowed: one in %s, like the load balancer", part[1], cfg.Region))
	}
	r.clientContradictions(edge)
	r.egressContradictions(cfg)
	r.targetTLSContradiction(cfg)
}

// tlsStage is the stage of NGINX's Dockerfile that can encrypt; what is built without it is smaller.
const tlsStage = "tls"

var beginsTLSStage = regexp.MustCompile(`(?mi)^FROM\s.*\sAS\s+` + tlsStage + `\s*$`)

func (r *reader) targetTLSContradiction(cfg *Config) {
	nginx := cfg.Images.Nginx
	if !cfg.Edge.TargetTLS || nginx.Prebuilt != "" || r.wrong["nginxContext"] {
		return
	}
	text, err := os.ReadFile(filepath.Join(nginx.Context, nginx.Dockerfile))
	if err != nil || !beginsTLSStage.Match(text) {
		r.contradiction([]string{"targetTls", "nginxContext"},
			fmt.Sprintf("targetTls is on, but %s/%s has no stage %s; allowed: off, or a stage with openssl in it", nginx.Context, nginx.Dockerfile, tlsStage))
	}
}

// ecrPattern is an image in a private repository, whose region is the first group.
var ecrPattern = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com`)

func (r *reader) egressContradictions(cfg *Config) {
	egress, mode := cfg.Network.Egress, cfg.Network.Mode

	if mode != "large" && (egress == "nat-single" || egress == "endpoints") {
		r.contradiction([]string{"egress", "network"},
			fmt.Sprintf("egress is %s, but network is %s; allowed with: large", egress, mode))
	}
	if mode != "large" || egress != "endpoints" {
		return
	}
	if strings.HasPrefix(cfg.Region, "cn-") {
		r.contradiction([]string{"egress", "aws:region"},
			"egress is endpoints, but services have other names in "+cfg.Region+"; allowed there: nat-per-az, nat-single, public")
	}
	r.reachable("appImage", cfg.Images.App.Prebuilt, cfg.Region)
	r.reachable("nginxImage", cfg.Images.Nginx.Prebuilt, cfg.Region)
}

// reachable refuses an image that endpoints do not lead to.
func (r *reader) reachable(key, image, region string) {
	part := ecrPattern.FindStringSubmatch(image)
	if image != "" && (part == nil || part[1] != region) {
		r.contradiction([]string{"egress", key},
			fmt.Sprintf("egress is endpoints, which do not lead to %s; allowed: an image in ECR in %s", image, region))
	}
}

func (r *reader) clientContradictions(edge Edge) {
	keys := []string{"clientCidrs", "clientPrefixListId"}

	if len(edge.ClientCIDRs) == 0 && edge.ClientPrefixListID == "" {
		r.contradiction(keys, "both empty; nobody could reach the load balancer")
	}
	if slices.ContainsFunc(edge.ClientCIDRs, func(cidr string) bool { return strings.HasSuffix(cidr, "/0") }) &&
		(edge.ClientPrefixListID != "" || len(edge.ClientCIDRs) > 1) {
		r.contradiction(keys, "0.0.0.0/0 lets everybody in, whatever stands beside it; allowed: 0.0.0.0/0 alone, or others without it")
	}
}
