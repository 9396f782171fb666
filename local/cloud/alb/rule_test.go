package alb

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"/api/*", "/api/", true}, {"/api/*", "/api/users/1", true}, {"/api/*", "/api", false}, {"/api*", "/apifoo", true},
		{"*.example.com", "a.b.example.com", true}, {"*.example.com", "example.com", false}, {"/?", "/a", true}, {"/?", "/", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b", "ab-", false}, {"", "", true}, {"", "x", false}, {"*", "", true}, {"/A", "/a", false},
	} {
		if got := Wildcard(c.pattern, c.s); got != c.want {
			t.Errorf("%q on %q: got %t", c.pattern, c.s, got)
		}
	}
}

func TestConditionsMatchAsTheLoadBalancerWould(t *testing.T) {
	request := httptest.NewRequest("POST", "http://Www.Example.com:8080/a%2fb?k=Value&x=1", nil)
	for name, c := range map[string]struct {
		condition types.RuleCondition
		want      bool
	}{
		"path as it was sent": {types.RuleCondition{Field: aws.String("path-pattern"), Values: []string{"/a%2fb"}}, true},
		"path decoded":        {types.RuleCondition{Field: aws.String("path-pattern"), Values: []string{"/a/b"}}, false},
		"path of the config":  {types.RuleCondition{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/none", "/a*"}}}, true},
		"host in any case":    {types.RuleCondition{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"www.EXAMPLE.com"}}}, true},
		"other host":          {types.RuleCondition{Field: aws.String("host-header"), Values: []string{"example.com"}}, false},
	} {
		got, unknown := rule{conditions: []types.RuleCondition{c.condition}}.matches(request)
		if got != c.want || unknown != "" {
			t.Errorf("%s: got %t %q, want %t", name, got, unknown, c.want)
		}
	}
	for _, field := range []string{"new", "http-header", "http-request-method", "query-string", "source-ip"} {
		if ok, unknown := (rule{conditions: []types.RuleCondition{{Field: &field}}}).matches(request); ok || unknown != field {
			t.Errorf("unknown condition %s: got %t %q, want false and its name", field, ok, unknown)
		}
	}
	both := rule{conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"*"}}, {Field: aws.String("host-header"), Values: []string{"none"}}}}
	if ok, _ := both.matches(request); ok {
		t.Error("two conditions: one of them is enough; want both")
	}
}

func TestForwardTakesOneGroup(t *testing.T) {
	group := func(arns ...string) *types.ForwardActionConfig {
		config := &types.ForwardActionConfig{}
		for _, arn := range arns {
			config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &arn})
		}
		return config
	}
	for want, action := range map[string]types.Action{
		"plain":      {Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("plain")},
		"configured": {Type: types.ActionTypeEnumForward, ForwardConfig: group("configured")},
		"":           {Type: types.ActionTypeEnumForward, ForwardConfig: group("one", "two")},
	} {
		if got := forwardsTo(action); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRedirectFillsInWhatTheRequestHas(t *testing.T) {
	request := httptest.NewRequest("GET", "http://example.com/a/b?c=d", nil)
	local := func(port string) string {
		if port == "443" {
			return "8443"
		}
		return port
	}
	for want, c := range map[string]types.RedirectActionConfig{
		"https://example.com:8443/a/b?c=d": {Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: types.RedirectActionStatusCodeEnumHttp301},
		"http://other.com/x/a/b?e":         {Host: aws.String("other.com"), Path: aws.String("/x/#{path}"), Query: aws.String("e")},
	} {
		if got, _ := redirectTo(c, request, false, "80", local); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, code := redirectTo(types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp301}, request, false, "80", local); code != 301 {
		t.Errorf("code: got %d, want 301", code)
	}
	if _, code := redirectTo(types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp302}, request, false, "80", local); code != 302 {
		t.Errorf("code: got %d, want 302", code)
	}
}
