package infra

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fargate-nginx-sidecar/images/nginx"
	"fargate-nginx-sidecar/infra/ingress"
	"fargate-nginx-sidecar/infra/network"
	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/settings"
	"fargate-nginx-sidecar/infra/task"
)

// check finds settings of different topics that contradict each other although each is allowed by itself. Each message
// names all keys involved. Rules within one topic are checked where the topic is read.
func check(r *settings.Reader, s *Settings) {
	checkRegions(r, s)
	checkTimes(r, s)
	checkStop(r, s)
	checkHealthPath(r, s)
	checkHosts(r, s)
	checkStaticVolumes(r, s)
	checkFileSystems(r, s)
	checkEndpoints(r, s)
	checkWatching(r, s)
	checkIngress(r, s)
	checkDefinition(r, s)
}

// largestDefinition is the size that ECS accepts of a task definition, in bytes.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
const largestDefinition = 64 * 1024

// checkDefinition renders the containers with names of the usual length in place of those that other resources provide, so
// that an update finds before it declares anything what ECS or the sidecar would refuse.
func checkDefinition(r *settings.Reader, s *Settings) {
	if r.Err() != nil {
		return // it has been reported, and the tasks may be incomplete
	}
	size, err := task.Size(task.Args{
		Settings: s.Task, Service: s.ServiceName, Region: s.Region, IdleTimeout: s.Ingress.IdleTimeout, TLS: s.Ingress.TargetTLS,
		Host: s.Ingress.Domain, LoginPaths: s.Ingress.LoginPaths(), Overrides: s.Overrides.Containers,
	})
	if err != nil {
		r.Refuse("http", err.Error())
	}
	if size > largestDefinition {
		r.Conflict([]string{"app.environment", "app.secrets", "containers"},
			fmt.Sprintf("the task definition would have about %d KiB; ECS accepts 64; put large values into a file of the image, a parameter or a bucket", size/1024))
	}
}

var arnRegion = regexp.MustCompile(`^arn:[a-z-]+:[a-z0-9]+:([a-z0-9-]+):`)

// checkRegions refuses zones and ARNs of another region, none of which AWS accepts.
func checkRegions(r *settings.Reader, s *Settings) {
	for _, named := range []struct{ key, arn, what, allowed string }{
		{"domain.certificate", s.Ingress.CertificateARN, "the certificate is in %s", "; allowed: one in %s, like the load balancer"},
		{"ingress.shared.listener", s.Ingress.SharedLoadBalancer.ListenerARN, "the listener is in %s", "; allowed: one in %s, like the tasks"},
		{"ingress.firewall", s.WAF.WebACLARN(), "the web ACL is in %s", "; allowed: one in %s, like the load balancer"},
		{"storage.kmsKey", s.Storage.KMSKeyARN, "the key is in %s", "; allowed: one in %s, like the logs and images"},
	} {
		if part := arnRegion.FindStringSubmatch(named.arn); part != nil && part[1] != s.Region {
			r.Conflict([]string{named.key, "aws:region"},
				fmt.Sprintf(named.what, part[1])+fmt.Sprintf(named.allowed, s.Region))
		}
	}
	for _, zone := range s.Network.AvailabilityZones {
		if !strings.HasPrefix(zone, s.Region) {
			r.Conflict([]string{"network.zones", "aws:region"}, zone+" is in another region; allowed: zones of "+s.Region)
		}
	}
}

// checkTimes makes sure that whoever is nearer to the client waits longer, and that a task lives until it has answered
// its requests.
func checkTimes(r *settings.Reader, s *Settings) {
	sidecar, idle := s.Task.Sidecar, s.Ingress.IdleTimeout

	delay, _ := strconv.Atoi(fmt.Sprint(s.Overrides.TargetGroup["deregistrationDelay"]))
	if drain := time.Duration(delay) * time.Second; drain > s.Task.StopTimeout {
		r.Conflict([]string{"overrides.targetGroup.deregistrationDelay", "task.stopTimeout"},
			fmt.Sprintf("%s is more than %s; a task would be killed while it may still be answering requests",
				settings.Written(drain), settings.Written(s.Task.StopTimeout)))
	}
	if sidecar.ReadTimeout >= idle {
		r.Conflict([]string{"http.readTimeout", "ingress.idleTimeout"},
			fmt.Sprintf("%s is not less than %s; the load balancer would give up before NGINX can answer",
				settings.Written(sidecar.ReadTimeout), settings.Written(idle)))
	}
}

