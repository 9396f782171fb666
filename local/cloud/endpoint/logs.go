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
