package infra_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// A stack behind the load balancer of another one has a target group and rules of its own, and declares nothing that
// belongs to the load balancer's owner.
func TestAStackBehindTheLoadBalancerOfAnother(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", behindAnother))
	for _, token := range []string{loadBalancer, listener, certificate, record, webACL, bucket, vpc} {
		if all := graph.OfType(token); len(all) != 0 {
			t.Errorf("%v are declared; want no %s", all, token)
		}
	}

	targets := graph.Outputs[one(t, graph, targetGroup).URN]["arn"].StringValue()
	rules := map[string][]any{}
	for _, r := range graph.OfType(listenerRule) {
		if at(t, r, "listenerArn") != infratest.SharedListener || at(t, r, "actions", 0, "targetGroupArn") != targets {
			t.Errorf("%s: %v", r.Name, r.Inputs)
		}
		rules[r.Name] = []any{at(t, r, "priority"), at(t, r, "conditions")}
	}
	hosts := onHosts("*.example.com", "shop.example.com")
	want := map[string][]any{
		"web-attach":  {10.0, []any{hosts, onPaths("/.sidecar/attached")}},
		"web-traffic": {12.0, []any{hosts, onPaths("/api/*")}},
	}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("rules: %v\nwant: %v", rules, want)
	}
	if service, attached := one(t, graph, ecsService), named(t, graph, listenerRule, "web-attach"); !slices.Contains(service.DependsOn, attached.URN) {
		t.Errorf("the service waits for %v; want %s, because ECS refuses a target group without a load balancer", service.DependsOn, attached.URN)
	}

	got := outputs(t, stackSettings(t, "prod", behindAnother))
	if got["url"] != "https://shop.example.com" || got["listenerArn"] != "" || got["vpcId"] != infratest.ExistingVPC {
		t.Errorf("outputs: %v", got)
	}
}

func TestAStackWithoutHostsHasTheNameOfTheLoadBalancer(t *testing.T) {
	settings := with(behindAnother, map[string]string{
		"ingress.shared": `{"listener":"` + infratest.SharedListener + `","paths":["/api/*"]}`,
	})
	if got := outputs(t, defaults(t, settings))["url"]; got != "https://owner-0123456789.eu-central-1.elb.amazonaws.com" {
		t.Errorf("url: %s", got)
	}
}

// A URL that meets no rule of the stack would lead to another's.
func TestAStackWithPatternsOfHostsHasANameThatOneAdmits(t *testing.T) {
	for hosts, want := range map[string]string{
		`["*.shop.example.com"]`:                    "https://web.shop.example.com",
		`["pr-?.example.com","*.example.org"]`:      "https://pr-w.example.com",
		`["*.shop.example.com","shop.example.com"]`: "https://shop.example.com",
		`["*"]`: "https://owner-0123456789.eu-central-1.elb.amazonaws.com",
	} {
		settings := with(behindAnother, map[string]string{
			"ingress.shared": `{"listener":"` + infratest.SharedListener + `","hosts":` + hosts + `}`,
		})
		if got := outputs(t, defaults(t, settings))["url"]; got != want {
			t.Errorf("%s: url %s; want %s", hosts, got, want)
		}
	}
}

// The rules of other stacks must be able to come before that of the load balancer's owner, which takes everything.
func TestRulesOfOtherStacksComeBeforeTheOwners(t *testing.T) {
	owners := at(t, one(t, run(t, defaults(t, nil)), listenerRule), "priority").(float64)
	seen := map[float64]string{}
	for i := range 20 {
		name := fmt.Sprintf("shop%d", i)
		settings := with(behindAnother, map[string]string{
			"app.name": name, "ingress.shared": `{"listener":"` + infratest.SharedListener + `","hosts":["` + name + `.example.com"]}`,
		})
		for _, r := range run(t, defaults(t, settings)).OfType(listenerRule) {
			priority := at(t, r, "priority").(float64)
			if priority < 1 || priority >= owners {
				t.Errorf("%s: priority %v; want 1 or more, and less than the owner's %v", r.Name, priority, owners)
			}
			if other, taken := seen[priority]; taken {
				t.Errorf("%s and %s have priority %v", r.Name, other, priority)
			}
			seen[priority] = r.Name
		}
	}
}

