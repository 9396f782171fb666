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
		VPCID: pulumi.String("vpc-1"), SubnetIDs: pulumi.StringArray{pulumi.String("subnet-1")}, TargetPort: 8080,
		HealthCheck: ingress.HealthCheck{Path: "/", Interval: 6 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 10},
		IdleTimeout: 30 * time.Second, ClientCIDRs: []string{"0.0.0.0/0"},
	}
	for want, change := range map[string]func(*ingress.Args, *string){
		"ingress web: VPC and subnets must be given":                               func(a *ingress.Args, _ *string) { a.VPCID = nil },
		"ingress web: target port 0; allowed: 1 to 65535":                          func(a *ingress.Args, _ *string) { a.TargetPort = 0 },
		"ingress web: health check timeout 6s; allowed: less than the interval of": func(a *ingress.Args, _ *string) { a.HealthCheck.Timeout = 6 * time.Second },
		"ingress web: idle timeout 1h6m41s; allowed: 1 s to 4000 s":                func(a *ingress.Args, _ *string) { a.IdleTimeout = 4001 * time.Second },
		"ingress web: no clients; allowed: ranges or a prefix list":                func(a *ingress.Args, _ *string) { a.ClientCIDRs = nil },
		"ingress web: TLS without a policy":                                        func(a *ingress.Args, _ *string) { a.TLS = &ingress.TLS{CertificateARN: "arn"} },
		`ingress web: TLS for domain "a.b" in zone ""; allowed: both, or a certificate`: func(a *ingress.Args, _ *string) {
			a.TLS = &ingress.TLS{Policy: "p", Domain: "a.b"}
		},
		"ingress web: zone Z1 without a domain": func(a *ingress.Args, _ *string) {
			a.TLS = &ingress.TLS{Policy: "p", CertificateARN: "arn", HostedZoneID: "Z1"}
		},
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
