package service

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/settings"
)

// Sidecar is what NGINX does between load balancer and app.
type Sidecar struct {
	// PathPrefixes reach the app, by Methods alone.
	PathPrefixes, Methods []string
	// BodyLimitKilobytes is in KiB.
	BodyLimitKilobytes int
	// RatePerSecond is the requests a client may send in a second, RateBurst how many more at once; zero is no limit.
	RatePerSecond, RateBurst int
	// ClientTimeout is how long NGINX waits for a client.
	ClientTimeout time.Duration
	// ReadTimeout is how long NGINX waits for the app, AppKeepAlive how long the app keeps a silent connection. Zero is
	// a time that follows from the load balancer's idle timeout.
	ReadTimeout, AppKeepAlive time.Duration
	// GzipLevel of zero is off, and so is CacheSeconds.
	GzipLevel, CacheSeconds int
	AccessLog               AccessLog
	LogHealthChecks         bool
	// TrustedProxies are ranges in front of the load balancer whose word on who the client is counts.
	TrustedProxies []netip.Prefix
	// Workers is the number of processes; zero is one for each vCPU of the task.
	Workers int
}

// AccessLog is the form of the lines in NGINX's access log.
type AccessLog string

// Forms of the access log.
const (
	LogJSON AccessLog = "json"
	LogText AccessLog = "text"
	LogOff  AccessLog = "off"
)

var (
	prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9_-]+)+$`)
	methods       = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)

func readSidecar(r *settings.Reader) Sidecar {
	s := Sidecar{
		PathPrefixes: r.SomeTexts("pathPrefixes", "a path such as /api or /v1/orders, of letters, digits, hyphens and underscores",
			prefixPattern.MatchString),
		Methods: r.SomeTexts("allowedMethods", "one of "+strings.Join(methods, ", "),
			func(method string) bool { return slices.Contains(methods, method) }),
		BodyLimitKilobytes: r.Between("bodyLimitKilobytes", 1, 1048576, "KiB"),
		RatePerSecond:      r.Between("rateLimitPerSecond", 0, 100000, "requests a second"),
		RateBurst:          r.Between("rateLimitBurst", 0, 100000, "requests"),
		ReadTimeout:        r.Seconds("readTimeoutSeconds", 0, 3999),
		ClientTimeout:      r.Seconds("clientTimeoutSeconds", 1, 300),
		AppKeepAlive:       r.Seconds("appKeepAliveSeconds", 0, 5000),
		GzipLevel:          r.Between("gzipLevel", 0, 9, "(0 is off)"),
		CacheSeconds:       r.Between("cacheSeconds", 0, 3600, "seconds"),
		AccessLog:          settings.OneOf(r, "accessLog", LogJSON, LogText, LogOff),
		LogHealthChecks:    r.Boolean("logHealthChecks"),
		TrustedProxies: r.Ranges("trustedProxies",
			"an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28"),
		Workers: r.Between("nginxWorkers", 0, 64, "processes"),
	}
	if s.LogHealthChecks && s.AccessLog == LogOff {
		r.Conflict([]string{"logHealthChecks", "accessLog"}, "health checks are to be logged, but accessLog is off; allowed with: json, text")
	}

	return s
}

// appMargin is how much longer than NGINX the app keeps a silent connection, where nothing is set.
const appMargin = 35 * time.Second

// The times that follow from the one number. From the outside in: the load balancer waits for an answer as long as its
// idle timeout, NGINX for the app a second less, so that the answer to a slow request is NGINX's; and whoever sends
// requests on a connection is the first to close it.
func (a Args) readTimeout() time.Duration {
	if a.Sidecar.ReadTimeout > 0 {
		return a.Sidecar.ReadTimeout
	}

	return a.IdleTimeout - time.Second
}

func (a Args) appKeepAlive() time.Duration {
	if a.Sidecar.AppKeepAlive > 0 {
		return a.Sidecar.AppKeepAlive
	}

	return a.IdleTimeout + appMargin
}

// sidecarEnvironment renders NGINX's settings as its entrypoint reads them. Each has the same default there, but a
// value that is written down here is one that a task definition shows.
func sidecarEnvironment(args Args, loadBalancerRanges string) map[string]string {
	sidecar := args.Sidecar

	return map[string]string{
		"NGINX_PORT":              strconv.Itoa(args.ContainerPort),
		"APP_PORT":                strconv.Itoa(args.AppPort),
		"NGINX_WORKER_PROCESSES":  strconv.Itoa(workers(sidecar.Workers, args.CPU)),
		"NGINX_IDLE_TIMEOUT":      seconds(args.IdleTimeout),
		"NGINX_READ_TIMEOUT":      seconds(args.readTimeout()),
		"NGINX_CLIENT_TIMEOUT":    seconds(sidecar.ClientTimeout),
		"NGINX_SHUTDOWN_TIMEOUT":  drainTime(args),
		"KEEP_ALIVE_TIMEOUT_MS":   milliseconds(args.appKeepAlive()),
		"NGINX_PATH_PREFIXES":     strings.Join(sidecar.PathPrefixes, ","),
		"NGINX_METHODS":           strings.Join(sidecar.Methods, ","),
		"NGINX_MAX_BODY_KB":       strconv.Itoa(sidecar.BodyLimitKilobytes),
		"NGINX_RATE_LIMIT":        strconv.Itoa(sidecar.RatePerSecond),
		"NGINX_RATE_BURST":        strconv.Itoa(sidecar.RateBurst),
		"NGINX_GZIP_LEVEL":        strconv.Itoa(sidecar.GzipLevel),
		"NGINX_CACHE_SECONDS":     strconv.Itoa(sidecar.CacheSeconds),
		"NGINX_ACCESS_LOG":        string(sidecar.AccessLog),
		"NGINX_LOG_HEALTH_CHECKS": onOff(sidecar.LogHealthChecks),
		"NGINX_TLS":               onOff(args.TLS),
		"NGINX_TRUSTED_PROXIES":   trusted(loadBalancerRanges, sidecar.TrustedProxies),
	}
}

// trusted adds the given ranges to the load balancer's, which are separated by commas.
func trusted(loadBalancerRanges string, proxies []netip.Prefix) string {
	all := []string{loadBalancerRanges}
	for _, proxy := range proxies {
		all = append(all, proxy.String())
	}

	return strings.Join(all, ",")
}

// workers is the number of NGINX processes: as given, or one for each vCPU, of which there are 1024 CPU units. NGINX's
// own "auto" counts the host's processors, of which a task has a share.
// https://nginx.org/en/docs/ngx_core_module.html#worker_processes
func workers(given, cpu int) int {
	if given > 0 {
		return given
	}

	return max(1, cpu/1024)
}

// drainTime is how long NGINX finishes requests after its stop signal, in seconds: less than the stop timeout, so that
// it ends by itself.
func drainTime(args Args) string {
	seconds := int(args.StopTimeout.Seconds())

	return strconv.Itoa(seconds - max(1, seconds/6))
}

// KEEP_ALIVE_TIMEOUT_MS is the same for both containers: NGINX refuses to start when it would keep a connection longer
// than the app.
func milliseconds(duration time.Duration) string {
	return strconv.FormatInt(duration.Milliseconds(), 10)
}

func seconds(duration time.Duration) string {
	return strconv.Itoa(int(duration.Seconds()))
}

func onOff(on bool) string {
	if on {
		return "on"
	}

	return "off"
}
