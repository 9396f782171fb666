package infra_test

import (
	"regexp"
	"strings"
	"testing"
)

// iamServices names the service in IAM that the resources of a module of the AWS provider belong to, where it has
// another name. https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var iamServices = map[string]string{
	"aws:apigatewayv2":   "apigateway",
	"aws:appautoscaling": "application-autoscaling",
	"aws:lb":             "elasticloadbalancing",
	"aws:vpc":            "ec2",
	"awsx:ec2":           "ec2",
	// Resources and calls of the provider's module cloudwatch that are CloudWatch Logs.
	"aws:cloudwatch/logGroup":        "logs",
	"aws:cloudwatch/logMetricFilter": "logs",
	"aws:cloudwatch/eventRule":       "events",
	"aws:cloudwatch/eventTarget":     "events",
	// Calls without a module of their own.
	"aws:index/getCallerIdentity":    "sts",
	"aws:index/getAvailabilityZones": "ec2",
}

// iamService returns the service in IAM whose rights a resource type or a call needs, or nothing if AWS is not asked.
func iamService(name string) string {
	if name == "aws:index/getPartition:getPartition" || !strings.HasPrefix(name, "aws:") && !strings.HasPrefix(name, "awsx:") {
		return "" // The provider knows the partition from the region.
	}
	typ := name[:strings.LastIndex(name, ":")]
	if service, ok := iamServices[typ]; ok {
		return service
	}
	module, _, _ := strings.Cut(typ, "/")
	if service, ok := iamServices[module]; ok {
		return service
	}

	return strings.TrimPrefix(module, "aws:")
}

// Whoever deploys needs rights for every service that some stack uses. A missing one would only be noticed in the middle
// of an update.
func TestTheFirstDeploymentsRightsNameEveryService(t *testing.T) {
	text, err := readFile(t, "docs/first-deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Permissions needed to deploy\n")
	if !found {
		t.Fatal("the document has no rights")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented[row[1]] = true
	}

	needed := map[string]bool{}
	add := func(token string) {
		if service := iamService(token); service != "" {
			needed[service] = true
		}
	}
	for _, settings := range shapes(t) {
		graph := run(t, settings)
		for _, r := range graph.Resources {
			add(r.Type)
		}
		for _, call := range graph.Calls {
			add(call.Token)
		}
	}
	for service := range needed {
		if !documented[service] {
			t.Errorf("the document lacks %s", service)
		}
	}
}
