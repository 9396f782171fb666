// Package endpoint is the one AWS endpoint of a local run: a loopback proxy in front of the emulator.
//
// Everything passes through unchanged but what the emulator cannot know or does not keep: ECR's host name becomes the
// local registry's, fields of an ECS service, descriptions of security group rules, keys of log groups and tags of
// scaling targets that the emulator drops are remembered, what the tasks really do comes from the scheduler that runs
// them, and the health of targets from the load balancer.
package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// maxRequest is the largest AWS request that the proxy looks into, in bytes; the largest of them, a task
// definition, is 64 KiB: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const maxRequest = 1 << 20

// Options connect the endpoint with the other parts of a local run.
type Options struct {
	Emulator string // URL of the emulator
	Registry string // host:port of the local registry
	Tasks    Tasks
	Targets  Targets
}

// Endpoint is the proxy.
type Endpoint struct {
	options  Options
	services remembered
	rules    ruleDescriptions
	scaling  scalingTags
	logs     logKeys
	proxy    *httputil.ReverseProxy
}

// New returns an endpoint; it serves as soon as the emulator does.
func New(options Options) (*Endpoint, error) {
	emulator, err := url.Parse(options.Emulator)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	endpoint := &Endpoint{options: options}
	endpoint.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(emulator)
			// The emulator routes some services by the host name the client asked for.
			r.Out.Host = r.In.Host
			// Answers are looked into, so they must not be compressed.
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: endpoint.amend,
	}
	return endpoint, nil
}

func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := r.Header.Get("X-Amz-Target")
	switch {
	case strings.HasPrefix(action, ecsPrefix):
		e.serveECS(w, r, strings.TrimPrefix(action, ecsPrefix))
	case strings.HasPrefix(action, scalingPrefix):
		e.serveScaling(w, r, strings.TrimPrefix(action, scalingPrefix))
	case strings.HasPrefix(action, logsPrefix):
		e.serveLogs(w, r, strings.TrimPrefix(action, logsPrefix))
	case r.Header.Get("Content-Type") == queryContent || strings.HasPrefix(r.Header.Get("Content-Type"), queryContent+";"):
		e.serveQuery(w, r)
	default:
		e.proxy.ServeHTTP(w, r)
	}
}

// amend corrects the emulator's answer on its way to the client.
func (e *Endpoint) amend(response *http.Response) error {
	action := response.Request.Header.Get("X-Amz-Target")
	form := formOf(response.Request)
	switch {
	case form != nil && response.StatusCode == http.StatusOK:
		return rewrite(response, func(body []byte) []byte { return e.rules.amend(form, body) })
	case strings.HasPrefix(action, ecrPrefix):
		return rewrite(response, e.localRegistry)
	case action == logsPrefix+"DescribeLogGroups":
		return rewriteJSON(response, e.logs.amend)
	case serviceActions[action]:
		return rewriteJSON(response, e.amendServices)
	}
	return nil
}

// ecrPrefix begins the X-Amz-Target of every ECR action.
const ecrPrefix = "AmazonEC2ContainerRegistry_V20150921."

// ecrHost is the host part of an ECR image reference.
var ecrHost = regexp.MustCompile(`(https://)?\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?`)

// localRegistry puts the local registry's address wherever ECR names its own.
func (e *Endpoint) localRegistry(body []byte) []byte {
	return ecrHost.ReplaceAllFunc(body, func(host []byte) []byte {
		if bytes.HasPrefix(host, []byte("https://")) {
			return []byte("http://" + e.options.Registry)
		}
		return []byte(e.options.Registry)
	})
}

// rewrite replaces an answer's body, and with it what describes the body.
func rewrite(response *http.Response, change func([]byte) []byte) error {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	body = change(body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	response.Header.Del("X-Amz-Crc32")
	return nil
}

// rewriteJSON changes an answer that succeeded, decoded. Numbers keep their digits.
func rewriteJSON(response *http.Response, change func(map[string]any)) error {
	if response.StatusCode != http.StatusOK {
		return nil
	}
	var decodeErr error
	err := rewrite(response, func(body []byte) []byte {
		answer := map[string]any{}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if decodeErr = decoder.Decode(&answer); decodeErr != nil {
			return body
		}
		change(answer)
		changed, err := json.Marshal(answer)
		if err != nil {
			decodeErr = err
			return body
		}
		return changed
	})
	if err != nil {
		return err
	}
	return decodeErr
}

// peek reads a request's body and puts it back.
func peek(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return body, nil
}
