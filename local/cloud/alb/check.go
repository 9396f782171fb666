package alb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// earlyInterval is between checks of a new target until the first interval is over. ELB checks once at registration
// and then once per interval; here a target that comes up a moment later is found sooner. A failure in that time
// counts for nothing but the first one.
const earlyInterval = 250 * time.Millisecond

// checkSettings is a target group's health check.
type checkSettings struct {
	enabled            bool
	https              bool
	port               string // a number, or traffic-port
	path               string
	matcher            matcher
	interval, timeout  time.Duration
	healthy, unhealthy int // results in a row
}

func newCheckSettings(g types.TargetGroup) (checkSettings, error) {
	s := checkSettings{
		enabled:   g.HealthCheckEnabled == nil || *g.HealthCheckEnabled,
		https:     g.HealthCheckProtocol == types.ProtocolEnumHttps,
		port:      aws.ToString(g.HealthCheckPort),
		path:      aws.ToString(g.HealthCheckPath),
		interval:  time.Duration(aws.ToInt32(g.HealthCheckIntervalSeconds)) * time.Second,
		timeout:   time.Duration(aws.ToInt32(g.HealthCheckTimeoutSeconds)) * time.Second,
		healthy:   int(aws.ToInt32(g.HealthyThresholdCount)),
		unhealthy: int(aws.ToInt32(g.UnhealthyThresholdCount)),
	}
	if s.path == "" {
		s.path = "/"
	}
	codes := "200"
	if g.Matcher != nil && aws.ToString(g.Matcher.HttpCode) != "" {
		codes = aws.ToString(g.Matcher.HttpCode)
	}
	var err error
	s.matcher, err = parseMatcher(codes)
	return s, err
}

// matcher is the set of status codes that mean healthy.
type matcher []struct{ from, to int }

// parseMatcher reads "200", "200,202" and "200-299"; codes lie between 200 and 499.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Matcher.html
func parseMatcher(s string) (matcher, error) {
	var m matcher
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err1 := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err := errors.Join(err1, err2); err != nil || low < 200 || high > 499 || low > high {
			return nil, fmt.Errorf("matcher %q; allowed: codes and ranges between 200 and 499", s)
		}
		m = append(m, struct{ from, to int }{low, high})
	}
	return m, nil
}

func (m matcher) match(code int) bool {
	for _, r := range m {
		if r.from <= code && code <= r.to {
			return true
		}
	}
	return false
}

// result is the outcome of one health check.
type result struct {
	ok          bool
	reason      types.TargetHealthReasonEnum
	description string
}

// standing is what a target's results amount to.
type standing struct {
	state          types.TargetHealthStateEnum
	reason         types.TargetHealthReasonEnum
	description    string
	passed, failed int // in a row
}

func newStanding() standing {
	return standing{state: types.TargetHealthStateEnumInitial, reason: types.TargetHealthReasonEnumInitialHealthChecking, description: "Initial health checks in progress"}
}

// observe adds a result. A new target is healthy after its first success, whatever the threshold; later changes
// need the threshold's number of results in a row.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func (s standing) observe(r result, c checkSettings) standing {
	if r.ok {
		s.passed, s.failed = s.passed+1, 0
		if s.state == types.TargetHealthStateEnumInitial || s.passed >= c.healthy {
			return standing{state: types.TargetHealthStateEnumHealthy, passed: s.passed}
		}
		return s
	}
	s.passed, s.failed = 0, s.failed+1
	if s.failed >= c.unhealthy {
		return standing{state: types.TargetHealthStateEnumUnhealthy, reason: r.reason, description: r.description, failed: s.failed}
	}
	return s
}

// check asks a target once.
func (s checkSettings) check(ctx context.Context, address string) result {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	scheme := "http"
	if s.https {
		scheme = "https"
	}
	if s.port != "" && s.port != "traffic-port" {
		host, _, _ := net.SplitHostPort(address)
		address = net.JoinHostPort(host, s.port)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+s.path, nil)
	if err != nil {
		return result{false, types.TargetHealthReasonEnumFailedHealthChecks, "Health checks failed"}
	}
	request.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	client := http.Client{
		// A connection for each check, and no certificate validation, as ELB does.
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // as ELB does
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	switch {
	case err != nil && ctx.Err() != nil:
		return result{false, types.TargetHealthReasonEnumTimeout, "Request timed out"}
	case err != nil:
		return result{false, types.TargetHealthReasonEnumFailedHealthChecks, "Health checks failed"}
	}
	_ = response.Body.Close()
	if !s.matcher.match(response.StatusCode) {
		return result{false, types.TargetHealthReasonEnumResponseCodeMismatch, fmt.Sprintf("Health checks failed with these codes: [%d]", response.StatusCode)}
	}
	return result{ok: true}
}
