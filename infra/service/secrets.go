package service

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
)

// secrets are where the values of task.Settings.Secrets are, in the same order.
type secrets struct{ arns, versions pulumi.StringArray }

// findSecrets finds the ARNs and versions of secret values. A secret that does not exist makes the preview fail. No resource
// gets a value itself, which would end up in the stack's state.
func (b *builder) findSecrets() error {
	for _, secret := range b.Task.Secrets() {
		find := b.findParameter
		if secret.Store == settings.StoreSecret {
			find = b.findSecret
		}
		arn, version := find(secret.Name)
		b.secrets.arns, b.secrets.versions = append(b.secrets.arns, arn), append(b.secrets.versions, version)
	}

	return nil
}

// findParameter derives the ARN of a parameter from its name, and looks its version up. Without decryption, the answer holds
// no secret, and needs no right to use a key.
func (b *builder) findParameter(name string) (arn, version pulumi.StringOutput) {
	arn = pulumi.Sprintf("arn:%s:ssm:%s:%s:parameter/%s", b.Partition, b.Region, b.Account, strings.TrimPrefix(name, "/"))
	found := ssm.LookupParameterOutput(b.ctx, ssm.LookupParameterOutputArgs{
		Name: pulumi.String(name), WithDecryption: pulumi.Bool(false),
	}, b.child)

	return arn, found.Version().ApplyT(strconv.Itoa).(pulumi.StringOutput)
}

// current is the label of the version that ECS reads.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version
const current = "AWSCURRENT"

// findSecret looks up the ARN of a secret, which ends in six characters that AWS has chosen, and the id of its current
// version.
func (b *builder) findSecret(name string) (arn, version pulumi.StringOutput) {
	by := secretsmanager.LookupSecretOutputArgs{Name: pulumi.StringPtr(name)}
	if strings.HasPrefix(name, "arn:") { // of another account
		by = secretsmanager.LookupSecretOutputArgs{Arn: pulumi.StringPtr(name)}
	}
	arn = secretsmanager.LookupSecretOutput(b.ctx, by, b.child).Arn()
	found := secretsmanager.GetSecretVersionsOutput(b.ctx, secretsmanager.GetSecretVersionsOutputArgs{SecretId: arn}, b.child)
	version = found.Versions().ApplyT(func(all []secretsmanager.GetSecretVersionsVersion) (string, error) {
		for _, one := range all {
			if slices.Contains(one.VersionStages, current) {
				return one.VersionId, nil
			}
		}
		return "", fmt.Errorf("secret %s: no version has the label %s, so it has no value yet", name, current)
	}).(pulumi.StringOutput)

	return arn, version
}

// of are the ARNs of the values in one store.
func (s secrets) of(tasks task.Settings, store string) pulumi.StringArrayOutput {
	arns := pulumi.StringArray{}
	for i, secret := range tasks.Secrets() {
		if secret.Store == store {
			arns = append(arns, s.arns[i])
		}
	}

	return arns.ToStringArrayOutput()
}

// inputs are all ARNs and then all versions; found pairs them again, once they are known.
func (s secrets) inputs() pulumi.StringArray { return slices.Concat(s.arns, s.versions) }

func found(values []string) []task.Found {
	all := make([]task.Found, len(values)/2)
	for i := range all {
		all[i] = task.Found{ARN: values[i], Version: values[len(all)+i]}
	}

	return all
}
