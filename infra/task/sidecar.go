package task

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/images/nginx"
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
	// HashedPaths are where the name of each static file changes with its content.
	HashedPaths []string
	// EncodedSlashes lets a path have an encoded slash, which the app takes for a part of a name.
	EncodedSlashes bool
	// BodyLimitKilobytes and HeaderLimitKilobytes are in KiB. The latter is for one line.
	BodyLimitKilobytes, HeaderLimitKilobytes int
	// AllowedHosts are the names that a request may be for; without any, every name is.
	AllowedHosts []string
	// RatePerSecond is the number of requests that a client may send per second, RateBurst the number that it may send
	// at once beyond that. A rate of zero is no limit.
	RatePerSecond, RateBurst int
	PathRates                []nginx.PathRate
	// ClientTimeout is how long NGINX waits for a client.
	ClientTimeout time.Duration
	// ReadTimeout is how long NGINX waits for the app, AppKeepAlive how long the app keeps an idle connection open. If
	// either is zero, it is derived from the load balancer's idle timeout.
	ReadTimeout, AppKeepAlive time.Duration
	// ConcurrencyLimit is the requests that a client may have under way at once; zero is no limit.
	ConcurrencyLimit int
	// A GzipLevel of zero turns compression off, CacheSeconds of zero the cache.
	GzipLevel, CacheSeconds int
	Gzip                    nginx.GzipMode
	AccessLog               nginx.LogFormat
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

// AppListen is where NGINX reaches the app.
type AppListen string

const (
	// OnPort is the app's port on 127.0.0.1.
	OnPort AppListen = "port"
	// OnSocket is a Unix socket on a volume that both containers share, and the port for what it has no room for.
	OnSocket AppListen = "socket"
)

func readSidecar(r *settings.Reader) Sidecar {
	s := Sidecar{
		PathPrefixes:         r.SomeTexts("pathPrefixes", nginx.PathPrefixes.Each, nginx.PathPrefixes.Allows),
		Methods:              r.SomeTexts("allowedMethods", nginx.Methods.Each, nginx.Methods.Allows),
		BodyLimitKilobytes:   between(r, "bodyLimitKilobytes", nginx.BodyLimit),
		HeaderLimitKilobytes: between(r, "headerLimitKilobytes", nginx.HeaderLimit),
		AllowedHosts:         r.Texts("allowedHosts", nginx.AllowedHosts.Each, nginx.AllowedHosts.Allows),
		PathRates:            readPathRates(r),
		StaticFiles:          readStaticFiles(r),
		StaticHistory:        readStaticHistory(r),
		HashedPaths:          r.Texts("staticFilesHashed", nginx.HashedPaths.Each, nginx.HashedPaths.Allows),
		SPAFallback:          r.Boolean("spaFallback"),
		EncodedSlashes:       r.Boolean("encodedSlashes"),
		RatePerSecond:        between(r, "rateLimitPerSecond", nginx.RateLimit),
		RateBurst:            between(r, "rateLimitBurst", nginx.RateBurst),
		ConcurrencyLimit:     between(r, "concurrencyLimit", nginx.ConcurrencyLimit),
		ReadTimeout:          r.Seconds("readTimeoutSeconds", 0, nginx.ReadTimeout.Max), // 0 is derived
		ClientTimeout:        seconds(r, "clientTimeoutSeconds", nginx.ClientTimeout),
		AppKeepAlive:         r.Seconds("appKeepAliveSeconds", 0, nginx.AppKeepAlive.Max/1000), // 0 is derived
		GzipLevel:            between(r, "gzipLevel", nginx.GzipLevel),
		Gzip:                 settings.OneOf(r, "gzip", nginx.GzipAll, nginx.GzipSafe),
		CacheSeconds:         between(r, "cacheSeconds", nginx.CacheSeconds),
		AccessLog:            settings.OneOf(r, "accessLog", nginx.LogJSON, nginx.LogText, nginx.LogOff),
		LogHealthChecks:      r.Boolean("logHealthChecks"),
		ConnectionLog:        seconds(r, "connectionLogSeconds", nginx.StatusInterval),
		StopDelay:            seconds(r, "stopDelaySeconds", nginx.StopDelay),
		AppListen:            settings.OneOf(r, "appListen", OnPort, OnSocket),
		TrustedProxies:       r.Ranges("trustedProxies", nginx.TrustedProxies.Each),
		Workers:              r.Between("nginxWorkers", 0, nginx.Workers.Max, "processes"), // 0 is derived
	}
	for _, proxy := range s.TrustedProxies {
		if !r.Wrong("trustedProxies") && !nginx.TrustedProxies.Allows(proxy.String()) {
			r.Fail("trustedProxies", strconv.Quote(proxy.String()), nginx.TrustedProxies.Each)
		}
	}
	if s.AppKeepAlive == time.Second {
		r.Fail("appKeepAliveSeconds", "1", "0, or 2 to 5000 seconds, because NGINX closes connections a second before the app does")
	}
	if len(s.PathPrefixes) > 1 && slices.Contains(s.PathPrefixes, nginx.Site) {
		r.Fail("pathPrefixes", strings.Join(s.PathPrefixes, ", "), "/ alone, which covers all the others, or paths without it")
	}
	if s.EncodedSlashes && len(s.PathRates) > 0 {
		r.Conflict([]string{"encodedSlashes", "pathRateLimits"},
			"an app may take an encoded slash for a plain one, and such a path would evade the limit; allowed: one of them")
	}
	if s.LogHealthChecks && s.AccessLog == nginx.LogOff {
		r.Conflict([]string{"logHealthChecks", "accessLog"}, "health checks are to be logged, but accessLog is off; allowed with: json, text")
	}

	return s
}

