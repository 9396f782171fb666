// Command check reads the settings of a stack as an update does, with the build contexts that they name, and reports
// everything that is wrong, at once. It needs no engine, no credentials and no network. It is run in the folder of Pulumi.yaml.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/stackfile"
)

func main() {
	stack := flag.String("stack", "dev", "the stack")
	file := flag.String("file", "", "its file; empty: Pulumi.<stack>.yaml")
	flag.Parse()
	if *file == "" {
		*file = "Pulumi." + *stack + ".yaml"
	}
	if err := check(*stack, *file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check runs the first part of the program, which declares nothing.
func check(stack, file string) error {
	settings, err := stackfile.Read("Pulumi.yaml", stack, file)
	if err != nil {
		return err
	}
	// The program finds unknown settings where the engine passes all of them.
	all, err := json.Marshal(settings.Values)
	if err != nil {
		return err
	}
	if err := os.Setenv(pulumi.EnvConfig, string(all)); err != nil {
		return err
	}

	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := infra.Read(ctx)
		return err
	}, pulumi.WithMocks(settings.Project, stack, nothing{}), func(info *pulumi.RunInfo) { info.Config = settings.Values })
}

// nothing refuses whatever the program would declare or look up.
type nothing struct{}

var errDeclares = errors.New("reading the settings declares and looks up nothing")

// NewResource refuses a resource.
func (nothing) NewResource(pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, errDeclares
}

// Call refuses a lookup.
func (nothing) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, errDeclares }
