// Package endpoint is the one AWS endpoint of a local run: a loopback proxy in front of the emulator.
//
// Everything passes through unchanged but what the emulator cannot know or does not keep: ECR's host name becomes the
// local registry's; fields of an ECS service, descriptions of security group rules, keys of log groups and tags of
// scaling targets that the emulator drops are remembered; a log metric filter that is put again, or a stage of an HTTP API
// that is updated, shows as changed; a host name of API Gateway has a target for its DNS record. What the tasks really do
// comes from the scheduler that runs them, and the health of targets from the load balancer.
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxRequest is the largest AWS request that is taken, in bytes. The largest that a stack makes is the manifest of an
// image: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const maxRequest = 8 << 20

// Options connect the endpoint with the other parts of a local run.
type Options struct {
	Emulator string // URL of the emulator
	Registry string // host:port of the local registry
	Tasks    Tasks
	Targets  Targets
	// Changed are called after a request that may have changed something of a service, by the name with which requests to the
	// service are signed.
	Changed map[string]func()
}

// Endpoint is the proxy.
type Endpoint struct {
	options      Options
	proxy        *httputil.ReverseProxy
	services     memory[map[string]any]    // by cluster and name: the fields that were sent
	descriptions memory[string]            // of security group rules, by id
	scalingTags  memory[map[string]string] // by ARN
	logKeys      memory[string]            // by log group: its key, "" where that was taken away
}

// New returns an endpoint; it serves as soon as the emulator does.
func New(options Options) (*Endpoint, error) {
	target, err := url.Parse(options.Emulator)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	endpoint := &Endpoint{options: options}
	endpoint.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// The emulator routes some services by the host name the client asked for.
			r.Out.Host = r.In.Host
			// Answers are looked into, so they must not be compressed.
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: endpoint.amend,
		ErrorHandler:   failed,
	}
	return endpoint, nil
}

// call is one request of an AWS client.
type call struct {
	signer  string // the service's name in the signature
	service string // of a JSON protocol: what stands before the action in X-Amz-Target
	action  string
	body    []byte
	form    url.Values // of the query protocol, which Elastic Load Balancing and EC2 speak
}

// callKey carries a call to where its answer passes.
type callKey struct{}

// The services of the JSON protocols whose requests are looked into.
const (
	ecsService     = "AmazonEC2ContainerServiceV20141113"
	ecrService     = "AmazonEC2ContainerRegistry_V20150921"
	logsService    = "Logs_20140328"
	scalingService = "AnyScaleFrontendService"
)

// ServeHTTP is where every request passes. What the emulator cannot answer is answered here, and the rest by the
// emulator.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := read(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if changed := e.options.Changed[c.signer]; changed != nil && c.changes(r) {
		defer changed()
	}
	if answered := e.answer(w, c) || e.updateStage(w, r, c); !answered {
		e.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
		return
	}
	e.show(r, c)
}

// show lets the emulator's process look at a request that is answered here: it checks and records all of a run.
func (e *Endpoint) show(r *http.Request, c call) {
	shown := r.Clone(context.WithoutCancel(r.Context()))
	shown.RequestURI, shown.URL.Scheme, shown.URL.Host = "", "http", strings.TrimPrefix(e.options.Emulator, "http://")
	shown.Body = io.NopCloser(bytes.NewReader(c.body))
	shown.Header.Set(emulator.Answered, "yes")
	response, err := http.DefaultClient.Do(shown) //nolint:gosec // the emulator, whatever the path
	if err == nil {
		_ = response.Body.Close()
	}
}

// read reads a request's body and puts it back.
func read(w http.ResponseWriter, r *http.Request) (c call, err error) {
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
		return c, err
	}
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	r.ContentLength = int64(len(c.body))
	if scope := signer.FindStringSubmatch(r.Header.Get("Authorization")); scope != nil {
		c.signer = scope[1]
	}
	c.service, c.action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(c.body)); err == nil { // else the emulator answers with the right error
			c.form, c.action = form, form.Get("Action")
		}
	}
	return c, nil
}

