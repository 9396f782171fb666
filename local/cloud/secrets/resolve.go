package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// How Fargate begins to say that a value cannot be had. The rest is in the words of the ECS agent:
// https://github.com/aws/amazon-ecs-agent/tree/master/agent/taskresource
const (
	noParameter = "unable to retrieve secrets from ssm: "
	noSecret    = "unable to retrieve secret from asm: " //nolint:gosec // words of an error
	retried     = "service call has been retried 1 time(s): "
)

// Resolve returns the value that a container's valueFrom names: a parameter by ARN or, in the tasks' region, by name; or
// a secret by ARN, behind which a JSON key, a version stage and a version id may stand. Errors are in Fargate's words
// and hold nothing of a value.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
func (s *Stores) Resolve(ctx context.Context, valueFrom string) (string, error) {
	name, err := arn.Parse(valueFrom)
	if err != nil {
		return s.parameter(ctx, s.region, valueFrom)
	}
	switch name.Service {
	case "ssm":
		path, found := strings.CutPrefix(name.Resource, "parameter/")
		if !found {
			return "", errors.New(noParameter + retried + "invalid ssm parameters: " + valueFrom)
		}
		return s.parameter(ctx, name.Region, namesOf(path)...)
	case "secretsmanager":
		return s.secret(ctx, valueFrom, name)
	}
	return "", fmt.Errorf("secret %s: not an ARN of ssm or secretsmanager", valueFrom)
}

// namesOf are the names that a parameter with this path in its ARN can have. A name of several parts begins with a slash,
// one of a single part may, and an ARN shows neither.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
func namesOf(path string) []string {
	if strings.Contains(path, "/") {
		return []string{"/" + path}
	}
	return []string{path, "/" + path}
}

// parameter returns the value of the first of these names that exists.
func (s *Stores) parameter(ctx context.Context, region string, names ...string) (string, error) {
	found, err := s.parameters.get(ctx, region, names...)
	if err != nil {
		return "", fmt.Errorf("%s%s%w", noParameter, retried, err)
	}
	for _, name := range names {
		bare, _, _ := strings.Cut(name, ":") // a version or label is not part of the answer's name
		if value, exists := found[bare]; exists {
			return value, nil
		}
	}
	return "", errors.New(noParameter + retried + "invalid ssm parameters: " + names[0])
}

// secret takes an ARN apart: secret:name-AbCdEf, or secret:name-AbCdEf:json-key:version-stage:version-id, of which each
// of the last three may be empty.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
func (s *Stores) secret(ctx context.Context, valueFrom string, name arn.ARN) (string, error) {
	parts := strings.Split(name.Resource, ":")
	if parts[0] != "secret" || len(parts) != 2 && len(parts) != 5 {
		return "", errors.New(noSecret + "trying to retrieve secret with value " + valueFrom + " resulted in error: an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again.")
	}
	name.Resource = parts[0] + ":" + parts[1]
	parts = append(parts, "", "", "")
	input := &secretsmanager.GetSecretValueInput{SecretId: aws.String(name.String())}
	if stage := parts[3]; stage != "" {
		input.VersionStage = &stage
	}
	if version := parts[4]; version != "" {
		input.VersionId = &version
	}
	found, err := s.secrets.GetSecretValue(ctx, input, func(o *secretsmanager.Options) { o.Region = name.Region })
	if err != nil {
		return "", fmt.Errorf("%s%sfailed to fetch secret %s from secrets manager: %w", noSecret, retried, name, err)
	}
	if parts[2] == "" {
		return aws.ToString(found.SecretString), nil
	}
	return field(aws.ToString(found.SecretString), parts[2])
}

// field returns one value of a JSON object, as text.
func field(value, key string) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil {
		// Not the decoder's words, which quote the value.
		return "", errors.New(noSecret + retried + "retrieved secret from Secrets Manager is not a JSON object, so it did not contain json key " + key)
	}
	found, exists := object[key]
	if !exists {
		return "", errors.New(noSecret + retried + "retrieved secret from Secrets Manager did not contain json key " + key)
	}
	return fmt.Sprint(found), nil // ECS's agent does no more to what is not text
}
