package ingress

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"fargate-nginx-sidecar/infra/settings"
)

// OIDC says at which identity provider the load balancer asks clients to log in, and on which paths. Without an issuer,
// it asks nobody; without paths, on all of them.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
type OIDC struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorizationEndpoint"`
	TokenEndpoint         string   `json:"tokenEndpoint"`
	UserInfoEndpoint      string   `json:"userInfoEndpoint"`
	ClientID              string   `json:"clientId"`
	ClientSecret          string   `json:"clientSecret"`
	Scopes                []string `json:"scopes"`
	Paths                 []string `json:"paths"`
}

// LoginPaths are the paths whose requests come from somebody who has logged in: none without a login, / for all.
func (s Settings) LoginPaths() []string {
	switch {
	case s.OIDC.Issuer == "":
		return nil
	case len(s.OIDC.Paths) == 0:
		return []string{"/"}
	default:
		return s.OIDC.Paths
	}
}

// callback is the path to which the identity provider sends clients back. The load balancer answers it in a rule that
// asks for a login.
const callback = "/oauth2/idpresponse"

// patterns are the paths of the login as the load balancer matches them. They take in a little more than the paths:
// /admins as well as /admin and what is below it, because a rule has room for five patterns.
func (o OIDC) patterns() []string {
	all := []string{callback}
	for _, path := range o.Paths {
		all = append(all, path+"*")
	}

	return all
}

func (o OIDC) scope() string {
	if len(o.Scopes) == 0 {
		return "openid"
	}

	return strings.Join(o.Scopes, " ")
}

// clientSecret reads the secret that the load balancer shows to the identity provider. It is a secret to Pulumi, too.
func (i *Ingress) clientSecret(ctx *pulumi.Context, o OIDC) pulumi.StringOutput {
	named, _ := settings.ParseSecret(o.ClientSecret) // it has been checked
	if named.Store == settings.StoreParameter {
		found := ssm.LookupParameterOutput(ctx, ssm.LookupParameterOutputArgs{
			Name: pulumi.String(named.Name), WithDecryption: pulumi.Bool(true),
		}, pulumi.Parent(i))
		return pulumi.ToSecret(found.Value()).(pulumi.StringOutput)
	}

	found := secretsmanager.LookupSecretVersionOutput(ctx, secretsmanager.LookupSecretVersionOutputArgs{
		SecretId: pulumi.String(named.Name),
	}, pulumi.Parent(i))

	return pulumi.ToSecret(found.SecretString().ApplyT(func(text string) (string, error) {
		return field(text, named)
	})).(pulumi.StringOutput)
}

// field returns the whole secret, or one of its fields.
func field(text string, named settings.Secret) (string, error) {
	if named.Key == "" {
		return text, nil
	}

	// The text is in no error: it is a secret.
	var fields map[string]string
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return "", fmt.Errorf("secret %s: no JSON object of strings", named.Name)
	}
	value, ok := fields[named.Key]
	if !ok {
		return "", fmt.Errorf("secret %s: no field %s", named.Name, named.Key)
	}

	return value, nil
}

// login is the action of a rule that asks for a login before the request goes on.
func (i *Ingress) login(ctx *pulumi.Context, o OIDC) lb.ListenerRuleActionArgs {
	return lb.ListenerRuleActionArgs{
		Type: pulumi.String("authenticate-oidc"), Order: pulumi.Int(1), AuthenticateOidc: i.provider(ctx, o),
	}
}

// defaultLogin is login for the listener itself, on which no request may get past the login before there is a rule.
func (i *Ingress) defaultLogin(ctx *pulumi.Context, o OIDC) lb.ListenerDefaultActionArgs {
	return lb.ListenerDefaultActionArgs{
		Type: pulumi.String("authenticate-oidc"), Order: pulumi.Int(1),
		AuthenticateOidc: lb.ListenerDefaultActionAuthenticateOidcArgs(i.provider(ctx, o)),
	}
}

// provider is the identity provider, and what the load balancer asks of it. The SDK has two types with the same fields, one
// for rules and one for listeners.
func (i *Ingress) provider(ctx *pulumi.Context, o OIDC) lb.ListenerRuleActionAuthenticateOidcArgs {
	return lb.ListenerRuleActionAuthenticateOidcArgs{
		Issuer: pulumi.String(o.Issuer), AuthorizationEndpoint: pulumi.String(o.AuthorizationEndpoint),
		TokenEndpoint: pulumi.String(o.TokenEndpoint), UserInfoEndpoint: pulumi.String(o.UserInfoEndpoint),
		ClientId: pulumi.String(o.ClientID), ClientSecret: i.clientSecret(ctx, o),
		Scope: pulumi.String(o.scope()), OnUnauthenticatedRequest: pulumi.String("authenticate"),
	}
}

