package nginx

import (
	"slices"
	"strings"
)

// PathForm is a way to write a path that some programs read in another way than others, so that it is refused unless it is
// allowed. What is allowed still leaves no way out of a prefix, however often and by whom the path is decoded.
type PathForm string

// The forms that can be allowed.
const (
	// EncodedSlash is %2F inside a name.
	EncodedSlash PathForm = "encoded-slash"
	// EncodedPercent is %25 before two hexadecimal digits: what has been encoded twice.
	EncodedPercent PathForm = "encoded-percent"
	// Dots are %2E, and names that begin with two dots.
	Dots PathForm = "dots"
	// DoubleSlash is a segment without characters, but for the first.
	DoubleSlash PathForm = "double-slash"
	// Semicolon is a parameter of a segment, such as ;jsessionid=1.
	Semicolon PathForm = "semicolon"
)

// PathForms are all of them, as the setting lists them.
var PathForms = []PathForm{EncodedSlash, EncodedPercent, Dots, DoubleSlash, Semicolon}

// The parts of a pattern of paths. A quantifier with a second + is possessive: what it has matched is never tried in another
// way, so the time grows with the length alone.
const (
	// rawCharacters are what RFC 3986 admits in a path, but for the semicolon, and what browsers and other clients leave
	// unencoded although it does not: the brackets of Next.js, for example. The quote and the backtick would end a word of
	// NGINX's configuration.
	// https://url.spec.whatwg.org/#path-percent-encode-set
	rawCharacters = `A-Za-z0-9\-._~!$&'()*+,=:@\[\]|^{}\x22\x60`
	// encodedASCII is what follows the percent sign of a character that is encoded: all that is printable, but for letters,
	// digits, dots, both slashes and a percent sign before two hexadecimal digits.
	encodedASCII = `2[0-46-9a-dA-D]|25(?![0-9A-Fa-f]{2})|3[a-fA-F]|40|5[bdefBDEF]|60|7[b-eB-E]`
	// encodedUTF8 is what follows the first percent sign of well-formed UTF-8 above ASCII, without control characters; each %
	// stands for the signs behind it.
	// https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/#G27506
	encodedUTF8 = `[cC]2%[aAbB][0-9A-Fa-f]|(?:[cC][3-9A-Fa-f]|[dD][0-9A-Fa-f])%[89aAbB][0-9A-Fa-f]` +
		`|(?:[eE](?:0%[aAbB]|[1-9a-cA-CefEF]%[89aAbB]|[dD]%[89])[0-9A-Fa-f]|[fF](?:0%[9aAbB]|[1-3]%[89aAbB]|4%8)[0-9A-Fa-f]%[89aAbB][0-9A-Fa-f])%[89aAbB][0-9A-Fa-f]`
)

// allowsForm reports whether a form is allowed.
func (s Settings) allowsForm(form PathForm) bool {
	return slices.Contains(s.Allow, form)
}

// belowPattern is what may follow a prefix in a request target: segments that mean the same to everyone, and a query.
func belowPattern(allowed func(PathForm) bool) string {
	slash := `%2[fF]`
	if allowed(EncodedPercent) {
		slash = `%(?:25)?2[fF]`
	}
	// What a segment must not be, and where one ends. A program that cuts parameters off sees an end before a semicolon.
	end := `/|\?|$|` + slash
	if allowed(Semicolon) {
		end += `|;|%3[bB]`
	}
	bad := slash + `|\.(?:\.|` + end + `)`
	if allowed(Dots) {
		// One or two dots and nothing else: Windows leaves out blanks behind them.
		bad = slash + `|(?:\.|%2[eE]){1,2}(?:%20)*+(?:` + end + `)`
	}
	raw := rawCharacters
	if allowed(Semicolon) {
		// A segment that is parameters alone is an empty one to some. At the end of a path, it is the slash before it.
		raw += `;`
		bad += `|;(?![A-Za-z0-9_.~=;-]*+(?:\?|$))`
	}

	encoded := encodedASCII + "|" + encodedUTF8
	if allowed(EncodedPercent) {
		encoded += `|25(?:` + encodedASCII + "|" + strings.ReplaceAll(encodedUTF8, "%", "%25") + `)`
	}
	if allowed(Dots) {
		encoded += `|2[eE]`
	}
	if allowed(EncodedSlash) {
		// What is between it and the next slash has to be a segment that would be admitted between plain ones.
		encoded += `|` + strings.TrimPrefix(slash, "%") + `(?!` + bad + `|/|\?|$)`
	}
	slashes, last := `/`, `/?`
	if allowed(DoubleSlash) {
		slashes, last = `/++`, `/*+`
	}

	return `(?:` + slashes + `(?!` + bad + `)(?:[` + raw + `]++|%(?:` + encoded + `))++)*+` + last + `(?:\?[\x21-\x22\x24-\x7e]*+)?$`
}

// pathReason is why a path is refused: what it has, in the order in which that is looked for.
type pathReason struct{ Pattern, Text string }

// pathReasons are for the paths that belowPattern refuses. A form that could be allowed comes with the name of the setting.
func pathReasons(allowed func(PathForm) bool) []pathReason {
	form := func(name string, form PathForm) string {
		if allowed(form) {
			return "path: " + name + " at a place where it has two meanings"
		}
		return "path: " + name + ": http.allow"
	}

	return []pathReason{
		{`/(?:\.|%2e){1,2}(?:[/?;]|%2f|\x5c|%5c|%20|$)`, "path: dot segment"},
		{`%2f`, form("encoded slash", EncodedSlash)},
		{`(?:\x5c|%5c)`, "path: backslash"},
		{`%25[0-9a-f]{2}`, form("encoded percent", EncodedPercent)},
		{`//`, form("double slash", DoubleSlash)},
		{`;`, form("semicolon", Semicolon)},
		{`(?:%2e|/\.\.)`, form("dots", Dots)},
		{`%(?![0-9a-f]{2})`, "path: percent sign without two hexadecimal digits"},
		{`%(?:[01]|7f)`, "path: encoded control character"},
		{`%(?:3[0-9]|[46][1-9a-f]|[57][0-9a])`, "path: encoded letter or digit"},
		{`%[89a-f]`, "path: encoded bytes that are not UTF-8"},
	}
}
