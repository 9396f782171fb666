package awsmodel

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a request URI of the REST protocols, such as /{Bucket}/{Key+}?tagging.
// https://smithy.io/2.0/spec/http-bindings.html#http-trait
type route struct {
	operation *operation
	method    string
	segments  []string
	query     url.Values // what the query must hold; an empty value stands for the bare name
}

func newRoute(o *operation, method, uri string) route {
	path, query, _ := strings.Cut(uri, "?")
	required, _ := url.ParseQuery(query)
	return route{operation: o, method: method, segments: segments(path), query: required}
}

// segments splits a path. One slash at its end makes no difference.
func segments(path string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
}

// score orders the routes that fit a request: the one that says most about it is meant.
type score struct{ literals, queries, present int }

func (s score) above(other score) bool {
	if s.literals != other.literals {
		return s.literals > other.literals
	}
	if s.queries != other.queries {
		return s.queries > other.queries
	}
	return s.present > other.present
}

// routed is the operation whose route fits a request best.
func (s *service) routed(request *http.Request) (*call, score) {
	var best *call
	var rank score
	for _, r := range s.routes {
		path, at, fits := r.match(request)
		if !fits || best != nil && !at.above(rank) {
			continue
		}
		best, rank = &call{service: s, operation: r.operation, protocol: s.metadata.Protocol, route: r, path: path}, at
	}
	return best, rank
}

// match says whether a request goes to the route, and what stands in its path.
func (r route) match(request *http.Request) (path map[string]string, rank score, fits bool) {
	query := request.URL.Query()
	if request.Method != r.method {
		return nil, score{}, false
	}
	for name, values := range r.query {
		if !query.Has(name) || values[0] != "" && query.Get(name) != values[0] {
			return nil, score{}, false
		}
	}
	// Clients that are generated from the models name the operation beside it all.
	if named := query.Get("x-id"); named != "" && named != r.operation.name {
		return nil, score{}, false
	}
	path, literals, fits := r.matchPath(request.URL.EscapedPath())
	return path, score{literals: 1 + literals, queries: len(r.query), present: r.present(request)}, fits
}

func (r route) matchPath(escaped string) (path map[string]string, literals int, fits bool) {
	path = map[string]string{}
	given := segments(escaped)
	for i, segment := range r.segments {
		name, variable := strings.CutPrefix(segment, "{")
		switch {
		case i >= len(given):
			return nil, 0, false
		case !variable && segment != given[i]:
			return nil, 0, false
		case !variable:
			literals++
			continue
		}
		value := given[i]
		name = strings.TrimSuffix(name, "}")
		if greedy, rest := strings.CutSuffix(name, "+"); rest {
			name, value = greedy, strings.Join(given[i:], "/")
			given = given[:i+1]
		}
		plain, err := url.PathUnescape(value)
		if err != nil || plain == "" {
			return nil, 0, false
		}
		path[name] = plain
	}
	return path, literals, len(given) == len(r.segments)
}

// present counts the required members that the request has in its query and headers, and nothing where one is missing.
// It tells CopyObject from PutObject, and getting one configuration from listing them.
func (r route) present(request *http.Request) (count int) {
	query := request.URL.Query()
	for _, name := range r.operation.input.Required {
		m := r.operation.input.Members[name]
		var there bool
		switch m.Location {
		case "querystring":
			there = query.Has(m.wireName(name))
		case "header":
			there = request.Header.Get(m.wireName(name)) != ""
		default:
			continue
		}
		if !there {
			return -1
		}
		count++
	}
	return count
}
