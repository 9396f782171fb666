package contract

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// outside says what about a request that reached the application breaks the
// contract; empty is nothing. Whatever way an application decodes a path, it
// must stay below /api.
func outside(head string) string {
	line, headers, _ := strings.Cut(head, "\n")
	words := strings.Split(strings.TrimRight(line, "\r"), " ")
	switch {
	case len(words) != 3 || (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0"):
		return "request line"
	case !slices.Contains(methods, words[0]):
		return "method"
	}
	target, _, _ := strings.Cut(words[1], "?")
	for range 4 { // as it is, and decoded up to three times
		slashes := strings.ReplaceAll(target, `\`, "/")
		for _, form := range []string{target, path.Clean(target), path.Clean(slashes)} {
			if form != "/api" && !strings.HasPrefix(form, "/api/") {
				return "path"
			}
		}
		if strings.ContainsAny(target, "\x00\r\n") {
			return "control byte in the path"
		}
		decoded, err := url.PathUnescape(target)
		if err != nil {
			break
		}
		target = decoded
	}
	hosts, lengths, codings := 0, 0, 0
	for _, header := range strings.Split(headers, "\n") {
		name, _, _ := strings.Cut(strings.ToLower(header), ":")
		switch strings.TrimSpace(name) {
		case "host":
			hosts++
		case "content-length":
			lengths++
		case "transfer-encoding":
			codings++
		}
		if strings.ContainsAny(strings.TrimRight(header, "\r"), "\x00\r") {
			return "control byte in a header"
		}
	}
	switch {
	case hosts != 1:
		return "Host not once"
	case lengths > 1 || (lengths > 0 && codings > 0):
		return "length of the body in doubt"
	}
	return ""
}
