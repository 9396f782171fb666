package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

// parameters speaks Parameter Store's protocol itself: these are two calls, and to compile the typed client, which has
// all of Systems Manager, would hold up the first `make local` by a quarter of a minute.
type parameters struct {
	endpoint string
	client   *http.Client
}

func newParameters(endpoint string) parameters {
	return parameters{endpoint: endpoint, client: &http.Client{Timeout: 20 * time.Second}}
}

// get returns those of the named parameters that exist, decrypted, by their names.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func (p parameters) get(ctx context.Context, region string, names ...string) (map[string]string, error) {
	input := struct {
		Names          []string
		WithDecryption bool
	}{names, true}
	var output struct {
		Parameters []struct{ Name, Value string }
	}
	if err := p.call(ctx, region, "GetParameters", input, &output); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, found := range output.Parameters {
		values[found.Name] = found.Value
	}
	return values, nil
}

// put makes an encrypted parameter, or gives one that is there another value.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func (p parameters) put(ctx context.Context, region, name, value string) error {
	return p.call(ctx, region, "PutParameter", struct {
		Name, Value, Type string
		Overwrite         bool
	}{name, value, "SecureString", true}, &struct{}{})
}

func (p parameters) call(ctx context.Context, region, action string, input, output any) error {
	content, err := json.Marshal(input)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonSSM."+action)
	emulator.Address(request, region, "ssm")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		var failure struct {
			Type    string `json:"__type"`
			Message string
		}
		_ = json.NewDecoder(response.Body).Decode(&failure) // the status says enough if the rest does not
		return fmt.Errorf("SSM: %s: status %d, %s: %s", action, response.StatusCode, failure.Type, failure.Message)
	}
	if err := json.NewDecoder(response.Body).Decode(output); err != nil {
		return fmt.Errorf("SSM: %s: %w", action, err)
	}
	return nil
}