// signer finds the service's name in a signature: Credential=<key>/<date>/<region>/<service>/aws4_request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
var signer = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/,]+)/aws4_request`)

// readOnly are the actions that change nothing.
var readOnly = regexp.MustCompile(`^(Describe|List|Get)`)

// changes says whether a call may change something. In the REST protocols the method says so.
func (c call) changes(r *http.Request) bool {
	if c.action == "" {
		return r.Method != http.MethodGet && r.Method != http.MethodHead
	}
	return !readOnly.MatchString(c.action)
}

// answer answers what the emulator cannot.
func (e *Endpoint) answer(w http.ResponseWriter, c call) (answered bool) {
	switch c.service {
	case ecsService:
		return e.answerECS(w, c)
	case logsService:
		return e.answerLogs(w, c)
	case scalingService:
		return e.answerScaling(w, c)
	}
	return c.action == "DescribeTargetHealth" && e.answerTargetHealth(w, c)
}

// amend corrects the emulator's answer on its way to the client.
func (e *Endpoint) amend(response *http.Response) error {
	if describesDomain(response) {
		return rewriteJSON(response, always(amendDomain))
	}
	if response.StatusCode != http.StatusOK {
		return nil
	}
	c := response.Request.Context().Value(callKey{}).(call)
	switch {
	case c.service == ecrService:
		return rewrite(response, e.localRegistry)
	case c.service == ecsService && describesServices[c.action]:
		return rewriteJSON(response, func(answer map[string]any) error { return e.amendServices(c, answer) })
	case c.service == ecsService && c.action == "DescribeClusters":
		return rewriteJSON(response, always(e.amendClusters))
	case c.service == logsService && c.action == "DescribeLogGroups":
		return rewriteJSON(response, always(e.amendLogGroups))
	case c.service == logsService && c.action == "DescribeMetricFilters":
		return rewriteJSON(response, always(amendMetricFilters))
	case c.service == scalingService && c.action == "RegisterScalableTarget":
		return rewriteJSON(response, always(func(answer map[string]any) { e.keepScalingTags(c, answer) }))
	case c.form != nil && movesClients[c.action]:
		e.follow(response.Request.Context())
	case c.form != nil && ruleActions[c.action]:
		return rewrite(response, func(body []byte) []byte { return e.amendRules(c, body) })
	}
	return nil
}

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

// always is a change that cannot fail.
func always(change func(map[string]any)) func(map[string]any) error {
	return func(answer map[string]any) error { change(answer); return nil }
}

// rewriteJSON changes an answer, decoded. Numbers keep their digits.
func rewriteJSON(response *http.Response, change func(map[string]any) error) error {
	var failure error
	err := rewrite(response, func(body []byte) []byte {
		answer := map[string]any{}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if failure = decoder.Decode(&answer); failure != nil {
			return body
		}
		if failure = change(answer); failure != nil {
			return body
		}
		changed, err := json.Marshal(answer)
		if failure = err; err != nil {
			return body
		}
		return changed
	})
	if err != nil {
		return err
	}
	return failure
}

func respond(w http.ResponseWriter, answer map[string]any) bool {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
	return true
}

// fail answers with an error in the form of AWS's JSON protocols.
func fail(w http.ResponseWriter, kind, message string) bool {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
	return true
}

// failed answers for the emulator when it does not, or when its answer could not be corrected. AWS clients try a request
// again after a server's error.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
func failed(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "ServerException", "message": err.Error()})
}

// memory keeps what the emulator forgets, by a name.
type memory[V any] struct {
	mutex sync.Mutex
	of    map[string]V
}

func (m *memory[V]) get(name string) (V, bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	value, known := m.of[name]
	return value, known
}

// update replaces a value by what change makes of it. Nobody may see an object change that was handed out before, so
// change returns another one.
func (m *memory[V]) update(name string, change func(before V) V) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.of == nil {
		m.of = map[string]V{}
	}
	m.of[name] = change(m.of[name])
}

func (m *memory[V]) set(name string, value V) {
	m.update(name, func(V) V { return value })
}

func (m *memory[V]) forget(name string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.of, name)
}

// Tasks is the scheduler, which knows what runs.
type Tasks interface {
	Service(arn string) (types.Service, bool)
	ServiceDeployments() []types.ServiceDeployment
	ServiceRevisions() []types.ServiceRevision
	Tasks() []types.Task
	StopTask(arn, reason string) error
	RunTask(ctx context.Context, request *ecs.RunTaskInput) ([]types.Task, error)
	Sync(ctx context.Context) error
}
