package endpoint

import (
	"encoding/json"
	"net/http"
)

// answerLogs answers for the keys of log groups. The emulator takes a key when a group is made, and never later.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html
func (e *Endpoint) answerLogs(w http.ResponseWriter, c call) bool {
	var request struct{ LogGroupName, KmsKeyID string }
	if err := json.Unmarshal(c.body, &request); err != nil || request.LogGroupName == "" {
		return false
	}
	switch c.action {
	case "AssociateKmsKey", "DisassociateKmsKey":
		e.logKeys.set(request.LogGroupName, request.KmsKeyID)
		return respond(w, map[string]any{})
	case "CreateLogGroup":
		// A new group of the same name has the key it is made with.
		e.logKeys.forget(request.LogGroupName)
	}
	return false
}

// amendLogGroups puts the keys into an answer of DescribeLogGroups.
func (e *Endpoint) amendLogGroups(answer map[string]any) {
	groups, _ := answer["logGroups"].([]any)
	for _, entry := range groups {
		group, _ := entry.(map[string]any)
		switch key, changed := e.logKeys.get(text(group, "logGroupName")); {
		case changed && key != "":
			group["kmsKeyId"] = key
		case changed:
			delete(group, "kmsKeyId")
		}
	}
}

// amendMetricFilters leaves the last filter of each name in an answer of DescribeMetricFilters. Putting a filter that
// exists changes it; the emulator keeps the old one and adds the new one.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
func amendMetricFilters(answer map[string]any) {
	filters, _ := answer["metricFilters"].([]any)
	last := map[[2]string]any{}
	var names [][2]string
	for _, entry := range filters {
		filter, _ := entry.(map[string]any)
		name := [2]string{text(filter, "logGroupName"), text(filter, "filterName")}
		if _, again := last[name]; !again {
			names = append(names, name)
		}
		last[name] = entry
	}
	left := make([]any, len(names))
	for i, name := range names {
		left[i] = last[name]
	}
	answer["metricFilters"] = left
}
