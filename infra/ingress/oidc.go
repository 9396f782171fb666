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
	Issuer, AuthorizationEndpoint, TokenEndpoint, UserInfoEndpoint string
	ClientID, ClientSecret                                         string
	Scopes, Paths                                                  []string
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

func (o OIDC) scope() string { return strings.Join(o.Scopes, " ") }

// clientSecret reads the secret that the load balancer shows to the identity provider. It is a secret to Pulumi, too.
func (b *builder) clientSecret() pulumi.StringOutput {
	named, _ := settings.ParseSecret(b.OIDC.ClientSecret) // it has been checked
	if named.Store == settings.StoreParameter {
		found := ssm.LookupParameterOutput(b.ctx, ssm.LookupParameterOutputArgs{
			Name: pulumi.String(named.Name), WithDecryption: pulumi.Bool(true),
		}, b.child)
		return pulumi.ToSecret(found.Value()).(pulumi.StringOutput)
	}

	found := secretsmanager.LookupSecretVersionOutput(b.ctx, secretsmanager.LookupSecretVersionOutputArgs{
		SecretId: pulumi.String(named.Name),
	}, b.child)

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

// login is the action of a rule that requires a login before the request goes on.
func (b *builder) login() lb.ListenerRuleActionArgs {
	return lb.ListenerRuleActionArgs{
		Type: pulumi.String("authenticate-oidc"), Order: pulumi.Int(1), AuthenticateOidc: b.identityProvider(),
	}
}

// defaultLogin is login for the listener itself, on which no request may get past the login before there is a rule.
func (b *builder) defaultLogin() lb.ListenerDefaultActionArgs {
	return lb.ListenerDefaultActionArgs{
		Type: pulumi.String("authenticate-oidc"), Order: pulumi.Int(1),
		AuthenticateOidc: lb.ListenerDefaultActionAuthenticateOidcArgs(b.identityProvider()),
	}
}

// identityProvider is the identity provider, and what the load balancer requests of it. The SDK has two types with the same
// fields, one for rules and one for listeners.
func (b *builder) identityProvider() lb.ListenerRuleActionAuthenticateOidcArgs {
	o := b.OIDC

	return lb.ListenerRuleActionAuthenticateOidcArgs{
		Issuer: pulumi.String(o.Issuer), AuthorizationEndpoint: pulumi.String(o.AuthorizationEndpoint),
		TokenEndpoint: pulumi.String(o.TokenEndpoint), UserInfoEndpoint: pulumi.String(o.UserInfoEndpoint),
		ClientId: pulumi.String(o.ClientID), ClientSecret: b.clientSecret(),
		Scope: pulumi.String(o.scope()), OnUnauthenticatedRequest: pulumi.String("authenticate"),
	}
}

// allowIssuerEgress lets the load balancer connect to the identity provider, which has no fixed addresses.
func (i *ownLoadBalancer) allowIssuerEgress() error {
	_, err := vpc.NewSecurityGroupEgressRule(i.ctx, i.Name+"-alb-to-issuer", &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: i.group.ID(),
		Description:     pulumi.String("Requests to the identity provider"),
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(httpsPort),
		ToPort:          pulumi.Int(httpsPort),
		CidrIpv4:        pulumi.String(anywhere),
	}, i.child)
	if err != nil {
		return fmt.Errorf("security group rule: %w", err)
	}

	return nil
}

var (
	loginPathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	scopePattern     = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`) // https://www.rfc-editor.org/rfc/rfc6749#section-3.3
)

func isHTTPS(text string) bool {
	address, err := url.Parse(text)

	return err == nil && address.Scheme == "https" && address.Host != "" && address.RawQuery == "" && address.Fragment == ""
}

func readOIDC(r *settings.Reader) OIDC {
	const source = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html"
	g := r.Group("login")
	address := settings.Form{Allowed: "an address such as https://login.example.com/token, as the provider's /.well-known/openid-configuration has it", Check: isHTTPS}
	secret := settings.Form{Allowed: settings.SecretAllowed, Check: func(text string) bool { _, ok := settings.ParseSecret(text); return ok }}
	o := OIDC{
		Issuer:                g.Required("issuer", address, "Issuer, as in the provider's `/.well-known/openid-configuration`.", source),
		AuthorizationEndpoint: g.Required("authorizationEndpoint", address, "Authorization endpoint, from the same place.", source),
		TokenEndpoint:         g.Required("tokenEndpoint", address, "Token endpoint, from the same place.", source),
		UserInfoEndpoint:      g.Required("userInfoEndpoint", address, "User info endpoint, from the same place.", source),
		ClientID:              g.Required("clientId", settings.Form{Allowed: "the id that the provider gave this application"}, "Id that the provider gave this application.", source),
		ClientSecret:          g.Hidden().Required("clientSecret", secret, "Name of the secret in a store, in the forms of `app.secrets`.", source),
		Scopes: g.Texts("scopes", []string{"openid"}, settings.Form{Allowed: "words such as openid and email", Pattern: scopePattern},
			"Scopes that the load balancer requests, `openid` among them.", source),
		Paths: g.Else("all").Texts("paths", nil, settings.Form{Allowed: "paths such as /admin or /api/admin, of letters, digits, dots, hyphens and underscores", Pattern: loginPathPattern},
			"Paths that need a login, each with everything below it.", source),
	}
	if !slices.Contains(o.Scopes, "openid") && !r.Wrong("login.scopes") {
		r.Fail("login.scopes", strings.Join(o.Scopes, ", "), "a list that contains openid")
	}

	return o
}

// checkOIDC refuses a login that the load balancer cannot ask for.
func checkOIDC(r *settings.Reader, s Settings) {
	if !r.Given("login") {
		return
	}

	if s.Kind.has("login") && s.Kind.has("domain.certificate") && !s.Encrypted() {
		r.Conflict([]string{"login", "domain.name", "domain.certificate"},
			"a login is set, but there is no certificate, and a load balancer offers a login only over HTTPS; allowed with: domain.name or domain.certificate")
	}
	if patterns := len(s.OIDC.patterns()) + len(s.SharedLoadBalancer.Hosts); len(s.OIDC.Paths) > 0 && patterns > mostPatterns {
		r.Conflict([]string{"login.paths", "ingress.shared.hosts"},
			fmt.Sprintf("%d paths of the login and %d hosts, beside the callback; allowed: at most %d together",
				len(s.OIDC.Paths), len(s.SharedLoadBalancer.Hosts), mostPatterns-1))
	}
}