// spotNotice is what a task on Spot has from its stop signal to its end.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
const spotNotice = 2 * time.Minute

// checkStop keeps a delayed stop within the time there is for it: NGINX serves on until the load balancer has noticed,
// then it answers its last requests, and then the app stops.
func checkStop(r *settings.Reader, s *Settings) {
	delay := s.Task.Sidecar.StopDelay
	if delay == 0 {
		return
	}
	if s.Ingress.Traits().Drains {
		checkNotice(r, s)
	}

	longest := s.Task.Sidecar.LongestRequest(s.Ingress.IdleTimeout)
	if available := s.Task.TimeToStop(); delay+longest > available {
		r.Conflict([]string{"task.stopDelay", "http.readTimeout", "task.stopTimeout"},
			fmt.Sprintf("%s and a request of %s are more than the %s that NGINX has before it is killed",
				settings.Written(delay), settings.Written(longest), settings.Written(available)))
	}
	if app := s.Task.StopTimeout; s.Service.Scaling.SpotPercent > 0 && delay+longest+app > spotNotice {
		r.Conflict([]string{"task.stopDelay", "http.readTimeout", "task.stopTimeout", "scale.spot"},
			fmt.Sprintf("%s, a request of %s and up to %s for the app's own stop are more than %s; Spot gives a task no more time",
				settings.Written(delay), settings.Written(longest), settings.Written(app), settings.Written(spotNotice)))
	}
}

// checkNotice makes sure that the load balancer notices the stop from its health check.
func checkNotice(r *settings.Reader, s *Settings) {
	if path, page := s.healthCheck().Path, s.Task.Sidecar.HealthPage(); path != page {
		r.Conflict([]string{"task.stopDelay", "ingress.health"},
			fmt.Sprintf("the load balancer requests %s, but only the page at %s fails during a stop; allowed with: %s", path, page, page))
	}
}

// checkHealthPath refuses a path that NGINX answers with 404, because no task would ever be healthy, and that of a file.
func checkHealthPath(r *settings.Reader, s *Settings) {
	path, sidecar := s.healthCheck().Path, s.Task.Sidecar
	if path == sidecar.HealthPage() || sidecar.Forwards(path) || r.Wrong("http.paths") {
		return
	}
	if sidecar.ServesFiles(path) {
		r.Conflict([]string{"ingress.health", "http.static"}, fmt.Sprintf(
			"%s is a path of static files, which NGINX serves whether the app is healthy or not; allowed: %s, or a path of the app's",
			path, sidecar.HealthPage()))
		return
	}
	r.Conflict([]string{"ingress.health", "http.paths"}, fmt.Sprintf("%s is neither %s (answered by NGINX) nor below %s (answered by the app)",
		path, sidecar.HealthPage(), strings.Join(sidecar.PathPrefixes, ", ")))
}

// checkHosts refuses health checks of the load balancer that NGINX would refuse: they have the task's address as their
// Host, which changes with each task. NGINX's own page asks for no Host.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func checkHosts(r *settings.Reader, s *Settings) {
	page := s.Task.Sidecar.HealthPage()
	if path := s.healthCheck().Path; len(s.Task.Sidecar.AllowedHosts) > 0 && path != page {
		r.Conflict([]string{"http.hosts", "ingress.health"}, fmt.Sprintf(
			"the load balancer requests %s with the task's address as its Host, which is not among the names; allowed with: %s, which is for any Host", path, page))
	}
}

// checkStaticVolumes refuses directories that the app's Dockerfile does not declare as a VOLUME: they would be empty, for
// NGINX and for the app. Of an image that exists already nothing can be read here, nor of a Dockerfile with variables; NGINX says
// it when a task starts.
func checkStaticVolumes(r *settings.Reader, s *Settings) {
	directories := map[string]string{}
	for _, files := range s.Task.Sidecar.StaticFiles {
		directories[files.Directory] = "http.static"
	}
	if root := s.Task.App.DocumentRoot; root != "" {
		directories[root] = "app.documentRoot"
	}
	if len(directories) == 0 || s.App.Prebuilt != "" || r.Wrong("app.context") {
		return
	}
	declared, known := s.App.Volumes()
	if !known {
		return
	}
	for _, directory := range slices.Sorted(maps.Keys(directories)) {
		if !slices.Contains(declared, directory) {
			r.Conflict([]string{directories[directory], "app.context"}, fmt.Sprintf(
				"%s/%s does not declare VOLUME %s, without which the directory would be empty; allowed: directories that it declares",
				s.App.Context, s.App.Dockerfile, directory))
		}
	}
}