// Traffic of the other stacks must set off no alarm of this one.
func TestOnlyTheOwnTargetGroupIsWatchedBehindAnother(t *testing.T) {
	graph := run(t, stackSettings(t, "prod", behindAnother))
	suffix := graph.Outputs[one(t, graph, targetGroup).URN]["arnSuffix"].StringValue()
	seen := 0
	for _, r := range graph.OfType(metricAlarm) {
		for _, metric := range read(t, r) {
			if !strings.HasPrefix(metric, "AWS/ApplicationELB ") {
				continue
			}
			seen++
			if !strings.Contains(metric, "LoadBalancer:app/owner/0123456789abcdef TargetGroup:"+suffix) {
				t.Errorf("%s reads %s", r.Name, metric)
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d metrics of the load balancer are read; want 4", seen)
	}

	for _, w := range widgets(t, graph) {
		lines, _ := json.Marshal(w.Properties["metrics"])
		if whole := strings.Count(string(lines), `"AWS/ApplicationELB"`) - strings.Count(string(lines), `"TargetGroup"`); whole != 0 {
			t.Errorf("%s shows metrics of the whole load balancer: %s", w.Properties["title"], lines)
		}
	}
}

// A mistake would otherwise be found only by clients: rules would never match, or NGINX would take the load balancer for
// the client.
func TestALoadBalancerThatDoesNotFitIsRefused(t *testing.T) {
	for want, change := range map[string]func(resource.PropertyMap){
		"network.vpc: " + infratest.ExistingVPC + "; allowed: the load balancer's, vpc-1": func(b resource.PropertyMap) {
			b["vpcId"] = resource.NewProperty("vpc-1")
		},
		"network.publicSubnets: subnet-9 is missing; allowed: all subnets of the load balancer, from which it sends requests": func(b resource.PropertyMap) {
			b["subnets"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty("subnet-9")})
		},
		"ingress.idleTimeout: 60s; allowed: the load balancer's, 90s": func(b resource.PropertyMap) { b["idleTimeout"] = resource.NewProperty(90.0) },
		"routing.http.xff_header_processing.mode is preserve": func(b resource.PropertyMap) {
			b["xffHeaderProcessingMode"] = resource.NewProperty("preserve")
		},
		"routing.http.xff_header_processing.mode is remove": func(b resource.PropertyMap) {
			b["xffHeaderProcessingMode"] = resource.NewProperty("remove")
		},
		"the load balancer has no security group": func(b resource.PropertyMap) {
			b["securityGroups"] = resource.NewProperty([]resource.PropertyValue{})
		},
	} {
		changed := options(defaults(t, behindAnother))
		changed.Answer = func(token string, _ resource.PropertyMap) (resource.PropertyMap, bool) {
			if token != "aws:lb/getLoadBalancer:getLoadBalancer" {
				return nil, false
			}
			found := infratest.SharedBalancer()
			change(found)
			return found, true
		}
		if _, err := infratest.Run(infra.Program, changed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v\nwant: …%s…", err, want)
		}
	}
}

// The old way in must stay open until the new one is.
func TestAnotherIngressLeavesTheOldOneAlone(t *testing.T) {
	before, after := run(t, defaults(t, existing)), run(t, defaults(t, behindAnother))
	for _, r := range slices.Concat(before.OfType(ingressRule), before.OfType(egressRule), before.OfType(targetGroup)) {
		if now, ok := after.ByURN(r.URN); ok && (r.Type == targetGroup || !reflect.DeepEqual(now.Inputs, r.Inputs)) {
			t.Errorf("%s is taken from the old way in for the new one", r.URN)
		}
	}
	if service := one(t, after, ecsService); !slices.Contains(service.ReplaceOnChanges, "loadBalancers") {
		t.Errorf("the service is replaced on changes of %v; want loadBalancers among them", service.ReplaceOnChanges)
	}
}
