// Package infra is the program: it reads the stack's settings, declares the architecture, and exports what people and
// scripts need to reach it. Each topic has a folder of its own; they meet in Deploy.
package infra

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Program is what the engine runs.
func Program(ctx *pulumi.Context) error {
	settings, err := Read(ctx)
	if err != nil {
		return err
	}
	stack, err := Deploy(ctx, settings)
	if err != nil {
		return err
	}
	for name, value := range stack.Outputs() {
		ctx.Export(name, value)
	}

	return stack.warnOfReplacements(ctx)
}
