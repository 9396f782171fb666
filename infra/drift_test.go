package infra_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// A refresh sees only what the stack has declared. Whatever else lets somebody in stands beside it.
func TestARuleThatSomebodyAddedStopsTheUpdate(t *testing.T) {
	groups := map[string]map[string]string{
		"web-tasks": nil, "web-alb": nil, "web-api": behindAPI,
		"web-endpoints": {"network.kind": "large", "network.egress": "endpoints"},
	}
	for group, settings := range groups {
		for name, test := range map[string]struct {
			rule resource.PropertyMap
			want string
		}{
			"our own":         {rule("tcp", 80, 80, false, "pulumi"), ""},
			"to the outside":  {rule("tcp", 80, 80, true, ""), ""},
			"somebody else's": {rule("tcp", 8080, 8080, false, ""), "sgr-0 lets in tcp 8080 from 0.0.0.0/0; remove it: aws ec2 revoke-security-group-ingress --group-id "},
			"every protocol":  {rule("-1", -1, 99, false, "terraform"), "sgr-0 lets in every protocol, -1-99 from 0.0.0.0/0"},
		} {
			_, err := infratest.Run(infra.Program, withRule(options(defaults(t, settings)), group, test.rule))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: error %v; want …%s…", group, name, err, test.want)
			}
		}
	}
}

func rule(protocol string, from, to float64, out bool, by string) resource.PropertyMap {
	return resource.PropertyMap{
		"securityGroupRuleId": resource.NewProperty("sgr-0"), "isEgress": resource.NewProperty(out), "ipProtocol": resource.NewProperty(protocol),
		"fromPort": resource.NewProperty(from), "toPort": resource.NewProperty(to), "cidrIpv4": resource.NewProperty("0.0.0.0/0"),
		"tags": resource.NewProperty(resource.PropertyMap{"ManagedBy": resource.NewProperty(by)}),
	}
}

// withRule answers that the group with the given name has one rule.
func withRule(run infratest.Options, group string, rule resource.PropertyMap) infratest.Options {
	run.Answer = func(token string, args resource.PropertyMap) (resource.PropertyMap, bool) {
		switch token {
		case "aws:vpc/getSecurityGroupRules:getSecurityGroupRules":
			id := args["filters"].ArrayValue()[0].ObjectValue()["values"].ArrayValue()[0].StringValue()
			ids := []resource.PropertyValue{}
			if strings.HasPrefix(id, group+"-") {
				ids = append(ids, rule["securityGroupRuleId"])
			}
			return resource.PropertyMap{"ids": resource.NewProperty(ids)}, true
		case "aws:vpc/getSecurityGroupRule:getSecurityGroupRule":
			return rule, true
		}
		return nil, false
	}

	return run
}

// Whoever may attach a policy to a role of the tasks would otherwise give them its rights for good.
func TestRolesHaveThePoliciesOfTheStackAndNoOthers(t *testing.T) {
	forEveryShape(t, func(t *testing.T, _ map[string]string, graph *infratest.Graph) {
		want := map[string]map[string][]any{"policyNames": {}, "policyArns": {}}
		for _, r := range graph.OfType(role) {
			name := graph.Outputs[r.URN]["name"].StringValue()
			want["policyNames"][name], want["policyArns"][name] = []any{}, []any{}
		}
		for _, r := range graph.OfType(rolePolicy) {
			of := at(t, r, "role").(string)
			want["policyNames"][of] = append(want["policyNames"][of], graph.Outputs[r.URN]["name"].StringValue())
		}
		for _, r := range graph.OfType(policyAttachment) {
			of := at(t, r, "role").(string)
			want["policyArns"][of] = append(want["policyArns"][of], at(t, r, "policyArn"))
		}
		for property, token := range map[string]string{
			"policyNames": "aws:iam/rolePoliciesExclusive:RolePoliciesExclusive",
			"policyArns":  "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
		} {
			got := map[string][]any{}
			for _, r := range graph.OfType(token) {
				got[at(t, r, "roleName").(string)], _ = at(t, r, property).([]any)
			}
			for _, lists := range []map[string][]any{got, want[property]} {
				for _, list := range lists {
					slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
				}
			}
			if !reflect.DeepEqual(got, want[property]) {
				t.Errorf("%s: %v; want %v", property, got, want[property])
			}
		}
	})
}
