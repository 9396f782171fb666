package nginx

import (
	_ "embed" // for the template
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed nginx.conf.tmpl
var configurationText string

// folder is where everything is that the sidecar writes.
const folder = "/tmp/nginx"

// configuration is what the template is filled in with: the settings, and what follows from them.
type configuration struct {
	Settings

	// Stopping says that NGINX serves no client any more, but its own counts.
	Stopping bool
	// OpenFiles is the limit of a worker's file descriptors.
	OpenFiles int
	// HealthPage is the path of the page that NGINX answers itself.
	HealthPage string
	// ConnectTimeout is in seconds. The kernel's third try comes after 7 s, when the app's queue of new connections was
	// full. It never takes longer than an answer may.
	ConnectTimeout int
	// HeaderBuffer and BusyBuffers are for an answer's headers, in front of which the cache keeps the request's target,
	// which is as long as a line may be. NGINX requires the second to be as large as the first.
	HeaderBuffer, BusyBuffers string
	// AccessLogTo and RefusedLogTo are parameters of access_log.
	AccessLogTo, RefusedLogTo string
	// ClientHeader names the client, ForwardedScheme is http or https. A load balancer writes both. API Gateway speaks
	// nothing but HTTPS, and writes the address into a header that the integration names, over what a client sent there.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
	ClientHeader, ForwardedScheme string
	// Below is what may follow a prefix of the app in a request target, StaticBelow one of static files.
	Below, StaticBelow string
	// CORS is what of the settings the headers for pages of other origins depend on. Files are answers with static files,
	// and Root with those of a document root, which DocumentRoot says that there is.
	CORS         cors
	Files, Root  files
	DocumentRoot bool
	// Bodies are the app's paths by what becomes of a request's body.
	Bodies []bodies
	// Silence is how long a WebSocket may be silent, in seconds: less than the load balancer allows, so that the log has a
	// line that names the setting.
	Silence int
	// LongestPrefixes are the patterns of the app's prefixes, the longest first.
	LongestPrefixes string
	// GzipTypes are the content types that are compressed beside HTML, GzipTypesPattern fits all. Conditions are the
	// variables of the headers that hold ETags in a request.
	GzipTypes        []string
	GzipTypesPattern string
	Conditions       []string
	// PathReasons tell why a path is refused, BodyLimitText and HeadersLimit the limits in words and in KiB.
	PathReasons   []pathReason
	BodyLimitText string
	HeadersLimit  int

	// Patterns of paths, each without its slashes at the end: those of the app, all, those of static files, those of files
	// whose names have a hash, those of the login and those of host names.
	Prefixes, AllPrefixes, StaticPrefixes, Hashed, Logins, Hosts string

	Static []staticPath
}

// staticPath is a path whose files NGINX serves.
type staticPath struct {
	Number int    // of its volume
	Path   string // without a slash at its end
	// Pattern leaves out the prefixes of the app that lie below the path.
	Pattern string
	// BelowApp says that the path lies below a prefix of the app.
	BelowApp                   bool
	SPAFallback, StaticHistory bool
	Files                      files
}

// files are what answers with files depend on: no link in them leads out of Volumes.
type files struct {
	cors
	Volumes string
}

// cors are the pages of other origins that may read answers.
type cors struct {
	CORSOrigins   []string
	CORSPreflight bool
	AnswerHeaders []AnswerHeader
}

// bodies are paths whose request bodies are dealt with in the same way, or the WebSockets of all paths, which have none.
type bodies struct {
	Prefixes            string // a pattern
	Streamed, WebSocket bool
}

func (s Settings) cors() cors { return cors{s.CORSOrigins, s.CORSPreflight, s.AnswerHeaders} }

var templateFunctions = template.FuncMap{
	"join":    strings.Join,
	"max":     func(a, b int) int { return max(a, b) },
	"inc":     func(i int) int { return i + 1 },
	"pattern": pathToPattern,
	"atLeast": atLeast,
}

// Render writes NGINX's configuration. openFiles is the most file descriptors that a process may have.
func (s Settings) Render(w io.Writer, openFiles int) error {
	return s.configuration(openFiles).write(w)
}

func (c configuration) write(w io.Writer) error {
	t, err := template.New("nginx.conf").Funcs(templateFunctions).Parse(configurationText)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}

	var text strings.Builder
	if err := t.Execute(&text, c); err != nil {
		return err
	}
	_, err = io.WriteString(w, c.AppProtocol.inModule(text.String()))

	return err
}

