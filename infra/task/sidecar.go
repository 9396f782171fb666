package task

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
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
	// StripPrefix cuts the prefix off the paths that the app gets.
	StripPrefix bool
	// AnswerHeaders are those of every answer, and StreamedPaths where a body reaches the app as it comes.
	AnswerHeaders []nginx.AnswerHeader
	StreamedPaths []string
	// CORSOrigins are those whose pages may read NGINX's own answers. With CORSPreflight NGINX does all of CORS.
	CORSOrigins   []string
	CORSPreflight bool
	// Allow are ways to write a path that programs read differently, and that reach the app all the same.
	Allow []nginx.PathForm
	// BodyLimitKilobytes and HeaderLimitKilobytes are in KiB. The latter is for one line.
	BodyLimitKilobytes, HeaderLimitKilobytes int
	// AllowedHosts are the names that a request may be for; without any, every name is.
	AllowedHosts []string
	// RatePerSecond is the number of requests that a client may send per second; zero is no limit.
	RatePerSecond int
	PathRates     []nginx.PathRate
	// ReadTimeout is how long NGINX waits for the app, AppKeepAlive how long the app keeps an idle connection open. If
	// either is zero, it is derived from the load balancer's idle timeout.
	ReadTimeout, AppKeepAlive time.Duration
	// ConcurrencyLimit is the requests that a client may have under way at once; zero is no limit.
	ConcurrencyLimit int
	// StopDelay is how long NGINX goes on serving after the stop signal, while its health page answers 503.
	StopDelay time.Duration
	// AppListen is where NGINX reaches the app.
	AppListen AppListen
	// TrustedProxies are the address ranges of proxies in front of the load balancer. NGINX trusts what they say about
	// the client's address.
	TrustedProxies []netip.Prefix
	// TrustedLists are ids of prefix lists that hold further such ranges.
	TrustedLists []string
	// Overrides are settings of the sidecar's own, by the names of its variables.
	Overrides map[string]string
}

// leastStopDelay is the time in which a load balancer notices that a task stops: two failed checks, 5 s apart, are the fewest.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
const leastStopDelay = 10 * time.Second

// AppListen is where NGINX reaches the app.
type AppListen string

const (
	// OnPort is the app's port on 127.0.0.1.
	OnPort AppListen = "port"
	// OnSocket is a Unix socket on a volume that both containers share, and the port for what it has no room for.
	OnSocket AppListen = "socket"
)

var pathOfRate = settings.Form{
	Allowed: "a path such as /api/login, of letters, digits, dots, hyphens and underscores",
	Check:   func(path string) bool { return path != nginx.Site && nginx.PathPrefixes.Allows(path) },
}

