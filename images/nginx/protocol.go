package nginx

import (
	"regexp"
	"slices"
	"strings"
)

// Protocol is what the app speaks.
type Protocol string

// The protocols that NGINX forwards.
const (
	HTTP    Protocol = "http"
	FastCGI Protocol = "fastcgi"
	UWSGI   Protocol = "uwsgi"
)

// DocumentRoot is where NGINX has the volume with the document root of an app that speaks FastCGI.
const DocumentRoot = "/srv/app"

// frontController is the script that answers every path that names no other.
const frontController = "/index.php"

// publicKinds are the extensions of the files of a document root that NGINX serves: what a page refers to. Scripts,
// archives, dumps, and what editors and tools leave behind are not among them.
var publicKinds = strings.Fields(`html htm css js mjs map txt xml json jsonld webmanifest wasm pdf rss atom
	woff2 woff ttf otf eot svg png jpg jpeg gif webp avif ico mp3 ogg mp4 webm`)

// variable is one of CGI.
type variable struct{ Name, Value string }

// CGI reports whether the app gets the variables of CGI instead of an HTTP request.
func (c configuration) CGI() bool { return c.AppProtocol != HTTP }

// DoubleSlash reports whether a path may have empty segments.
func (c configuration) DoubleSlash() bool { return c.allowsForm(DoubleSlash) }

// PublicKinds is a pattern for the extensions of files that NGINX serves from a document root.
func (c configuration) PublicKinds() string { return "(?i:" + strings.Join(publicKinds, "|") + ")" }

// NoScripts is a pattern that fits no path at or below which the app writes: whoever uploads a file could run it as a script.
func (c configuration) NoScripts() string {
	if len(c.AppWritten) == 0 {
		return ""
	}

	return "(?!(?:" + alternatives(c.AppWritten) + ")(?:/|$))"
}

// RequestCGI are the variables of a client's request.
func (c configuration) RequestCGI() []variable {
	all := []variable{
		{"REQUEST_METHOD", "$request_method"}, {"REQUEST_URI", "$request_uri"}, {"QUERY_STRING", "$args"},
		{"CONTENT_TYPE", "$content_type"}, {"CONTENT_LENGTH", "$content_length"},
		{"REMOTE_ADDR", "$remote_addr"}, {"SERVER_NAME", "$host"}, {"SERVER_PORT", "$cgi_port"},
		{"REQUEST_SCHEME", "$forwarded_proto"}, {"HTTPS", "$cgi_https if_not_empty"},
	}
	if c.AppProtocol == UWSGI {
		path, prefix := "$document_uri", `""`
		if c.StripPrefix {
			path, prefix = "$cgi_path", "$stripped_prefix"
		}

		return c.cgi(append(all, variable{"PATH_INFO", path}, variable{"SCRIPT_NAME", prefix}, variable{"UWSGI_SCHEME", "$forwarded_proto"}))
	}

	return c.cgi(append(all, c.script("$script")...), variable{"PATH_INFO", "$script_info if_not_empty"})
}

// HealthCGI are those of the health check's request.
func (c configuration) HealthCGI() []variable {
	all := []variable{
		{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", c.AppHealthPath}, {"QUERY_STRING", `""`}, {"CONTENT_TYPE", `""`}, {"CONTENT_LENGTH", `""`},
		{"REMOTE_ADDR", "127.0.0.1"}, {"SERVER_NAME", c.healthHost()}, {"SERVER_PORT", "80"}, {"REQUEST_SCHEME", "http"},
	}
	if c.AppProtocol == UWSGI {
		return c.cgi(append(all, variable{"PATH_INFO", c.AppHealthPath}, variable{"SCRIPT_NAME", `""`}, variable{"UWSGI_SCHEME", "http"}))
	}
	script := frontController
	if strings.HasSuffix(c.AppHealthPath, ".php") {
		script = c.AppHealthPath
	}

	return c.cgi(append(all, c.script(script)...))
}

// script are the variables by which php-fpm finds a script, as it sees the file.
func (c configuration) script(name string) []variable {
	return []variable{
		{"SCRIPT_FILENAME", c.AppRoot + name}, {"SCRIPT_NAME", name}, {"DOCUMENT_URI", name}, {"DOCUMENT_ROOT", c.AppRoot},
		{"REDIRECT_STATUS", "200"}, // without which a PHP made to be run by a server alone answers nothing
	}
}

// cgi completes variables as directives of the protocol's module. The version is the one in which the app's answer is read.
func (c configuration) cgi(all []variable, more ...variable) []variable {
	all = slices.Concat(all, more, []variable{{"SERVER_PROTOCOL", "HTTP/1.1"}, {"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_SOFTWARE", "nginx"}})
	for i := range all {
		all[i].Name = string(c.AppProtocol) + "_param " + all[i].Name
	}

	return all
}

var (
	setHeader      = regexp.MustCompile(`(?m)^(\s*)proxy_set_header (\S+) (\S+);$`)
	proxyDirective = regexp.MustCompile(`(?m)^(\s*)proxy_(\w+)`)
)

// inModule turns the directives of NGINX's proxy module into those of the module that speaks a protocol: they have the same
// names but for their beginning. A header is a variable there, and one that is named takes the place of the client's.
//
// https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html#parameters
func (p Protocol) inModule(text string) string {
	if p == HTTP {
		return text
	}
	text = setHeader.ReplaceAllStringFunc(text, func(line string) string {
		part := setHeader.FindStringSubmatch(line)
		name := strings.ToUpper(strings.ReplaceAll(part[2], "-", "_"))

		return part[1] + string(p) + "_param HTTP_" + name + " " + part[3] + " if_not_empty;"
	})

	return proxyDirective.ReplaceAllStringFunc(text, func(directive string) string {
		if strings.HasSuffix(directive, "proxy_temp_path") {
			return directive // one for each module
		}

		return strings.Replace(directive, "proxy_", string(p)+"_", 1)
	})
}
