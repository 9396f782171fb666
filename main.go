// Command main is the Pulumi program.
package main

import "fargate-nginx-sidecar/infra"

func main() {
	infra.Main()
}
