// Package oidc logs users in as an Application Load Balancer does whose rule has an authenticate-oidc action: it sends
// the browser to the identity provider, exchanges the code that comes back for tokens and claims, keeps them in an
// encrypted cookie, and tells the target in signed headers who the user is.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
//
// It exists for the local run only, as a stand-in for the load balancer's own login.
package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// CallbackPath is where the identity provider sends the browser back to, on every listener.
const CallbackPath = "/oauth2/idpresponse"

// What a load balancer assumes where the action says nothing.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AuthenticateOidcActionConfig.html
const (
	defaultScope          = "openid"
	defaultSessionTimeout = 7 * 24 * time.Hour
	defaultCookie         = "AWSELBAuthSessionCookie"
)

// loginTimeout is how long a user may take to log in.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#client-login-timeout
const loginTimeout = 15 * time.Minute

// maxClaims is how large the claims and the access token may be together, in bytes.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#authentication-flow
const maxClaims = 11 << 10

// providerTimeout bounds one call of the identity provider. AWS publishes no number.
const providerTimeout = 10 * time.Second

// The statuses that a load balancer answers with when a login fails.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#load-balancer-http-error-codes
const (
	statusDenied        = http.StatusUnauthorized        // not logged in, too late, or refused by the provider's user
	statusUnreachable   = http.StatusInternalServerError // no answer, no ID token, claims too large, no host to come back to
	statusProviderError = 561                            // the provider answered with an error
)

// Action is one authenticate-oidc action of a rule.
type Action struct {
	types.AuthenticateOidcActionConfig
	Signer string // ARN of the load balancer, which the signed header names
}

func (a Action) cookie() string {
	return cmp.Or(aws.ToString(a.SessionCookieName), defaultCookie)
}

func (a Action) sessionTimeout() time.Duration {
	if seconds := aws.ToInt64(a.SessionTimeout); seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultSessionTimeout
}

// id tells the action's provider and client from those of other rules: a session with one is none with another.
func (a Action) id() string { return aws.ToString(a.Issuer) + " " + aws.ToString(a.ClientId) }

// client is the action as the OAuth library has it. The callback has the host that the browser asked for.
func (a Action) client(r *http.Request) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     aws.ToString(a.ClientId),
		ClientSecret: aws.ToString(a.ClientSecret),
		Endpoint:     oauth2.Endpoint{AuthURL: aws.ToString(a.AuthorizationEndpoint), TokenURL: aws.ToString(a.TokenEndpoint)},
		RedirectURL:  "https://" + r.Host + CallbackPath,
		Scopes:       strings.Fields(cmp.Or(aws.ToString(a.Scope), defaultScope)),
	}
}

// Authenticator keeps the keys of all logins of one local run. Sessions end with it.
type Authenticator struct {
	http *http.Client
	// Two keys, because a client sees both: what begins a login must not pass for its result.
	attempts, sessions sealer
	signer             *Signer
	now                func() time.Time
}

// New returns an authenticator with fresh keys. It calls identity providers through transport; nil is Go's own, which
// trusts the certificates that this machine trusts.
func New(transport http.RoundTripper) (*Authenticator, error) {
	attempts, err1 := newSealer()
	sessions, err2 := newSealer()
	signer, err3 := newSigner()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return &Authenticator{
		http:     &http.Client{Transport: transport, Timeout: providerTimeout},
		attempts: attempts,
		sessions: sessions,
		signer:   signer,
		now:      time.Now,
	}, nil
}

// Keys serves the public key with which applications verify the signed header.
func (a *Authenticator) Keys() http.Handler { return a.signer }

// headerPrefix begins the names of the headers that say who the user is.
const headerPrefix = "X-Amzn-Oidc-"

// Authenticate puts the user's headers into a request with a session, and takes out of any other what a client claims to
// be. It returns 0 when the request may pass, and otherwise the status to answer with; for a redirect the answer's header
// is complete.
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request, action Action) (status int) {
	for name := range r.Header {
		if strings.HasPrefix(name, headerPrefix) {
			r.Header.Del(name)
		}
	}
	if s, ok := a.session(w, r, action); ok {
		signed, err := a.signer.sign(s.Claims, action, a.now())
		if err != nil {
			return statusUnreachable
		}
		r.Header.Set(headerPrefix+"Accesstoken", s.AccessToken)
		r.Header.Set(headerPrefix+"Identity", s.subject())
		r.Header.Set(headerPrefix+"Data", signed)
		return 0
	}
	switch action.OnUnauthenticatedRequest {
	case types.AuthenticateOidcActionConditionalBehaviorEnumAllow:
		return 0
	case types.AuthenticateOidcActionConditionalBehaviorEnumDeny:
		return statusDenied
	}
	return a.redirect(w, r, action)
}

