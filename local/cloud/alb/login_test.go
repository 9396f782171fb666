package alb

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/alb/oidc"
	"fargate-nginx-sidecar/local/cloud/alb/oidc/oidctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestListenerLogsUsersInBeforeItForwards(t *testing.T) {
	provider := oidctest.Start(t)
	action := provider.Action()
	s := listen(t, echo(t), func(l *listenerSettings) {
		l.port, l.https, l.balancer = 443, true, "arn:balancer"
		login := types.Action{Type: types.ActionTypeEnumAuthenticateOidc, AuthenticateOidcConfig: &action}
		l.rules = append([]rule{{[]types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/admin*"}}}, append([]types.Action{login}, l.rules[0].actions...)}}, l.rules...)
	})
	var err error
	s.balancer.login, err = oidc.New(provider.Client().Transport)
	must(t, err)
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	get := func(path string) string {
		request, err := http.NewRequest(http.MethodGet, "https://"+s.address()+path, nil)
		must(t, err)
		request.Header.Set("X-Amzn-Oidc-Identity", "made up")
		response, err := client.Do(request)
		must(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		must(t, err)
		return string(body)
	}
	if got := get("/open"); provider.Tokens != 0 || !strings.Contains(got, "GET /open") {
		t.Errorf("a path without login: got %d logins and\n%s", provider.Tokens, got)
	}
	got := get("/admin?x=1")
	for _, want := range []string{"GET /admin?x=1", "X-Amzn-Oidc-Identity: user-1\r\n", "X-Amzn-Oidc-Accesstoken: access\r\n", "X-Amzn-Oidc-Data: ey"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "made up") {
		t.Errorf("the target was sent what the client made up:\n%s", got)
	}
	if again := get("/admin"); provider.Tokens != 1 || !strings.Contains(again, "user-1") {
		t.Errorf("with a session: got %d logins and\n%s", provider.Tokens, again)
	}
}
