package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Sidecar is what NGINX does between load balancer and app. ReadTimeout and AppKeepAlive are derived from the load
// balancer's idle timeout where nothing is set; both are always filled in.
type Sidecar struct {
	PathPrefixes                  []string
	Methods                       []string
	BodyLimitKilobytes            int
	RatePerSecond, RateBurst      int
	ReadTimeout, ClientTimeout    time.Duration
	AppKeepAlive                  time.Duration
	GzipLevel                     int
	CacheSeconds                  int
	AccessLog                     string
	LogHealthChecks               bool
	TrustedProxies                []netip.Prefix
	Workers                       int
	readTimeoutSet, keepAlivesSet bool
}

var (
	prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9_-]+)+$`)
	methods       = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)

func (r *reader) sidecar() Sidecar {
	sidecar := Sidecar{
		PathPrefixes: r.some("pathPrefixes", "a path such as /api or /v1/orders, of letters, digits, hyphens and underscores",
			prefixPattern.MatchString),
		Methods: r.some("allowedMethods", "one of "+strings.Join(methods, ", "),
			func(method string) bool { return slices.Contains(methods, method) }),
		BodyLimitKilobytes: r.between("bodyLimitKilobytes", 1, 1048576, "KiB"),
		RatePerSecond:      r.between("rateLimitPerSecond", 0, 100000, "requests a second"),
		RateBurst:          r.between("rateLimitBurst", 0, 100000, "requests"),
		ReadTimeout:        r.seconds("readTimeoutSeconds", 0, 3599),
		ClientTimeout:      r.seconds("clientTimeoutSeconds", 1, 300),
		AppKeepAlive:       r.seconds("appKeepAliveSeconds", 0, 5000),
		GzipLevel:          r.between("gzipLevel", 0, 9, "(0 is off)"),
		CacheSeconds:       r.between("cacheSeconds", 0, 3600, "seconds"),
		AccessLog:          r.oneOf("accessLog", "json", "text", "off"),
		LogHealthChecks:    r.boolean("logHealthChecks"),
		TrustedProxies:     r.ranges("trustedProxies"),
		Workers:            r.between("nginxWorkers", 0, 64, "processes"),
	}
	sidecar.readTimeoutSet, sidecar.keepAlivesSet = sidecar.ReadTimeout > 0, sidecar.AppKeepAlive > 0

	return sidecar
}

// some returns a list of at least one text.
func (r *reader) some(key, allowed string, check func(string) bool) []string {
	all := r.texts(key, allowed, check)
	if len(all) == 0 && !r.wrong[key] {
		r.fail(key, "[]", "at least one: "+allowed)
	}

	return all
}

// ranges returns address ranges without host bits.
func (r *reader) ranges(key string) []netip.Prefix {
	texts := r.texts(key, "an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28",
		func(text string) bool {
			prefix, err := netip.ParsePrefix(text)
			return err == nil && prefix == prefix.Masked()
		})

	var all []netip.Prefix
	for _, text := range texts {
		// The check above has reported what does not parse.
		if prefix, err := netip.ParsePrefix(text); err == nil {
			all = append(all, prefix)
		}
	}

	return all
}

// appMargin is how much longer than NGINX the app keeps a silent connection, where nothing is set.
const appMargin = 35 * time.Second

// deriveTimeouts fills in the times that follow from the one number. From the outside in: the load balancer waits for
// an answer as long as its idle timeout, NGINX for the app a second less, so that the answer to a slow request is
// NGINX's; and whoever sends requests on a connection is the first to close it.
func (s *Sidecar) deriveTimeouts(idle time.Duration) {
	if !s.readTimeoutSet {
		s.ReadTimeout = idle - time.Second
	}
	if !s.keepAlivesSet {
		s.AppKeepAlive = idle + appMargin
	}
}

func (r *reader) sidecarContradictions(cfg *Config) {
	sidecar, idle := cfg.Sidecar, cfg.LoadBalancer.IdleTimeout

	if sidecar.ReadTimeout >= idle {
		r.contradiction([]string{"readTimeoutSeconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%g is not less than %g; the load balancer would give up before NGINX can answer",
				sidecar.ReadTimeout.Seconds(), idle.Seconds()))
	}
	if sidecar.AppKeepAlive <= idle {
		r.contradiction([]string{"appKeepAliveSeconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%g is not more than %g; the app would close connections on which NGINX sends a request",
				sidecar.AppKeepAlive.Seconds(), idle.Seconds()))
	}
	if sidecar.LogHealthChecks && sidecar.AccessLog == "off" {
		r.contradiction([]string{"logHealthChecks", "accessLog"}, "health checks are to be logged, but accessLog is off; allowed with: json, text")
	}
	if cfg.Operations.LogMetrics && sidecar.AccessLog != "json" {
		r.contradiction([]string{"logMetrics", "accessLog"},
			fmt.Sprintf("metrics are read from the JSON lines, but accessLog is %s; allowed with: json", sidecar.AccessLog))
	}
	r.healthPath(cfg.LoadBalancer.HealthCheckPath, sidecar.PathPrefixes)
}

// healthPath refuses a path that NGINX answers with 404: no task would ever be healthy.
func (r *reader) healthPath(path string, prefixes []string) {
	for _, prefix := range append([]string{"/"}, prefixes...) {
		if path == prefix || prefix != "/" && strings.HasPrefix(path, prefix+"/") {
			return
		}
	}
	r.contradiction([]string{"healthCheckPath", "pathPrefixes"},
		fmt.Sprintf("%s is neither / (answered by NGINX) nor below %s (answered by the app)", path, strings.Join(prefixes, ", ")))
}
