package task

import (
	"maps"
	"slices"

	"fargate-nginx-sidecar/infra/settings"
)

// Secret is one secret value, and the container and variable it is for.
type Secret struct {
	Container, Variable string
	settings.Secret
}

// Secrets are the secret values of all containers, in the order of the containers and then of the variables.
func (s Settings) Secrets() []Secret {
	all := secretsOf(AppContainer, s.App.Secrets)
	for _, extra := range s.Extra {
		all = append(all, secretsOf(extra.Name, extra.secrets)...)
	}

	return append(all, secretsOf(logRouterName, s.LogRouter.secrets)...)
}

func secretsOf(container string, named map[string]settings.Secret) []Secret {
	var all []Secret
	for _, variable := range slices.Sorted(maps.Keys(named)) {
		all = append(all, Secret{container, variable, named[variable]})
	}

	return all
}

// readsSecrets reports whether a container gets a value from Secrets Manager.
func (s Settings) readsSecrets() bool {
	return slices.ContainsFunc(s.Secrets(), func(secret Secret) bool { return secret.Store == settings.StoreSecret })
}

// sources pairs the ARNs of all secrets with their variables, by container. A field of a secret follows its ARN, and after
// it come two empty places for a version.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
func (s Settings) sources(arns []string) map[string][]source {
	all := map[string][]source{}
	for i, secret := range s.Secrets() {
		from := arns[i]
		if secret.Key != "" {
			from += ":" + secret.Key + "::"
		}
		all[secret.Container] = append(all[secret.Container], source{Name: secret.Variable, ValueFrom: from})
	}

	return all
}
