package registry

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
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
