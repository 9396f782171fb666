package waf_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/waf"
)

var good = waf.Args{BalancerARN: pulumi.String("arn:aws:elasticloadbalancing:…"), RateLimit: 10, LogRetentionDays: 1}

func TestWrongArgumentsDeclareNothing(t *testing.T) {
	for want, change := range map[string]func(*waf.Args){
		"firewall web: load balancer must be given":                 func(a *waf.Args) { a.BalancerARN = nil },
		"firewall web: rate limit 9; allowed: 10 or more":           func(a *waf.Args) { a.RateLimit = 9 },
		"firewall web: log retention of 0 days; allowed: 1 or more": func(a *waf.Args) { a.LogRetentionDays = 0 },
	} {
		args := good
		change(&args)
		graph, err := infratest.Run(func(ctx *pulumi.Context) error {
			_, err := waf.New(ctx, "web", args)
			return err
		}, infratest.Options{Project: infratest.Project, Stack: "test"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: %s", err, want)
		}
		if len(graph.Resources) != 0 {
			t.Errorf("%s: %d resources are declared", want, len(graph.Resources))
		}
	}
}
