// Command fargate-nginx-sidecar is the Pulumi program.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
)

func main() {
	pulumi.Run(infra.Program)
}
