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
		if got := wildcard(c.pattern, c.s); got != c.want {
			t.Errorf("%q on %q: got %t", c.pattern, c.s, got)
		}
	}
}

func TestConditionsMatchAsTheLoadBalancerWould(t *testing.T) {
	request := httptest.NewRequest("POST", "http://Www.Example.com:8080/a%2fb?k=Value&x=1", nil)
	request.RemoteAddr = "192.0.2.7:1"
	request.Header.Set("User-Agent", "curl/8")
	for name, c := range map[string]struct {
		condition types.RuleCondition
		want      bool
	}{
		"path as it was sent":     {types.RuleCondition{Field: aws.String("path-pattern"), Values: []string{"/a%2fb"}}, true},
		"path decoded":            {types.RuleCondition{Field: aws.String("path-pattern"), Values: []string{"/a/b"}}, false},
		"path of the config":      {types.RuleCondition{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/none", "/a*"}}}, true},
		"host in any case":        {types.RuleCondition{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"www.EXAMPLE.com"}}}, true},
		"other host":              {types.RuleCondition{Field: aws.String("host-header"), Values: []string{"example.com"}}, false},
		"method":                  {types.RuleCondition{Field: aws.String("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"POST"}}}, true},
		"other method":            {types.RuleCondition{Field: aws.String("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"GET"}}}, false},
		"header":                  {types.RuleCondition{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("user-agent"), Values: []string{"CURL*"}}}, true},
		"query":                   {types.RuleCondition{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("k"), Value: aws.String("val*")}}}}, true},
		"query, value of another": {types.RuleCondition{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("k"), Value: aws.String("1")}}}}, false},
		"source":                  {types.RuleCondition{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8", "192.0.2.0/24"}}}, true},
		"other source":            {types.RuleCondition{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}}, false},
	} {
		got, unknown := rule{conditions: []types.RuleCondition{c.condition}}.matches(request)
		if got != c.want || unknown != "" {
			t.Errorf("%s: got %t %q, want %t", name, got, unknown, c.want)
		}
	}
	if ok, unknown := (rule{conditions: []types.RuleCondition{{Field: aws.String("new")}}}).matches(request); ok || unknown != "new" {
		t.Errorf("unknown condition: got %t %q, want false and its name", ok, unknown)
	}
	both := rule{conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"*"}}, {Field: aws.String("host-header"), Values: []string{"none"}}}}
	if ok, _ := both.matches(request); ok {
		t.Error("two conditions: one of them is enough; want both")
	}
}

func TestForwardKeepsToTheWeights(t *testing.T) {
	counts := map[string]int{}
	for range 10_000 {
		counts[choose([]share{{"a", 90}, {"b", 10}, {"none", 0}})]++
	}
	if counts["none"] > 0 || counts["b"] < 800 || counts["b"] > 1200 {
		t.Errorf("got %v, want about 9000 a, 1000 b", counts)
	}
	if got := choose([]share{{"a", 0}}); got != "" {
		t.Errorf("all weights zero: got %q", got)
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
