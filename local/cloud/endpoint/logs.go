package endpoint

import (
	"encoding/json"
	"net/http"
	"sync"
)

// logsPrefix begins the X-Amz-Target of every action of CloudWatch Logs.
const logsPrefix = "Logs_20140328."

// logKeys remembers the keys of log groups that were there before their key. The emulator takes a key when a group is
// made, and never later.
type logKeys struct {
	mutex sync.Mutex
	of    map[string]string // log group → key, or nothing where the key was taken away
}

// logsRequest is the part of a request that is about keys.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html
type logsRequest struct {
	LogGroupName string `json:"logGroupName"`
	KmsKeyID     string `json:"kmsKeyId"`
}

// serveLogs answers for changes of keys, and lets the emulator answer the rest.
func (e *Endpoint) serveLogs(w http.ResponseWriter, r *http.Request, action string) {
	switch action {
	case "AssociateKmsKey", "DisassociateKmsKey", "CreateLogGroup":
	default:
		e.proxy.ServeHTTP(w, r)
		return
	}
	body, err := peek(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var request logsRequest
	if err := json.Unmarshal(body, &request); err != nil || request.LogGroupName == "" {
		e.proxy.ServeHTTP(w, r)
		return
	}
	if action == "CreateLogGroup" {
		// A new group of the same name has the key it is made with.
		e.logs.forget(request.LogGroupName)
		e.proxy.ServeHTTP(w, r)
		return
	}
	e.logs.note(request.LogGroupName, request.KmsKeyID)
	respond(w, map[string]any{})
}

func (k *logKeys) note(group, key string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.of == nil {
		k.of = map[string]string{}
	}
	k.of[group] = key
}

func (k *logKeys) forget(group string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.of, group)
}

// amend puts the keys into an answer of DescribeLogGroups.
func (k *logKeys) amend(answer map[string]any) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	groups, _ := answer["logGroups"].([]any)
	for _, entry := range groups {
		group, _ := entry.(map[string]any)
		name, _ := group["logGroupName"].(string)
		switch key, changed := k.of[name]; {
		case changed && key != "":
			group["kmsKeyId"] = key
		case changed:
			delete(group, "kmsKeyId")
		}
	}
}
