package image_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/infratest"
)

func TestWrongArgumentsDeclareNothing(t *testing.T) {
	built := image.Settings{Context: "app", Dockerfile: "Dockerfile", Keep: 2}
	for name, test := range map[string]struct {
		args image.Args
		want string
	}{
		"partition":    {image.Args{Settings: built}, `image web: partition must be given`},
		"architecture": {image.Args{Settings: built, Partition: pulumi.String("aws"), Architecture: "arm"}, `image web: architecture "arm"; allowed: X86_64, ARM64`},
		"no files":     {image.Args{Settings: built, Partition: pulumi.String("aws"), Architecture: "ARM64"}, `image web: base image: open app/Dockerfile: no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			graph, err := infratest.Run(func(ctx *pulumi.Context) error {
				_, err := image.New(ctx, "web", test.args)
				return err
			}, infratest.Options{Project: infratest.Project, Stack: "test"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v\nwant: %s", err, test.want)
			}
			if len(graph.Resources) != 0 {
				t.Errorf("%d resources are declared", len(graph.Resources))
			}
		})
	}
}

// The role that pulls an image needs the ARN of its repository. The image's address contains all parts of that ARN.
func TestPrebuiltImagesNameTheirRepository(t *testing.T) {
	for reference, want := range map[string]string{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1":        "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app@sha256:ab": "arn:aws:ecr:cn-north-1:123456789012:repository/app",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/app:1":    "arn:aws:ecr:us-gov-west-1:123456789012:repository/app",
		"public.ecr.aws/team/app:1":                                      "",
		"127.0.0.1:5000/123456789012.dkr.ecr.x.amazonaws.com/app:1":      "",
		"docker.io/app:1": "",
	} {
		var got string
		_, err := infratest.Run(func(ctx *pulumi.Context) error {
			made, err := image.New(ctx, "web", image.Args{Settings: image.Settings{Prebuilt: reference}, Partition: pulumi.String("aws")})
			if err != nil {
				return err
			}
			ctx.Export("joined", made.RepositoryARNs.ApplyT(func(arns []string) string {
				got = strings.Join(arns, " ")
				return got
			}))
			return nil
		}, infratest.Options{Project: infratest.Project, Stack: "test"})
		if err != nil || got != want {
			t.Errorf("%s: repositories %q, error %v; want %q", reference, got, err, want)
		}
	}
}
