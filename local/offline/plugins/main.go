// Plugins is one executable that answers to several names: under each of them it stands in for a Pulumi plugin that
// is published on no package registry a machine without Internet access can reach. It is linked under the plugin's own
// name into one directory, and Pulumi's engine takes an executable of that name on PATH as it is:
//
//	pulumi-language-go      runs a Go program
//	pulumi-resource-aws     Pulumi's bridge around the Terraform AWS provider
//	pulumi-resource-awsx    the component awsx:ec2:Vpc
//	pulumi-resource-docker  the resource docker:index/image:Image
//
// Everything a stand-in does not cover it refuses by name. Where the official plugins can be had, they are used.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/fargate-nginx-sidecar/awsbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/fargate-nginx-sidecar/awsx"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/fargate-nginx-sidecar/docker"
	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/fargate-nginx-sidecar/golang"
)

// A plugin serves one Pulumi plugin until the engine disconnects.
type plugin struct {
	// standIn completes the sentence "stand-in for …" of the first line on stderr.
	standIn string
	serve   func(context.Context) error
}

var plugins = map[string]plugin{
	"pulumi-language-go": {
		"Pulumi's Go language host: builds and runs the program", golang.Serve,
	},
	"pulumi-resource-aws": {
		"the aws plugin " + awsbridge.Version + ": Pulumi's bridge around a Terraform AWS provider found on this machine",
		awsbridge.Serve,
	},
	"pulumi-resource-awsx": {
		"the awsx plugin " + awsx.Version + ": awsx:ec2:Vpc only", awsx.Serve,
	},
	"pulumi-resource-docker": {
		"the docker plugin " + docker.Version + ": docker:index/image:Image only", docker.Serve,
	},
}

func main() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	p, ok := plugins[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "plugin %q is unknown; link this executable under one of: %s\n",
			name, strings.Join(names(), ", "))
		os.Exit(2)
	}
	// Stdout belongs to the protocol: its first line is the port.
	fmt.Fprintf(os.Stderr, "%s: stand-in for %s\n", name, p.standIn)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		orphaned()
	}()
	if err := p.serve(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// orphaned returns once the engine that started this process is gone, however it went. The plugins' own check looks
// every few minutes only, and would leave a provider and its calls behind for so long.
func orphaned() {
	for engine := os.Getppid(); os.Getppid() == engine; {
		time.Sleep(time.Second)
	}
}

func names() []string {
	var all []string
	for name := range plugins {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
