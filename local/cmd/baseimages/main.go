// Command baseimages makes sure that the base images of images/app and
// images/nginx are on the local Docker engine, and prints one line for each.
//
//	go run ./cmd/baseimages [-skip-registry] [Dockerfile…]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"fargate-nginx-sidecar/local/offline/baseimage"
)

func main() {
	skip := flag.Bool("skip-registry", false, "build stand-ins without asking the registry")
	flag.Parse()
	files := flag.Args()
	if len(files) == 0 {
		// From local/, where go run finds this module.
		files = []string{"../images/app/Dockerfile", "../images/nginx/Dockerfile"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := baseimage.Ensure(ctx, baseimage.Options{Dockerfiles: files, Progress: os.Stderr, SkipRegistry: *skip})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
	for _, r := range results {
		fmt.Println(r)
	}
}
