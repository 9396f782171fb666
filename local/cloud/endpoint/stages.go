package endpoint

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

// stagePath is the path of a stage of an HTTP API.
var stagePath = regexp.MustCompile(`^/v2/apis/[^/]+/stages/[^/]+$`)

// updateStage changes a stage, which the emulator can make, read and delete. It makes the stage again with what changes: what
// the request does not name stays as it is.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html
func (e *Endpoint) updateStage(w http.ResponseWriter, r *http.Request, c call) (answered bool) {
	if r.Method != http.MethodPatch || !stagePath.MatchString(r.URL.Path) {
		return false
	}
	stage, status, err := e.emulated(r, http.MethodGet, r.URL.EscapedPath(), nil)
	if err != nil || status != http.StatusOK {
		return false // the emulator answers for a stage that does not exist
	}
	changes := map[string]any{}
	if err := json.Unmarshal(c.body, &changes); err != nil {
		return false
	}
	maps.Copy(stage, changes)
	stage["stageName"] = path.Base(r.URL.Path)
	made, status, err := e.emulated(r, http.MethodPost, path.Dir(r.URL.EscapedPath()), stage)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(made)
	return true
}

// emulated makes a request of the emulator's on behalf of another, which says the service in its signature.
func (e *Endpoint) emulated(by *http.Request, method, path string, body any) (answer map[string]any, status int, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, 0, err
	}
	request, err := http.NewRequestWithContext(by.Context(), method, e.options.Emulator+path, bytes.NewReader(content)) //nolint:gosec // the emulator, whatever the path
	if err != nil {
		return nil, 0, err
	}
	request.Host = by.Host
	request.Header.Set("Authorization", by.Header.Get("Authorization"))
	request.Header.Set("User-Agent", emulator.OwnAgent)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request) //nolint:gosec // as above
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if content, err = io.ReadAll(response.Body); err != nil {
		return nil, 0, err
	}
	return answer, response.StatusCode, json.Unmarshal(content, &answer)
}
