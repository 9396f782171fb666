// Command agent is the part of the benchmark that runs inside the network
// namespace of the measured containers.
//
//	agent hold          hold the namespace
//	agent load          do jobs, see package load
//	agent logs FOLDER   read the pipes of a folder, see package logs
//	agent contract      ask a proxy, see package contract
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/logs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "hold":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
		<-ended
		return nil
	case len(args) == 1 && args[0] == "load":
		return load.Serve(os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "logs":
		return logs.Serve(args[1], os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "contract":
		return contract.Serve(os.Stdin, os.Stdout)
	}
	return fmt.Errorf("arguments: got %q, allowed: hold, load, logs FOLDER, contract", args)
}