// attempt is a login on its way, which travels through the identity provider as the state.
type attempt struct {
	ID    string // of the action
	URL   string // where the user wanted to go
	Nonce string // also in a cookie: whoever comes back is who was sent
	Until time.Time
}

// nonceCookie binds an attempt to the browser that began it. Browsers show it on the way through a real load balancer;
// AWS's documentation does not name it.
const nonceCookie = "AWSALBAuthNonce"

func (a *Authenticator) redirect(w http.ResponseWriter, r *http.Request, action Action) (status int) {
	if r.Host == "" {
		return statusUnreachable
	}
	try := attempt{ID: action.id(), URL: "https://" + r.Host + r.URL.RequestURI(), Nonce: rand.Text(), Until: a.now().Add(loginTimeout)}
	state, err := a.attempts.seal(try)
	if err != nil {
		return statusUnreachable
	}
	var extra []oauth2.AuthCodeOption
	for name, value := range action.AuthenticationRequestExtraParams {
		extra = append(extra, oauth2.SetAuthURLParam(name, value))
	}
	setCookie(w, nonceCookie, try.Nonce, try.Until)
	w.Header().Set("Location", action.client(r).AuthCodeURL(state, extra...))
	return http.StatusFound
}

// Callback finishes a login whose action is one of those given: the browser comes back with a code. It returns the status
// to answer with; for a redirect the answer's header is complete.
func (a *Authenticator) Callback(w http.ResponseWriter, r *http.Request, actions []Action) (status int) {
	query := r.URL.Query()
	var try attempt
	if err := a.attempts.open(query.Get("state"), &try); err != nil {
		return statusDenied
	}
	nonce, err := r.Cookie(nonceCookie)
	if err != nil || nonce.Value != try.Nonce || a.now().After(try.Until) {
		return statusDenied
	}
	if refused := query.Get("error"); refused == "access_denied" {
		return statusDenied
	} else if refused != "" {
		return statusProviderError
	}
	for _, action := range actions {
		if action.id() == try.ID {
			return a.finish(w, r, action, try, query.Get("code"))
		}
	}
	return statusDenied // the rule has gone meanwhile
}

func (a *Authenticator) finish(w http.ResponseWriter, r *http.Request, action Action, try attempt, code string) (status int) {
	ctx := context.WithValue(r.Context(), oauth2.HTTPClient, a.http)
	token, err := action.client(r).Exchange(ctx, code)
	if err != nil {
		return statusOf(err)
	}
	if err := a.checkIDToken(token, action); err != nil {
		return statusUnreachable
	}
	s := session{ID: action.id(), Until: a.now().Add(action.sessionTimeout())}
	if err := s.renew(ctx, a.http, token, action); err != nil {
		return statusOf(err)
	}
	if err := a.keep(w, r, action, s); err != nil {
		return statusUnreachable
	}
	setCookie(w, nonceCookie, "", time.Unix(1, 0))
	w.Header().Set("Location", try.URL)
	return http.StatusFound
}

// statusOf tells a provider's own error from one on the way to it.
func statusOf(err error) (status int) {
	var answered *oauth2.RetrieveError
	if errors.As(err, &answered) {
		return statusProviderError
	}
	return statusUnreachable
}

// checkIDToken checks who issued a token, for whom, and until when. Its signature needs no check, because the token comes
// from the provider over TLS, and a load balancer knows no address of the provider's keys.
// https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
func (a *Authenticator) checkIDToken(token *oauth2.Token, action Action) error {
	raw, _ := token.Extra("id_token").(string)
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.HS256, jose.HS384, jose.HS512,
	})
	if err != nil {
		return fmt.Errorf("id token: %w", err)
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return fmt.Errorf("id token: %w", err)
	}
	if claims.Expiry == nil {
		return errors.New("id token: no expiry")
	}
	return claims.Validate(jwt.Expected{Issuer: aws.ToString(action.Issuer), AnyAudience: jwt.Audience{aws.ToString(action.ClientId)}, Time: a.now()})
}

// userInfo asks the provider who the user is.
func userInfo(ctx context.Context, client *http.Client, token *oauth2.Token, action Action) (json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, aws.ToString(action.UserInfoEndpoint), nil)
	if err != nil {
		return nil, err
	}
	token.SetAuthHeader(request)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxClaims+1))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, &oauth2.RetrieveError{Response: response, Body: body}
	}
	if len(body)+len(token.AccessToken) > maxClaims {
		return nil, fmt.Errorf("claims and access token: more than %d bytes", maxClaims)
	}
	if !json.Valid(body) {
		return nil, errors.New("claims: not JSON")
	}
	return body, nil
}
