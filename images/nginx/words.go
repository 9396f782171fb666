package nginx

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The words of lists and texts become part of NGINX's configuration, so each pattern is as narrow as it can be: no blank,
// no quote, no backslash, no semicolon.
var (
	// A segment that is a dot, or begins with two, is not admitted in any request.
	pathPattern   = regexp.MustCompile(`^(/\.?[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
	staticPattern = regexp.MustCompile(`^(/|(/[A-Za-z0-9_-]+)+)$`)
	hostPattern   = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	originPattern = regexp.MustCompile(`^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$`)
	socketPattern = regexp.MustCompile(`^/[A-Za-z0-9._/-]*[A-Za-z0-9._-]$`)
	healthPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*/?$`)
)

// knownMethods are the registered ones, but for CONNECT, PRI and TRACE: a tunnel, the start of HTTP/2, and one that returns
// a client's own headers.
// https://www.iana.org/assignments/http-methods/http-methods.xhtml
var knownMethods = strings.Fields(`GET HEAD POST PUT PATCH DELETE OPTIONS QUERY
	ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE
	MOVE ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL`)

// ownPath is where the sidecar's own pages are.
const ownPath = "/.sidecar"

func isPath(word string) bool       { return pathPattern.MatchString(word) && !covers(ownPath, word) }
func isPrefix(word string) bool     { return word == Site || isPath(word) }
func isStaticPath(word string) bool { return staticPattern.MatchString(word) }
func isMethod(word string) bool     { return slices.Contains(knownMethods, word) }
func isHost(word string) bool       { return len(word) <= 253 && hostPattern.MatchString(word) }
func isOrigin(word string) bool     { return len(word) <= 260 && originPattern.MatchString(word) }
func isSocket(word string) bool     { return len(word) <= 107 && socketPattern.MatchString(word) }
func isDirectory(word string) bool  { return isSocket(word) && !strings.Contains(word, "/..") }
func isHealthPath(word string) bool { return healthPattern.MatchString(word) }

// covers reports whether a path is another one or lies below it.
func covers(path, other string) bool {
	return path == Site || path == other || strings.HasPrefix(other, path+"/")
}

// parseRange reads an address range, or one address. nginx does not take an IPv4 address in the form of IPv6, and would
// never find a peer in it.
func parseRange(word string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(word); err == nil && address.Zone() == "" && !address.Is4In6() {
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(word)

	return prefix, err == nil && !prefix.Addr().Is4In6() && prefix == prefix.Masked()
}

// AnswerHeader is a header of every answer.
type AnswerHeader struct{ Name, Value string }

// headerPattern leaves out what would be a variable or an escape to NGINX.
var headerPattern = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]{0,63}): ([\x21-\x23\x25-\x5b\x5d-\x7e](?:[\x20-\x23\x25-\x5b\x5d-\x7e]*[\x21-\x23\x25-\x5b\x5d-\x7e])?)$`)

// ownHeaders are those that NGINX writes, or another setting, and those that frame an answer.
var ownHeaders = strings.Fields(`accept-ranges access-control-allow-headers access-control-allow-methods access-control-allow-origin
	access-control-max-age age allow cache-control connection content-encoding content-length content-range content-type date etag
	expires keep-alive last-modified location retry-after server set-cookie trailer transfer-encoding upgrade vary
	www-authenticate x-content-type-options x-request-id`)

func parseHeader(line string) (AnswerHeader, bool) {
	part := headerPattern.FindStringSubmatch(line)
	if part == nil || len(line) > 2000 || slices.Contains(ownHeaders, strings.ToLower(part[1])) {
		return AnswerHeader{}, false
	}

	return AnswerHeader{part[1], part[2]}, true
}

// String is the line of an answer.
func (h AnswerHeader) String() string { return h.Name + ": " + h.Value }

// Variable ends the name of NGINX's variable for the header, and Quoted is its value as a word of the configuration.
func (h AnswerHeader) Variable() string { return strings.ToLower(strings.ReplaceAll(h.Name, "-", "_")) }
func (h AnswerHeader) Quoted() string   { return strings.ReplaceAll(h.Value, `"`, `\"`) }

// parseRate reads path:requests a minute:burst.
func parseRate(word string) (PathRate, bool) {
	parts := strings.Split(word, ":")
	if len(parts) != 3 {
		return PathRate{}, false
	}
	minute, errMinute := strconv.Atoi(parts[1])
	burst, errBurst := strconv.Atoi(parts[2])
	rate := PathRate{Path: parts[0], PerMinute: minute, Burst: burst}

	return rate, errMinute == nil && errBurst == nil && formatRate(rate) == word && rate.Wrong() == ""
}

// The most requests of a PathRate.
const (
	mostPerMinute = 999_999
	mostBurst     = 99_999
)

// Wrong names the first field whose value is not allowed, as it is written in a stack file.
func (r PathRate) Wrong() string {
	switch {
	case !isPath(r.Path):
		return "path"
	case r.PerMinute < 1 || r.PerMinute > mostPerMinute:
		return "perMinute"
	case r.Burst < 0 || r.Burst > mostBurst:
		return "burst"
	}

	return ""
}

func formatRate(r PathRate) string { return fmt.Sprintf("%s:%d:%d", r.Path, r.PerMinute, r.Burst) }
