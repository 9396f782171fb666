package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
)

// warnOfReplacements warns in a preview, in one line, of new resources that take the place of existing ones, if clients
// notice that or if the old resources hold data that is lost with them.
func (s *Stack) warnOfReplacements(ctx *pulumi.Context) error {
	replaced := s.replaced(ctx)
	if len(replaced) == 0 {
		return nil
	}

	return ctx.Log.Warn(fmt.Sprintf("this update would create a new %s; docs/deployments.md says under "+
		"\"What a change replaces\" what clients notice of it and how to avoid it", strings.Join(replaced, ", a new ")), nil)
}

// replaced lists what a preview would replace or add in an existing stack. A preview knows the outputs of resources that
// stay or change in place, so a resource whose outputs it does not know will be a new one. The cluster shows that the
// stack exists, because no setting replaces it except the service's name. Its ARN is the sign: a preview knows the name of
// a cluster that does not exist yet.
func (s *Stack) replaced(ctx *pulumi.Context) []string {
	if !ctx.DryRun() || !isKnown(ctx, s.service.ClusterARN) {
		return nil
	}

	type noticed struct {
		name   string
		output pulumi.Output
	}
	all := []noticed{{"VPC", s.network.VPCID}}
	for _, resource := range s.ingress.Noticed {
		all = append(all, noticed{resource.Name, resource.Output})
	}
	all = append(all, noticed{"repository of the app", s.app.RepositoryARNs}, noticed{"repository of NGINX", s.nginx.RepositoryARNs})

	var names []string
	for _, resource := range all {
		if !isKnown(ctx, resource.output) {
			names = append(names, resource.name)
		}
	}

	return names
}

func isKnown(ctx *pulumi.Context, output pulumi.Output) bool {
	result, err := internals.UnsafeAwaitOutput(ctx.Context(), output)

	return err == nil && result.Known
}
