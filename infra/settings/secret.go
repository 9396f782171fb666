package settings

import "regexp"

// The stores that can hold a secret, by the prefix that names one.
const (
	StoreParameter = "ssm"
	StoreSecret    = "secretsmanager"
)

// SecretAllowed says what ParseSecret takes.
const SecretAllowed = "ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>" //nolint:gosec // A form, not a credential.

// Secret names a value in a store. Key picks one field of a secret that holds JSON, or is empty.
type Secret struct{ Store, Name, Key string }

// Names that the two stores take, and a field of a secret that holds JSON.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
// https://docs.aws.amazon.com/secretsmanager/latest/APIReference/API_CreateSecret.html
var secretPattern = regexp.MustCompile(
	`^(?:(ssm):(/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)|(secretsmanager):([A-Za-z0-9/_+=.@-]{1,512}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519})(?:#([A-Za-z0-9_.-]+))?)$`)

// ParseSecret returns the secret that a text names.
func ParseSecret(text string) (Secret, bool) {
	part := secretPattern.FindStringSubmatch(text)
	if part == nil {
		return Secret{}, false
	}

	return Secret{Store: part[1] + part[3], Name: part[2] + part[4], Key: part[5]}, true
}
