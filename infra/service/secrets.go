package service

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
)

// secretARNs are the ARNs of the secret values of a task, in the order of task.Settings.Secrets.
type secretARNs pulumi.StringArray

// findSecrets finds the ARNs of secret values. The ARN of a parameter follows from its name. The ARN of a secret ends in six
// characters that AWS has chosen, so it is looked up, and a secret that does not exist makes the preview fail. The values
// themselves are never read, because they would end up in the stack's state.
func (b *builder) findSecrets() error {
	for _, secret := range b.Task.Secrets() {
		arn := pulumi.Sprintf("arn:%s:ssm:%s:%s:parameter/%s",
			b.Partition, b.Region, b.Account, strings.TrimPrefix(secret.Name, "/"))
		if secret.Store == settings.StoreSecret {
			arn = secretsmanager.LookupSecretOutput(b.ctx,
				secretsmanager.LookupSecretOutputArgs{Name: pulumi.StringPtr(secret.Name)}, b.child).Arn()
		}
		b.secrets = append(b.secrets, arn)
	}

	return nil
}

// of are the ARNs of the values in one store.
func (s secretARNs) of(tasks task.Settings, store string) pulumi.StringArrayOutput {
	arns := pulumi.StringArray{}
	for i, secret := range tasks.Secrets() {
		if secret.Store == store {
			arns = append(arns, s[i])
		}
	}

	return arns.ToStringArrayOutput()
}
