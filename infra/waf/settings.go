package waf

import (
	"regexp"

	"fargate-nginx-sidecar/infra/settings"
)

// Settings says which firewall there is.
type Settings struct {
	// Mode is Off, Managed, or the ARN of an existing web ACL.
	Mode string
	// RateLimit is the number of requests that one address may make within five minutes. Only Managed has one.
	RateLimit int
}

// Modes besides the ARN of an existing web ACL.
const (
	Off     = ""
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

// rateLimit is the number of requests that one address may make within five minutes: 2000 is what AWS's own examples
// have, far above what a person does and far below a flood.
// https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based.html
const rateLimit = 2000

// Read returns the settings of the firewall. It stands before a load balancer of the stack's own, if there is one.
func Read(r *settings.Reader, ownLoadBalancer bool) Settings {
	form := settings.Form{Allowed: "managed, or arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>", Check: func(value string) bool {
		return value == Managed || webACLPattern.MatchString(value)
	}}
	g := r.Group("ingress").OrFalse().Else("false")
	if ownLoadBalancer {
		g = g.InProd(Managed)
	}

	return Settings{
		Mode: g.Text("firewall", Off, form,
			"Web application firewall of the load balancer: `managed` has a rate limit of 2000 requests per address within five minutes, AWS's rule groups against malicious addresses, known exploits and common attacks, and a log that is kept for `storage.logRetention`; or the ARN of an existing regional web ACL. Each rule and each request costs money. Only with the kind `alb`.",
			"https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html"),
		RateLimit: rateLimit,
	}
}
