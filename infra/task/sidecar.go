package task

import (
	"fmt"
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
	// PathPrefixes are the only paths that reach the app, and Methods the only methods. The prefix / alone stands for a
	// whole site: every path but those of the sidecar's own pages.
	PathPrefixes, Methods []string
	// StaticFiles are what NGINX serves itself. With SPAFallback it answers a path that has no file with the index page.
	// StaticHistory is where it keeps files for the releases before and after its own.
	StaticFiles   []StaticFiles
	StaticHistory AccessPoint
	SPAFallback   bool
	// EncodedSlashes lets a path have an encoded slash, which the app takes for a part of a name.
	EncodedSlashes bool
	// BodyLimitKilobytes and HeaderLimitKilobytes are in KiB. The latter is for one line.
	BodyLimitKilobytes, HeaderLimitKilobytes int
	// AllowedHosts are the names that a request may be for; without any, every name is.
	AllowedHosts []string
	// RatePerSecond is the number of requests that a client may send per second, RateBurst the number that it may send
	// at once beyond that. A rate of zero is no limit.
	RatePerSecond, RateBurst int
	PathRates                []PathRate
	// ClientTimeout is how long NGINX waits for a client.
	ClientTimeout time.Duration
	// ReadTimeout is how long NGINX waits for the app, AppKeepAlive how long the app keeps an idle connection open. If
	// either is zero, it is derived from the load balancer's idle timeout.
	ReadTimeout, AppKeepAlive time.Duration
	// ConcurrencyLimit is the requests that a client may have under way at once; zero is no limit.
	ConcurrencyLimit int
	// A GzipLevel of zero turns compression off, CacheSeconds of zero the cache.
	GzipLevel, CacheSeconds int
	Gzip                    Gzip
	AccessLog               AccessLog
	LogHealthChecks         bool
	// ConnectionLog is the interval at which NGINX's own counts go into its log; zero is never.
	ConnectionLog time.Duration
	// StopDelay is how long NGINX goes on serving after the stop signal, while its health page answers 503.
	StopDelay time.Duration
	// AppListen is where NGINX reaches the app.
	AppListen AppListen
	// TrustedProxies are the address ranges of proxies in front of the load balancer. NGINX believes what they say about
	// the client's address.
	TrustedProxies []netip.Prefix
	// Workers is the number of processes; zero is one for each vCPU of the task.
	Workers int
}

// PathRate limits what a client may send to a path and to what lies below it: PerMinute requests, and Burst at once
// beyond that.
type PathRate struct {
	Path      string `json:"path"`
	PerMinute int    `json:"perMinute"`
	Burst     int    `json:"burst"`
}

// Gzip is which answers are compressed, at a level above zero.
type Gzip string

const (
	// GzipAll compresses every answer of a type that compresses well.
	GzipAll Gzip = "all"
	// GzipSafe leaves out answers to requests with credentials, whose length could reveal a secret in them.
	GzipSafe Gzip = "safe"
)

// AppListen is where NGINX reaches the app.
type AppListen string

const (
	// OnPort is the app's port on 127.0.0.1.
	OnPort AppListen = "port"
	// OnSocket is a Unix socket on a volume that both containers share, and the port for what it has no room for.
	OnSocket AppListen = "socket"
)

// AccessLog is the format of NGINX's access log.
type AccessLog string

// Formats of the access log.
const (
	LogJSON AccessLog = "json"
	LogText AccessLog = "text"
	LogOff  AccessLog = "off"
)

// Site is the prefix that forwards a whole site to the app.
const Site = "/"

// The page that NGINX answers itself, without a site and with one. images/nginx/entrypoint.sh has the same two.
const (
	healthPage       = "/"
	healthPageOfSite = "/.sidecar/health"
)

var (
	prefixPattern = regexp.MustCompile(`^(/|(/[A-Za-z0-9_-]+)+)$`)
	pathOfRate    = regexp.MustCompile(`^(/[A-Za-z0-9_-]+)+$`)
	hostPattern   = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	methods       = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)

