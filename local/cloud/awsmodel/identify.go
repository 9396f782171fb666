package awsmodel

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// asked is a request, taken apart as far as that needs no model.
type asked struct {
	request *http.Request
	body    []byte
	form    url.Values // of the query protocols, wherever it came in
}

// call is a request that is known for a call of an operation.
type call struct {
	service   *service
	operation *operation
	protocol  protocol
	route     route             // of the REST protocols
	path      map[string]string // members that stood in the path
}

// formContent is the content type of the query protocols.
const formContent = "application/x-www-form-urlencoded"

func read(request *http.Request, body []byte) asked {
	a := asked{request: request, body: body}
	query := request.URL.Query()
	if strings.HasPrefix(request.Header.Get("Content-Type"), formContent) {
		// What cannot be parsed has no action, and is not identified.
		a.form, _ = url.ParseQuery(string(body))
	} else if query.Has("Action") && query.Has("Version") {
		a.form = query
	}
	return a
}

// scope is the part of a signature that names the service: <key>/<date>/<region>/<service>/aws4_request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
var scope = regexp.MustCompile(`^[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request$`)

// signer is the name of the service for which a request was signed.
func (a asked) signer() (string, error) {
	credential := a.request.URL.Query().Get("X-Amz-Credential")
	if _, after, found := strings.Cut(a.request.Header.Get("Authorization"), "Credential="); found {
		credential, _, _ = strings.Cut(after, ",")
	}
	if credential == "" {
		return "", errors.New("the request is not signed, and the signature names the service")
	}
	parts := scope.FindStringSubmatch(strings.TrimSpace(credential))
	if parts == nil {
		return "", fmt.Errorf("the credential %q is not <key>/<date>/<region>/<service>/aws4_request", credential)
	}
	return parts[1], nil
}

// identify returns the operations that a request can be a call of; nearly always it is one.
func (l *library) identify(a asked) ([]call, error) {
	signer, err := a.signer()
	if err != nil {
		return nil, err
	}
	names := l.bySigner[signer]
	if len(names) == 0 {
		return nil, fmt.Errorf("no service is signed for as %q", signer)
	}
	var best []call
	rank := score{}
	for _, name := range names {
		s, err := l.service(name)
		if err != nil {
			return nil, err
		}
		found, at := s.identify(a)
		if found == nil || rank.above(at) {
			continue
		}
		if at.above(rank) {
			best, rank = nil, at
		}
		best = append(best, *found)
	}
	if len(best) == 0 {
		return nil, fmt.Errorf("no operation of %s is asked for like this", strings.Join(names, ", "))
	}
	return best, nil
}

// identify returns the operation that a request calls if it is for this service, and how sure that is.
func (s *service) identify(a asked) (*call, score) {
	switch target := a.request.Header.Get("X-Amz-Target"); {
	case target != "":
		prefix, action, _ := cutLast(target, ".")
		return s.named(prefix == s.metadata.TargetPrefix, action, protocolJSON)
	case a.form != nil:
		named := protocolQuery
		if s.metadata.Protocol == protocolEC2 {
			named = protocolEC2
		}
		return s.named(a.form.Get("Version") == s.metadata.APIVersion, a.form.Get("Action"), named)
	case s.metadata.Protocol == protocolRESTJSON, s.metadata.Protocol == protocolRESTXML:
		return s.routed(a.request)
	}
	return nil, score{}
}

// named is the operation of a request that names it.
func (s *service) named(meant bool, action string, in protocol) (*call, score) {
	o := s.operations[action]
	if !meant || o == nil {
		return nil, score{}
	}
	return &call{service: s, operation: o, protocol: in}, score{literals: 1}
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
