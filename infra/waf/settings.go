package waf

import (
	"regexp"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says which firewall there is.
type Settings struct {
	// Mode is Off, Managed, or the ARN of an existing web ACL.
	Mode string
	// RateLimit is the number of requests that one address may make within five minutes. Only Managed uses it.
	RateLimit int
}

// Modes besides the ARN of an existing web ACL.
const (
	Off     = "off"
	Managed = "managed"
)

var webACLPattern = regexp.MustCompile(`^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[A-Za-z0-9_-]+/[0-9a-f-]+$`)

// WebACLARN is the ARN of the existing web ACL, or empty.
func (s Settings) WebACLARN() string {
	if s.Mode == Off || s.Mode == Managed {
		return ""
	}

	return s.Mode
}

// Read returns the settings of the firewall. It stands before a load balancer of the stack's own, if there is one.
func Read(r *settings.Reader, ownLoadBalancer bool) Settings {
	inProd := Off
	if ownLoadBalancer {
		inProd = Managed
	}
	r.FollowProfile("waf", Off, inProd)

	return Settings{
		Mode: r.Text("waf", "off, managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>",
			func(value string) bool { return value == Off || value == Managed || webACLPattern.MatchString(value) }),
		// https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
		RateLimit: r.Between("wafRateLimit", 10, 2000000000, "requests in five minutes"),
	}
}
