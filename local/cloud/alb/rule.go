package alb

import (
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// matches says whether a request meets every condition of a rule, and names the first condition that this stand-in
// does not support.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
func (r rule) matches(request *http.Request) (ok bool, unknown string) {
	for _, c := range r.conditions {
		switch {
		case aws.ToString(c.Field) == "path-pattern" && len(c.RegexValues) == 0:
			values := c.Values
			if c.PathPatternConfig != nil {
				values = append(slices.Clone(values), c.PathPatternConfig.Values...)
			}
			ok = anyWildcard(values, request.URL.EscapedPath())
		case aws.ToString(c.Field) == "host-header" && len(c.RegexValues) == 0:
			values := c.Values
			if c.HostHeaderConfig != nil {
				values = append(slices.Clone(values), c.HostHeaderConfig.Values...)
			}
			ok = anyWildcard(lower(values), strings.ToLower(hostOnly(request.Host)))
		default:
			return false, aws.ToString(c.Field)
		}
		if !ok {
			return false, ""
		}
	}
	return true, ""
}

func lower(values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, strings.ToLower(value))
	}
	return all
}

func anyWildcard(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Wildcard(p, s) })
}

// Wildcard matches a pattern as rules do, case included: * for any number of characters and ? for exactly one.
func Wildcard(pattern, s string) bool {
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	matched, _ := regexp.MatchString("^(?s:"+expression+")$", s) // what was quoted always compiles
	return matched
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// forwardsTo is the target group of a forward action, "" for another action and for one that splits requests between
// several groups, which this stand-in does not support.
func forwardsTo(a types.Action) string {
	switch {
	case a.Type != types.ActionTypeEnumForward:
		return ""
	case a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0:
		return aws.ToString(a.TargetGroupArn)
	case len(a.ForwardConfig.TargetGroups) == 1:
		return aws.ToString(a.ForwardConfig.TargetGroups[0].TargetGroupArn)
	}
	return ""
}

// redirectTo is the address a redirect action sends the client to. port is the listener's port in AWS; local maps
// AWS ports to the local ones, so that the redirect also leads somewhere on this machine.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html#redirect-actions
func redirectTo(c types.RedirectActionConfig, request *http.Request, https bool, port string, local func(string) string) (location string, code int) {
	protocol := "HTTP"
	if https {
		protocol = "HTTPS"
	}
	fill := strings.NewReplacer(
		"#{protocol}", strings.ToLower(protocol),
		"#{host}", hostOnly(request.Host),
		"#{port}", port,
		"#{path}", strings.TrimPrefix(request.URL.EscapedPath(), "/"),
		"#{query}", request.URL.RawQuery,
	)
	value := func(v *string, otherwise string) string {
		if v == nil || *v == "" {
			v = &otherwise
		}
		return fill.Replace(*v)
	}
	scheme := strings.ToLower(value(c.Protocol, "#{protocol}"))
	target := local(value(c.Port, "#{port}"))
	location = scheme + "://" + value(c.Host, "#{host}")
	if usual := scheme == "http" && target == "80" || scheme == "https" && target == "443"; !usual {
		location += ":" + target
	}
	location += value(c.Path, "/#{path}")
	if query := value(c.Query, "#{query}"); query != "" {
		location += "?" + query
	}
	code = http.StatusFound
	if c.StatusCode == types.RedirectActionStatusCodeEnumHttp301 {
		code = http.StatusMovedPermanently
	}
	return location, code
}
