package alb

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// matches says whether a request meets every condition of a rule, and names the first condition that this stand-in
// does not carry.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
func (r rule) matches(request *http.Request) (ok bool, unknown string) {
	for _, c := range r.conditions {
		ok, known := matchCondition(c, request)
		if !known {
			return false, aws.ToString(c.Field)
		}
		if !ok {
			return false, ""
		}
	}
	return true, ""
}

// matchCondition evaluates one condition: one of its values must match.
func matchCondition(c types.RuleCondition, request *http.Request) (ok, known bool) {
	if len(c.RegexValues) > 0 {
		return false, false
	}
	switch aws.ToString(c.Field) {
	case "path-pattern":
		values := c.Values
		if c.PathPatternConfig != nil {
			values = append(slices.Clone(values), c.PathPatternConfig.Values...)
		}
		return anyWildcard(values, request.URL.EscapedPath()), true
	case "host-header":
		values := c.Values
		if c.HostHeaderConfig != nil {
			values = append(slices.Clone(values), c.HostHeaderConfig.Values...)
		}
		return anyWildcardFold(values, hostOnly(request.Host)), true
	case "http-request-method":
		return c.HttpRequestMethodConfig != nil && slices.Contains(c.HttpRequestMethodConfig.Values, request.Method), true
	case "http-header":
		h := c.HttpHeaderConfig
		if h == nil || len(h.RegexValues) > 0 {
			return false, h == nil
		}
		return slices.ContainsFunc(request.Header.Values(aws.ToString(h.HttpHeaderName)), func(v string) bool { return anyWildcardFold(h.Values, v) }), true
	case "query-string":
		return c.QueryStringConfig != nil && matchQuery(c.QueryStringConfig.Values, request.URL.RawQuery), true
	case "source-ip":
		return c.SourceIpConfig != nil && matchSource(c.SourceIpConfig.Values, request.RemoteAddr), true
	}
	return false, false
}

func anyWildcard(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wildcard(p, s) })
}

func anyWildcardFold(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wildcard(strings.ToLower(p), strings.ToLower(s)) })
}

// wildcard matches * for any number of characters and ? for exactly one.
func wildcard(pattern, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

func matchQuery(pairs []types.QueryStringKeyValuePair, raw string) bool {
	query, _ := url.ParseQuery(raw)
	return slices.ContainsFunc(pairs, func(p types.QueryStringKeyValuePair) bool {
		for key, values := range query {
			if p.Key != nil && !wildcard(strings.ToLower(*p.Key), strings.ToLower(key)) {
				continue
			}
			if anyWildcardOf(aws.ToString(p.Value), values) {
				return true
			}
		}
		return false
	})
}

func anyWildcardOf(pattern string, values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return wildcard(strings.ToLower(pattern), strings.ToLower(v)) })
}

func matchSource(blocks []string, remote string) bool {
	address, err := netip.ParseAddrPort(remote)
	return err == nil && slices.ContainsFunc(blocks, func(b string) bool {
		block, err := netip.ParsePrefix(b)
		return err == nil && block.Contains(address.Addr().Unmap())
	})
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// share is a target group and its weight in a forward action.
type share struct {
	group  string
	weight int
}

// forwardsTo lists the target groups of a forward action.
func forwardsTo(a types.Action) []share {
	if a.Type != types.ActionTypeEnumForward {
		return nil
	}
	if a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0 {
		return []share{{aws.ToString(a.TargetGroupArn), 1}}
	}
	var shares []share
	for _, t := range a.ForwardConfig.TargetGroups {
		weight := 1
		if t.Weight != nil {
			weight = int(*t.Weight)
		}
		shares = append(shares, share{aws.ToString(t.TargetGroupArn), weight})
	}
	return shares
}

// choose picks a target group at random, in proportion to the weights; "" when all weights are zero.
func choose(shares []share) string {
	total := 0
	for _, s := range shares {
		total += s.weight
	}
	if total == 0 {
		return ""
	}
	n := rand.IntN(total) //nolint:gosec // shares traffic, keeps no secret
	for _, s := range shares {
		if n < s.weight {
			return s.group
		}
		n -= s.weight
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
