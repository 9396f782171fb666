package infra

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"fargate-nginx-sidecar/infra/archive"
	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/schedule"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
	"fargate-nginx-sidecar/infra/waf"
)

// Settings are all settings of a stack, checked: first what every topic needs, then each topic's own. Units and meanings
// are those of the descriptions in Pulumi.yaml.
type Settings struct {
	// Region is where everything is deployed. Provider are the AWS provider's other settings, by their keys.
	Region      string
	Provider    map[string]providerSetting
	ServiceName string
	// KMSKeyARN is the key that encrypts logs and images. If it is empty, AWS's own key is used.
	KMSKeyARN string

	App, Nginx    image.Settings
	Archive       archive.Settings
	Network       network.Settings
	Ingress       ingress.Settings
	WAF           waf.Settings
	Task          task.Settings
	Service       service.Settings
	Schedule      schedule.Settings
	Observability observability.Settings
}

// Read reads and checks all settings. Its error joins all problems; each names the key, the value that was given and what
// is allowed.
func Read(ctx *pulumi.Context) (*Settings, error) {
	r := settings.New(ctx)
	s := read(ctx, r)
	check(r, s)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("configuration of stack %s:\n%w", ctx.Stack(), err)
	}
	warn(ctx, r, s)

	return s, nil
}

func read(ctx *pulumi.Context, r *settings.Reader) *Settings {
	way := ingress.Read(r)
	s := &Settings{
		Region:      readRegion(ctx, r),
		Provider:    readProvider(ctx, r),
		ServiceName: readServiceName(r),
		KMSKeyARN: r.Text("kmsKeyArn", "empty, or the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>",
			func(arn string) bool { return arn == "" || keyPattern.MatchString(arn) }),

		Archive:       archive.Read(r),
		Network:       network.Read(r),
		Ingress:       way,
		WAF:           waf.Read(r, way.Kind == ingress.Own),
		Task:          task.Read(r),
		Service:       service.Read(r),
		Schedule:      schedule.Read(r),
		Observability: observability.Read(r),
	}
	s.App, s.Nginx = image.Read(r)
	if s.Ingress.HealthCheck.Path == "" {
		s.Ingress.HealthCheck.Path = s.Task.Sidecar.HealthPage()
	}

	return s
}

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-[0-9]$`)
	keyPattern    = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)
)

func readRegion(ctx *pulumi.Context, r *settings.Reader) string {
	region, err := config.Try(ctx, "aws:region")
	if err != nil || !regionPattern.MatchString(region) {
		r.Fail("aws:region", fmt.Sprintf("%q", region), "a region such as eu-central-1")
	}

	return region
}

// A hyphen must stand between two other characters.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
var serviceNamePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// The names of resources begin with the service's name, so it must not be one of the words that AWS reserves for some
// type of resource, nor begin with such a word and a hyphen.
var reservedWords = []string{
	"internal",     // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
	"sg",           // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
	"sthree",       // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	"amzn-s3-demo", // the same page
}

// The names of parameters of Systems Manager must not begin with these letters, whatever follows.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
var reservedLetters = []string{"aws", "ssm"}

// The firewall's metric is named after the service, and AWS reserves this name.
// https://docs.aws.amazon.com/waf/latest/APIReference/API_VisibilityConfig.html
const reservedMetric = "all"

func readServiceName(r *settings.Reader) string {
	return r.Text("serviceName",
		"1 to 20 characters of a-z, 0-9 and single hyphens, beginning with a letter, but not with aws or ssm; "+
			"reserved: all, and internal, sg, sthree and amzn-s3-demo, alone or before a hyphen",
		func(name string) bool {
			return len(name) <= 20 && serviceNamePattern.MatchString(name) && name != reservedMetric &&
				!slices.ContainsFunc(reservedWords, func(word string) bool { return strings.HasPrefix(name+"-", word+"-") }) &&
				!slices.ContainsFunc(reservedLetters, func(letters string) bool { return strings.HasPrefix(name, letters) })
		})
}

// warn reports settings that are allowed, but hardly ever intended.
func warn(ctx *pulumi.Context, r *settings.Reader, s *Settings) {
	if r.Production() && !s.Ingress.Encrypted() {
		// A warning that cannot be written is no reason to stop.
		_ = ctx.Log.Warn("profile is prod, but neither domain nor certificateArn is set, so connections with clients are not encrypted", nil)
	}
}