// letOutToIssuer lets the load balancer ask the identity provider, which has no fixed addresses.
func (i *ownLoadBalancer) letOutToIssuer(ctx *pulumi.Context, name string, group pulumi.StringInput) error {
	_, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-alb-to-issuer", &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: group,
		Description:     pulumi.String("Requests to the identity provider"),
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(httpsPort),
		ToPort:          pulumi.Int(httpsPort),
		CidrIpv4:        pulumi.String(anywhere),
	}, pulumi.Parent(i))
	if err != nil {
		return fmt.Errorf("security group rule: %w", err)
	}

	return nil
}

var (
	loginPathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_-]+)+$`)
	scopePattern     = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`) // https://www.rfc-editor.org/rfc/rfc6749#section-3.3
)

func isHTTPS(text string) bool {
	address, err := url.Parse(text)

	return err == nil && address.Scheme == "https" && address.Host != "" && address.RawQuery == "" && address.Fragment == ""
}

func readOIDC(r *settings.Reader) OIDC {
	const key = "oidc"

	o := settings.Object[OIDC](r, key,
		"issuer, authorizationEndpoint, tokenEndpoint, userInfoEndpoint, clientId, clientSecret, scopes, paths")
	if o.given() == 0 {
		return o
	}
	for _, address := range []struct{ field, value string }{
		{"issuer", o.Issuer}, {"authorizationEndpoint", o.AuthorizationEndpoint},
		{"tokenEndpoint", o.TokenEndpoint}, {"userInfoEndpoint", o.UserInfoEndpoint},
	} {
		if !isHTTPS(address.value) {
			r.FailIn(key, key+"."+address.field, fmt.Sprintf("%q", address.value), "an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it")
		}
	}
	if o.ClientID == "" {
		r.FailIn(key, key+".clientId", `""`, "the id that the provider gave this application")
	}
	if _, ok := settings.ParseSecret(o.ClientSecret); !ok {
		// What is no name may be the secret itself, so the error does not repeat it.
		r.FailIn(key, key+".clientSecret", "not the name of a secret", settings.SecretAllowed)
	}
	for _, scope := range o.Scopes {
		if !scopePattern.MatchString(scope) {
			r.FailIn(key, key+".scopes", fmt.Sprintf("%q", scope), "words such as openid and email")
		}
	}
	if len(o.Scopes) > 0 && !slices.Contains(o.Scopes, "openid") {
		r.FailIn(key, key+".scopes", strings.Join(o.Scopes, ", "), "a list that contains openid")
	}
	for _, path := range o.Paths {
		if !loginPathPattern.MatchString(path) {
			r.FailIn(key, key+".paths", fmt.Sprintf("%q", path), "paths such as /admin or /api/admin, of letters, digits, hyphens and underscores")
		}
	}

	return o
}

// given counts the fields that are set.
func (o OIDC) given() int {
	count := len(o.Scopes) + len(o.Paths)
	for _, text := range []string{o.Issuer, o.AuthorizationEndpoint, o.TokenEndpoint, o.UserInfoEndpoint, o.ClientID, o.ClientSecret} {
		count += min(len(text), 1)
	}

	return count
}

// checkOIDC refuses a login that the load balancer cannot ask for.
func checkOIDC(r *settings.Reader, s Settings) {
	if s.OIDC.given() == 0 {
		return
	}

	if s.Kind == APIGateway {
		r.Conflict([]string{"oidc", "ingress"}, "a login is given, but ingress is api-gateway, which has none; allowed with: alb, shared")
	}
	if s.Kind == Own && !s.Encrypted() {
		r.Conflict([]string{"oidc", "domain", "certificateArn"},
			"a login is given, but there is no certificate, and a load balancer asks for a login only over HTTPS; allowed with: a domain or certificateArn")
	}
	if patterns := len(s.OIDC.patterns()) + len(s.SharedLoadBalancer.Hosts); len(s.OIDC.Paths) > 0 && patterns > mostPatterns {
		r.Conflict([]string{"oidc", "sharedLoadBalancer"},
			fmt.Sprintf("%d paths of the login and %d hosts, beside the callback; allowed: at most %d together",
				len(s.OIDC.Paths), len(s.SharedLoadBalancer.Hosts), mostPatterns-1))
	}
}
