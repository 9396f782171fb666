package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
)

// warnOfReplacements says in a preview, in one line, what would be made anew that clients notice or that holds what
// cannot be had back.
func (s *Stack) warnOfReplacements(ctx *pulumi.Context) error {
	anew := s.anew(ctx)
	if len(anew) == 0 {
		return nil
	}

	return ctx.Log.Warn(fmt.Sprintf("this would make a new %s; what clients notice of it, and how to avoid it, "+
		"is in docs/deployments.md under \"What a change replaces\"", strings.Join(anew, ", a new ")), nil)
}

// anew lists what a preview would replace or add in a stack that exists. A preview knows the outputs of what stays and
// of what is changed in place; what it does not know is made anew. That the stack exists shows in the cluster, which no
// setting but the service's name replaces.
func (s *Stack) anew(ctx *pulumi.Context) []string {
	if !ctx.DryRun() || !isKnown(ctx, s.service.ClusterName) {
		return nil
	}

	var names []string
	for _, resource := range []struct {
		name   string
		output pulumi.Output
	}{
		{"VPC", s.network.VPCID},
		{"load balancer", s.ingress.LoadBalancerARN},
		{"target group", s.ingress.TargetGroupARN},
		{"repository of the app", s.app.RepositoryARNs},
		{"repository of NGINX", s.nginx.RepositoryARNs},
	} {
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
