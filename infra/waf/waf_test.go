package waf_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/waf"
)

var good = waf.Args{
	Settings:        waf.Settings{Mode: waf.Managed, RateLimit: 10},
	LoadBalancerARN: pulumi.String("arn:aws:elasticloadbalancing:…"), LogRetentionDays: 1,
}

func TestWithoutALoadBalancerNothingIsDeclared(t *testing.T) {
	args := good
	args.LoadBalancerARN = nil
	graph, err := infratest.Run(func(ctx *pulumi.Context) error {
		_, err := waf.New(ctx, "web", args)
		return err
	}, infratest.Options{Project: infratest.Project, Stack: "test"})
	if want := "firewall web: load balancer must be given"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: %s", err, want)
	}
	if len(graph.Resources) != 0 {
		t.Errorf("%d resources are declared", len(graph.Resources))
	}
}
