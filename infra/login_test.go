package infra_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"fargate-nginx-sidecar/infra"
	"fargate-nginx-sidecar/infra/infratest"
)

// login is a complete setting of a login, with more fields.
func login(more string) string {
	return `{"issuer":"https://login.example.com","authorizationEndpoint":"https://login.example.com/authorize",` +
		`"tokenEndpoint":"https://login.example.com/token","userInfoEndpoint":"https://login.example.com/userinfo",` +
		`"clientId":"shop","clientSecret":"ssm:/shop/login"` + more + `}`
}

// withLogin are the settings of a stack with a login.
func withLogin(stack map[string]string, more string) map[string]string {
	return with(stack, map[string]string{"login": login(more), "http.headerLimit": "16KiB"})
}

// asks is the action that asks for a login, as the load balancer gets it, with a plain secret.
func asks(secret, scope string) map[string]any {
	return map[string]any{"type": "authenticate-oidc", "order": 1.0, "authenticateOidc": map[string]any{
		"issuer": "https://login.example.com", "authorizationEndpoint": "https://login.example.com/authorize",
		"tokenEndpoint": "https://login.example.com/token", "userInfoEndpoint": "https://login.example.com/userinfo",
		"clientId": "shop", "clientSecret": secret, "scope": scope, "onUnauthenticatedRequest": "authenticate",
	}}
}

// revealed is a list with secrets as what they hold.
func revealed(list resource.PropertyValue) []any {
	shown, _ := reveal(list).Mappable().([]any)

	return shown
}

func reveal(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return reveal(value.SecretValue().Element)
	case value.IsArray():
		var all []resource.PropertyValue
		for _, element := range value.ArrayValue() {
			all = append(all, reveal(element))
		}
		return resource.NewProperty(all)
	case value.IsObject():
		all := resource.PropertyMap{}
		for key, element := range value.ObjectValue() {
			all[key] = reveal(element)
		}
		return resource.NewProperty(all)
	default:
		return value
	}
}

// visible is what anybody who looks at a resource sees: all texts that are no secrets.
func visible(r infratest.Resource) string {
	var texts []string
	var look func(resource.PropertyValue)
	look = func(value resource.PropertyValue) {
		switch {
		case value.IsString():
			texts = append(texts, value.StringValue())
		case value.IsArray():
			for _, element := range value.ArrayValue() {
				look(element)
			}
		case value.IsObject():
			for _, element := range value.ObjectValue() {
				look(element)
			}
		}
	}
	look(resource.NewProperty(r.Inputs))

	return strings.Join(texts, "\n")
}