// between and seconds read a number with the sidecar's own range.
func between(r *settings.Reader, key string, n nginx.Number) int {
	return r.Between(key, n.Min, n.Max, n.Unit)
}

func seconds(r *settings.Reader, key string, n nginx.Number) time.Duration {
	return r.Seconds(key, n.Min, n.Max)
}

// readPathRates allows ten, because each takes up to 10 MiB of the task's memory, for about 80,000 clients.
func readPathRates(r *settings.Reader) []nginx.PathRate {
	const (
		key  = "pathRateLimits"
		most = 10
	)

	all := settings.Objects[nginx.PathRate](r, key, "path, perMinute, burst")
	if len(all) > most {
		r.Fail(key, fmt.Sprintf("%d limits", len(all)), fmt.Sprintf("at most %d", most))
	}
	for i, rate := range all {
		one := func(field string) string { return fmt.Sprintf("%s[%d].%s", key, i, field) }
		switch rate.Wrong() {
		case "path":
			r.FailIn(key, one("path"), strconv.Quote(rate.Path), "a path such as /api/login, of letters, digits, dots, hyphens and underscores")
		case "perMinute":
			r.FailIn(key, one("perMinute"), strconv.Itoa(rate.PerMinute), "1 to 999999 requests a minute")
		case "burst":
			r.FailIn(key, one("burst"), strconv.Itoa(rate.Burst), "0 to 99999 requests")
		}
	}

	return all
}

// HealthPage is the path of the page that NGINX answers itself, for the load balancer's health check.
func (s Sidecar) HealthPage() string {
	return nginx.Settings{PathPrefixes: s.PathPrefixes, StaticPaths: s.staticPaths()}.HealthPage()
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

// sidecarEnvironment renders NGINX's settings as the container reads them. The error is what would end a task at its start.
func (b builder) sidecarEnvironment() (map[string]string, error) {
	sidecar := b.Sidecar
	s := nginx.ForIdleTimeout(inSeconds(b.IdleTimeout))
	s.Port, s.AppPort = b.ContainerPort, b.AppPort
	s.Workers = workers(sidecar.Workers, b.CPU)
	s.ReadTimeout = inSeconds(b.readTimeout())
	s.AppIdle = min(s.IdleTimeout, inSeconds(b.appKeepAlive()-time.Second))
	s.AppKeepAliveMilliseconds = int(b.appKeepAlive().Milliseconds())
	s.ClientTimeout = inSeconds(sidecar.ClientTimeout)
	s.ShutdownTimeout = inSeconds(b.TimeToStop() - sidecar.StopDelay)
	s.StopDelay = inSeconds(sidecar.StopDelay)
	s.PathPrefixes, s.Methods, s.EncodedSlashes = sidecar.PathPrefixes, sidecar.Methods, sidecar.EncodedSlashes
	s.BodyLimit, s.HeaderLimit, s.AllowedHosts = sidecar.BodyLimitKilobytes, sidecar.HeaderLimitKilobytes, sidecar.AllowedHosts
	s.RateLimit, s.RateBurst, s.PathRates = sidecar.RatePerSecond, sidecar.RateBurst, sidecar.PathRates
	s.ConcurrencyLimit = sidecar.ConcurrencyLimit
	s.GzipLevel, s.Gzip, s.CacheSeconds = sidecar.GzipLevel, sidecar.Gzip, sidecar.CacheSeconds
	s.AccessLog, s.LogHealthChecks, s.StatusInterval = sidecar.AccessLog, sidecar.LogHealthChecks, inSeconds(sidecar.ConnectionLog)
	s.StaticPaths, s.StaticHistory, s.SPAFallback = sidecar.staticPaths(), sidecar.StaticHistory.given(), sidecar.SPAFallback
	s.HashedPaths = sidecar.HashedPaths
	s.TLS, s.LoginPaths = b.TLS, b.LoginPaths
	if !b.App.hasHealthCommand() {
		s.AppHealthPath = b.App.HealthPath
		s.AppHealthTimeout = inSeconds(b.Health.Timeout - time.Second) // the rest is for the check itself
	}
	if b.Ingress != "" {
		s.Ingress = nginx.IngressKind(b.Ingress)
	}
	if sidecar.AppListen == OnSocket {
		s.AppSocket = socketPath
	}
	var err error
	if s.TrustedProxies, err = trusted(b.IngressRanges, sidecar.TrustedProxies); err != nil {
		return nil, err
	}

	return s.Environment()
}

// trusted adds the given ranges to the load balancer's, which are separated by commas.
func trusted(ingressRanges string, proxies []netip.Prefix) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range strings.FieldsFunc(ingressRanges, func(c rune) bool { return c == ',' }) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("address range of the load balancer: %w", err)
		}
		all = append(all, prefix)
	}

	return append(all, proxies...), nil
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

func inSeconds(duration time.Duration) int { return int(duration.Seconds()) }
