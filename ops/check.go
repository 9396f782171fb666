package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"fargate-nginx-sidecar/ops/verify"
)

// Bounds of a check, for a request and for targets to become healthy.
const (
	requestWait = 15 * time.Second
	healthyWait = 30 * time.Second
)

// check sends a deployment the requests of the pattern and prints what came of each.
func check(ctx context.Context, o options) error {
	given := verify.Options{
		URL: strings.TrimSuffix(o.url, "/"), Prefixes: strings.Split(o.paths, ","), Patience: healthyWait, Containers: 1,
		Client: &http.Client{Timeout: requestWait, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment,
		}},
	}
	if o.stack != "" {
		if err := ofDeployment(ctx, o.stack, &given); err != nil {
			return err
		}
	}
	checks, err := verify.Stack(ctx, given)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "REQUEST\tGOT\t%s\n", given.URL)
	for _, c := range checks {
		verdict := "as promised"
		if c.Err != nil {
			verdict = c.Err.Error()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Request, c.Got, verdict)
	}
	_ = table.Flush()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}

	return nil
}

// ofDeployment fills in what a stack says of itself: its address, the paths that NGINX forwards, and the app's log, which proves that
// a refused request did not reach the app.
func ofDeployment(ctx context.Context, name string, given *verify.Options) error {
	s, outputs, err := open(ctx, name)
	if err != nil {
		return err
	}
	if given.URL == "" {
		given.URL = outputs.URL
	}
	variables, err := s.SidecarVariables(ctx)
	if err != nil {
		return err
	}
	tasks, err := s.Tasks(ctx)
	if err != nil {
		return err
	}
	given.Prefixes, given.Files = list(variables["NGINX_PATH_PREFIXES"]), list(variables["NGINX_STATIC_FILES"])
	given.Logs = s.AppLines
	given.Containers = len(tasks)

	return nil
}

// list is a variable's list; an empty one has no members.
func list(value string) []string {
	if value == "" {
		return nil
	}

	return strings.Split(value, ",")
}
