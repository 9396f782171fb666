package endpoint

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"
)

// scalingPrefix begins the X-Amz-Target of every action of Application Auto Scaling.
const scalingPrefix = "AnyScaleFrontendService."

// scalingTags remembers the tags of scaling targets, which the emulator takes and cannot give back.
type scalingTags struct {
	mutex sync.Mutex
	of    map[string]map[string]string // ARN → tags
}

// scalingRequest is the part of a request that is about tags.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
type scalingRequest struct {
	ResourceARN string
	Tags        map[string]string
	TagKeys     []string
}

// serveScaling answers for tags, and lets the emulator answer the rest.
func (e *Endpoint) serveScaling(w http.ResponseWriter, r *http.Request, action string) {
	body, err := peek(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var request scalingRequest
	if err := json.Unmarshal(body, &request); err != nil {
		e.proxy.ServeHTTP(w, r)
		return
	}
	switch action {
	case "ListTagsForResource":
		respond(w, map[string]any{"Tags": e.scaling.list(request.ResourceARN)})
	case "TagResource":
		e.scaling.add(request.ResourceARN, request.Tags)
		respond(w, map[string]any{})
	case "UntagResource":
		e.scaling.remove(request.ResourceARN, request.TagKeys)
		respond(w, map[string]any{})
	case "RegisterScalableTarget":
		answer := &bodyWriter{ResponseWriter: w}
		e.proxy.ServeHTTP(answer, r)
		var made struct{ ScalableTargetARN string }
		if json.Unmarshal(answer.body, &made) == nil && made.ScalableTargetARN != "" {
			e.scaling.add(made.ScalableTargetARN, request.Tags)
		}
	default:
		e.proxy.ServeHTTP(w, r)
	}
}

func (s *scalingTags) list(arn string) map[string]string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	tags := map[string]string{}
	maps.Copy(tags, s.of[arn])
	return tags
}

func (s *scalingTags) add(arn string, tags map[string]string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.of == nil {
		s.of = map[string]map[string]string{}
	}
	if s.of[arn] == nil {
		s.of[arn] = map[string]string{}
	}
	maps.Copy(s.of[arn], tags)
}

func (s *scalingTags) remove(arn string, keys []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, key := range keys {
		delete(s.of[arn], key)
	}
}

// bodyWriter keeps what passes through it.
type bodyWriter struct {
	http.ResponseWriter
	body []byte
}

func (b *bodyWriter) Write(content []byte) (int, error) {
	b.body = append(b.body, content...)
	return b.ResponseWriter.Write(content)
}
