package infra

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"fargate-nginx-sidecar/infra/service"
	"fargate-nginx-sidecar/infra/settings"
)

// check finds settings of different topics that are allowed by themselves and cannot be together. Each message names
// all keys it is about. What holds within a topic is checked where the topic is read.
func check(r *settings.Reader, s *Settings) {
	checkRegions(r, s)
	checkTimes(r, s)
	checkStop(r, s)
	checkHealthPath(r, s)
	checkTargetTLS(r, s)
	checkEndpoints(r, s)
	checkWatching(r, s)
}

var arnRegion = regexp.MustCompile(`^arn:[a-z-]+:[a-z0-9]+:([a-z0-9-]+):`)

// checkRegions refuses what is in another region: AWS takes none of it from there.
func checkRegions(r *settings.Reader, s *Settings) {
	for _, named := range []struct{ key, arn, what, allowed string }{
		{"certificateArn", s.Ingress.CertificateARN, "the certificate is in %s", "; allowed: one in %s, like the load balancer"},
		{"waf", s.WAF.WebACLARN(), "the web ACL is in %s", "; allowed: one in %s, like the load balancer"},
		{"kmsKeyArn", s.KMSKeyARN, "the key is in %s", ", the stack in %s; logs and images take a key of their own region"},
	} {
		if part := arnRegion.FindStringSubmatch(named.arn); part != nil && part[1] != s.Region {
			r.Conflict([]string{named.key, "aws:region"},
				fmt.Sprintf(named.what, part[1])+fmt.Sprintf(named.allowed, s.Region))
		}
	}
	for _, zone := range s.Network.AvailabilityZones {
		if !strings.HasPrefix(zone, s.Region) {
			r.Conflict([]string{"availabilityZones", "aws:region"}, zone+" is in another region; allowed: zones of "+s.Region)
		}
	}
}

// checkTimes keeps the order of the times from the outside in: whoever stands further out waits longer, and a task
// lives until its requests are answered.
func checkTimes(r *settings.Reader, s *Settings) {
	sidecar, idle := s.Service.Sidecar, s.Ingress.IdleTimeout

	if s.Service.StopTimeout < s.Ingress.DeregistrationDelay {
		r.Conflict([]string{"stopTimeoutSeconds", "deregistrationDelaySeconds"},
			fmt.Sprintf("%g is less than %g; a task would be killed while requests may still finish",
				s.Service.StopTimeout.Seconds(), s.Ingress.DeregistrationDelay.Seconds()))
	}
	if sidecar.ReadTimeout >= idle {
		r.Conflict([]string{"readTimeoutSeconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%g is not less than %g; the load balancer would give up before NGINX can answer",
				sidecar.ReadTimeout.Seconds(), idle.Seconds()))
	}
	// Zero is a time that follows from the idle timeout.
	if sidecar.AppKeepAlive > 0 && sidecar.AppKeepAlive <= idle {
		r.Conflict([]string{"appKeepAliveSeconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%g is not more than %g; the app would close connections on which NGINX sends a request",
				sidecar.AppKeepAlive.Seconds(), idle.Seconds()))
	}
}

// spotNotice is what a task on Spot has from its stop signal to its end.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
const spotNotice = 2 * time.Minute

// checkStop keeps a delayed stop within the time there is for it: NGINX serves on until the load balancer has noticed,
// then it answers its last requests, and then the app stops.
func checkStop(r *settings.Reader, s *Settings) {
	delay := s.Service.Sidecar.StopDelay
	if delay == 0 {
		return
	}

	if check := s.Ingress.HealthCheck; check.Path != "/" {
		r.Conflict([]string{"stopDelaySeconds", "healthCheckPath"},
			fmt.Sprintf("the load balancer asks %s, but only the page at / tells it about a stop; allowed with: /", check.Path))
	} else if noticed := check.Interval * time.Duration(check.Unhealthy); delay < noticed {
		r.Conflict([]string{"stopDelaySeconds", "healthCheckIntervalSeconds", "unhealthyThreshold"},
			fmt.Sprintf("%g is less than %g × %d; NGINX would stop before the load balancer has noticed",
				delay.Seconds(), check.Interval.Seconds(), check.Unhealthy))
	}

	longest := s.Service.Sidecar.LongestRequest(s.Ingress.IdleTimeout)
	if available := s.Service.TimeToStop(); delay+longest > available {
		r.Conflict([]string{"stopDelaySeconds", "readTimeoutSeconds", "stopTimeoutSeconds"},
			fmt.Sprintf("%g and a request of %g are more than the %g that NGINX has before it is killed",
				delay.Seconds(), longest.Seconds(), available.Seconds()))
	}
	if app := s.Service.StopTimeout; s.Service.Scaling.SpotPercent > 0 && delay+longest+app > spotNotice {
		r.Conflict([]string{"stopDelaySeconds", "readTimeoutSeconds", "stopTimeoutSeconds", "spotPercent"},
			fmt.Sprintf("%g, a request of %g and up to %g for the app's own stop are more than %g; Spot gives a task no more time",
				delay.Seconds(), longest.Seconds(), app.Seconds(), spotNotice.Seconds()))
	}
}