// connectionFiles are the descriptors of a worker beside its connections: for large bodies and static files.
const connectionFiles = 2048

func (s Settings) configuration(openFiles int) configuration {
	c := configuration{
		Settings:        s,
		OpenFiles:       min(s.Connections+connectionFiles, openFiles),
		HealthPage:      s.HealthPage(),
		ConnectTimeout:  min(10, s.ReadTimeout),
		HeaderBuffer:    "36k",
		BusyBuffers:     "48k",
		ClientHeader:    "X-Forwarded-For",
		ForwardedScheme: "$http_x_forwarded_proto",
		Prefixes:        alternatives(s.PathPrefixes),
		Hashed:          alternatives(s.HashedPaths),
		Logins:          s.loginPattern(),
		Hosts:           hostPatterns(s.AllowedHosts),
		Static:          s.staticPaths(),
		Below:           belowPattern(s.allowsForm),
		StaticBelow:     belowPattern(func(PathForm) bool { return false }),
		CORS:            s.cors(),
		Files:           files{s.cors(), staticRoot},
		Root:            files{s.cors(), DocumentRoot},
		DocumentRoot:    s.AppRoot != "",
		Bodies:          s.bodies(),
		Silence:         s.IdleTimeout - 1,
		LongestPrefixes: longestFirst(s.PathPrefixes),
		GzipTypes:       gzipTypes,
		Conditions:      []string{"if_match", "if_none_match"},
		PathReasons:     pathReasons(s.allowsForm),
		BodyLimitText:   kibibytes(s.BodyLimit),
		HeadersLimit:    4 * s.HeaderLimit,
	}
	c.AllPrefixes = c.Prefixes
	if len(s.StaticPaths) > 0 {
		c.AllPrefixes += "|" + alternatives(s.StaticPaths)
		c.StaticPrefixes = s.staticPrefixes()
	}
	if s.CacheSeconds > 0 {
		c.HeaderBuffer, c.BusyBuffers = strconv.Itoa(36+s.HeaderLimit)+"k", "52k"
	}
	if s.Ingress == API {
		c.ClientHeader, c.ForwardedScheme = "Sidecar-Client", "https"
	}
	c.AccessLogTo, c.RefusedLogTo = s.logs()
	patterns := []string{"text/html"}
	for _, kind := range gzipTypes {
		patterns = append(patterns, regexp.QuoteMeta(kind))
	}
	c.GzipTypesPattern = strings.Join(patterns, "|")

	return c
}

func (s Settings) bodies() (all []bodies) {
	if len(s.StreamedPaths) > 0 {
		all = append(all, bodies{Prefixes: alternatives(s.StreamedPaths), Streamed: true})
	}
	all = append(all, bodies{Prefixes: alternatives(s.PathPrefixes)})
	if s.AppProtocol == HTTP {
		all = append(all, bodies{WebSocket: true})
	}

	return all
}

// HealthPage is the path of the page that NGINX answers itself, for the load balancer's health check.
func (s Settings) HealthPage() string {
	if slices.Contains(s.PathPrefixes, Site) || slices.Contains(s.StaticPaths, Site) {
		return ownPath + "/health"
	}

	return "/"
}

// logs are the parameters of access_log, for whole lines and for those of refusals. A pipe takes 4 KiB in one piece from
// several workers.
func (s Settings) logs() (access, refused string) {
	const options = " buffer=4k flush=1s"
	switch s.AccessLog {
	case LogOff:
		return "off", "off"
	case LogText:
		return "/dev/stdout text" + options, "/dev/stdout text" + options
	}

	return "/dev/stdout json" + options, "/dev/stdout refused" + options
}

// pathToPattern turns a path into a regular expression. The only character of a path that means more in one is the dot.
func pathToPattern(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path, Site), ".", "[.]")
}

