package ingress_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/ingress"
)

func TestWrongArgumentsDeclareNothing(t *testing.T) {
	good := ingress.Args{
		Settings: ingress.Settings{
			Kind:        ingress.Own,
			HealthCheck: ingress.HealthCheck{Path: "/", Interval: 6 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 10},
			IdleTimeout: 30 * time.Second, ClientCIDRs: []string{"0.0.0.0/0"},
		},
		VPCID: pulumi.String("vpc-1"), SubnetIDs: pulumi.StringArray{pulumi.String("subnet-1")}, TargetPort: 8080,
	}
	for want, change := range map[string]func(*ingress.Args, *string){
		"ingress web: VPC and subnets must be given":                        func(a *ingress.Args, _ *string) { a.VPCID = nil },
		"ingress web: target port must be given":                            func(a *ingress.Args, _ *string) { a.TargetPort = 0 },
		"ingress web: access logs without a bucket":                         func(a *ingress.Args, _ *string) { a.AccessLogs = true },
		"ingress a-name-of-21-lettersx: name of 21 characters; allowed: 20": func(_ *ingress.Args, name *string) { *name = "a-name-of-21-lettersx" },
		"": func(*ingress.Args, *string) {},
	} {
		args, name := good, "web"
		change(&args, &name)
		graph, err := infratest.Run(func(ctx *pulumi.Context) error {
			_, err := ingress.New(ctx, name, args)
			return err
		}, infratest.Options{Project: infratest.Project, Stack: "test"})
		if want == "" {
			if err != nil || len(graph.Resources) == 0 {
				t.Errorf("good arguments: %v, %d resources", err, len(graph.Resources))
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
		if len(graph.Resources) != 0 {
			t.Errorf("%s: %d resources are declared", want, len(graph.Resources))
		}
	}
}