func readSidecar(r *settings.Reader) Sidecar {
	s := Sidecar{
		PathPrefixes: r.SomeTexts("pathPrefixes", "/, or a path such as /api or /v1/orders, of letters, digits, hyphens and underscores",
			prefixPattern.MatchString),
		Methods: r.SomeTexts("allowedMethods", "one of "+strings.Join(methods, ", "),
			func(method string) bool { return slices.Contains(methods, method) }),
		BodyLimitKilobytes: r.Between("bodyLimitKilobytes", 1, 1048576, "KiB"),
		// A load balancer takes no line that is longer than 16 KiB.
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
		HeaderLimitKilobytes: r.Between("headerLimitKilobytes", 2, 16, "KiB"),
		AllowedHosts: r.Texts("allowedHosts", "a host name in small letters, such as www.example.com or *.example.com",
			func(name string) bool { return len(name) <= 253 && hostPattern.MatchString(name) }),
		PathRates:        readPathRates(r),
		StaticFiles:      readStaticFiles(r),
		StaticHistory:    readStaticHistory(r),
		SPAFallback:      r.Boolean("spaFallback"),
		EncodedSlashes:   r.Boolean("encodedSlashes"),
		RatePerSecond:    r.Between("rateLimitPerSecond", 0, 100000, "requests a second"),
		RateBurst:        r.Between("rateLimitBurst", 0, 100000, "requests"),
		ConcurrencyLimit: r.Between("concurrencyLimit", 0, 65535, "requests at once"),
		ReadTimeout:      r.Seconds("readTimeoutSeconds", 0, 3999),
		ClientTimeout:    r.Seconds("clientTimeoutSeconds", 1, 300),
		AppKeepAlive:     r.Seconds("appKeepAliveSeconds", 0, 5000),
		GzipLevel:        r.Between("gzipLevel", 0, 9, "(0 is off)"),
		Gzip:             settings.OneOf(r, "gzip", GzipAll, GzipSafe),
		CacheSeconds:     r.Between("cacheSeconds", 0, 3600, "seconds"),
		AccessLog:        settings.OneOf(r, "accessLog", LogJSON, LogText, LogOff),
		LogHealthChecks:  r.Boolean("logHealthChecks"),
		ConnectionLog:    r.Seconds("connectionLogSeconds", 0, 3600),
		StopDelay:        r.Seconds("stopDelaySeconds", 0, 110),
		AppListen:        settings.OneOf(r, "appListen", OnPort, OnSocket),
		TrustedProxies: r.Ranges("trustedProxies",
			"an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28"),
		Workers: r.Between("nginxWorkers", 0, 64, "processes"),
	}
	if s.AppKeepAlive == time.Second {
		r.Fail("appKeepAliveSeconds", "1", "0, or 2 to 5000 seconds, because NGINX closes connections a second before the app does")
	}
	if len(s.PathPrefixes) > 1 && slices.Contains(s.PathPrefixes, Site) {
		r.Fail("pathPrefixes", strings.Join(s.PathPrefixes, ", "), "/ alone, which covers all the others, or paths without it")
	}
	if s.EncodedSlashes && len(s.PathRates) > 0 {
		r.Conflict([]string{"encodedSlashes", "pathRateLimits"},
			"an app may take an encoded slash for a plain one, and such a path would evade the limit; allowed: one of them")
	}
	if s.LogHealthChecks && s.AccessLog == LogOff {
		r.Conflict([]string{"logHealthChecks", "accessLog"}, "health checks are to be logged, but accessLog is off; allowed with: json, text")
	}

	return s
}