func readSidecar(app, http, task, overrides settings.Group) Sidecar {
	s := Sidecar{
		PathPrefixes: http.SomeTexts("paths", nginx.PathPrefixes.Defaults(), beginsWithSlash(form(nginx.PathPrefixes)),
			"Paths that NGINX forwards to the app, each with everything below it; all others get 404. `[/]` forwards a whole site: every path but those below `/.sidecar`, where the health page then is (`/.sidecar/health` instead of `/`).",
			"https://nginx.org/en/docs/http/ngx_http_core_module.html#location"),
		Methods: http.SomeTexts("methods", nginx.Methods.Defaults(), form(nginx.Methods), "HTTP methods that NGINX forwards to the app; all others get 405. Any registered method can be listed, such as those of WebDAV, except CONNECT, PRI and TRACE; an HTTP API has only those of the default.",
			"https://nginx.org/en/docs/http/ngx_http_core_module.html#limit_except"),
		AllowedHosts: http.Else("every name").Texts("hosts", nil, form(nginx.AllowedHosts),
			"Host names that a request may be for; `*.` at the beginning stands for one label. NGINX answers 400 to other names. The load balancer's health check is not affected as long as NGINX answers it.",
			"https://nginx.org/en/docs/http/ngx_http_core_module.html#var_host"),
		StaticFiles:   readStaticFiles(http),
		StaticHistory: readStaticHistory(http),
		HashedPaths: http.Texts("staticHashed", nil, form(nginx.HashedPaths),
			"Paths of `http.static`, or below one, where the name of each file changes with its content, as bundlers do it: clients keep these files for a year without another request. A name that ends with 16 or more hexadecimal digits needs no such path.",
			"https://www.rfc-editor.org/rfc/rfc8246"),
		SPAFallback: http.Bool("spaFallback", false,
			"Whether NGINX answers a path of `http.static` that has no file, and no dot in its last part, with the `index.html` of that path: for an app whose pages are made in the browser.",
			"https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files"),
		Allow:         readAllow(http),
		AnswerHeaders: readAnswerHeaders(http),
		StreamedPaths: http.Texts("streamUploads", nil, form(nginx.StreamedPaths),
			"Paths of `http.paths`, or below one, whose request bodies reach the app as they come, for large uploads: NGINX stores none of them, and `http.bodyLimit` does not hold there. A slow client then keeps the app busy. Only with `app.protocol: http`.",
			"https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_request_buffering"),
		StripPrefix: http.Bool("stripPrefix", false,
			"Whether the app gets paths without their prefix of `http.paths`: `/users` for `/api/users`. The prefix is then in the header `X-Forwarded-Prefix`, for the links and redirects that the app makes.",
			"https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass"),
		BodyLimitKilobytes: int(http.Size("bodyLimit", kib(nginx.BodyLimit.Default), kib(nginx.BodyLimit.Min), kib(nginx.BodyLimit.Max),
			"Largest request body; NGINX answers 413 to a larger one.",
			"https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size") / settings.KiB),
		HeaderLimitKilobytes: int(http.Size("headerLimit", kib(nginx.HeaderLimit.Default), kib(nginx.HeaderLimit.Min), kib(nginx.HeaderLimit.Max),
			"Longest request line and longest header; all headers of a request may be four times as long. NGINX answers 414 or 431 to longer ones. The default is what a load balancer takes; the app has to take such headers, too.",
			"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html") / settings.KiB),
		ReadTimeout: http.Else("1s less than ingress.idleTimeout, and 29s where that is 30s to 60s").Duration("readTimeout", 0, time.Second, sec(nginx.ReadTimeout.Max),
			"Time that NGINX waits for the app's answer, or for its next piece, before it answers 504 or ends it; less than `ingress.idleTimeout`, which alone holds for WebSockets. A stopping task finishes answers of the default's length, also on Spot; longer ones need a longer `task.stopTimeout`.",
			"https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout"),
		AppKeepAlive: app.Else("35s more than ingress.idleTimeout").Duration("keepAlive", 0, 2*time.Second, sec(nginx.AppKeepAlive.Max/1000),
			"Time that the app keeps an idle connection open. The app gets it as `KEEP_ALIVE_TIMEOUT_MS`; if the app's own time is fixed, set this to that time. NGINX closes an idle connection to the app before the app does: after `ingress.idleTimeout`, or one second earlier than the app if the app's time is not longer than that.",
			"https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout"),
		StopDelay: readStopDelay(task),
		AppListen: OnPort,
		Overrides: readSidecarOverrides(overrides),
	}
	s.TrustedProxies, s.TrustedLists = readTrusted(http.Texts("trustedProxies", nil, settings.Form{Allowed: nginx.TrustedProxies.Each + ", or the id of a prefix list, such as pl-0123456789abcdef0", Check: isTrusted},
		"Address ranges of proxies in front of the load balancer, such as a CDN, and ids of managed prefix lists with such ranges, such as CloudFront's, whose entries are read for each preview. NGINX trusts their `X-Forwarded-For` and `X-Forwarded-Host` headers, as it does the load balancer's own ranges.",
		"https://nginx.org/en/docs/http/ngx_http_realip_module.html"))
	if app.Bool("socket", false,
		"Whether NGINX reaches the app through a Unix socket, which takes less CPU. The app gets its path in the variable `SOCKET` and has to listen there as well as on the port, which NGINX uses when the socket has a full backlog. The app's image has to declare `VOLUME /run/app` and give that directory to `app.user`.",
		"https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server") {
		s.AppListen = OnSocket
	}
	cors := http.Group("cors", "What pages of other origins may read.")
	s.CORSOrigins = cors.Texts("origins", nil, form(nginx.CORSOrigins),
		"Origins whose pages may read NGINX's own answers, such as a 413, 429 or 502, and static files. The app's answers keep their own headers.",
		"https://fetch.spec.whatwg.org/#http-cors-protocol")
	s.CORSPreflight = cors.Bool("preflight", false,
		"Whether NGINX answers the preflight requests of these origins, and adds the origin to the app's answers that have no such header, so that the app needs no CORS of its own.",
		"https://fetch.spec.whatwg.org/#cors-preflight-fetch")
	if s.CORSPreflight && len(s.CORSOrigins) == 0 {
		cors.Conflict([]string{"preflight", "origins"}, "there are no origins to answer; allowed with: at least one origin")
	}
	if s.StripPrefix && slices.Contains(s.PathPrefixes, nginx.Site) {
		http.Conflict([]string{"stripPrefix", "paths"}, "the prefix is /, which leaves nothing to cut off; allowed with: paths without it")
	}
	readLimits(http.Group("limits", "What one client may send. NGINX answers 429 to requests above a limit."), &s)
	if len(s.PathPrefixes) > 1 && slices.Contains(s.PathPrefixes, nginx.Site) {
		http.Fail("paths", strings.Join(s.PathPrefixes, ", "), "/ alone, which covers all the others, or paths without it")
	}
	if len(s.Allow) > 0 && len(s.PathRates) > 0 {
		http.Conflict([]string{"allow", "limits.paths"},
			"an app may read such a path as the plain one, which would evade the limit; allowed: one of them")
	}

	return s
}