// checkFileSystems refuses file systems that the tasks could not reach.
func checkFileSystems(r *settings.Reader, s *Settings) {
	for _, key := range s.Task.MountsFileSystems() {
		if !s.Service.Reaches(task.FileSystemPort) {
			r.Conflict([]string{key, "network.groups"},
				fmt.Sprintf("the tasks may not connect to EFS; allowed with: port %d and the security group of the mount targets", task.FileSystemPort))
		}
	}
}

// ecrPattern is an image in a private repository, whose region is the first group, at a host that endpoints have: that for
// IPv4 alone. https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
var ecrPattern = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.(com|eu)`)

// checkEndpoints refuses what tasks cannot reach if they reach nothing but AWS's services in their region.
func checkEndpoints(r *settings.Reader, s *Settings) {
	if !s.Network.EndpointsOnly() {
		return
	}
	if strings.HasPrefix(s.Region, "cn-") {
		r.Conflict([]string{"network.egress", "aws:region"},
			"egress is endpoints, but the services of endpoints have other names in "+s.Region+"; allowed there: nat-per-az, nat-single, public")
	}
	images := s.Task.ExtraImages()
	images["app.image"], images["http.image"] = s.App.Prebuilt, s.Nginx.Prebuilt
	for _, setting := range slices.Sorted(maps.Keys(images)) {
		part := ecrPattern.FindStringSubmatch(images[setting])
		if images[setting] != "" && (part == nil || part[1] != s.Region) {
			r.Conflict([]string{"network.egress", setting},
				fmt.Sprintf("egress is endpoints, through which %s cannot be reached; allowed: an image in ECR in %s", images[setting], s.Region))
		}
	}
}

// checkWatching refuses alarms that would never get any data.
func checkWatching(r *settings.Reader, s *Settings) {
	if !s.Observability.Alarms {
		return
	}
	if s.Service.ContainerInsights == service.InsightsOff {
		r.Conflict([]string{"monitoring.alarms", "monitoring.containerInsights"},
			"containerInsights is false, so nothing would count the running tasks; allowed with: enabled, enhanced")
	}
	if latency, longest := s.Observability.Latency, s.Task.Sidecar.LongestRequest(s.Ingress.IdleTimeout); latency >= longest {
		r.Conflict([]string{"monitoring.latency", "http.readTimeout", "ingress.idleTimeout"},
			fmt.Sprintf("%s is not less than %s, after which NGINX answers 504, so the alarm would never fire",
				settings.Written(latency), settings.Written(longest)))
	}
}

// loginCookies is how long the load balancer's session cookies can be together, in KiB.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#authentication-flow
const loginCookies = 16

// checkIngress refuses what the kind of ingress does not have.
func checkIngress(r *settings.Reader, s *Settings) {
	s.Ingress.CheckBeside(r, ingress.Beside{
		Network: string(s.Network.Mode), ExistingNetwork: s.Network.Mode == network.Existing,
		BodyLimitKiB: s.Task.Sidecar.BodyLimitKilobytes, TrustedProxies: len(s.Task.Sidecar.TrustedProxies)+len(s.Task.Sidecar.TrustedLists) > 0,
		OtherMethods: slices.ContainsFunc(s.Task.Sidecar.Methods, func(method string) bool {
			return !slices.Contains(nginx.Methods.Defaults(), method)
		}),
		ScalesOnRequests: s.Service.Scaling.RequestsPerTask > 0,
	})
	if s.Ingress.AddressType == ingress.Dualstack && s.Network.Mode != network.Existing {
		r.Conflict([]string{"ingress.ipv6", "network.kind"},
			fmt.Sprintf("true, but the network is %s, whose subnets have no IPv6 ranges; allowed with: existing", s.Network.Mode))
	}
	if limit := s.Task.Sidecar.HeaderLimitKilobytes; len(s.Ingress.LoginPaths()) > 0 && limit < loginCookies {
		r.Conflict([]string{"login", "http.headerLimit"},
			fmt.Sprintf("%dKiB is less than the %dKiB that the cookies of a login can have; allowed: %[2]dKiB", limit, loginCookies))
	}
	// The load balancer compares the path as it came.
	if paths := s.Ingress.LoginPaths(); len(s.Task.Sidecar.Allow) > 0 && len(paths) > 0 && !slices.Contains(paths, nginx.Site) {
		r.Conflict([]string{"http.allow", "login"},
			"an app may read such a path as the plain one, which would evade the login; allowed: one of them, or a login for all paths")
	}
}
