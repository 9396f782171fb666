// Package infra is the program: it reads the stack's settings, declares the architecture, and exports what people and
// scripts need to reach it. Each topic has a folder of its own; they meet in Deploy.
package infra

import (
	"context"
	"errors"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/deployment"
)

// Main runs the program for the engine, as pulumi.Run does, and reports an error as its reader needs it.
func Main() {
	var info pulumi.RunInfo
	err := pulumi.RunErr(Program, func(given *pulumi.RunInfo) { info = *given })
	if err == nil {
		return
	}
	report(info, message(err))
	os.Exit(constant.ExitStatusLoggedError) // the engine then adds no error of its own
}

// report shows an error as one of the stack's. The context of the run is closed by now.
func report(info pulumi.RunInfo, text string) {
	ctx, err := pulumi.NewContext(context.Background(), info)
	if err == nil {
		defer ctx.Close() //nolint:errcheck // the program ends
		err = ctx.Log.Error(text, nil)
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(text + "\n") // which the engine shows, too
	}
}

// message is the text of an error. A deployment that failed stands at the end of a chain that begins with an input of some
// resource that waits for it, and once for each such resource; what counts is the explanation.
func message(err error) string {
	if failed := new(deployment.Failure); errors.As(err, &failed) {
		return failed.Error()
	}

	return err.Error()
}

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