func TestEverybodyLogsInUnlessPathsAreGiven(t *testing.T) {
	for name, test := range map[string]struct {
		more, scope string
		want        map[string][]any
	}{
		"all": {"", "openid", map[string][]any{
			"web-traffic": {50000.0, true, []any{onPaths("/*")}},
		}},
		"paths": {`,"scopes":["openid","email"],"paths":["/api/admin","/api/me"]`, "openid email", map[string][]any{
			"web-login":   {49999.0, true, []any{onPaths("/oauth2/idpresponse", "/api/admin*", "/api/me*")}},
			"web-traffic": {50000.0, false, []any{onPaths("/*")}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			graph := run(t, defaults(t, withLogin(encrypted, test.more)))
			targets := graph.Outputs[one(t, graph, targetGroup).URN]["arn"].StringValue()
			ask, forward := asks("value of /shop/login", test.scope), map[string]any{"type": "forward", "targetGroupArn": targets}
			got := map[string][]any{}
			for _, r := range graph.OfType(listenerRule) {
				actions := revealed(r.Inputs["actions"])
				logsIn := len(actions) == 2
				want := []any{forward}
				if logsIn {
					want = []any{ask, map[string]any{"type": "forward", "targetGroupArn": targets, "order": 2.0}}
				}
				if !reflect.DeepEqual(actions, want) {
					t.Errorf("%s: %v\nwant: %v", r.Name, actions, want)
				}
				got[r.Name] = []any{at(t, r, "priority"), logsIn, at(t, r, "conditions")}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("rules: %v\nwant: %v", got, test.want)
			}
			// Before there are rules, the listener itself asks, on every path.
			if actions := revealed(named(t, graph, listener, "web-https").Inputs["defaultActions"]); len(actions) != 2 || !reflect.DeepEqual(actions[0], ask) {
				t.Errorf("default actions: %v; want the login first", actions)
			}
		})
	}
}

// The rule without a login must not be there before the one with it.
func TestNobodyGetsPastTheLoginWhileRulesAreMade(t *testing.T) {
	graph := run(t, defaults(t, withLogin(encrypted, `,"paths":["/api/admin"]`)))
	traffic, login := named(t, graph, listenerRule, "web-traffic"), named(t, graph, listenerRule, "web-login")
	if !slices.Contains(traffic.DependsOn, login.URN) {
		t.Errorf("%s waits for %v; want %s among them", traffic.Name, traffic.DependsOn, login.URN)
	}
}

func TestTheClientSecretIsSecretEverywhere(t *testing.T) {
	for text, value := range map[string]string{
		"ssm:/shop/login":                  "value of /shop/login",
		"secretsmanager:shop/login#client": "value of shop/login",
		"secretsmanager:shop/login":        `{"client":"value of shop/login"}`,
	} {
		settings := withLogin(encrypted, `,"paths":["/api/admin"]`)
		settings["login"] = strings.Replace(settings["login"], "ssm:/shop/login", text, 1)
		graph := run(t, defaults(t, settings))
		seen := 0
		for _, r := range graph.Resources {
			r.Walk(func(_ string, found resource.PropertyValue) {
				if found.IsSecret() && found.SecretValue().Element.IsString() && found.SecretValue().Element.StringValue() == value {
					seen++
				}
			})
			if strings.Contains(visible(r), value) {
				t.Errorf("%s shows the secret %s", r.URN, text)
			}
		}
		if seen != 2 {
			t.Errorf("%s: the secret is in %d places; want the listener and the rule", text, seen)
		}
	}
	if _, err := infratest.Run(infra.Program, options(defaults(t, with(encrypted, map[string]string{
		"http.headerLimit": "16KiB", "login": strings.Replace(login(""), "ssm:/shop/login", "secretsmanager:shop/login#other", 1),
	})))); err == nil || !strings.Contains(err.Error(), "secret shop/login: no field other") || strings.Contains(err.Error(), "value of") {
		t.Errorf("error: %v; want one about the field, without the secret", err)
	}
}

func TestNginxLetsTheLoginsHeadersThroughOnItsPathsAlone(t *testing.T) {
	for more, want := range map[string]string{"": "/", `,"paths":["/api/admin","/api/me"]`: "/api/admin,/api/me"} {
		if got := environment(containers(t, run(t, defaults(t, withLogin(encrypted, more))))["nginx"])["NGINX_LOGIN_PATHS"]; got != want {
			t.Errorf("NGINX_LOGIN_PATHS: %q; want %q", got, want)
		}
	}
	if got, set := environment(containers(t, run(t, defaults(t, encrypted)))["nginx"])["NGINX_LOGIN_PATHS"]; set {
		t.Errorf("NGINX_LOGIN_PATHS without a login: %q", got)
	}
}

func TestALoginOnASharedListener(t *testing.T) {
	settings := withLogin(behindAnother, `,"paths":["/api/admin"]`)
	graph := run(t, defaults(t, settings))
	hosts := onHosts("*.example.com", "shop.example.com")
	rule := named(t, graph, listenerRule, "web-login")
	if got, want := at(t, rule, "conditions"), []any{hosts, onPaths("/oauth2/idpresponse", "/api/admin*")}; !reflect.DeepEqual(got, want) || at(t, rule, "priority") != 11.0 {
		t.Errorf("login: %v, priority %v; want %v, 11", got, at(t, rule, "priority"), want)
	}

	plain := options(defaults(t, settings))
	plain.Answer = func(token string, args resource.PropertyMap) (resource.PropertyMap, bool) {
		if token != "aws:lb/getListener:getListener" {
			return nil, false
		}
		return resource.PropertyMap{
			"arn": args["arn"], "loadBalancerArn": infratest.SharedBalancer()["arn"], "protocol": resource.NewProperty("HTTP"),
		}, true
	}
	want := "login: the shared listener's protocol is HTTP; allowed: HTTPS"
	if _, err := infratest.Run(infra.Program, plain); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error: %v\nwant: …%s…", err, want)
	}
}

func TestEveryPartOfALoginIsChecked(t *testing.T) {
	const address = "an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it"
	for change, want := range map[[2]string]string{
		{`"issuer":"https:`, `"issuer":"http:`}:                `login.issuer: "http://login.example.com"; allowed: ` + address,
		{`https://login.example.com/token`, ``}:                `login.tokenEndpoint: ""; allowed: ` + address,
		{`"clientId":"shop"`, `"clientId":""`}:                 `login.clientId: ""; allowed: the id that the provider gave this application`,
		{`ssm:/shop/login`, `hunter2`}:                         `login.clientSecret: not what is allowed; allowed: ssm:<name of a parameter>, secretsmanager:<name or ARN of a secret> or secretsmanager:<name>#<field>`,
		{`"clientId"`, `"scopes":["email"],"clientId"`}:        `login.scopes: email; allowed: a list that contains openid`,
		{`"clientId"`, `"scopes":["openid","a b"],"clientId"`}: `login.scopes: "a b"; allowed: a list of: words such as openid and email`,
		{`"clientId"`, `"paths":["/admin/*"],"clientId"`}:      `login.paths: "/admin/*"; allowed: a list of: paths such as /admin or /api/admin, of letters, digits, dots, hyphens and underscores`,
	} {
		settings := withLogin(maps.Clone(encrypted), "")
		settings["login"] = strings.Replace(settings["login"], change[0], change[1], 1)
		if got := refused(t, defaults(t, settings)); !slices.Equal(got, []string{want}) {
			t.Errorf("error:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
		}
	}
}