// readPathRates allows ten, because each takes up to 10 MiB of the task's memory, for about 80,000 clients.
func readPathRates(r *settings.Reader) []PathRate {
	const (
		key  = "pathRateLimits"
		most = 10
	)

	all := settings.Objects[PathRate](r, key, "path, perMinute, burst")
	if len(all) > most {
		r.Fail(key, fmt.Sprintf("%d limits", len(all)), fmt.Sprintf("at most %d", most))
	}
	for i, rate := range all {
		one := func(field string) string { return fmt.Sprintf("%s[%d].%s", key, i, field) }
		if !pathOfRate.MatchString(rate.Path) {
			r.FailIn(key, one("path"), strconv.Quote(rate.Path), "a path such as /api/login, of letters, digits, hyphens and underscores")
		}
		if rate.PerMinute < 1 || rate.PerMinute > 999_999 {
			r.FailIn(key, one("perMinute"), strconv.Itoa(rate.PerMinute), "1 to 999999 requests a minute")
		}
		if rate.Burst < 0 || rate.Burst > 99_999 {
			r.FailIn(key, one("burst"), strconv.Itoa(rate.Burst), "0 to 99999 requests")
		}
	}

	return all
}

// HealthPage is the path of the page that NGINX answers itself, for the load balancer's health check.
func (s Sidecar) HealthPage() string {
	if slices.Contains(s.PathPrefixes, Site) || slices.Contains(s.staticPaths(), Site) {
		return healthPageOfSite
	}

	return healthPage
}

// Forwards reports whether a path reaches the app. Where the app's paths and those of static files cover each other, the
// longer one counts.
func (s Sidecar) Forwards(path string) bool {
	return longestCover(path, s.PathPrefixes) > longestCover(path, s.staticPaths())
}

// appMargin is how much longer than the load balancer's idle timeout the app keeps an idle connection open, unless a
// setting gives the time.
const appMargin = 35 * time.Second

// The times below are derived from the load balancer's idle timeout, which is how long it waits for an answer. NGINX
// waits for the app one second less, so that NGINX is the one that answers a slow request. And whoever sends requests on
// a connection closes it first.
func (a Args) readTimeout() time.Duration { return a.Sidecar.LongestRequest(a.IdleTimeout) }

// LongestRequest is how long NGINX waits for an answer of the app, behind a load balancer with the given idle timeout.
func (s Sidecar) LongestRequest(idle time.Duration) time.Duration {
	if s.ReadTimeout > 0 {
		return s.ReadTimeout
	}

	return idle - time.Second
}

func (a Args) appKeepAlive() time.Duration {
	if a.Sidecar.AppKeepAlive > 0 {
		return a.Sidecar.AppKeepAlive
	}

	return a.IdleTimeout + appMargin
}

// entrypointHeaderLimit is the entrypoint's own default, with which a task definition stays as it is.
const entrypointHeaderLimit = 8

