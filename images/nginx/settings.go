// Package nginx is the sidecar: NGINX in front of the app in the same task, and the program that is the first process of
// its container. The program reads the settings from the environment, renders nginx.conf.tmpl, starts NGINX and stays with
// it. The program that deploys the stack imports this package, too: it fills in Settings, and Environment writes what Read
// reads in the container, so both accept exactly the same values.
package nginx

import (
	"net/netip"
	"slices"
)

// Settings are everything that can be set about one sidecar. Each field is explained by the setting of its name below.
// Times are in seconds, unless the setting has another unit.
type Settings struct {
	Port, AppPort int
	AppSocket     string
	AppProtocol   Protocol
	AppRoot       string
	AppWritten    []string

	AppHealthPath    string
	AppHealthHost    string
	AppHealthTimeout int

	Workers, Connections int

	IdleTimeout, KeepAlive, ReadTimeout int
	AppIdle, AppKeepAliveMilliseconds   int
	ClientTimeout                       int
	ShutdownTimeout, StopDelay          int
	AppConnections                      int

	BodyLimit, HeaderLimit int
	AllowedHosts           []string

	PathRates                              []PathRate
	RateLimit, RateBurst, ConcurrencyLimit int

	GzipLevel    int
	Gzip         GzipMode
	CacheSeconds int

	AccessLog       LogFormat
	LogHealthChecks bool
	StatusInterval  int

	PathPrefixes, Methods []string
	Allow                 []PathForm
	StripPrefix           bool

	AnswerHeaders []AnswerHeader
	StreamedPaths []string
	CORSOrigins   []string
	CORSPreflight bool

	StaticPaths, HashedPaths   []string
	SPAFallback, StaticHistory bool

	TLS            bool
	Ingress        IngressKind
	TrustedProxies []netip.Prefix
	LoginPaths     []string
}

// PathRate limits the requests of one client at a path and below it: PerMinute, and Burst at once beyond that.
type PathRate struct {
	Path      string `json:"path"`
	PerMinute int    `json:"perMinute"`
	Burst     int    `json:"burst"`
}

// GzipMode is which answers are compressed, at a level above zero.
type GzipMode string

const (
	// GzipAll compresses every answer of a type that compresses well.
	GzipAll GzipMode = "all"
	// GzipSafe leaves out answers to requests with credentials, whose length could reveal a secret in them.
	GzipSafe GzipMode = "safe"
)

// LogFormat is the form of the access log.
type LogFormat string

// Formats of the access log.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
	LogOff  LogFormat = "off"
)

// IngressKind is what the sidecar gets its requests from, which determines the headers that it trusts.
type IngressKind string

const (
	// Balancer is an Application Load Balancer.
	Balancer IngressKind = "balancer"
	// API is API Gateway.
	API IngressKind = "api"
)

// Site is the path prefix of a whole site: every path but those of the sidecar's own pages.
const Site = "/"

// longestSilence is short enough for what nobody has lengthened: an answer of 29 s is finished when its task stops, within the drain
// time and Spot's two minutes. Who gives the load balancer a longer time than its default wants longer answers.
func longestSilence(s Settings) int {
	if s.IdleTimeout > IdleTimeout.Default {
		return s.IdleTimeout - 1
	}

	return min(29, s.IdleTimeout-1)
}

