package secrets

import (
	"context"
	"fmt"

	"fargate-nginx-sidecar/local/cloud/emulator"
)

// parameters is the Parameter Store of every region behind one endpoint.
type parameters struct{ endpoint string }

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
	caller := emulator.Caller{URL: p.endpoint, Region: region}
	if err := caller.JSON(ctx, "ssm", "AmazonSSM."+action, input, output); err != nil {
		return fmt.Errorf("SSM: %w", err)
	}
	return nil
}
