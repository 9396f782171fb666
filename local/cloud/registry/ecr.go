package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	dockerregistry "github.com/docker/docker/api/types/registry"
)

// ECR answers for the repositories that an ECR endpoint holds.
type ECR struct{ Client *ecr.Client }

// Immutable implements Repositories.
func (e ECR) Immutable(ctx context.Context, repository string) (bool, error) {
	found, err := e.Client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{repository}})
	if err != nil {
		return false, err
	}
	return found.Repositories[0].ImageTagMutability == types.ImageTagMutabilityImmutable, nil
}

// Pushed implements Repositories.
func (e ECR) Pushed(ctx context.Context, repository, tag string, manifest []byte) error {
	_, err := e.Client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String(repository),
		ImageTag:       aws.String(tag),
		ImageManifest:  aws.String(string(manifest)),
	})
	return err
}

// PullCredentials gets an authorization token, as ECS does with the task's execution role, and writes it as the Docker
// Engine API wants it. Only images of the registry at address need one; for others it is empty.
func (e ECR) PullCredentials(ctx context.Context, address, reference string) (string, error) {
	if !strings.HasPrefix(reference, address+"/") {
		return "", nil
	}
	answer, err := e.Client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return "", err
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(answer.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return "", fmt.Errorf("ECR authorization token: %w", err)
	}
	user, password, _ := strings.Cut(string(token), ":")
	return dockerregistry.EncodeAuthConfig(dockerregistry.AuthConfig{Username: user, Password: password, ServerAddress: address})
}
