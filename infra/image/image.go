// Package image declares where the image of one container comes from: an ECR repository and a build that is pushed to it.
// For a prebuilt image it declares no AWS resources. The task definition uses the package's result, a reference to exactly
// one image, and so does the role that pulls the image.
package image

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Token is the component's type in the stack.
const Token = "fargate-nginx-sidecar:image:Image" //nolint:gosec // A type, not a credential.

// platforms maps the architecture of a task, as ECS spells it, to the platform of its images.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
var platforms = map[string]string{
	"X86_64": "linux/amd64",
	"ARM64":  "linux/arm64",
}

// Args describes one image. If Settings.Prebuilt is given, only that and Partition are read.
type Args struct {
	Settings
	// Partition is the AWS partition, such as aws or aws-cn. It completes the name of a prebuilt image's repository.
	Partition pulumi.StringInput
	// Architecture is the architecture of the tasks that run the image: X86_64 or ARM64.
	Architecture string
	// KMSKeyARN is the key that encrypts the repository. If it is empty, AWS's own key does. A change replaces the
	// repository.
	KMSKeyARN string
	// Protect makes the engine refuse to delete the repository.
	Protect bool
}

// Platform returns the container engine's name for the architecture.
func (a Args) Platform() string {
	return platforms[a.Architecture]
}

// validate reports missing arguments that the rest of the program has to provide.
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

	// Reference names the image. For an image that is built, it has the form repository@sha256:<64 hexadecimal digits>.
	Reference pulumi.StringOutput
	// RepositoryARNs are the ECR repositories that a task must be allowed to read in order to pull the image: one, or
	// none if the image is not in a private ECR repository.
	RepositoryARNs pulumi.StringArrayOutput

	repository *ecr.Repository // nil for a prebuilt image
	content    string          // digest of the content, with which the image's tag begins
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
		err = i.usePrebuilt(ctx, name, args)
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

// ecrPattern matches the address of a private ECR repository: account, region, and name without tag and digest.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var ecrPattern = regexp.MustCompile(
	`^([0-9]{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+)`)

// usePrebuilt declares nothing, unless the image is one that this stack has built earlier: then the repository stays, and with
// it the image that runs. It has no lifecycle policy in the meantime, so that nothing in it expires.
func (i *Image) usePrebuilt(ctx *pulumi.Context, name string, args Args) error {
	i.Reference = pulumi.String(args.Prebuilt).ToStringOutput()
	i.RepositoryARNs = Repositories(args.Partition, args.Prebuilt)
	if !isOwn(name, args.Prebuilt) {
		return nil
	}
	_, err := declareRepository(ctx, name, args, pulumi.Parent(i))

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

func (i *Image) build(ctx *pulumi.Context, name string, content staged, args Args) error {
	repository, err := declareRepository(ctx, name, args, pulumi.Parent(i))
	if err != nil {
		return err
	}
	i.repository = repository

	// The token is valid for twelve hours, so it differs between updates. It is an input of this resource, not of a
	// provider, because a changed provider would affect every image.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
	token := ecr.GetAuthorizationTokenOutput(ctx,
		ecr.GetAuthorizationTokenOutputArgs{RegistryId: repository.RegistryId}, pulumi.Parent(i))

	built, err := docker.NewImage(ctx, name, &docker.ImageArgs{
		ImageName: pulumi.Sprintf("%s:%s-%s", repository.RepositoryUrl, content.digest, tagEnd()),
		Build:     build(args, content.folder),
		Registry: docker.RegistryArgs{
			Server:   repository.RepositoryUrl,
			Username: token.UserName(),
			Password: pulumi.ToSecret(token.Password()).(pulumi.StringOutput),
		},
	}, pulumi.Parent(i),
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

	i.Reference = checked(name, repository.RepositoryUrl, built.RepoDigest, built.URN())
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

// build keeps the inputs of a build out of sight where one of them may be an encrypted value of the stack file.
func build(args Args, folder string) docker.DockerBuildPtrInput {
	inputs := buildInputs(args, folder)
	if args.Secret {
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

func declareRepository(
	ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption,
) (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
		// Every content gets a tag of its own, so a tag never has to move to another image.
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
