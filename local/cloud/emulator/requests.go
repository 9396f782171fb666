package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// requestsPath is where the program in moto's process answers what it has seen, also through the endpoint.
const requestsPath = "/local-run/requests"

// Answered marks a request that is answered elsewhere: moto's process only looks at it.
const Answered = "X-Local-Run-Answered"

// Requests are what AWS clients asked for in a run, those of the run itself left out.
type Requests struct {
	Checked      int                 `json:"checked"`
	Unidentified int                 `json:"unidentified"` // were not checked
	Actions      map[string][]string `json:"actions"`      // command → service:Operation, in botocore's names
	Violations   []string            `json:"violations"`   // a sentence each
	Reasons      []string            `json:"reasons"`      // why requests were not checked
	Unchecked    []string            `json:"unchecked"`    // shapes whose pattern could not be applied
}

// ReadRequests reads what a run has seen up to now.
func ReadRequests(ctx context.Context, endpoint string) (Requests, error) {
	var seen Requests
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+requestsPath, nil)
	if err != nil {
		return seen, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return seen, err
	}
	defer func() { _ = response.Body.Close() }()
	return seen, json.NewDecoder(response.Body).Decode(&seen)
}

// Save writes the actions that IAM checks for each command.
func (r Requests) Save(file string) error {
	content, err := json.MarshalIndent(authorisedOf(r.Actions), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

// String is the summary as `make local` prints it.
func (r Requests) String() string {
	operations := map[string]bool{}
	for _, actions := range r.Actions {
		for _, action := range actions {
			operations[action] = true
		}
	}
	text := fmt.Sprintf("requests  %d of %d operations checked against AWS's API models; violations: %d; not checked: %d",
		r.Checked, len(operations), len(r.Violations), r.Unidentified)
	if len(r.Unchecked) > 0 {
		text += "; patterns not applied: " + strings.Join(r.Unchecked, ", ")
	}
	for _, sentence := range r.Violations {
		text += "\n          AWS would refuse this: " + sentence
	}
	for _, reason := range r.Reasons {
		text += "\n          not checked: " + reason
	}
	return text
}