// sidecarEnvironment renders NGINX's settings as its entrypoint reads them. The entrypoint has the same defaults, but a
// value that is set here can be seen in the task definition.
func (b builder) sidecarEnvironment() map[string]string {
	sidecar := b.Sidecar
	all := map[string]string{
		"NGINX_PORT":              strconv.Itoa(b.ContainerPort),
		"APP_PORT":                strconv.Itoa(b.AppPort),
		"NGINX_WORKER_PROCESSES":  strconv.Itoa(workers(sidecar.Workers, b.CPU)),
		"NGINX_IDLE_TIMEOUT":      seconds(b.IdleTimeout),
		"NGINX_READ_TIMEOUT":      seconds(b.readTimeout()),
		"NGINX_CLIENT_TIMEOUT":    seconds(sidecar.ClientTimeout),
		"NGINX_SHUTDOWN_TIMEOUT":  b.drainTime(),
		"KEEP_ALIVE_TIMEOUT_MS":   milliseconds(b.appKeepAlive()),
		"NGINX_PATH_PREFIXES":     strings.Join(sidecar.PathPrefixes, ","),
		"NGINX_METHODS":           strings.Join(sidecar.Methods, ","),
		"NGINX_MAX_BODY_KB":       strconv.Itoa(sidecar.BodyLimitKilobytes),
		"NGINX_RATE_LIMIT":        strconv.Itoa(sidecar.RatePerSecond),
		"NGINX_RATE_BURST":        strconv.Itoa(sidecar.RateBurst),
		"NGINX_GZIP_LEVEL":        strconv.Itoa(sidecar.GzipLevel),
		"NGINX_CACHE_SECONDS":     strconv.Itoa(sidecar.CacheSeconds),
		"NGINX_ACCESS_LOG":        string(sidecar.AccessLog),
		"NGINX_LOG_HEALTH_CHECKS": onOff(sidecar.LogHealthChecks),
		"NGINX_TLS":               onOff(b.TLS),
		"NGINX_TRUSTED_PROXIES":   trusted(b.IngressRanges, sidecar.TrustedProxies),
	}
	// What is off by default is left out where it is off: a task definition without these stays as it is.
	if keep := b.appKeepAlive(); keep <= b.IdleTimeout {
		// A server that closes an idle connection may do so just when a request is on its way to it.
		// https://www.rfc-editor.org/rfc/rfc9112#section-9.5
		all["NGINX_UPSTREAM_KEEPALIVE_TIMEOUT"] = seconds(keep - time.Second)
	}
	if sidecar.StopDelay > 0 {
		all["NGINX_STOP_DELAY"] = seconds(sidecar.StopDelay)
	}
	if sidecar.ConnectionLog > 0 {
		all["NGINX_STATUS_INTERVAL"] = seconds(sidecar.ConnectionLog)
	}
	if sidecar.ConcurrencyLimit > 0 {
		all["NGINX_CONCURRENCY_LIMIT"] = strconv.Itoa(sidecar.ConcurrencyLimit)
	}
	if sidecar.Gzip == GzipSafe {
		all["NGINX_GZIP"] = string(sidecar.Gzip)
	}
	if len(sidecar.StaticFiles) > 0 {
		all["NGINX_STATIC_FILES"] = strings.Join(sidecar.staticPaths(), ",")
	}
	if sidecar.StaticHistory.given() {
		all["NGINX_STATIC_HISTORY"] = onOff(true)
	}
	if sidecar.SPAFallback {
		all["NGINX_SPA_FALLBACK"] = onOff(true)
	}
	if sidecar.EncodedSlashes {
		all["NGINX_ENCODED_SLASHES"] = onOff(true)
	}
	if sidecar.HeaderLimitKilobytes != entrypointHeaderLimit {
		all["NGINX_HEADER_KB"] = strconv.Itoa(sidecar.HeaderLimitKilobytes)
	}
	if len(sidecar.AllowedHosts) > 0 {
		all["NGINX_ALLOWED_HOSTS"] = strings.Join(sidecar.AllowedHosts, ",")
	}
	if len(sidecar.PathRates) > 0 {
		var rates []string
		for _, rate := range sidecar.PathRates {
			rates = append(rates, fmt.Sprintf("%s:%d:%d", rate.Path, rate.PerMinute, rate.Burst))
		}
		all["NGINX_PATH_RATES"] = strings.Join(rates, ",")
	}
	if !b.App.hasHealthCommand() {
		all["NGINX_APP_HEALTH_PATH"] = b.App.HealthPath
		all["NGINX_APP_HEALTH_TIMEOUT"] = seconds(b.Health.Timeout - time.Second) // the rest is for the check itself
	}
	if len(b.LoginPaths) > 0 {
		all["NGINX_LOGIN_PATHS"] = strings.Join(b.LoginPaths, ",")
	}
	if b.FromAPI {
		all["NGINX_INGRESS"] = "api"
	}
	if sidecar.AppListen == OnSocket {
		all["NGINX_APP_SOCKET"] = socketPath
	}

	return all
}

// trusted adds the given ranges to the load balancer's, which are separated by commas.
func trusted(ingressRanges string, proxies []netip.Prefix) string {
	all := []string{ingressRanges}
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

// drainTime is the time that NGINX has to finish requests, in seconds: what the delay leaves of the time for its stop.
func (a Args) drainTime() string {
	return seconds(a.TimeToStop() - a.Sidecar.StopDelay)
}

// TimeToStop is what NGINX has for its stop, delay included: less than the stop timeout, so that it ends by itself.
func (s Settings) TimeToStop() time.Duration {
	seconds := int(s.StopTimeout.Seconds())

	return time.Duration(seconds-max(1, seconds/6)) * time.Second
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
