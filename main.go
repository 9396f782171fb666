// Command fargate-nginx-sidecar is the Pulumi program: it reads the stack's settings, declares the architecture
// and exports what people and scripts need to reach it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/config"
)

func main() {
	pulumi.Run(program)
}

func program(ctx *pulumi.Context) error {
	cfg, err := config.Load(ctx)
	if err != nil {
		return err
	}

	stack, err := infra.Deploy(ctx, cfg)
	if err != nil {
		return err
	}

	stack.Export(ctx)

	return nil
}
