package endpoint

import (
	"encoding/json"
	"maps"
	"net/http"
)

// scalingRequest is the part of a request that is about tags.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
type scalingRequest struct {
	ResourceARN string
	Tags        map[string]string
	TagKeys     []string
}

// answerScaling answers for the tags of scaling targets, which the emulator takes and cannot give back.
func (e *Endpoint) answerScaling(w http.ResponseWriter, c call) bool {
	var request scalingRequest
	if err := json.Unmarshal(c.body, &request); err != nil {
		return false
	}
	switch c.action {
	case "ListTagsForResource":
		tags, known := e.scalingTags.get(request.ResourceARN)
		if !known {
			tags = map[string]string{}
		}
		return respond(w, map[string]any{"Tags": tags})
	case "TagResource":
		e.tagScaling(request.ResourceARN, request.Tags, nil)
		return respond(w, map[string]any{})
	case "UntagResource":
		e.tagScaling(request.ResourceARN, nil, request.TagKeys)
		return respond(w, map[string]any{})
	}
	return false
}

// keepScalingTags remembers the tags that a scaling target was registered with, once the answer says its ARN.
func (e *Endpoint) keepScalingTags(c call, answer map[string]any) {
	var request scalingRequest
	if arn := text(answer, "ScalableTargetARN"); arn != "" && json.Unmarshal(c.body, &request) == nil {
		e.tagScaling(arn, request.Tags, nil)
	}
}

func (e *Endpoint) tagScaling(arn string, add map[string]string, remove []string) {
	e.scalingTags.update(arn, func(before map[string]string) map[string]string {
		tags := map[string]string{}
		maps.Copy(tags, before)
		maps.Copy(tags, add)
		for _, key := range remove {
			delete(tags, key)
		}
		return tags
	})
}
