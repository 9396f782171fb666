package service

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/stack"
	"fargate-nginx-sidecar/infra/task"
)

// roles are the execution role, which ECS uses, and the role of the tasks themselves, if they need one.
type roles struct{ execution, task *iam.Role }

func (r roles) arns() pulumi.StringArrayOutput {
	all := pulumi.StringArray{r.execution.Arn}
	if r.task != nil {
		all = append(all, r.task.Arn)
	}

	return all.ToStringArrayOutput()
}

// declareExecutionRole declares the role with which ECS pulls the images and writes the logs. It is not the role of the
// tasks themselves.
func (b *builder) declareExecutionRole() (err error) {
	if b.roles.execution, err = b.declareRole("execution", "Lets ECS pull images and write logs"); err != nil {
		return err
	}

	groups := pulumi.StringArray{b.nginxLogs.Arn, b.appLogs.Arn}
	rights, err := b.declareRights(b.Name+"-execution", b.roles.execution, pulumi.All(
		b.Partition, b.RepositoryARNs, b.GivenRepositoryARNs, groups, b.secrets.of(b.Task, settings.StoreParameter), b.secrets.of(b.Task, settings.StoreSecret),
	).ApplyT(func(values []any) (string, error) {
		return task.ExecutionRights{
			Partition: values[0].(string), Region: b.Region, Repositories: values[1].([]string), Given: values[2].([]string),
			LogGroups: values[3].([]string), Parameters: values[4].([]string), Secrets: values[5].([]string), Keys: b.keys(),
		}.Policy()
	}).(pulumi.StringOutput))
	if err != nil {
		return err
	}

	return stack.NothingElse(b.ctx, b.Name+"-execution", b.roles.execution, pulumi.StringArray{rights.Name}, nil, b.child)
}

// keys are those that may have encrypted secret values.
func (b *builder) keys() []string {
	if b.KMSKeyARN == "" {
		return b.Task.SecretKeyARNs
	}

	return append([]string{b.KMSKeyARN}, b.Task.SecretKeyARNs...)
}

// declareTaskRole declares the role of the tasks themselves. Tasks that call no AWS service have no role.
func (b *builder) declareTaskRole() (err error) {
	if len(b.Task.PolicyARNs) == 0 && !b.Task.Exec {
		return nil
	}

	if b.roles.task, err = b.declareRole("task", "Rights of the tasks"); err != nil {
		return err
	}
	var attached, inline pulumi.StringArray
	for _, arn := range b.Task.PolicyARNs {
		attachment, err := iam.NewRolePolicyAttachment(b.ctx, b.Name+"-task-"+policyName(arn), &iam.RolePolicyAttachmentArgs{
			Role:      b.roles.task.Name,
			PolicyArn: pulumi.String(arn),
		}, b.child)
		if err != nil {
			return fmt.Errorf("task role: %w", err)
		}
		b.before, attached = append(b.before, attachment), append(attached, attachment.PolicyArn)
	}
	if b.Task.Exec {
		document, err := task.ExecPolicy()
		if err != nil {
			return fmt.Errorf("task role: %w", err)
		}
		rights, err := b.declareRights(b.Name+"-task-exec", b.roles.task, pulumi.String(document))
		if err != nil {
			return err
		}
		inline = append(inline, rights.Name)
	}

	return stack.NothingElse(b.ctx, b.Name+"-task", b.roles.task, inline, attached, b.child)
}

// declareRole declares a role that ECS alone may assume, for tasks of this account.
func (b *builder) declareRole(suffix, description string) (*iam.Role, error) {
	role, err := iam.NewRole(b.ctx, b.Name+"-"+suffix, &iam.RoleArgs{
		Description:         pulumi.String(description),
		PermissionsBoundary: b.PermissionsBoundary(),
		AssumeRolePolicy: text(pulumi.StringArray{b.Partition, b.Account},
			func(values []string) (string, error) { return task.TrustPolicy(values[0], b.Region, values[1]) }),
	}, b.child)
	if err != nil {
		return nil, fmt.Errorf("%s role: %w", suffix, err)
	}

	return role, nil
}

// declareRights declares a policy of a role, for which a service waits.
func (b *builder) declareRights(name string, role *iam.Role, document pulumi.StringInput) (*iam.RolePolicy, error) {
	rights, err := iam.NewRolePolicy(b.ctx, name, &iam.RolePolicyArgs{Role: role.Name, Policy: document}, b.child)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	b.before = append(b.before, rights)

	return rights, nil
}

// policyName tells policies of one role apart: arn:aws:iam::aws:policy/path/name becomes aws-path-name.
func policyName(arn string) string {
	parts := strings.SplitN(arn, ":", 6)

	return parts[4] + "-" + strings.ReplaceAll(strings.TrimPrefix(parts[5], "policy/"), "/", "-")
}
