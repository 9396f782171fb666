package emulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Caller makes single calls of AWS's API without a typed client. The clients of EC2 and of Systems Manager alone would hold
// up the first `make local` by minutes, in which they are compiled.
type Caller struct {
	URL    string // of the emulator, or of the endpoint in front of it
	Region string
}

// singleTimeout bounds one call. With the first one to a service, the emulator loads that service, which takes some seconds.
const singleTimeout = time.Minute

// Refusal is an answer that says no.
type Refusal struct {
	Action  string
	Status  int
	Code    string // AWS's name of what is wrong
	Message string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: status %d, %s: %s", r.Action, r.Status, r.Code, r.Message)
}

// JSON calls an action of a service that speaks JSON. The target is the service's long name and the action, such as
// AmazonSSM.GetParameters.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (c Caller) JSON(ctx context.Context, service, target string, input, output any) error {
	_, action, _ := strings.Cut(target, ".")
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}
	answer, err := c.call(ctx, service, action, http.MethodPost, "/", header, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// Query calls an action of a service that takes forms and answers with XML.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (c Caller) Query(ctx context.Context, service, version, action string, form url.Values, output any) error {
	all := url.Values{"Action": {action}, "Version": {version}}
	for name, values := range form {
		all[name] = values
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	answer, err := c.call(ctx, service, action, http.MethodPost, "/", header, []byte(all.Encode()))
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// XML calls a method on a path of a service that speaks XML. Without an input, the request has no body.
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
func (c Caller) XML(ctx context.Context, service, method, path string, input, output any) error {
	var body []byte
	if input != nil {
		var err error
		if body, err = xml.Marshal(input); err != nil {
			return err
		}
	}
	action := method + " " + path
	answer, err := c.call(ctx, service, action, method, path, http.Header{"Content-Type": {"text/xml"}}, body)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(answer, output); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

func (c Caller) call(ctx context.Context, service, action, method, path string, header http.Header, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, singleTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	Address(request, c.Region, service)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, refusal(action, response.StatusCode, answer)
	}
	return answer, nil
}

// refusal reads an error in any of the three protocols. The status says enough if the rest says nothing.
func refusal(action string, status int, answer []byte) *Refusal {
	said := &Refusal{Action: action, Status: status}
	var inJSON struct {
		Type    string `json:"__type"`
		Message string
	}
	if json.Unmarshal(answer, &inJSON) == nil {
		said.Code, said.Message = inJSON.Type, inJSON.Message
		return said
	}
	type failure struct{ Code, Message string }
	var inXML struct {
		Error  failure
		Errors struct{ Error failure } // EC2's
	}
	_ = xml.Unmarshal(answer, &inXML)
	said.Code, said.Message = cmp.Or(inXML.Error.Code, inXML.Errors.Error.Code), cmp.Or(inXML.Error.Message, inXML.Errors.Error.Message)
	return said
}
