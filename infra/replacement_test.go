package infra_test

import (
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

func TestAPreviewWarnsOfReplacements(t *testing.T) {
	for token, want := range map[string][]string{
		"none":       nil,
		targetGroup:  {"target group"},
		loadBalancer: {"load balancer"},
		vpc:          {"VPC", "load balancer", "target group"},
		repository:   {"repository of the app", "repository of NGINX"},
		ecsService:   nil,
		cluster:      nil,
		"all":        nil, // A stack whose cluster is new is new itself.
	} {
		preview := options(defaults(t, nil))
		preview.Preview, preview.Exists = true, true
		preview.Replaced = func(r infratest.Resource) bool { return r.Type == token || token == "all" }

		var got []string
		_, err := infratest.Run(func(ctx *pulumi.Context) error {
			settings, err := infra.Read(ctx)
			if err != nil {
				return err
			}
			stack, err := infra.Deploy(ctx, settings)
			if err != nil {
				return err
			}
			got = infra.Replaced(stack, ctx)
			return nil
		}, preview)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is replaced: warns of %q, error %v; want %q", token, got, err, want)
		}
	}
}
