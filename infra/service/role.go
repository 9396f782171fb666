package service

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
)

// executionRole declares the role with which ECS pulls the images and writes the logs, and returns the policy that a
// service has to wait for. It is not the role of the tasks themselves; see taskRole.
func (s *Service) executionRole(
	ctx *pulumi.Context, name string, args Args, secrets secretARNs, logGroups ...*cloudwatch.LogGroup,
) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name+"-execution", &iam.RoleArgs{
		Description:      pulumi.String("Lets ECS pull images and write logs"),
		AssumeRolePolicy: trust(args),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("execution role: %w", err)
	}

	var groups pulumi.StringArray
	for _, group := range logGroups {
		groups = append(groups, group.Arn)
	}
	rights, err := iam.NewRolePolicy(ctx, name+"-execution", &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: pulumi.All(args.Partition, args.RepositoryARNs, groups, secrets.of(args.Task, settings.StoreParameter),
			secrets.of(args.Task, settings.StoreSecret)).ApplyT(func(values []any) (string, error) {
			return task.ExecutionRights{
				Partition: values[0].(string), Region: args.Region, Repositories: values[1].([]string), LogGroups: values[2].([]string),
				Parameters: values[3].([]string), Secrets: values[4].([]string), Key: args.KMSKeyARN,
			}.Policy()
		}).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, fmt.Errorf("execution policy: %w", err)
	}

	return role, rights, nil
}

// roles are the execution role, which ECS uses, and the role of the tasks themselves, if they need one.
type roles struct{ execution, task *iam.Role }

func (r roles) arns() pulumi.StringArrayOutput {
	all := pulumi.StringArray{r.execution.Arn}
	if r.task != nil {
		all = append(all, r.task.Arn)
	}

	return all.ToStringArrayOutput()
}

func trust(args Args) pulumi.StringOutput {
	return text(pulumi.StringArray{args.Partition, args.Account},
		func(values []string) (string, error) { return task.TrustPolicy(values[0], args.Region, values[1]) })
}

// taskRole declares the role of the tasks themselves, and returns the resources that a service has to wait for. Tasks
// that call no AWS service have no role.
func (s *Service) taskRole(ctx *pulumi.Context, name string, args Args) (*iam.Role, []pulumi.Resource, error) {
	if len(args.Task.PolicyARNs) == 0 && !args.Task.Exec {
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
	for _, arn := range args.Task.PolicyARNs {
		attachment, err := iam.NewRolePolicyAttachment(ctx, name+"-"+policyName(arn), &iam.RolePolicyAttachmentArgs{
			Role:      role.Name,
			PolicyArn: pulumi.String(arn),
		}, pulumi.Parent(s))
		if err != nil {
			return nil, nil, fmt.Errorf("task role: %w", err)
		}
		rights = append(rights, attachment)
	}
	if !args.Task.Exec {
		return role, rights, nil
	}

	document, err := task.ExecPolicy()
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
