// Package secrets stands between the stack's `secrets` setting and the emulator's Parameter Store and Secrets Manager:
// it puts values there before the stack is deployed, and reads them when a task starts, as ECS does.
package secrets

import (
	"fargate-nginx-sidecar/local/cloud/emulator"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Stores are Parameter Store and Secrets Manager of one emulator.
type Stores struct {
	region     string
	parameters parameters
	secrets    *secretsmanager.Client
}

// New returns the stores behind an AWS endpoint. The region is that of the tasks.
func New(endpoint, region string) *Stores {
	client := secretsmanager.NewFromConfig(emulator.Config(endpoint, region))
	return &Stores{region: region, parameters: parameters{endpoint}, secrets: client}
}