// checkHealthPath refuses a path that NGINX answers with 404: no task would ever be healthy.
func checkHealthPath(r *settings.Reader, s *Settings) {
	path, prefixes := s.Ingress.HealthCheck.Path, s.Service.Sidecar.PathPrefixes
	if path == "/" {
		return
	}
	for _, prefix := range prefixes {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return
		}
	}
	r.Conflict([]string{"healthCheckPath", "pathPrefixes"},
		fmt.Sprintf("%s is neither / (answered by NGINX) nor below %s (answered by the app)", path, strings.Join(prefixes, ", ")))
}

// tlsStage is the stage of NGINX's Dockerfile that can encrypt; what is built without it is smaller.
const tlsStage = "tls"

var beginsTLSStage = regexp.MustCompile(`(?mi)^FROM\s.*\sAS\s+` + tlsStage + `\s*$`)

// checkTargetTLS refuses encryption between load balancer and tasks where the image that is built has no tool for it.
func checkTargetTLS(r *settings.Reader, s *Settings) {
	if !s.Ingress.TargetTLS || s.Nginx.Prebuilt != "" || r.Wrong("nginxContext") {
		return
	}
	text, err := os.ReadFile(filepath.Join(s.Nginx.Context, s.Nginx.Dockerfile))
	if err != nil || !beginsTLSStage.Match(text) {
		r.Conflict([]string{"targetTls", "nginxContext"},
			fmt.Sprintf("targetTls is on, but %s/%s has no stage %s; allowed: off, or a stage with openssl in it",
				s.Nginx.Context, s.Nginx.Dockerfile, tlsStage))
	}
}

// ecrPattern is an image in a private repository, whose region is the first group.
var ecrPattern = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com`)

// checkEndpoints refuses what tasks cannot reach that reach AWS's services of their region alone.
func checkEndpoints(r *settings.Reader, s *Settings) {
	if !s.Network.EndpointsOnly() {
		return
	}
	if strings.HasPrefix(s.Region, "cn-") {
		r.Conflict([]string{"egress", "aws:region"},
			"egress is endpoints, but services have other names in "+s.Region+"; allowed there: nat-per-az, nat-single, public")
	}
	for _, image := range []struct{ key, reference string }{
		{"appImage", s.App.Prebuilt}, {"nginxImage", s.Nginx.Prebuilt},
	} {
		part := ecrPattern.FindStringSubmatch(image.reference)
		if image.reference != "" && (part == nil || part[1] != s.Region) {
			r.Conflict([]string{"egress", image.key},
				fmt.Sprintf("egress is endpoints, which do not lead to %s; allowed: an image in ECR in %s", image.reference, s.Region))
		}
	}
}

// checkWatching refuses alarms and metrics that would never have anything to say.
func checkWatching(r *settings.Reader, s *Settings) {
	if log := s.Service.Sidecar.AccessLog; s.Observability.LogMetrics && log != service.LogJSON {
		r.Conflict([]string{"logMetrics", "accessLog"},
			fmt.Sprintf("metrics are read from the JSON lines, but accessLog is %s; allowed with: json", log))
	}
	if !s.Observability.Alarms {
		return
	}
	if s.Service.ContainerInsights == service.InsightsOff {
		r.Conflict([]string{"alarms", "containerInsights"},
			"alarms is on, but containerInsights is disabled; nothing would count the running tasks; allowed: enabled, enhanced")
	}
	// NGINX gives up a second before the load balancer does, so no answer takes longer.
	if latency, idle := s.Observability.Latency, s.Ingress.IdleTimeout; latency >= idle-time.Second {
		r.Conflict([]string{"alarmLatencyMilliseconds", "idleTimeoutSeconds"},
			fmt.Sprintf("%d ms is not less than %g s less one; an answer never takes that long, and the alarm would never go off",
				latency.Milliseconds(), idle.Seconds()))
	}
}
