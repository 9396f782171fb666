package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fargate-nginx-sidecar/local/cloud/existing"
	"fargate-nginx-sidecar/local/cloud/run"
	"fargate-nginx-sidecar/local/command/pulumi"
)

// toAccount are the settings of the AWS provider with which a stack's file leads to an account, or refuses another one. The
// rest, such as default tags, holds here as well.
// https://www.pulumi.com/registry/packages/aws/installation-configuration/#configuration-reference
var toAccount = []string{
	"accessKey", "secretKey", "token", "profile", "sharedConfigFiles", "sharedCredentialsFiles",
	"assumeRole", "assumeRoleWithWebIdentity", "allowedAccountIds", "forbiddenAccountIds",
	"endpoints", "useFipsEndpoint", "useDualstackEndpoint", "stsRegion", "s3UsEast1RegionalEndpoint",
	"ec2MetadataServiceEndpoint", "ec2MetadataServiceEndpointMode",
	"httpProxy", "httpsProxy", "noProxy", "customCaBundle", "insecure",
}

// withoutAccount takes what leads to the owner's account out of the values for the run's copy of the stack's file. What the
// file imports is left out of the copy in any case.
func (l *Local) withoutAccount(config stackSettings, values map[string]any) {
	var left []string
	for _, setting := range toAccount {
		key := "aws:" + setting
		if _, set := config.file[key]; set {
			values[key] = nil
			left = append(left, key)
		}
	}
	if len(left) > 0 {
		l.Progress.Line("account   without %s of the stack's file, which lead to an account", strings.Join(left, ", "))
	}
	if config.imports {
		l.Progress.Line("settings  without what the stack's file imports from Pulumi ESC, which only Pulumi Cloud has; the defaults instead")
	}
}

// withoutEncryption puts something else in place of what only the stack's owner can decrypt.
func (l *Local) withoutEncryption(config stackSettings, values map[string]any) {
	if len(config.encrypted) == 0 {
		return
	}
	maps.Copy(values, config.encrypted)
	l.Progress.Line("secrets   defaults or placeholders for what is encrypted in the stack's file: %s", strings.Join(slices.Sorted(maps.Keys(config.encrypted)), ", "))
}

// decrypted returns a setting of a stack's file without encryption: none if all of it is encrypted, so that the default
// counts, and otherwise a placeholder for each part that is. https://www.pulumi.com/docs/iac/concepts/secrets/
func decrypted(setting string, value any) (plain any, changed bool) {
	if isEncrypted(value) {
		return nil, true
	}
	return withPlaceholders(setting, value)
}

func isEncrypted(value any) bool {
	object, _ := value.(map[string]any)
	_, is := object["secure"].(string)
	return is && len(object) == 1
}

// withPlaceholders puts a text that names it in place of each part that is encrypted.
func withPlaceholders(name string, value any) (plain any, changed bool) {
	if isEncrypted(value) {
		return "local-" + name, true
	}
	switch value := value.(type) {
	case map[string]any:
		object := map[string]any{}
		for key, entry := range value {
			var also bool
			object[key], also = withPlaceholders(key, entry)
			changed = changed || also
		}
		return object, changed
	case []any:
		list := make([]any, len(value))
		for i, entry := range value {
			var also bool
			list[i], also = withPlaceholders(name, entry)
			changed = changed || also
		}
		return list, changed
	}
	return value, false
}

// provideExisting makes in the emulator what the settings name of the owner's account, and says what stands for what. The
// values get the emulator's ids.
func (l *Local) provideExisting(ctx context.Context, current run.Run, config stackSettings, values map[string]any) error {
	account, err := existing.Open(current.Endpoint, current.Region, l.dir())
	if err != nil {
		return err
	}
	provided, err := account.Provide(ctx, func(setting string) any {
		if value, replaced := pulumi.Lookup(values, config.project+":"+setting); replaced {
			return value
		}
		return config.value(setting)
	})
	if err != nil {
		return err
	}
	for _, line := range provided.Lines {
		l.Progress.Line("existing  %s", line)
	}
	for setting, value := range provided.Settings {
		values[fmt.Sprintf("%s:%s", config.project, setting)] = value
	}
	return nil
}
