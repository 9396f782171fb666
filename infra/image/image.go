// Package image declares where the image of one container comes from: an ECR repository, and a build that is pushed to
// it; or nothing, when the image is prebuilt. It is for task definitions, which need a reference that names exactly one
// image, and for the role that pulls it.
package image

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:image:Image" //nolint:gosec // A type, not a credential.

// Architectures of a task, as ECS spells them, and the platforms of their images.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
var platforms = map[string]string{
	"X86_64": "linux/amd64",
	"ARM64":  "linux/arm64",
}

// Args describes one image. Of a prebuilt one, Partition alone is read besides.
type Args struct {
	Settings
	// Partition is the AWS partition, such as aws or aws-cn. It completes the name of a prebuilt image's repository.
	Partition pulumi.StringInput
	// Architecture is that of the tasks that run the image: X86_64 or ARM64.
	Architecture string
	// KMSKeyARN is the key that encrypts the repository; empty is AWS's own. Another key means another repository.
	KMSKeyARN string
	// Protect makes the engine refuse to delete the repository.
	Protect bool
}

// Platform is the container engine's name for the architecture.
func (a Args) Platform() string {
	return platforms[a.Architecture]
}

// validate reports what is missing of what the rest of the program provides.
func (a Args) validate() error {
	switch {
	case a.Partition == nil:
		return errors.New("partition must be given")
	case a.Prebuilt == "" && a.Platform() == "":
		return fmt.Errorf("architecture %q; allowed: X86_64, ARM64", a.Architecture)
	}

	return nil
}

// Image is an image that a task can run.
type Image struct {
	pulumi.ResourceState

	// Reference names the image. For a built one it has the form repository@sha256:<64 hexadecimal digits>.
	Reference pulumi.StringOutput
	// RepositoryARNs are the ECR repositories that must be readable to pull the image: one, or none for an image of
	// another registry.
	RepositoryARNs pulumi.StringArrayOutput

	repository *ecr.Repository // nil for a prebuilt image
	content    string          // that a tag of the image begins with
	keep       int
}

// New declares an image.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Image, error) {
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	var content staged
	if args.Prebuilt == "" {
		var err error
		if args.BuildArgs, err = pinned(args); err != nil {
			return nil, fmt.Errorf("image %s: base image: %w", name, err)
		}
		if content, err = stage(args); err != nil {
			return nil, fmt.Errorf("image %s: context: %w", name, err)
		}
	}

	i := &Image{content: content.digest, keep: args.Keep}
	if err := ctx.RegisterComponentResource(Token, name, i, opts...); err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}

	var err error
	if args.Prebuilt != "" {
		i.usePrebuilt(args)
	} else {
		err = i.build(ctx, name, content, args)
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}

	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{
		"reference":      i.Reference,
		"repositoryArns": i.RepositoryARNs,
	})
}

// A private ECR repository's address: account, region, and the name up to tag or digest.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var ecrPattern = regexp.MustCompile(
	`^([0-9]{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+)`)

func (i *Image) usePrebuilt(args Args) {
	i.Reference = pulumi.String(args.Prebuilt).ToStringOutput()

	i.RepositoryARNs = pulumi.StringArray{}.ToStringArrayOutput()
	if part := ecrPattern.FindStringSubmatch(args.Prebuilt); part != nil {
		i.RepositoryARNs = pulumi.StringArray{
			pulumi.Sprintf("arn:%s:ecr:%s:%s:repository/%s", args.Partition, part[2], part[1], part[3]),
		}.ToStringArrayOutput()
	}
}

func (i *Image) build(ctx *pulumi.Context, name string, content staged, args Args) error {
	repository, err := declareRepository(ctx, name, args, pulumi.Parent(i))
	if err != nil {
		return err
	}
	i.repository = repository
	remembered, tag, err := i.tag(ctx, name, content.digest)
	if err != nil {
		return err
	}

	// The token lasts twelve hours. It goes into this resource, not into a provider, whose change would touch every
	// image. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
	token := ecr.GetAuthorizationTokenOutput(ctx,
		ecr.GetAuthorizationTokenOutputArgs{RegistryId: repository.RegistryId}, pulumi.Parent(i))

	built, err := docker.NewImage(ctx, name, &docker.ImageArgs{
		ImageName: pulumi.Sprintf("%s:%s", repository.RepositoryUrl, tag),
		Build:     buildInputs(args, content.folder),
		Registry: docker.RegistryArgs{
			Server:   repository.RepositoryUrl,
			Username: token.UserName(),
			Password: pulumi.ToSecret(token.Password()).(pulumi.StringOutput),
		},
	}, pulumi.Parent(i))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}

	i.Reference = checked(name, repository.RepositoryUrl, built.RepoDigest, remembered.URN())
	i.RepositoryARNs = pulumi.StringArray{repository.Arn}.ToStringArrayOutput()

	return nil
}

