// Command sidecar is the first process of the sidecar's container:
//
//	sidecar         checks the settings, renders NGINX's configuration, and runs NGINX
//	sidecar -t      lets NGINX check the rendered configuration instead
//	sidecar health  exits with status 0 if the container is healthy
//
// The settings are in the environment. If any is wrong, it names all of them and exits with status 1.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"fargate-nginx-sidecar/images/nginx"
)

func main() {
	// The kernel drops a signal that the first process does not handle, so this comes first.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT)
	status, err := run(os.Args[1:], signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

func run(arguments []string, signals <-chan os.Signal) (status int, err error) {
	settings, err := nginx.Read(os.Getenv)
	if err != nil {
		return 1, err
	}
	switch command := strings.Join(arguments, " "); command {
	case "health":
		err := settings.Health()
		nginx.LogHealth(err)
		if err != nil {
			return 1, err
		}
		return 0, nil
	case "", "-t":
		if err := settings.Prepare(); err != nil {
			return 1, err
		}
		if command == "-t" {
			return settings.Check()
		}
		return settings.Serve(signals)
	default:
		return 1, fmt.Errorf("arguments %q; allowed: none, -t, health", command)
	}
}
