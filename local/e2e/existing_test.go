package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/run"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// noEngine points Docker clients at a socket that nobody serves.
const noEngine = "DOCKER_HOST=unix:///nonexistent/docker.sock"

// existingNetwork deploys into a VPC of its owner's, beside the owner's database, with images that were built before, and
// proves that none of them belongs to the stack.
func existingNetwork(t *testing.T, c *checkout) {
	appImage := pushImage(t, c, "prebuilt/app", "images/app")
	nginxImage := pushImage(t, c, "prebuilt/nginx", "images/nginx")

	c.local(t, "up", "--stack", patternStack,
		"--set", "network.kind=existing", "--set", "network.vpc=vpc-0a1b2c3d4e5f60718",
		"--set", "network.publicSubnets=[subnet-0a1b2c3d4e5f60711, subnet-0a1b2c3d4e5f60712]",
		"--set", "network.privateSubnets=[subnet-0a1b2c3d4e5f60713, subnet-0a1b2c3d4e5f60714]",
		"--set", "network.groups=[{port: 5432, id: sg-0a1b2c3d4e5f60715, addIngressRule: true}]",
		"--set", "app.image="+appImage, "--set", "http.image="+nginxImage)
	public, private := subnetsOf(t, c, "network.publicSubnets"), subnetsOf(t, c, "network.privateSubnets")

	t.Run("no network, repository or image is part of the stack", func(t *testing.T) {
		for _, kind := range c.resourceTypes(t) {
			for _, foreign := range []string{"aws:ec2/vpc:", "aws:ec2/subnet:", "aws:ec2/defaultSecurityGroup:", "awsx:", "aws:ecr/", "docker:"} {
				if strings.HasPrefix(kind, foreign) {
					t.Errorf("the stack has a %s", kind)
				}
			}
		}
	})
	t.Run("tasks run in the private subnets, with the images given", func(t *testing.T) {
		s := readService(t, c)
		subnets := slices.Sorted(slices.Values(s.service.NetworkConfiguration.AwsvpcConfiguration.Subnets))
		if want := slices.Sorted(slices.Values(private)); !slices.Equal(subnets, want) {
			t.Errorf("tasks are in %v, want %v", subnets, want)
		}
		if got := *s.container(t, "app").Image; got != appImage {
			t.Errorf("app image %s, want %s", got, appImage)
		}
		if got := *s.container(t, "nginx").Image; got != nginxImage {
			t.Errorf("nginx image %s, want %s", got, nginxImage)
		}
	})
	t.Run("preview and destroy work without a Docker engine", func(t *testing.T) {
		if changes := changed(c.preview(t, nil, noEngine)); len(changes) > 0 {
			t.Errorf("the preview announces %v", changes)
		}
		if output, err := c.shell(t, "pulumi destroy --yes --skip-preview --non-interactive", noEngine); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	})
	t.Run("the network outlives the stack", func(t *testing.T) {
		found := must[*ec2.DescribeSubnetsOutput](t)(c.cloud(t).ec2.DescribeSubnets(context.Background(), &ec2.DescribeSubnetsInput{SubnetIds: append(public, private...)}))
		if len(found.Subnets) != 4 {
			t.Errorf("%d of 4 subnets are left", len(found.Subnets))
		}
	})
}

// subnetsOf are those that the run uses in place of the owner's.
func subnetsOf(t *testing.T, c *checkout, setting string) (ids []string) {
	t.Helper()
	for _, id := range c.deployed(t, setting).([]any) {
		ids = append(ids, id.(string))
	}
	return ids
}

// pushImage builds one of the project's images and pushes it to a repository that no stack owns. It returns the
// reference by digest.
func pushImage(t *testing.T, c *checkout, repository, folder string) string {
	t.Helper()
	ctx := context.Background()
	client := c.cloud(t).ecr
	made := must[*ecr.CreateRepositoryOutput](t)(client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository, ImageTagMutability: ecrtypes.ImageTagMutabilityImmutable}))
	reference := *made.Repository.RepositoryUri + ":1"
	docker(t, nil, "build", "--network", "host", "--tag", reference, filepath.Join(c.root, folder))

	token := must[*ecr.GetAuthorizationTokenOutput](t)(client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}))
	config := t.TempDir()
	authentication := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, c.current(t).Registry, *token.AuthorizationData[0].AuthorizationToken)
	if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(authentication), 0o600); err != nil {
		t.Fatal(err)
	}
	docker(t, []string{"DOCKER_CONFIG=" + config}, "push", reference)
	digests := docker(t, nil, "image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", reference)
	for _, digest := range strings.Fields(digests) {
		if strings.HasPrefix(digest, *made.Repository.RepositoryUri+"@") {
			return digest
		}
	}
	t.Fatalf("%s has no digest: %s", reference, digests)
	return ""
}

func docker(t *testing.T, environment []string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command("docker", arguments...)
	cmd.Env = append(os.Environ(), environment...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

// resourceTypes lists the types of all resources in the stack's state.
func (c *checkout) resourceTypes(t *testing.T) []string {
	t.Helper()
	output, err := c.shell(t, "pulumi stack export")
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Deployment struct {
			Resources []struct{ Type string }
		}
	}
	if err := json.Unmarshal([]byte(output), &state); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, resource := range state.Deployment.Resources {
		types = append(types, resource.Type)
	}
	if !slices.Contains(types, "aws:ecs/service:Service") {
		t.Fatalf("the state has no service, so it proves nothing: %v", types)
	}
	return types
}

// assertRefused runs a deploy that must be refused before anything is started.
func (c *checkout) assertRefused(t *testing.T, want string, arguments ...string) (output string) {
	t.Helper()
	output, err := c.try(t, "up", arguments...)
	if err == nil {
		t.Fatal("the deploy is reported as a success")
	}
	if !strings.Contains(output, want) {
		t.Errorf("the output lacks %q", want)
	}
	if _, err := os.Stat(run.Dir(c.root)); !os.IsNotExist(err) {
		t.Errorf("something was left in %s: %v", run.Dir(c.root), err)
	}
	return output
}
