// Command bases brings the base images of the project's Dockerfiles up to date, and says what it changed:
//
//	go run ./cmd/bases
//
// It stays within the line that a Dockerfile names, such as nginx 1.30 or Node 26, because another line may need changes
// to what is built on it. Where a registry does not answer, nothing is changed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// timeLimit is far above what a few requests take, and ends a run whose registry hangs.
const timeLimit = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()

	// From local/, where go run finds this module.
	news, err := update(ctx, "..")
	if err != nil {
		fmt.Fprintf(os.Stderr, "base images: %v; nothing is changed\n", err)
		os.Exit(1) //nolint:gocritic // The process ends, and with it what the deferred calls would stop.
	}
	for _, line := range news {
		fmt.Println(line)
	}
}