// buildInputs takes everything from the arguments but the context, which is the staged one.
func buildInputs(args Args, folder string) docker.DockerBuildArgs {
	inputs := docker.DockerBuildArgs{
		Context:        pulumi.String(folder),
		Dockerfile:     pulumi.String(folder + "/" + args.Dockerfile),
		Platform:       pulumi.String(args.Platform()),
		Args:           buildArgs(args.BuildArgs),
		BuilderVersion: docker.BuilderVersionBuilderBuildKit,
	}
	if args.Target != "" {
		inputs.Target = pulumi.String(args.Target)
	}

	return inputs
}

// buildArgs leaves the input out when there are none: an empty map comes back from the provider as nothing.
func buildArgs(values map[string]string) pulumi.StringMapInput {
	if len(values) == 0 {
		return nil
	}

	return pulumi.ToStringMap(values)
}

// tag returns the tag for a content: the content's digest, and a suffix that stays until the content changes. A tag
// from the digest alone could be pushed once and never again: ECR refuses a second push even of the same image, so
// going back to an earlier commit would fail. https://github.com/aws/containers-roadmap/issues/2179
//
// The suffix must be remembered between updates. A parameter does that: it is replaced with the content, and gets a
// name with a new random suffix each time. Who replaces it by hand gets a new tag for the same content, which is the way
// out when a tag was pushed and the update was interrupted before the stack's state knew of it.
func (i *Image) tag(ctx *pulumi.Context, name, content string) (*ssm.Parameter, pulumi.StringOutput, error) {
	parameter, err := ssm.NewParameter(ctx, name, &ssm.ParameterArgs{
		Description:   pulumi.String("Content that the newest image was built from"),
		Type:          pulumi.String("String"),
		InsecureValue: pulumi.String(content),
	}, pulumi.Parent(i), pulumi.ReplaceOnChanges([]string{"insecureValue"}))
	if err != nil {
		return nil, pulumi.StringOutput{}, fmt.Errorf("tag: %w", err)
	}

	return parameter, parameter.Name.ApplyT(func(unique string) string {
		return content + strings.TrimPrefix(unique, name)
	}).(pulumi.StringOutput), nil
}

func declareRepository(
	ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption,
) (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
		// Every content gets a tag of its own, so there is never a reason to move one.
		ImageTagMutability: pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{
			ScanOnPush: pulumi.Bool(true),
		},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{encryption(args.KMSKeyARN)},
		ForceDelete:              pulumi.Bool(args.ForceDelete),
	}, append(slices.Clone(opts), pulumi.Protect(args.Protect))...)
	if err != nil {
		return nil, fmt.Errorf("repository: %w", err)
	}

	return repository, nil
}

// encryption cannot be changed in a repository that exists.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func encryption(key string) ecr.RepositoryEncryptionConfigurationArgs {
	if key == "" {
		return ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	}

	return ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: pulumi.String(key)}
}

var digestPattern = regexp.MustCompile(`^(.+)@sha256:[0-9a-f]{64}$`)

// checkDigest returns the reference when it names one image of the given repository. The Docker provider can hand back
// an empty one, or that of another image with the same layers.
// https://github.com/pulumi/pulumi-docker/issues/1015
func checkDigest(repository, reference string) (string, error) {
	part := digestPattern.FindStringSubmatch(reference)
	if part == nil {
		return "", fmt.Errorf("digest %q from the Docker provider; allowed: %s@sha256: and 64 hexadecimal digits",
			reference, repository)
	}
	if part[1] != repository {
		return "", fmt.Errorf("digest %q from the Docker provider is of another repository; allowed: %s@sha256:…",
			reference, repository)
	}

	return reference, nil
}

// checked applies checkDigest once its outputs are known. Its error names the way out: the tag is taken, and another one
// comes with another parameter.
func checked(name string, repository, reference pulumi.StringOutput, parameter pulumi.URNOutput) pulumi.StringOutput {
	return pulumi.StringArray{repository, reference, pulumi.Sprintf("%s", parameter)}.ToStringArrayOutput().ApplyT(
		func(values []string) (string, error) {
			digest, err := checkDigest(values[0], values[1])
			if err != nil {
				return "", fmt.Errorf("image %s: %w; to build and push it under a new tag: pulumi up --replace '%s'",
					name, err, values[2])
			}
			return digest, nil
		}).(pulumi.StringOutput)
}
