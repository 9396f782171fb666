package service

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// secretSource is one secret value with its ARN, and the container and variable it is for.
type secretSource struct {
	container, name string
	settings.Secret
	arn pulumi.StringOutput
}

// secretSources are in the order of the containers, and then of the variables' names.
type secretSources []secretSource

// secretSources finds the ARNs of secret values. The ARN of a parameter follows from its name. The ARN of a secret ends
// in six characters that AWS has chosen, so it is looked up, and a secret that does not exist makes the preview fail. The
// values themselves are never read, because they would end up in the stack's state.
func (s *Service) secretSources(ctx *pulumi.Context, args Args) secretSources {
	all := s.secretsOf(ctx, args, appName, args.App.Secrets)
	for _, further := range args.Further {
		all = append(all, s.secretsOf(ctx, args, further.Name, further.secrets)...)
	}

	return append(all, s.secretsOf(ctx, args, logRouterName, args.LogRouter.secrets)...)
}

func (s *Service) secretsOf(ctx *pulumi.Context, args Args, container string, named map[string]settings.Secret) secretSources {
	var all secretSources
	for _, name := range slices.Sorted(maps.Keys(named)) {
		secret := named[name]
		found := secretSource{container: container, name: name, Secret: secret}
		if secret.Store == settings.StoreParameter {
			found.arn = pulumi.Sprintf("arn:%s:ssm:%s:%s:parameter/%s",
				args.Partition, args.Region, args.Account, strings.TrimPrefix(secret.Name, "/"))
		} else {
			found.arn = secretsmanager.LookupSecretOutput(ctx,
				secretsmanager.LookupSecretOutputArgs{Name: pulumi.StringPtr(secret.Name)}, pulumi.Parent(s)).Arn()
		}
		all = append(all, found)
	}

	return all
}

func (s secretSources) parameters() pulumi.StringArrayOutput { return s.of(settings.StoreParameter) }
func (s secretSources) secrets() pulumi.StringArrayOutput    { return s.of(settings.StoreSecret) }

func (s secretSources) of(store string) pulumi.StringArrayOutput {
	arns := pulumi.StringArray{}
	for _, source := range s {
		if source.Store == store {
			arns = append(arns, source.arn)
		}
	}

	return arns.ToStringArrayOutput()
}

// ofContainer are those of one container.
func (s secretSources) ofContainer(name string) secretSources {
	return slices.DeleteFunc(slices.Clone(s), func(source secretSource) bool { return source.container != name })
}

// values are the ARNs in the order of the sources. Once they are known, named pairs them with their variables.
func (s secretSources) values() []pulumi.StringInput {
	all := make([]pulumi.StringInput, len(s))
	for i, source := range s {
		all[i] = source.arn
	}

	return all
}

// named pairs the ARNs with their variables, by container. A field of a secret follows its ARN, and after it come two empty
// places for a version.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
func (s secretSources) named(arns []string) map[string][]source {
	all := map[string][]source{}
	for i, secret := range s {
		from := arns[i]
		if secret.Key != "" {
			from += ":" + secret.Key + "::"
		}
		all[secret.container] = append(all[secret.container], source{Name: secret.name, ValueFrom: from})
	}

	return all
}

// taskRole declares the role of the tasks themselves, and returns the resources that a service has to wait for. Tasks
// that call no AWS service have no role.
func (s *Service) taskRole(ctx *pulumi.Context, name string, args Args) (*iam.Role, []pulumi.Resource, error) {
	if len(args.TaskPolicyARNs) == 0 && !args.Exec {
		return nil, nil, nil
	}

	name += "-task"
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description:      pulumi.String("Rights of the tasks"),
		AssumeRolePolicy: trust(args),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("task role: %w", err)
	}

	var rights []pulumi.Resource
	for _, arn := range args.TaskPolicyARNs {
		attachment, err := iam.NewRolePolicyAttachment(ctx, name+"-"+policyName(arn), &iam.RolePolicyAttachmentArgs{
			Role:      role.Name,
			PolicyArn: pulumi.String(arn),
		}, pulumi.Parent(s))
		if err != nil {
			return nil, nil, fmt.Errorf("task role: %w", err)
		}
		rights = append(rights, attachment)
	}
	if !args.Exec {
		return role, rights, nil
	}

	document, err := execPolicy()
	if err != nil {
		return nil, nil, fmt.Errorf("task role: %w", err)
	}
	exec, err := iam.NewRolePolicy(ctx, name+"-exec", &iam.RolePolicyArgs{
		Role: role.Name, Policy: pulumi.String(document),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("task role: %w", err)
	}

	return role, append(rights, exec), nil
}

// policyName tells policies of one role apart: arn:aws:iam::aws:policy/path/name becomes aws-path-name.
func policyName(arn string) string {
	parts := strings.SplitN(arn, ":", 6)

	return parts[4] + "-" + strings.ReplaceAll(strings.TrimPrefix(parts[5], "policy/"), "/", "-")
}
