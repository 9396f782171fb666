// Package golang is a language host for Pulumi programs written in Go. It speaks the engine's LanguageRuntime protocol
// (https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto): it builds the program's directory with
// the go command and executes the result in the environment the SDK's pulumi.Run reads.
//
// It has what the engine calls to preview, update, refresh and destroy a stack. All else, such as what `pulumi about`, `pulumi
// install` and code generation call, answers "unimplemented".
package golang

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// engineCheck is how often the host asks whether the engine still lives; a host must not outlive it.
const engineCheck = time.Minute

// Serve answers the engine whose address is the last command line argument until it interrupts this process or is
// gone. It prints the port it listens on as the first line of stdout.
func Serve(ctx context.Context) error {
	// Flags the engine passes when it is asked for logs or traces: -v and -logtostderr are registered by the SDK.
	flag.String("tracing", "", "a tracing endpoint (accepted, unused)")
	flag.String("root", "", "the project's directory (obsolete, unused)")
	flag.Parse()
	logging.InitLogging(false, 0, false)
	engine := flag.Arg(0)

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if engine != "" {
		if err := rpcutil.Healthcheck(ctx, engine, engineCheck, stop); err != nil {
			return fmt.Errorf("engine %s: %w", engine, err)
		}
	}
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(s *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(s, newHost(engine))
			return nil
		},
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	fmt.Println(server.Port)
	return <-server.Done
}
