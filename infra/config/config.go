// Package config reads and checks the stack's settings. It declares no resource and knows no default: types, defaults
// and descriptions are in Pulumi.yaml, what is allowed is here. It is for main, which loads, and for infra, which
// hands the values on.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// Config holds every setting of a stack, checked. Units and meanings are those of the descriptions in Pulumi.yaml.
type Config struct {
	// Region and AWSProfile are the AWS provider's own settings aws:region and aws:profile. The program makes its
	// provider explicitly, so it has to hand them on.
	Region, AWSProfile string

	// Profile is ProfileDev or ProfileProd.
	Profile     string
	ServiceName string

	Images       Images
	App          App
	Rights       Rights
	Sidecar      Sidecar
	Task         Task
	Service      Service
	Scaling      Scaling
	LoadBalancer LoadBalancer
	Edge         Edge
	Network      Network
	Operations   Operations
}

// Images says where the two images come from.
type Images struct {
	App, Nginx  Image
	Keep        int
	ForceDelete bool
}

// Image is a prebuilt image, or how one is built. Dockerfile is a path in the context.
type Image struct {
	Prebuilt                    string
	Context, Dockerfile, Target string
	BuildArgs                   map[string]string
}

// Task describes one task: both containers together.
type Task struct {
	CPU, Memory            int
	Architecture           string
	ContainerPort, AppPort int
	StopTimeout            time.Duration
	Health                 ContainerHealth
	LogRetentionDays       int
	LogBufferMegabytes     int
	EgressPorts            []int
}

