package infra

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	provider "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"

	"fargate-nginx-sidecar/infra/deployment"
)

// newClients returns the clients. They use the credentials and endpoints that the provider gets from the aws: settings. Proxy settings are the
// exception: the AWS SDK takes them from the environment.
func newClients(ctx context.Context, s *Settings) (deployment.Clients, error) {
	loaded, err := config.LoadDefaultConfig(ctx, loadOptions(s)...)
	if err != nil {
		return deployment.Clients{}, fmt.Errorf("AWS credentials: %w", err)
	}
	if role := setting[*provider.ProviderAssumeRole](s, "assumeRole"); role != nil && role.RoleArn != nil {
		loaded.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(
			sts.NewFromConfig(loaded), *role.RoleArn, func(o *stscreds.AssumeRoleOptions) { fillIn(o, role) }))
	}
	if role := setting[*provider.ProviderAssumeRoleWithWebIdentity](s, "assumeRoleWithWebIdentity"); role != nil && role.RoleArn != nil {
		loaded.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(
			sts.NewFromConfig(loaded), *role.RoleArn, token{role}))
	}

	var endpoints provider.ProviderEndpoint
	for _, given := range setting[[]provider.ProviderEndpoint](s, "endpoints") {
		if given.Ecs != nil {
			endpoints.Ecs = given.Ecs
		}
		if given.Logs != nil {
			endpoints.Logs = given.Logs
		}
	}
	tasks := ecs.NewFromConfig(loaded, func(o *ecs.Options) {
		if endpoints.Ecs != nil {
			o.BaseEndpoint = endpoints.Ecs
		}
	})
	logs := cloudwatchlogs.NewFromConfig(loaded, func(o *cloudwatchlogs.Options) {
		if endpoints.Logs != nil {
			o.BaseEndpoint = endpoints.Logs
		}
	})

	return deployment.Clients{ECS: tasks, Logs: logs}, nil
}

// setting returns the value of one of the provider's settings, or the type's zero value.
func setting[T any](s *Settings, key string) T {
	given, ok := s.Provider[key]
	if !ok {
		var none T
		return none
	}

	return given.value.Interface().(T)
}

func loadOptions(s *Settings) []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{config.WithRegion(s.Region)}
	if profile := setting[*string](s, "profile"); profile != nil {
		options = append(options, config.WithSharedConfigProfile(*profile))
	}
	if files := setting[[]string](s, "sharedConfigFiles"); len(files) > 0 {
		options = append(options, config.WithSharedConfigFiles(files))
	}
	if files := setting[[]string](s, "sharedCredentialsFiles"); len(files) > 0 {
		options = append(options, config.WithSharedCredentialsFiles(files))
	}
	if key, secret := setting[*string](s, "accessKey"), setting[*string](s, "secretKey"); key != nil && secret != nil {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(*key, *secret, aws.ToString(setting[*string](s, "token")))))
	}
	if on := setting[*bool](s, "useFipsEndpoint"); on != nil && *on {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if on := setting[*bool](s, "useDualstackEndpoint"); on != nil && *on {
		options = append(options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}

	return options
}

func fillIn(o *stscreds.AssumeRoleOptions, role *provider.ProviderAssumeRole) {
	o.ExternalID, o.Policy = role.ExternalId, role.Policy
	o.SourceIdentity, o.TransitiveTagKeys = role.SourceIdentity, role.TransitiveTagKeys
	if role.SessionName != nil {
		o.RoleSessionName = *role.SessionName
	}
	if role.Duration != nil {
		// The provider has checked that it is a duration, such as 1h.
		o.Duration, _ = time.ParseDuration(*role.Duration)
	}
}

// token is a web identity token. The setting has either the token itself or the name of a file that holds it.
type token struct {
	role *provider.ProviderAssumeRoleWithWebIdentity
}

// GetIdentityToken returns the token.
func (t token) GetIdentityToken() ([]byte, error) {
	if t.role.WebIdentityToken != nil {
		return []byte(*t.role.WebIdentityToken), nil
	}

	return os.ReadFile(aws.ToString(t.role.WebIdentityTokenFile))
}