func readStopDelay(task settings.Group) time.Duration {
	return task.OrFalse().Else("false").Duration("stopDelay", 0, leastStopDelay, sec(nginx.StopDelay.Max),
		"Time that NGINX keeps answering after the stop signal while its health page answers 503. ECS may stop a task on Spot while the load balancer still sends requests to it; the delay lets the load balancer's checks fail first, which then follow 5 s apart. It must leave time for the longest request within `task.stopTimeout`.",
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html")
}

// prefixList is the id of a prefix list.
var prefixList = regexp.MustCompile(`^pl-([0-9a-f]{8}|[0-9a-f]{17})$`)

func isTrusted(text string) bool {
	return prefixList.MatchString(text) || nginx.TrustedProxies.Allows(text)
}

// readTrusted parts ranges from the ids of lists. What is neither has been refused.
func readTrusted(all []string) (ranges []netip.Prefix, lists []string) {
	for _, text := range all {
		address, err := netip.ParseAddr(text)
		switch {
		case prefixList.MatchString(text):
			lists = append(lists, text)
		case err == nil:
			ranges = append(ranges, netip.PrefixFrom(address, address.BitLen()))
		default:
			ranges = append(ranges, netip.MustParsePrefix(text))
		}
	}

	return ranges, lists
}

func readAnswerHeaders(http settings.Group) []nginx.AnswerHeader {
	values := http.Map("headers",
		"Headers of every answer, as names with values, such as `Strict-Transport-Security: max-age=31536000` or a `Content-Security-Policy`: of the app's answers that have none of that name, of static files and of NGINX's own.",
		"https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header")
	var all []nginx.AnswerHeader
	for _, name := range slices.Sorted(maps.Keys(values)) {
		header := nginx.AnswerHeader{Name: name, Value: values[name]}
		if !nginx.AnswerHeaders.Allows(header.String()) {
			http.Fail("headers", strconv.Quote(header.String()), nginx.AnswerHeaders.Each)
		}
		all = append(all, header)
	}

	return all
}

func readAllow(http settings.Group) []nginx.PathForm {
	var forms []nginx.PathForm
	for _, word := range http.Texts("allow", nil, form(nginx.Allow),
		"Paths that reach the app although programs read them differently; NGINX otherwise answers 400. `encoded-slash`: `%2F` inside a name, as in `/@scope%2Fpackage`. `encoded-percent`: what is encoded twice, as in `/a%2520b`. `dots`: `%2E`, and names that begin with two dots. `double-slash`: `//`, as in a URL inside a path. `semicolon`: parameters of a path, as in `;jsessionid=1`. Not together with `http.limits.paths` or with `login.paths`, which such a path could evade.",
		"https://www.rfc-editor.org/rfc/rfc3986#section-2.2") {
		forms = append(forms, nginx.PathForm(word))
	}

	return forms
}

// readLimits allows ten limits of paths, because each takes up to 10 MiB of the task's memory, for about 80,000 clients.
func readLimits(g settings.Group, s *Sidecar) {
	const (
		most   = 10
		source = "https://nginx.org/en/docs/http/ngx_http_limit_req_module.html"
	)

	s.RatePerSecond = g.OrFalse().Else("false").Int("perSecond", 0, 1, nginx.RateLimit.Max, "requests a second",
		"Requests per second that one client may send to one task. All clients behind a proxy that is not in `http.trustedProxies` count as one.", source)
	s.ConcurrencyLimit = g.OrFalse().Else("false").Int("concurrent", 0, 1, nginx.ConcurrencyLimit.Max, "requests at once",
		"Requests that one client may have under way at once in one task. An open WebSocket counts as one, and all addresses of an IPv6 /64 network count as one client.",
		"https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html")
	s.PathRates = settings.List(g, "paths",
		"Requests that one client may send to one task at single paths and below them, beside `http.limits.perSecond`; at most 10 paths.", source,
		func(g settings.Group) nginx.PathRate {
			return nginx.PathRate{
				Path:      g.Required("path", pathOfRate, "The path. It counts in any case, because many apps take `/Login` for `/login`.", source),
				PerMinute: g.RequiredInt("perMinute", 1, 999_999, "requests a minute", "Requests per minute.", source),
				Burst:     g.Int("burst", 0, 0, 99_999, "requests", "Requests beyond that at once.", source),
			}
		})
	if len(s.PathRates) > most {
		g.Fail("paths", fmt.Sprintf("%d limits", len(s.PathRates)), fmt.Sprintf("at most %d", most))
	}
}

// form is what a word of one of the sidecar's lists may be.
func form[T any](list nginx.List[T]) settings.Form {
	return settings.Form{Allowed: list.Each, Check: list.Allows}
}

// beginsWithSlash is what editors check of a path; the sidecar's own check says the rest.
func beginsWithSlash(form settings.Form) settings.Form {
	form.Pattern = regexp.MustCompile(`^/`)

	return form
}

func kib(n int) settings.Size { return settings.Size(n) * settings.KiB }

func sec(n int) time.Duration { return time.Duration(n) * time.Second }

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
// waits for the app less, so that NGINX is the one that answers a slow request. And whoever sends requests on
// a connection closes it first.
func (a Args) readTimeout() time.Duration { return a.Sidecar.LongestRequest(a.IdleTimeout) }

// LongestRequest is how long NGINX waits for an answer of the app, behind a load balancer with the given idle timeout.
func (s Sidecar) LongestRequest(idle time.Duration) time.Duration {
	return cmp.Or(s.ReadTimeout, time.Duration(nginx.ForIdleTimeout(inSeconds(idle)).ReadTimeout)*time.Second)
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
	s.Workers = workers(b.CPU)
	s.ReadTimeout = inSeconds(b.readTimeout())
	s.AppIdle = min(s.IdleTimeout, inSeconds(b.appKeepAlive()-time.Second))
	s.AppKeepAliveMilliseconds = int(b.appKeepAlive().Milliseconds())
	s.ShutdownTimeout = inSeconds(b.TimeToStop() - sidecar.StopDelay)
	s.StopDelay = inSeconds(sidecar.StopDelay)
	s.PathPrefixes, s.Methods, s.Allow = sidecar.PathPrefixes, sidecar.Methods, sidecar.Allow
	s.AnswerHeaders, s.StreamedPaths = sidecar.AnswerHeaders, sidecar.StreamedPaths
	s.StripPrefix, s.CORSOrigins, s.CORSPreflight = sidecar.StripPrefix, sidecar.CORSOrigins, sidecar.CORSPreflight
	s.BodyLimit, s.HeaderLimit, s.AllowedHosts = sidecar.BodyLimitKilobytes, sidecar.HeaderLimitKilobytes, sidecar.AllowedHosts
	s.RateLimit, s.PathRates = sidecar.RatePerSecond, sidecar.PathRates
	s.ConcurrencyLimit = sidecar.ConcurrencyLimit
	s.StaticPaths, s.StaticHistory, s.SPAFallback = sidecar.staticPaths(), sidecar.StaticHistory.given(), sidecar.SPAFallback
	s.HashedPaths = sidecar.HashedPaths
	s.TLS, s.LoginPaths = b.TLS, b.LoginPaths
	if !b.App.hasHealthCommand() {
		s.AppHealthPath, s.AppHealthHost = b.App.HealthPath, b.healthHost()
		s.AppHealthTimeout = inSeconds(b.Health.Timeout - time.Second) // the rest is for the check itself
	}
	if b.Ingress != "" {
		s.Ingress = nginx.IngressKind(b.Ingress)
	}
	s.AppProtocol, s.AppRoot = cmp.Or(b.App.Protocol, nginx.HTTP), b.App.DocumentRoot
	for _, mount := range b.mountsInRoot() {
		s.AppWritten = append(s.AppWritten, strings.TrimPrefix(mount.ContainerPath, b.App.DocumentRoot))
	}
	if sidecar.AppListen == OnSocket {
		s.AppSocket = socketPath
	}
	var err error
	if s.TrustedProxies, err = trusted(b.IngressRanges, sidecar.TrustedProxies); err != nil {
		return nil, err
	}

	return s.With(sidecar.Overrides)
}

// healthHost is a name that the app serves, for its health check: many apps answer 400 to every other. Without one it is
// empty, and the check uses localhost.
func (a Args) healthHost() string {
	for _, host := range a.Sidecar.AllowedHosts {
		if !strings.HasPrefix(host, "*") {
			return host
		}
	}

	return a.Host
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

// workers is the number of NGINX processes: one for each vCPU, of which there are 1024 CPU units. NGINX's own "auto" counts
// the host's processors, of which a task has a share.
// https://nginx.org/en/docs/ngx_core_module.html#worker_processes
func workers(cpu int) int { return max(1, cpu/1024) }

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