// ContainerHealth is the health check that ECS runs inside each container.
type ContainerHealth struct {
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// Service describes the ECS service and its deployments.
type Service struct {
	DesiredCount                  int
	MaximumPercent                int
	MinimumHealthyPercent         int
	CircuitBreaker                string
	DeploymentTimeout             time.Duration
	ZoneRebalancing               bool
	ContainerInsights             string
	HealthCheckGracePeriodSeconds int
}

// LoadBalancer describes the load balancer, its health check and its target group.
type LoadBalancer struct {
	HealthCheckPath                         string
	HealthCheckInterval, HealthCheckTimeout time.Duration
	HealthyThreshold, UnhealthyThreshold    int
	DeregistrationDelay, IdleTimeout        time.Duration
	DeletionProtection                      bool
}

// Network describes the VPC that is made, or names the one that exists.
type Network struct {
	Mode                              string
	CIDR                              netip.Prefix
	Egress                            string
	FlowLogs                          bool
	VPCID                             string
	PublicSubnetIDs, PrivateSubnetIDs []string
}

// Load reads all settings. Its error joins every problem there is; each names the key, what was given and what is
// allowed.
func Load(ctx *pulumi.Context) (*Config, error) {
	r := newReader(ctx)

	cfg := &Config{
		Profile:      r.readProfile(),
		Region:       r.region(ctx),
		AWSProfile:   pulumiconfig.Get(ctx, "aws:profile"),
		ServiceName:  r.serviceName(),
		Images:       r.images(),
		App:          r.app(),
		Rights:       r.rights(),
		Sidecar:      r.sidecar(),
		Task:         r.task(),
		Service:      r.service(),
		Scaling:      r.scaling(),
		LoadBalancer: r.loadBalancer(),
		Edge:         r.edge(),
		Network:      r.network(),
		Operations:   r.operations(),
	}

	cfg.Sidecar.deriveTimeouts(cfg.LoadBalancer.IdleTimeout)
	if cfg.Edge.TargetTLS {
		cfg.Images.Nginx.Target = tlsStage
	}
	r.contradictions(cfg)
	r.unknownKeys()

	if err := r.err(); err != nil {
		return nil, fmt.Errorf("configuration of stack %s:\n%w", ctx.Stack(), err)
	}

	if cfg.Profile == ProfileProd && !cfg.Edge.TLS() {
		// What cannot be said is lost alone.
		_ = ctx.Log.Warn("profile is prod, but neither domain nor certificateArn is set: clients are answered unencrypted", nil)
	}

	return cfg, nil
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-[0-9]$`)

func (r *reader) region(ctx *pulumi.Context) string {
	region, err := pulumiconfig.Try(ctx, "aws:region")
	if err != nil || !regionPattern.MatchString(region) {
		r.fail("aws:region", fmt.Sprintf("%q", region), "a region such as eu-central-1")
	}

	return region
}

// A hyphen must stand between two other characters. Load balancer names may not begin with "internal-".
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
var serviceNamePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (r *reader) serviceName() string {
	return r.text("serviceName",
		"1 to 20 characters, a-z, 0-9 and single hyphens, first a letter, not internal or internal-…",
		func(name string) bool {
			return len(name) <= 20 && serviceNamePattern.MatchString(name) && !strings.HasPrefix(name+"-", "internal-")
		})
}

// A reference as the container engine takes it: host and path, then a tag, a digest or both.
// https://pkg.go.dev/github.com/distribution/reference
var imagePattern = regexp.MustCompile(
	`^[a-z0-9]+([.:_/-]+[a-zA-Z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`)

// hasTagOrDigest tells a tag from the port of a registry: a tag stands behind the last slash.
func hasTagOrDigest(reference string) bool {
	return strings.ContainsAny(reference[strings.LastIndex(reference, "/")+1:], ":@")
}

func (r *reader) images() Images {
	const reference = "empty, or an image with a tag or digest, such as public.ecr.aws/team/app:1.2.3"
	prebuilt := func(value string) bool {
		return value == "" || imagePattern.MatchString(value) && hasTagOrDigest(value)
	}

	images := Images{
		App: Image{
			Prebuilt:   r.text("appImage", reference, prebuilt),
			Dockerfile: r.text("appDockerfile", "a relative path inside appContext, with forward slashes", insideProject),
			Target:     r.text("appTarget", "empty, or the name of a stage: letters, digits, dots, hyphens, underscores", targetPattern.MatchString),
			BuildArgs:  r.variables("appBuildArgs"),
		},
		Nginx: Image{
			Prebuilt:   r.text("nginxImage", reference, prebuilt),
			Dockerfile: "Dockerfile",
			BuildArgs:  r.variables("nginxBuildArgs"),
		},
		Keep:        r.between("imagesToKeep", 2, 1000, "images"),
		ForceDelete: r.boolean("forceDeleteRepositories"),
	}
	images.App.Context = r.context("appContext", "appDockerfile", images.App)
	images.Nginx.Context = r.context("nginxContext", "", images.Nginx)

	return images
}

var targetPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]*)?$`)

// context returns a build context. One that is built must hold its Dockerfile: the program runs in the directory of
// Pulumi.yaml, so that can be seen here, before anything is declared.
func (r *reader) context(key, dockerfileKey string, image Image) string {
	const allowed = "a relative path inside the project, with forward slashes, such as images/app"

	directory := r.text(key, allowed, insideProject)
	if image.Prebuilt != "" || r.wrong[key] || r.wrong[dockerfileKey] {
		return directory
	}
	info, err := os.Stat(filepath.Join(directory, image.Dockerfile))
	switch {
	case err == nil && info.Mode().IsRegular():
	case image.Dockerfile == "Dockerfile":
		r.fail(key, fmt.Sprintf("%q holds no Dockerfile", directory), "a directory that does")
	default:
		r.contradiction([]string{key, dockerfileKey}, fmt.Sprintf("%q holds no file %q", directory, image.Dockerfile))
	}

	return directory
}

// insideProject refuses absolute paths and paths that leave the project: the path is an input of a resource, and must
// be the same on every machine.
func insideProject(directory string) bool {
	return directory != "" && !strings.HasPrefix(directory, "/") && !strings.Contains(directory, `\`) &&
		!slices.Contains(strings.Split(directory, "/"), "..")
}

// Retentions that CloudWatch Logs knows, in days.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

func (r *reader) task() Task {
	task := Task{
		Architecture:  r.oneOf("architecture", "X86_64", "ARM64"),
		ContainerPort: r.between("containerPort", 1024, 65535, "(TCP port)"),
		AppPort:       r.between("appPort", 1024, 65535, "(TCP port)"),
		StopTimeout:   r.seconds("stopTimeoutSeconds", 2, 120),
		Health: ContainerHealth{
			Interval:    r.seconds("containerHealthIntervalSeconds", 5, 300),
			Timeout:     r.seconds("containerHealthTimeoutSeconds", 2, 60),
			Retries:     r.between("containerHealthRetries", 1, 10, "checks"),
			StartPeriod: r.seconds("containerHealthStartPeriodSeconds", 0, 300),
		},
		LogRetentionDays:   r.among("logRetentionDays", retentions, "days"),
		LogBufferMegabytes: r.between("logBufferMegabytes", 1, 1024, "MB"),
		EgressPorts: r.numbers("taskEgressPorts", "1 to 65535 (TCP port)",
			func(port int) bool { return port >= 1 && port <= 65535 }),
	}
	task.CPU, task.Memory = r.size()

	return task
}

func (r *reader) seconds(key string, lowest, highest int) time.Duration {
	return time.Duration(r.between(key, lowest, highest, "seconds")) * time.Second
}

func (r *reader) service() Service {
	return Service{
		DesiredCount:          r.between("desiredCount", 1, 5000, "tasks"),
		MaximumPercent:        r.between("deploymentMaximumPercent", 101, 200, "percent"),
		MinimumHealthyPercent: r.between("deploymentMinimumHealthyPercent", 0, 100, "percent"),
		CircuitBreaker:        r.oneOf("circuitBreaker", "rollback", "stop", "off"),
		DeploymentTimeout: time.Duration(
			r.between("deploymentTimeoutMinutes", 5, 120, "minutes")) * time.Minute,
		ZoneRebalancing:               r.oneOf("zoneRebalancing", "enabled", "disabled") == "enabled",
		ContainerInsights:             r.oneOf("containerInsights", "disabled", "enabled", "enhanced"),
		HealthCheckGracePeriodSeconds: r.between("healthCheckGracePeriodSeconds", 0, 2147483647, "seconds"),
	}
}

var pathPattern = regexp.MustCompile(`^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$`)

func (r *reader) loadBalancer() LoadBalancer {
	return LoadBalancer{
		HealthCheckPath: r.text("healthCheckPath",
			"a path of letters, digits, dots, hyphens, underscores and tildes, at most 1024 characters",
			func(path string) bool { return len(path) <= 1024 && pathPattern.MatchString(path) }),
		HealthCheckInterval: r.seconds("healthCheckIntervalSeconds", 5, 300),
		HealthCheckTimeout:  r.seconds("healthCheckTimeoutSeconds", 2, 120),
		HealthyThreshold:    r.between("healthyThreshold", 2, 10, "checks"),
		UnhealthyThreshold:  r.between("unhealthyThreshold", 2, 10, "checks"),
		DeregistrationDelay: r.seconds("deregistrationDelaySeconds", 0, 3600),
		IdleTimeout:         r.seconds("idleTimeoutSeconds", 5, 3600),
		DeletionProtection:  r.switched("deletionProtection"),
	}
}

var (
	vpcPattern    = regexp.MustCompile(`^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`)
	subnetPattern = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

func (r *reader) network() Network {
	return Network{
		Mode:     r.oneOf("network", "low-cost", "large", "existing"),
		CIDR:     r.vpcCIDR(),
		Egress:   r.oneOf("egress", "nat-per-az", "nat-single", "endpoints", "public"),
		FlowLogs: r.switched("flowLogs"),
		VPCID: r.text("vpcId", "empty, or vpc- and 8 or 17 hexadecimal digits",
			func(id string) bool { return id == "" || vpcPattern.MatchString(id) }),
		PublicSubnetIDs: r.texts("publicSubnetIds", "subnet- and 8 or 17 hexadecimal digits",
			subnetPattern.MatchString),
		PrivateSubnetIDs: r.texts("privateSubnetIds", "subnet- and 8 or 17 hexadecimal digits",
			subnetPattern.MatchString),
	}
}

func (r *reader) vpcCIDR() netip.Prefix {
	value := r.text("vpcCidr", "a private IPv4 range of /16 to /24 without host bits, such as 10.0.0.0/16",
		func(value string) bool {
			prefix, err := netip.ParsePrefix(value)
			return err == nil && prefix == prefix.Masked() && prefix.Addr().Is4() &&
				prefix.Addr().IsPrivate() && prefix.Bits() >= 16 && prefix.Bits() <= 24
		})
	// The check above has reported what does not parse.
	prefix, _ := netip.ParsePrefix(value)

	return prefix
}
