// Package image declares where the image of one container comes from: an ECR repository and a build that is pushed to it.
// For a prebuilt image it declares no AWS resources. The task definition uses the package's result, a reference to exactly
// one image, and so does the role that pulls the image.
package image

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/stack"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:image:Image" //nolint:gosec // A type, not a credential.

// platforms maps the architecture of a task, as ECS spells it, to the platform of its images.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
var platforms = map[string]string{
	"X86_64": "linux/amd64",
	"ARM64":  "linux/arm64",
}

// Args describes one image. If Settings.Prebuilt is given, nothing is built.
type Args struct {
	stack.Info
	Settings
	// Container is the name of the container that runs the image. It ends the names of the image's resources.
	Container string
	// Architecture is the architecture of the tasks that run the image: X86_64 or ARM64.
	Architecture string
}

// Platform returns the container engine's name for the architecture.
func (a Args) Platform() string {
	return platforms[a.Architecture]
}

func (a Args) name() string { return a.Name + "-" + a.Container }

// Image is an image that a task can run.
type Image struct {
	pulumi.ResourceState

	// Reference names the image. For an image that is built, it has the form repository@sha256:<64 hexadecimal digits>.
	Reference pulumi.StringOutput
	// RepositoryARNs are the ECR repositories that a task must be allowed to read in order to pull the image: one, or
	// none if the image is not in a private ECR repository.
	RepositoryARNs pulumi.StringArrayOutput

	builder *builder
}

// builder holds what the resources of an image are made of.
type builder struct {
	Args
	ctx        *pulumi.Context
	child      pulumi.ResourceOrInvokeOption
	content    staged
	repository *ecr.Repository // nil for a prebuilt image
}

// New declares an image.
func New(ctx *pulumi.Context, args Args, opts ...pulumi.ResourceOption) (*Image, error) {
	i := &Image{builder: &builder{Args: args, ctx: ctx}}
	i.builder.child = pulumi.Parent(i)
	if err := i.declare(opts); err != nil {
		return nil, fmt.Errorf("image %s: %w", args.name(), err)
	}

	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{
		"reference":      i.Reference,
		"repositoryArns": i.RepositoryARNs,
	})
}

func (i *Image) declare(opts []pulumi.ResourceOption) (err error) {
	b := i.builder
	if b.Prebuilt == "" {
		if b.BuildArgs, err = pinned(b.Args); err != nil {
			return fmt.Errorf("base image: %w", err)
		}
		if b.content, err = stage(b.Args); err != nil {
			return fmt.Errorf("context: %w", err)
		}
	}
	if err := b.ctx.RegisterComponentResource(Token, b.name(), i, opts...); err != nil {
		return err
	}
	if b.Prebuilt == "" {
		return b.build(i)
	}
	i.Reference = pulumi.String(b.Prebuilt).ToStringOutput()
	i.RepositoryARNs = Repositories(b.Partition, b.Prebuilt)

	return b.keepRepository()
}

// ecrPattern matches the address of a private ECR repository: account, region, and name without tag and digest. The host has
// one form for IPv4, with a domain for each partition, and one for IPv4 and IPv6.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
var ecrPattern = regexp.MustCompile(
	`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.(?:com|com\.cn|eu)|on\.aws)/([a-z0-9._/-]+)`)

// keepRepository declares nothing for a prebuilt image, unless the image is one that this stack has built earlier: then the
// repository stays, and with it the image that runs. It has no lifecycle policy in the meantime, so that nothing in it expires.
func (b *builder) keepRepository() error {
	if !isOwn(b.name(), b.Prebuilt) {
		return nil
	}
	_, err := b.declareRepository()

	return err
}

// isOwn reports whether an image is in a repository with the name that the engine gives this stack's: the logical name and
// seven random digits. A stack of the same service in another account or with another suffix has such a name, too; it then
// gets an empty repository, which costs nothing.
// https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
func isOwn(name, reference string) bool {
	return regexp.MustCompile(`^[^/]+/` + regexp.QuoteMeta(name) + `-[0-9a-f]{7}[:@]`).MatchString(reference)
}

// Repositories are the private ECR repositories among those of the given images.
func Repositories(partition pulumi.StringInput, references ...string) pulumi.StringArrayOutput {
	arns := pulumi.StringArray{}
	for _, reference := range references {
		if part := ecrPattern.FindStringSubmatch(reference); part != nil {
			arns = append(arns, pulumi.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition, part[2], part[1], part[3]))
		}
	}

	return arns.ToStringArrayOutput()
}

