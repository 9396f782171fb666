package task

import (
	"maps"
	"slices"

	"fargate-nginx-sidecar/infra/settings"
)

// Secret is one secret value, and the container and variable it is for. Without a variable, it is for the registry of the
// container's image.
type Secret struct {
	Container, Variable string
	settings.Secret
}

// Secrets are the secret values of all containers, in the order of the containers and then of the variables.
func (s Settings) Secrets() []Secret {
	all := secretsOf(AppContainer, s.App.ImageSecret, s.App.Secrets)
	for _, extra := range s.Extra {
		all = append(all, secretsOf(extra.Name, extra.imageSecret, extra.secrets)...)
	}

	return append(all, secretsOf(logRouterName, settings.Secret{}, s.LogRouter.secrets)...)
}

func secretsOf(container string, image settings.Secret, named map[string]settings.Secret) []Secret {
	var all []Secret
	if image != (settings.Secret{}) {
		all = append(all, Secret{container, "", image})
	}
	for _, variable := range slices.Sorted(maps.Keys(named)) {
		all = append(all, Secret{container, variable, named[variable]})
	}

	return all
}

// readsSecrets reports whether a container gets a value from Secrets Manager.
func (s Settings) readsSecrets() bool {
	return slices.ContainsFunc(s.Secrets(), func(secret Secret) bool { return secret.Store == settings.StoreSecret })
}

// Found is where a secret value is, and its version: the id of a version in Secrets Manager, or the number of one in
// Systems Manager.
type Found struct{ ARN, Version string }

// references are those of one container to secret values.
type references struct {
	// registry is where the credentials of the image's registry are.
	registry *repositoryCredentials
	sources  []source
	// versions are labels of the container. ECS reads a value only when a task starts, so a rotated value reaches running
	// tasks with the deployment that a changed label makes. The version is in a label and not in the reference itself: a
	// task that starts later, after the next rotation, needs the value that is current by then, and a reference to a
	// parameter has no place for a version.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html
	versions map[string]string
}

// versionLabel begins the label of a variable's secret version.
const versionLabel = "secret-version."

// references pairs the values with their variables, by container. A field of a secret follows its ARN, and after it come two
// empty places for a version.
func (s Settings) references(values []Found) map[string]references {
	all := map[string]references{}
	for i, secret := range s.Secrets() {
		from := values[i].ARN
		if secret.Key != "" {
			from += ":" + secret.Key + "::"
		}
		of := all[secret.Container]
		if secret.Variable == "" {
			of.registry = &repositoryCredentials{from}
			all[secret.Container] = of
			continue
		}
		if of.versions == nil {
			of.versions = map[string]string{}
		}
		of.sources = append(of.sources, source{Name: secret.Variable, ValueFrom: from})
		of.versions[versionLabel+secret.Variable] = values[i].Version
		all[secret.Container] = of
	}

	return all
}

// refer gives a container its secret values.
func (b builder) refer(c *container) {
	c.RepositoryCredentials = b.secrets[c.Name].registry
	c.Secrets, c.DockerLabels = b.secrets[c.Name].sources, b.secrets[c.Name].versions
}