// The settings with a range, in the order of the document. An Unit completes the range in messages.
var (
	Port    = number("NGINX_PORT", 8080, 1, 65535, "", func(s *Settings) *int { return &s.Port }, "where nginx listens; above 1024, because it runs without rights")
	AppPort = number("APP_PORT", 3000, 1, 65535, "", func(s *Settings) *int { return &s.AppPort }, "where the application listens, on 127.0.0.1")
	Workers = number("NGINX_WORKER_PROCESSES", 1, 1, 64, "", func(s *Settings) *int { return &s.Workers }, "one for each whole vCPU of the task")

	Connections = number("NGINX_WORKER_CONNECTIONS", 22000, 64, 200000, "", func(s *Settings) *int { return &s.Connections },
		"clients and connections to the application together, per worker; about 420 bytes each")

	IdleTimeout = number("NGINX_IDLE_TIMEOUT", 60, 5, 4000, "s", func(s *Settings) *int { return &s.IdleTimeout },
		"the load balancer's idle timeout; the next four follow from it")
	KeepAlive = follows(number("NGINX_KEEPALIVE_TIMEOUT", 0, 1, 5000, "s", func(s *Settings) *int { return &s.KeepAlive },
		"how long an idle client connection stays: more than the load balancer's, by default 10 s more"),
		func(s Settings) int { return s.IdleTimeout + 10 })
	ReadTimeout = follows(number("NGINX_READ_TIMEOUT", 0, 1, 3999, "s", func(s *Settings) *int { return &s.ReadTimeout },
		"how long the application may be silent in an answer: less than the load balancer's, by default 1 s less, and 29 s where that is 30 to 60 s"),
		longestSilence)
	AppIdle = follows(number("NGINX_UPSTREAM_KEEPALIVE_TIMEOUT", 0, 1, 4000, "s", func(s *Settings) *int { return &s.AppIdle },
		"how long an idle connection to the application stays: by default the idle timeout itself"),
		func(s Settings) int { return s.IdleTimeout })
	AppKeepAlive = follows(number("KEEP_ALIVE_TIMEOUT_MS", 0, 1, 5000000, "ms", func(s *Settings) *int { return &s.AppKeepAliveMilliseconds },
		"the application's own idle timeout; both containers get the same value. More than the line above, by default 35 s more"),
		func(s Settings) int { return (s.AppIdle + 35) * 1000 })

	ClientTimeout = number("NGINX_CLIENT_TIMEOUT", 10, 1, 300, "s", func(s *Settings) *int { return &s.ClientTimeout },
		"all headers within it; between two reads of a body; between two writes of an answer")
	ShutdownTimeout = number("NGINX_SHUTDOWN_TIMEOUT", 50, 1, 120, "s", func(s *Settings) *int { return &s.ShutdownTimeout },
		"how long requests under way may take after a stop; less than the task's stopTimeout")
	StopDelay = number("NGINX_STOP_DELAY", 0, 0, 110, "s", func(s *Settings) *int { return &s.StopDelay },
		"how long requests are served on after the signal to stop, while the health page answers 503; the line above counts from then on")
	AppConnections = number("NGINX_UPSTREAM_KEEPALIVE", 512, 1, 10000, "", func(s *Settings) *int { return &s.AppConnections },
		"idle connections to the application kept per worker")

	BodyLimit = number("NGINX_MAX_BODY_KB", 1024, 1, 1048576, "KiB", func(s *Settings) *int { return &s.BodyLimit }, "largest request body; more is 413")
	// A load balancer takes no line that is longer than 16 KiB.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
	HeaderLimit = number("NGINX_HEADER_KB", 16, 2, 16, "KiB", func(s *Settings) *int { return &s.HeaderLimit },
		"longest request line and header line; all of them together may be four times as long. More is 414 or 431")

	RateLimit = number("NGINX_RATE_LIMIT", 0, 0, 100000, "requests a second", func(s *Settings) *int { return &s.RateLimit },
		"requests a second of one client; more is 429. 0: no limit")
	RateBurst = number("NGINX_RATE_BURST", 20, 0, 100000, "requests", func(s *Settings) *int { return &s.RateBurst },
		"requests above the rate that are let through at once")
	ConcurrencyLimit = number("NGINX_CONCURRENCY_LIMIT", 0, 0, 65535, "requests at once", func(s *Settings) *int { return &s.ConcurrencyLimit },
		"requests of one client under way at once; more is 429. A WebSocket counts as long as it is open. 0: no limit")

	GzipLevel    = number("NGINX_GZIP_LEVEL", 1, 0, 9, "(0 is off)", func(s *Settings) *int { return &s.GzipLevel }, "0: no compression")
	CacheSeconds = number("NGINX_CACHE_SECONDS", 0, 0, 3600, "seconds", func(s *Settings) *int { return &s.CacheSeconds },
		"keep answers that the application calls `public` for so long, and while one request renews them. 0: no cache")
	StatusInterval = number("NGINX_STATUS_INTERVAL", 0, 0, 3600, "s", func(s *Settings) *int { return &s.StatusInterval },
		"how often a line with the numbers of connections and requests goes into the log. 0: never")
	AppHealthTimeout = number("NGINX_APP_HEALTH_TIMEOUT", 2, 1, 59, "s", func(s *Settings) *int { return &s.AppHealthTimeout },
		"how long the application may take to answer a health check, with a status from 200 to 399")
)