func alternatives(paths []string) string {
	var patterns []string
	for _, path := range paths {
		patterns = append(patterns, pathToPattern(path))
	}

	return strings.Join(patterns, "|")
}

func longestFirst(paths []string) string {
	paths = slices.Clone(paths)
	slices.SortStableFunc(paths, func(a, b string) int { return len(b) - len(a) })

	return alternatives(paths)
}

// loginPattern fits the targets of the login's paths. Without any it fits nothing.
func (s Settings) loginPattern() string {
	patterns := []string{"(?!)"}
	for _, path := range s.LoginPaths {
		if path == Site {
			patterns = append(patterns, Site)
		} else {
			patterns = append(patterns, pathToPattern(path)+"(?:[/?]|$)")
		}
	}

	return strings.Join(patterns, "|")
}

func hostPatterns(names []string) string {
	var patterns []string
	for _, name := range names {
		pattern := strings.ReplaceAll(name, ".", "[.]")
		if rest, ok := strings.CutPrefix(pattern, "*"); ok {
			pattern = "[a-z0-9_-]+" + rest
		}
		patterns = append(patterns, pattern)
	}

	return strings.Join(patterns, "|")
}

// staticPaths are the paths of static files, those first that lie below others: NGINX takes the first pattern that fits.
func (s Settings) staticPaths() []staticPath {
	var paths []staticPath
	for i, path := range s.StaticPaths {
		below := false
		for _, prefix := range s.PathPrefixes {
			below = below || prefix != path && covers(prefix, path)
		}
		paths = append(paths, staticPath{
			Number: i + 1, Path: strings.TrimSuffix(path, Site), Pattern: s.withoutApp(path, "(?:/|$)"), BelowApp: below,
			SPAFallback: s.SPAFallback, StaticHistory: s.StaticHistory, Files: files{s.cors(), staticRoot},
		})
	}
	slices.SortFunc(paths, func(a, b staticPath) int { return strings.Compare(b.Path, a.Path) })

	return paths
}

// staticPrefixes fits the targets of static files.
func (s Settings) staticPrefixes() string {
	var patterns []string
	for _, path := range s.StaticPaths {
		patterns = append(patterns, s.withoutApp(path, "(?:[/?]|$)"))
	}

	return strings.Join(patterns, "|")
}

// withoutApp is the pattern of a path of static files, but for the app's prefixes below it. end is what may follow one.
func (s Settings) withoutApp(path, end string) string {
	var deeper []string
	for _, prefix := range s.PathPrefixes {
		if prefix != path && prefix != Site && covers(path, prefix) {
			deeper = append(deeper, prefix)
		}
	}
	if len(deeper) == 0 {
		return pathToPattern(path)
	}

	return "(?!(?:" + alternatives(deeper) + ")" + end + ")" + pathToPattern(path)
}

// gzipTypes are what an API and a site send, beside HTML: text, and formats that are not compressed themselves. Never
// text/event-stream, whose readers may not decompress.
var gzipTypes = strings.Fields(`
	text/plain text/css text/javascript text/xml text/csv text/markdown application/json application/x-ndjson
	application/problem+json application/ld+json application/vnd.api+json application/geo+json
	application/manifest+json application/javascript application/xml application/rss+xml application/atom+xml
	application/xhtml+xml application/wasm image/svg+xml image/x-icon font/ttf font/otf
	application/vnd.ms-fontobject`)

// kibibytes writes a size in KiB in the largest unit that keeps it whole.
func kibibytes(size int) string {
	if size%1024 == 0 {
		return strconv.Itoa(size/1024) + " MiB"
	}

	return strconv.Itoa(size) + " KiB"
}

// atLeast is a pattern for the whole numbers from one upwards.
func atLeast(number int) string {
	digits := strconv.Itoa(number)
	patterns := []string{digits}
	for i, digit := range digits {
		if digit != '9' {
			patterns = append(patterns, fmt.Sprintf("%s[%c-9][0-9]{%d}", digits[:i], digit+1, len(digits)-i-1))
		}
	}
	patterns = append(patterns, fmt.Sprintf("[1-9][0-9]{%d,}", len(digits)))

	return "(?:" + strings.Join(patterns, "|") + ")(?![0-9])"
}
