package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Bounds of what Refusals requests and returns.
const (
	mostLinks    = 40
	mostRefusals = 5
)

// link is what a page loads or leads to.
var link = regexp.MustCompile(`(?i)\s(?:src|href|action)\s*=\s*(?:"([^"]*)"|'([^']*)')`)

// Refusals requests the app's start pages as a browser does, and what they link to. It returns the first of these requests that
// NGINX refuses, each with NGINX's reason, which names the setting that allows it.
func Refusals(ctx context.Context, options Options) []string {
	base, err := url.Parse(options.URL)
	if err != nil {
		return nil // the checks say so
	}
	var refused []string
	asked := map[string]bool{}
	visit := func(page *url.URL) (body string) {
		target := page.RequestURI()
		if asked[target] || page.Host != base.Host || !options.reaches(page.Path) {
			return ""
		}
		asked[target] = true
		status, body := fetch(ctx, options.Client, page)
		if reason := reasonOf(status, body); reason != "" {
			refused = append(refused, fmt.Sprintf("GET %s: %d, %s", target, status, reason))
			return ""
		}
		return body
	}
	for _, prefix := range options.Prefixes {
		start := base.JoinPath(prefix)
		for _, found := range link.FindAllStringSubmatch(visit(start), mostLinks) {
			if to, err := start.Parse(html.UnescapeString(cmp.Or(found[1], found[2]))); err == nil && strings.HasPrefix(to.Scheme, "http") {
				visit(to)
			}
		}
	}

	return refused[:min(len(refused), mostRefusals)]
}

// fetch requests a page like a browser, without following a redirect.
func fetch(ctx context.Context, client *http.Client, page *url.URL) (status int, body string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.String(), nil)
	if err != nil {
		return 0, ""
	}
	request.Header.Set("Accept", "text/html,*/*")
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := direct.Do(request)
	if err != nil {
		return 0, "" // the checks have found whether the stack answers
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))

	return response.StatusCode, string(text)
}

// reasonOf is why NGINX has refused a request. The app's own answers have no such member beside an id.
func reasonOf(status int, body string) string {
	var answer struct {
		Reason    string `json:"reason"`
		RequestID string `json:"request_id"`
	}
	if status < 400 || status >= 500 || json.Unmarshal([]byte(body), &answer) != nil || answer.RequestID == "" {
		return ""
	}

	return answer.Reason
}
