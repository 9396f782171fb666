// Package awsmodel checks requests to AWS against the API models that AWS publishes, and against documented rules that
// the models lack. The emulator of a local run accepts much that AWS refuses; with this, a run tells.
//
// The models are those of botocore, the library below the AWS CLI and below the emulator, so they are wherever the
// emulator is: https://github.com/boto/botocore/tree/master/botocore/data. No Go library that is kept up reads them: the
// generator of aws-sdk-go v1 did, to write code, and has ended with it.
package awsmodel

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Checker checks requests, from as many goroutines as like. It reads a service's model at the first request to it.
type Checker struct {
	models *library

	mutex sync.Mutex // of what follows
	known account
}

// Open returns a checker that reads the models in botocore's data folder.
func Open(botocoreData string) (*Checker, error) {
	models, err := openLibrary(botocoreData)
	if err != nil {
		return nil, err
	}
	return &Checker{models: models, known: newAccount()}, nil
}

// Report is what was found out about one request.
type Report struct {
	Service      string      `json:"service,omitempty"`      // botocore's name of it, as in `aws <service>`
	Operation    string      `json:"operation,omitempty"`    // as in the API reference
	Violations   []Violation `json:"violations,omitempty"`   // empty when AWS would take the request, as far as is known
	Unidentified string      `json:"unidentified,omitempty"` // why it was not checked at all
	Unchecked    []string    `json:"unchecked,omitempty"`    // shapes whose pattern could not be applied to a value
}

// Violation is one value that AWS would not take.
type Violation struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
	Member    string `json:"member"` // where in the request, such as containerDefinitions[0].name
	Got       string `json:"got"`
	Allowed   string `json:"allowed"`
	Source    string `json:"source,omitempty"` // of a documented rule; none for what the model says
}

// String is the violation in one sentence.
func (v Violation) String() string {
	sentence := fmt.Sprintf("%s %s: %s is %s; allowed: %s", v.Service, v.Operation, v.Member, v.Got, v.Allowed)
	if v.Source != "" {
		sentence += " (" + v.Source + ")"
	}
	return sentence
}

// Check checks one request, whose body the caller has read.
func (c *Checker) Check(request *http.Request, body []byte) Report {
	asked := read(request, body)
	candidates, err := c.models.identify(asked)
	if err != nil {
		return Report{Unidentified: fmt.Sprintf("%s %s: %v", request.Method, request.URL.Path, err)}
	}
	// Services can share a name, a version and an action, as rds, docdb and neptune do. What fits one of them is right.
	best := c.checkAs(asked, candidates[0])
	for _, candidate := range candidates[1:] {
		if other := c.checkAs(asked, candidate); len(other.Violations) < len(best.Violations) {
			best = other
		}
	}
	return best
}

// checkAs checks a request as a call of one operation.
func (c *Checker) checkAs(asked asked, called call) Report {
	input, err := decode(asked, called)
	if err != nil {
		return Report{
			Service: called.service.name, Operation: called.operation.name,
			Violations: []Violation{{
				Service: called.service.name, Operation: called.operation.name,
				Member: "the body", Got: "not readable: " + err.Error(), Allowed: "what the protocol " + string(called.protocol) + " writes",
			}},
		}
	}
	validation := &validation{call: called}
	validation.value("", called.operation.input, input)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	validation.rules(input, &c.known)
	return Report{
		Service: called.service.name, Operation: called.operation.name,
		Violations: validation.violations, Unchecked: validation.unchecked,
	}
}

// under is the path of a member below another.
func under(path, member string) string { return strings.TrimPrefix(path+"."+member, ".") }