// The settings that are lists. Each has a function that checks one word of it.
var (
	PathPrefixes = list("NGINX_PATH_PREFIXES", "/api", Site+", or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores",
		func(s *Settings) *[]string { return &s.PathPrefixes }, isPrefix,
		"what is forwarded: each prefix and what lies below it. With `/` everything is but the paths below `/.sidecar`, and the health page is `/.sidecar/health`")
	Allow = List[PathForm]{
		Name: "NGINX_ALLOW", at: func(s *Settings) *[]PathForm { return &s.Allow },
		parse:   func(word string) (PathForm, bool) { return PathForm(word), slices.Contains(PathForms, PathForm(word)) },
		format:  func(form PathForm) string { return string(form) },
		Each:    "one of encoded-slash, encoded-percent, dots, double-slash, semicolon",
		Meaning: "ways to write a path that are otherwise refused, because programs read them differently: `encoded-slash`, `encoded-percent`, `dots`, `double-slash`, `semicolon`; not together with a login or a rate at single paths, which they could evade",
	}
	Methods = list("NGINX_METHODS", "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS", "a registered method in upper case, such as GET, PATCH or PROPFIND, other than CONNECT, PRI and TRACE",
		func(s *Settings) *[]string { return &s.Methods }, isMethod, "methods that are forwarded; others are 405")
	AllowedHosts = list("NGINX_ALLOWED_HOSTS", "", "a host name in lower case, such as www.example.com or *.example.com",
		func(s *Settings) *[]string { return &s.AllowedHosts }, isHost,
		"host names that a request may be for, each exact or with `*.` for one label; others are 400. None: any")
	StaticPaths = list("NGINX_STATIC_FILES", "", "/, or a path such as /assets, of letters, digits, hyphens and underscores",
		func(s *Settings) *[]string { return &s.StaticPaths }, isStaticPath,
		"paths whose files nginx serves itself, each from a volume: the first from `/srv/static/1` and the path, and so on")
	HashedPaths = list("NGINX_STATIC_HASHED", "", "/, or a path such as /assets, of letters, digits, hyphens and underscores",
		func(s *Settings) *[]string { return &s.HashedPaths }, isStaticPath,
		"paths below which each file's name changes with its content, so that a client may keep it for a year; a name with a long hexadecimal hash needs no such path")
	LoginPaths = list("NGINX_LOGIN_PATHS", "", "/, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores",
		func(s *Settings) *[]string { return &s.LoginPaths }, isPrefix,
		"paths with what lies below them, `/` for all, on which the load balancer's X-Amzn-Oidc headers reach the application")
	CORSOrigins = list("NGINX_CORS_ORIGINS", "", "an origin such as https://shop.example.com, with a port unless it is the scheme's",
		func(s *Settings) *[]string { return &s.CORSOrigins }, isOrigin,
		"origins whose pages may read the sidecar's own answers, such as a 413 or 502, and static files")
	AnswerHeaders = List[AnswerHeader]{
		Name: "NGINX_ANSWER_HEADERS", at: func(s *Settings) *[]AnswerHeader { return &s.AnswerHeaders }, parse: parseHeader, format: AnswerHeader.String,
		separator: "\n",
		Each:      `a name and a value of printable ASCII without $ and \, such as "Strict-Transport-Security: max-age=31536000"; not one that nginx or another setting writes`,
		Meaning:   "headers of every answer, unless the application has set one of that name",
	}
	StreamedPaths = list("NGINX_STREAMED_PATHS", "", "/, or a path such as /api or /v1/orders, of letters, digits, dots, hyphens and underscores",
		func(s *Settings) *[]string { return &s.StreamedPaths }, isPrefix,
		"paths with what lies below them whose request bodies reach the application as they come, without a limit: they are not stored first")
	AppWritten = list("NGINX_APP_WRITTEN", "", "a path such as /wp-content/uploads, of letters, digits, dots, hyphens and underscores",
		func(s *Settings) *[]string { return &s.AppWritten }, isPath,
		"paths below NGINX_APP_ROOT where the application writes: nginx serves files there, but what looks like a script is never run")
	TrustedProxies = List[netip.Prefix]{
		Name: "NGINX_TRUSTED_PROXIES", at: func(s *Settings) *[]netip.Prefix { return &s.TrustedProxies }, parse: parseRange, format: netip.Prefix.String,
		Each:    "an address range without host bits, such as 130.176.0.0/16 or 2600:9000::/28, with IPv4 addresses in their own form",
		Meaning: "address ranges whose word about client and scheme counts: the load balancer's subnets, or those of the VPC link",
	}
	PathRates = List[PathRate]{
		Name: "NGINX_PATH_RATES", at: func(s *Settings) *[]PathRate { return &s.PathRates }, parse: parseRate, format: formatRate,
		Each:    "a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, such as /api/login:10:5",
		Meaning: "requests a minute of one client at a path and below it, in any case and with any extension, and the burst beyond: `/api/login:10:5`; more is 429",
	}
)

