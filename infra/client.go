package infra

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
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
	endpoints := givenEndpoints(s)
	assumeRoles(s, &loaded, endpoints.Sts)
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

// givenEndpoints are those of the services that the clients call; the last one of each counts.
func givenEndpoints(s *Settings) provider.ProviderEndpoint {
	var endpoints provider.ProviderEndpoint
	for _, given := range setting[[]provider.ProviderEndpoint](s, "endpoints") {
		endpoints.Ecs = cmp.Or(given.Ecs, endpoints.Ecs)
		endpoints.Logs = cmp.Or(given.Logs, endpoints.Logs)
		endpoints.Sts = cmp.Or(given.Sts, endpoints.Sts)
	}

	return endpoints
}

// assumeRoles replaces the credentials by those of the roles in the settings, as the provider does: first the one for a web
// identity, with which it then assumes the other one.
// https://github.com/hashicorp/aws-sdk-go-base/blob/v2.0.0-beta.72/credentials.go
func assumeRoles(s *Settings, loaded *aws.Config, endpoint *string) {
	client := func() *sts.Client {
		return sts.NewFromConfig(*loaded, func(o *sts.Options) {
			o.BaseEndpoint = cmp.Or(endpoint, o.BaseEndpoint)
			o.Region = cmp.Or(aws.ToString(setting[*string](s, "stsRegion")), o.Region)
		})
	}
	if role := setting[*provider.ProviderAssumeRoleWithWebIdentity](s, "assumeRoleWithWebIdentity"); role != nil && role.RoleArn != nil {
		loaded.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(
			client(), *role.RoleArn, token{role}, func(o *stscreds.WebIdentityRoleOptions) { restrict(o, role) }))
	}
	if role := setting[*provider.ProviderAssumeRole](s, "assumeRole"); role != nil && role.RoleArn != nil {
		loaded.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(
			client(), *role.RoleArn, func(o *stscreds.AssumeRoleOptions) { fillIn(o, role) }))
	}
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
	o.ExternalID, o.Policy, o.PolicyARNs = role.ExternalId, role.Policy, sessionPolicies(role.PolicyArns)
	o.SourceIdentity, o.TransitiveTagKeys = role.SourceIdentity, role.TransitiveTagKeys
	for _, key := range slices.Sorted(maps.Keys(role.Tags)) {
		o.Tags = append(o.Tags, types.Tag{Key: aws.String(key), Value: aws.String(role.Tags[key])})
	}
	o.RoleSessionName = cmp.Or(aws.ToString(role.SessionName), o.RoleSessionName)
	o.Duration = cmp.Or(duration(role.Duration), o.Duration)
}

func restrict(o *stscreds.WebIdentityRoleOptions, role *provider.ProviderAssumeRoleWithWebIdentity) {
	o.Policy, o.PolicyARNs = role.Policy, sessionPolicies(role.PolicyArns)
	o.RoleSessionName = cmp.Or(aws.ToString(role.SessionName), o.RoleSessionName)
	o.Duration = cmp.Or(duration(role.Duration), o.Duration)
}

func sessionPolicies(arns []string) []types.PolicyDescriptorType {
	var all []types.PolicyDescriptorType
	for _, arn := range arns {
		all = append(all, types.PolicyDescriptorType{Arn: aws.String(arn)})
	}

	return all
}

// duration is that of a session. The provider has checked that it is one, such as 1h.
func duration(text *string) time.Duration {
	length, _ := time.ParseDuration(aws.ToString(text))

	return length
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
