package infra

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"fargate-nginx-sidecar/infra/image"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/observability"
	"fargate-nginx-sidecar/infra/override"
	"fargate-nginx-sidecar/infra/schedule"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
	"fargate-nginx-sidecar/infra/waf"
)

// Settings are all settings of a stack, checked: first what every topic needs, then each topic's own. Units and meanings
// are those of the lines that read them.
type Settings struct {
	// Region is where everything is deployed. Provider are the AWS provider's other settings, by their keys.
	Region      string
	Provider    map[string]providerSetting
	ServiceName string
	Storage     Storage
	// DeletionProtection makes the engine and AWS refuse to delete or replace what serves clients.
	DeletionProtection bool

	App, Nginx    image.Settings
	Network       network.Settings
	Ingress       ingress.Settings
	WAF           waf.Settings
	Task          task.Settings
	Service       service.Settings
	Schedule      schedule.Settings
	Observability observability.Settings
	Overrides     override.Settings
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

// describeGroups declares the groups, in the order of docs/settings.md.
func describeGroups(r *settings.Reader) {
	for _, group := range []struct {
		name, meaning string
		keepsSecrets  bool
	}{
		{"app", "The app's image and container.", true},
		{"http", "What the sidecar, NGINX, does with requests.", false},
		{"task", "The size of a task, and how it stops.", false},
		{"scale", "The number of tasks.", false},
		{"deployment", "How one revision replaces another.", false},
		{"ingress", "What sends the requests of clients to the tasks.", false},
		{"domain", "The host names of the service, and their certificate.", false},
		{"login", "Login at the load balancer with OpenID Connect. Needs HTTPS and `http.headerLimit: 16KiB`. docs/ways-in.md says what the app gets.", false},
		{"network", "The VPC, and what the tasks may connect to.", false},
		{"monitoring", "Alarms, metrics and the dashboard.", false},
		{"storage", "What is kept, for how long, and encrypted with which key.", false},
		{"schedule", "Commands that run at given times, by name: each alone in a task with the app's image, variables, secrets, role and network. A dead-letter queue keeps failed starts, and with `monitoring.alarms` an alarm fires. Fargate does not time out commands.", false},
		{"containers", "Extra containers of each task, such as a collector of traces, by name, at most 7. The app reaches them on 127.0.0.1, and nothing outside the task does. They start before the app and stop after it.", true},
		{"logRouter", "Another target for the logs of NGINX and the app than CloudWatch, through Fluent Bit in a container of its own (FireLens). The router's own log goes to the app's log group.", true},
		{"overrides", "Properties of what the program renders, for a wish that has no setting. docs/overrides.md has examples. What the program depends on cannot be overridden.", false},
	} {
		r.Describe(group.name, group.meaning, group.keepsSecrets)
	}
}

func read(ctx *pulumi.Context, r *settings.Reader) *Settings {
	describeGroups(r)
	way := ingress.Read(r)
	protected := readProtection(r)
	s := &Settings{
		Region:      readRegion(ctx, r),
		Provider:    readProvider(ctx, r),
		ServiceName: readServiceName(r),
		Storage:     readStorage(r, protected),

		DeletionProtection: protected,

		Network:       network.Read(r),
		Ingress:       way,
		WAF:           waf.Read(r, way.Traits().Firewall),
		Task:          task.Read(r),
		Service:       service.Read(r),
		Schedule:      schedule.Read(r),
		Observability: observability.Read(r),
	}
	s.Overrides = override.Read(r, s.Task.ContainerNames())
	s.App, s.Nginx = image.Read(r.Group("app"), r.Group("http"), s.Storage.ForceDelete)
	s.App.Secret = r.Secret("app")
	s.Observability.LogMetrics = s.Observability.Dashboard && !s.Task.RoutesLogs() && s.Task.Sidecar.LogsJSON()

	return s
}

// healthCheck is how the load balancer probes the tasks.
func (s *Settings) healthCheck() ingress.HealthCheck {
	return s.Ingress.HealthCheckOf(s.Task.Sidecar.HealthPage(), s.Task.Sidecar.StopDelay)
}

func readProtection(r *settings.Reader) bool {
	return r.Group("deployment").InProd(true).Bool("deletionProtection", false,
		"Whether what serves clients is protected from deletion and replacement. If so, AWS refuses to delete the load balancer, and Pulumi refuses to delete or replace it, its target group, listener, certificate and DNS record, the cluster, the service, the network, the repositories and the logs. Before you destroy the stack, or change a setting that replaces or removes one of these, set it to `false` and update.",
		"https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#deletion-protection")
}

// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html, and eusc-de-east-1 of the European Sovereign Cloud
var regionPattern = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]$`)

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
	form := settings.Form{
		Allowed: "1 to 20 characters of a-z, 0-9 and single hyphens, beginning with a letter, but not with aws or ssm; " +
			"reserved: all, and internal, sg, sthree and amzn-s3-demo, alone or before a hyphen",
		Pattern: serviceNamePattern,
		Check: func(name string) bool {
			return len(name) <= 20 && name != reservedMetric &&
				!slices.ContainsFunc(reservedWords, func(word string) bool { return strings.HasPrefix(name+"-", word+"-") }) &&
				!slices.ContainsFunc(reservedLetters, func(letters string) bool { return strings.HasPrefix(name, letters) })
		},
	}

	return r.Group("app").Text("name", "web", form,
		"Name of the service, with which the name of every resource begins. AWS limits a load balancer's name to 32 characters, of which Pulumi's random suffix takes 8.",
		"https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html")
}

// warn reports settings that are allowed, but hardly ever intended.
func warn(ctx *pulumi.Context, r *settings.Reader, s *Settings) {
	problems := doubtful(r.Production(), s)
	if s.App.Prebuilt == "" || s.Nginx.Prebuilt == "" {
		problems = append(problems, image.EngineProblems(string(s.Task.Architecture))...)
	}
	for _, problem := range problems {
		_ = ctx.Log.Warn(problem, nil) // a warning that cannot be written is no reason to stop
	}
}

func doubtful(production bool, s *Settings) []string {
	// An API always has HTTPS, and the listener of a shared load balancer is its owner's.
	if own := s.Ingress.Traits().LoadBalancers > 0; own && production && !s.Ingress.Encrypted() {
		return []string{"profile is prod, but neither domain.name nor domain.certificate is set, so connections with clients are not encrypted"}
	}

	return nil
}