// The settings that are text.
var (
	// The kernel takes 107 bytes. https://man7.org/linux/man-pages/man7/unix.7.html
	AppSocket = text("NGINX_APP_SOCKET", "path of a Unix socket", "a path such as /run/app/http.sock, of at most 107 letters, digits and . _ - /",
		func(s *Settings) *string { return &s.AppSocket }, isSocket,
		"where the application listens as well, on a volume that both containers share: it costs less than the port, which stays for what the socket has no room for")
	AppRoot = text("NGINX_APP_ROOT", "directory", "a directory such as /app/public, of letters, digits and . _ - /",
		func(s *Settings) *string { return &s.AppRoot }, isDirectory,
		"document root of an application that speaks FastCGI, as its own container sees it; nginx has the same volume at `/srv/app`")
	AppHealthPath = text("NGINX_APP_HEALTH_PATH", "path that the application answers", "a path such as /healthz, of letters, digits and . _ ~ - /",
		func(s *Settings) *string { return &s.AppHealthPath }, isHealthPath,
		"where the container's health check requests the application, through nginx; until it has answered once, the health page is 503. None: the check requests nginx alone")
	AppHealthHost = text("NGINX_APP_HEALTH_HOST", "host name", AllowedHosts.Each, func(s *Settings) *string { return &s.AppHealthHost }, isHost,
		"Host of that request. None: localhost, which an application that is only for its own names refuses")
)

// The settings that are one of some words, or on or off.
var (
	AppProtocol = choice("NGINX_APP_PROTOCOL", func(s *Settings) *Protocol { return &s.AppProtocol },
		"what the application speaks on its port or socket; with fastcgi, nginx serves the files of NGINX_APP_ROOT that are no scripts", HTTP, FastCGI, UWSGI)
	Gzip = choice("NGINX_GZIP", func(s *Settings) *GzipMode { return &s.Gzip },
		"safe: no compression of answers to requests with Cookie or Authorization", GzipAll, GzipSafe)
	AccessLog       = choice("NGINX_ACCESS_LOG", func(s *Settings) *LogFormat { return &s.AccessLog }, "form of the access log", LogJSON, LogText, LogOff)
	LogHealthChecks = onOff("NGINX_LOG_HEALTH_CHECKS", func(s *Settings) *bool { return &s.LogHealthChecks }, "whether the health page is logged")
	TLS             = onOff("NGINX_TLS", func(s *Settings) *bool { return &s.TLS }, "whether the port speaks TLS, with a certificate made at the start")
	Ingress         = choice("NGINX_INGRESS", func(s *Settings) *IngressKind { return &s.Ingress },
		"whose word that is. A balancer's X-Forwarded-For and X-Forwarded-Proto, or the header Sidecar-Client of an api, which has no http", Balancer, API)
	SPAFallback = onOff("NGINX_SPA_FALLBACK", func(s *Settings) *bool { return &s.SPAFallback },
		"whether a path of static files that has no file and no dot in its last segment is answered with the path's index.html")
	StripPrefix = onOff("NGINX_STRIP_PREFIX", func(s *Settings) *bool { return &s.StripPrefix },
		"whether the application gets paths without their prefix, which is then in X-Forwarded-Prefix")
	CORSPreflight = onOff("NGINX_CORS_PREFLIGHT", func(s *Settings) *bool { return &s.CORSPreflight },
		"whether the sidecar answers browsers that ask what a page of NGINX_CORS_ORIGINS may send, and adds the origin to the application's answers that have none")
	StaticHistory = onOff("NGINX_STATIC_HISTORY", func(s *Settings) *bool { return &s.StaticHistory },
		"whether files whose names have a hash are kept at `/srv/static/history`, a volume of all tasks, and looked for there")
)

// all are the settings in the order in which they are read: a default may follow from one before.
var all = []setting{
	Port, AppPort, Workers, Connections, IdleTimeout, KeepAlive, ReadTimeout, AppIdle, AppKeepAlive, ClientTimeout, ShutdownTimeout, StopDelay,
	AppConnections, BodyLimit, HeaderLimit, RateLimit, RateBurst, ConcurrencyLimit, GzipLevel, CacheSeconds, StatusInterval, AppHealthTimeout,
	Gzip, AccessLog, LogHealthChecks, TLS, Ingress, SPAFallback, StripPrefix, CORSPreflight, StaticHistory,
	PathPrefixes, Allow, StaticPaths, HashedPaths, Methods, AllowedHosts, PathRates, CORSOrigins, AnswerHeaders, StreamedPaths, TrustedProxies, LoginPaths, AppSocket, AppProtocol, AppRoot, AppWritten, AppHealthPath, AppHealthHost,
}
