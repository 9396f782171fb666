package image_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/infratest"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/stack"
)

func TestAContextThatIsGoneDeclaresNothing(t *testing.T) {
	args := image.Args{
		Info: stack.Info{Name: "web"}, Settings: image.Settings{Context: "gone", Dockerfile: "Dockerfile"},
		Container: "app", Architecture: "ARM64",
	}
	graph, err := infratest.Run(func(ctx *pulumi.Context) error {
		_, err := image.New(ctx, args)
		return err
	}, infratest.Options{Project: infratest.Project, Stack: "test"})
	const want = `image web-app: base image: open gone/Dockerfile: no such file or directory`
	if err == nil || !strings.Contains(err.Error(), want) || len(graph.Resources) != 0 {
		t.Errorf("%d resources are declared, error: %v\nwant none and: %s", len(graph.Resources), err, want)
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
			made, err := image.New(ctx, image.Args{
				Info: stack.Info{Name: "web", Partition: pulumi.String("aws")}, Settings: image.Settings{Prebuilt: reference}, Container: "app",
			})
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

func TestAContextIsCheckedWholeEvenWithoutADockerfile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("app", 0o755), os.Symlink("missing", "app/link")); err != nil {
		t.Fatal(err)
	}
	_, err := infratest.Run(func(ctx *pulumi.Context) error {
		r := settings.New(ctx)
		image.Read(r.Group("app"), r.Group("http"), false)
		return r.Err()
	}, infratest.Options{Project: infratest.Project, Stack: "test", Settings: map[string]string{infratest.Project + ":app": `{"context":"app"}`}})
	for _, want := range []string{`app.context: "app" contains no Dockerfile`, `app.context: "app" contains the symbolic link link, which points to missing`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v; want one to be %s", err, want)
		}
	}
}