func (b *builder) build(i *Image) error {
	repository, err := b.declareRepository()
	if err != nil {
		return err
	}
	b.repository = repository

	// The token is valid for twelve hours, so it differs between updates. It is an input of this resource, not of a
	// provider, because a changed provider would affect every image.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
	token := ecr.GetAuthorizationTokenOutput(b.ctx,
		ecr.GetAuthorizationTokenOutputArgs{RegistryId: repository.RegistryId}, b.child)

	built, err := docker.NewImage(b.ctx, b.name(), &docker.ImageArgs{
		ImageName: pulumi.Sprintf("%s:%s-%s", repository.RepositoryUrl, b.content.digest, tagEnd()),
		Build:     b.inputs(),
		Registry: docker.RegistryArgs{
			Server:   repository.RepositoryUrl,
			Username: token.UserName(),
			Password: pulumi.ToSecret(token.Password()).(pulumi.StringOutput),
		},
	}, b.child,
		// The provider pushes when it creates or updates an image, and ECR refuses a tag that it has, even for the same image. So
		// whatever needs a push replaces the resource, which takes a tag of this update, and all other updates keep the
		// tag. An update that was interrupted between the push and the record of it leaves a tag that is never needed again:
		// the next one creates the resource, with a tag of its own. The engine ignores no change of what it creates or
		// replaces, and deleting an image does nothing to the registry.
		// https://github.com/aws/containers-roadmap/issues/2179
		// https://github.com/pulumi/pulumi/blob/v3.230.0/pkg/resource/deploy/step_generator.go#L1844
		// https://github.com/pulumi/pulumi-docker/blob/v4.11.2/provider/provider.go
		pulumi.IgnoreChanges([]string{"imageName"}), pulumi.ReplaceOnChanges([]string{"build", "registry"}))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}

	i.Reference = checked(b.name(), repository.RepositoryUrl, built.RepoDigest, built.URN())
	i.RepositoryARNs = pulumi.StringArray{repository.Arn}.ToStringArrayOutput()

	return nil
}

// buildInputs takes everything from the arguments except the context: the build uses the staged copy in folder.
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

// inputs keeps the inputs of a build out of sight where one of them may be an encrypted value of the stack file.
func (b *builder) inputs() docker.DockerBuildPtrInput {
	inputs := buildInputs(b.Args, b.content.folder)
	if b.Secret {
		return pulumi.ToSecret(inputs.ToDockerBuildPtrOutput()).(docker.DockerBuildPtrOutput)
	}

	return inputs
}

// buildArgs leaves the input out if there are no arguments, because the provider returns an empty map as a missing one.
func buildArgs(values map[string]string) pulumi.StringMapInput {
	if len(values) == 0 {
		return nil
	}

	return pulumi.ToStringMap(values)
}

// tagEnd returns the end of a tag that was never pushed. The beginning is the digest of the content, by which the lifecycle
// policy finds the image that runs.
func tagEnd() string {
	end := make([]byte, 4)
	_, _ = rand.Read(end) // it never fails

	return hex.EncodeToString(end)
}

func (b *builder) declareRepository() (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(b.ctx, b.name(), &ecr.RepositoryArgs{
		// Every content gets a tag of its own, so a tag never has to move to another image.
		ImageTagMutability: pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{
			ScanOnPush: pulumi.Bool(true),
		},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{encryption(b.KMSKeyARN)},
		ForceDelete:              pulumi.Bool(b.ForceDelete),
	}, b.child, pulumi.Protect(b.Protect))
	if err != nil {
		return nil, fmt.Errorf("repository: %w", err)
	}

	return repository, nil
}

// encryption returns the encryption of a repository. AWS cannot change it once the repository exists.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func encryption(key string) ecr.RepositoryEncryptionConfigurationArgs {
	if key == "" {
		return ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")}
	}

	return ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("KMS"), KmsKey: pulumi.String(key)}
}

var digestPattern = regexp.MustCompile(`^(.+)@sha256:[0-9a-f]{64}$`)

// checkDigest returns the reference if it names one image of the given repository. The Docker provider can return an empty
// reference, or the reference of another image with the same layers.
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

// checked applies checkDigest once the outputs are known. The image has been recorded by then, so the next update would not
// push it again. The error names the command that does.
func checked(name string, repository, reference pulumi.StringOutput, image pulumi.URNOutput) pulumi.StringOutput {
	return pulumi.StringArray{repository, reference, pulumi.Sprintf("%s", image)}.ToStringArrayOutput().ApplyT(
		func(values []string) (string, error) {
			digest, err := checkDigest(values[0], values[1])
			if err != nil {
				return "", fmt.Errorf("image %s: %w; to build and push it again: pulumi up --replace '%s'",
					name, err, values[2])
			}
			return digest, nil
		}).(pulumi.StringOutput)
}
