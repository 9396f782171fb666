package oidc

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/cloud/alb/oidc/oidctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// site is a load balancer with one rule that logs users in, and a target that answers with the headers it was sent.
type site struct {
	*httptest.Server
	login    *Authenticator
	provider *oidctest.Provider
	action   Action
	later    time.Duration // how far the clock of the load balancer is ahead
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{provider: oidctest.Start(t)}
	var err error
	if s.login, err = New(s.provider.Client().Transport); err != nil {
		t.Fatal(err)
	}
	s.login.now = func() time.Time { return time.Now().Add(s.later) }
	s.action = Action{AuthenticateOidcActionConfig: s.provider.Action(), Signer: "arn:balancer"}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := 0
		if r.URL.Path == CallbackPath {
			status = s.login.Callback(w, r, []Action{s.action})
		} else {
			status = s.login.Authenticate(w, r, s.action)
		}
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.RequestURI, "header": r.Header})
	}))
	t.Cleanup(s.Close)
	return s
}

// browser keeps cookies and accepts the certificates of tests.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// answer is what a browser ends up with.
type answer struct {
	Status int
	Path   string
	Header http.Header // that the target was sent
}

func visit(t *testing.T, client *http.Client, address string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got := answer{Status: response.StatusCode}
	body, _ := io.ReadAll(response.Body)
	_ = json.Unmarshal(body, &got)
	return got
}

// verified checks a signed header against the public key, as an application would, and returns its first two parts.
func verified(t *testing.T, s *site, token string) (head, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("x-amzn-oidc-data: got %q, want three parts", token)
	}
	decode := func(part string) []byte {
		plain, err := base64.URLEncoding.DecodeString(part) // with the padding that a load balancer writes
		if err != nil {
			t.Fatalf("x-amzn-oidc-data: %q: %v", part, err)
		}
		return plain
	}
	for i, into := range []*map[string]any{&head, &claims} {
		if err := json.Unmarshal(decode(parts[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	keys := httptest.NewRecorder()
	s.login.Keys().ServeHTTP(keys, httptest.NewRequest(http.MethodGet, "/keys/"+head["kid"].(string), nil))
	block, _ := pem.Decode(keys.Body.Bytes())
	if block == nil {
		t.Fatalf("public key %v: got %d %s", head["kid"], keys.Code, keys.Body)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signature, digest := decode(parts[2]), sha256.Sum256([]byte(parts[0]+"."+parts[1]))
	if len(signature) != 64 || !ecdsa.Verify(public.(*ecdsa.PublicKey), digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("x-amzn-oidc-data: the signature does not fit the public key")
	}
	return head, claims
}

func TestUserWhoLogsInArrivesWithSignedClaims(t *testing.T) {
	s := newSite(t)
	s.action.AuthenticationRequestExtraParams = map[string]string{"prompt": "login"}
	got := visit(t, browser(t), s.URL+"/a/b?c=d%2f", http.Header{"X-Amzn-Oidc-Identity": {"forged"}, "X-Amzn-Oidc-Other": {"forged"}})
	if got.Status != http.StatusOK || got.Path != "/a/b?c=d%2f" {
		t.Fatalf("after the login: got %d at %q, want the page that was asked for", got.Status, got.Path)
	}
	if access, who, other := got.Header.Get("X-Amzn-Oidc-Accesstoken"), got.Header["X-Amzn-Oidc-Identity"], got.Header.Get("X-Amzn-Oidc-Other"); access != "access" || len(who) != 1 || who[0] != "user-1" || other != "" {
		t.Errorf("headers: got access token %q, identity %q, other %q", access, who, other)
	}
	head, claims := verified(t, s, got.Header.Get("X-Amzn-Oidc-Data"))
	if claims["email"] != "user@example.com" || claims["sub"] != "user-1" {
		t.Errorf("claims: got %v", claims)
	}
	if head["alg"] != "ES256" || head["signer"] != "arn:balancer" || head["iss"] != s.provider.URL || head["client"] != oidctest.ClientID || head["exp"] == nil {
		t.Errorf("header: got %v", head)
	}
}

func TestRedirectAsksForWhatTheActionSays(t *testing.T) {
	s := newSite(t)
	s.action.Scope = aws.String("openid email")
	s.action.AuthenticationRequestExtraParams = map[string]string{"prompt": "login"}
	client := browser(t)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Get(s.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	location, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	query := location.Query()
	if query.Get("state") == "" {
		t.Error("the redirect has no state")
	}
	query.Del("state")
	want := url.Values{"client_id": {oidctest.ClientID}, "redirect_uri": {s.URL + CallbackPath}, "response_type": {"code"}, "scope": {"openid email"}, "prompt": {"login"}}
	if query.Encode() != want.Encode() {
		t.Errorf("redirect: got %v, want %v", query, want)
	}
}

func TestWithoutLoginTheActionDecides(t *testing.T) {
	s := newSite(t)
	forged := http.Header{"X-Amzn-Oidc-Data": {"forged"}, "X-Amzn-Oidc-Identity": {"admin"}, "X-Amzn-Oidc-Accesstoken": {"forged"}}
	s.action.OnUnauthenticatedRequest = types.AuthenticateOidcActionConditionalBehaviorEnumAllow
	got := visit(t, browser(t), s.URL+"/", forged)
	if got.Status != http.StatusOK {
		t.Errorf("allow: got %d", got.Status)
	}
	for name := range forged {
		if got.Header.Get(name) != "" {
			t.Errorf("allow: the target was sent %s %q, which the client made up", name, got.Header.Get(name))
		}
	}
	s.action.OnUnauthenticatedRequest = types.AuthenticateOidcActionConditionalBehaviorEnumDeny
	if got := visit(t, browser(t), s.URL+"/", forged); got.Status != http.StatusUnauthorized {
		t.Errorf("deny: got %d, want 401", got.Status)
	}
}

func TestLargeSessionIsSeveralCookies(t *testing.T) {
	s := newSite(t)
	s.action.SessionCookieName, s.action.SessionTimeout = aws.String("session"), aws.Int64(60)
	client, at := browser(t), must(url.Parse(s.URL))
	names := func() (all []string) {
		for _, cookie := range client.Jar.Cookies(at) {
			if strings.HasPrefix(cookie.Name, "session-") {
				all = append(all, cookie.Name)
			}
			if size := len(cookie.Name) + len(cookie.Value) + 1; size > 4096 {
				t.Errorf("cookie %s: %d bytes, more than browsers keep", cookie.Name, size)
			}
		}
		return all
	}
	s.provider.Claims["groups"] = strings.Repeat("x", 9<<10)
	if got := visit(t, client, s.URL+"/", nil); got.Status != http.StatusOK {
		t.Fatalf("large claims: got %d", got.Status)
	}
	if got := names(); len(got) < 3 {
		t.Fatalf("large claims: got cookies %v, want at least 3", got)
	}
	if got := visit(t, client, s.URL+"/", nil); got.Status != http.StatusOK || s.provider.Tokens != 1 {
		t.Errorf("second request: got %d after %d logins, want the session of the first", got.Status, s.provider.Tokens)
	}
	// A smaller session takes the shards back that it does not need.
	delete(s.provider.Claims, "groups")
	s.later = 2 * time.Minute
	if got := visit(t, client, s.URL+"/", nil); got.Status != http.StatusOK || len(names()) != 1 {
		t.Errorf("smaller session: got %d and cookies %v, want one", got.Status, names())
	}
	s.provider.Claims["groups"] = strings.Repeat("x", 12<<10)
	if got := visit(t, browser(t), s.URL+"/", nil); got.Status != http.StatusInternalServerError {
		t.Errorf("claims of 12 KiB: got %d, want 500", got.Status)
	}
}

func TestSessionEndsAndIsRefreshed(t *testing.T) {
	s := newSite(t)
	s.action.SessionTimeout = aws.Int64(7200)
	deny := func(yes bool) {
		s.action.OnUnauthenticatedRequest = ""
		if yes {
			s.action.OnUnauthenticatedRequest = types.AuthenticateOidcActionConditionalBehaviorEnumDeny
		}
	}
	for _, c := range []struct {
		name    string
		refresh bool          // the provider gives refresh tokens
		later   time.Duration // the access token lasts an hour, the session two
		broken  bool          // the user has logged out at the provider
		status  int
		tokens  int
	}{
		{"access token still good", true, 50 * time.Minute, false, 200, 1},
		{"access token expired, no refresh token", false, 90 * time.Minute, false, 200, 1},
		{"access token expired, refreshed", true, 90 * time.Minute, false, 200, 2},
		{"access token expired, refresh refused", true, 90 * time.Minute, true, 401, 1},
		{"session over", true, 121 * time.Minute, false, 401, 1},
	} {
		s.later, s.provider.Tokens, s.provider.Refresh, s.provider.Broken = 0, 0, c.refresh, false
		client := browser(t)
		deny(false)
		visit(t, client, s.URL+"/", nil)
		deny(true)
		s.later, s.provider.Broken = c.later, c.broken
		if got := visit(t, client, s.URL+"/", nil); got.Status != c.status || s.provider.Tokens != c.tokens {
			t.Errorf("%s: got %d after %d access tokens, want %d after %d", c.name, got.Status, s.provider.Tokens, c.status, c.tokens)
		}
	}
}

func TestLoginsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*site)
		want  int
	}{
		"user refuses":               {func(s *site) { s.provider.Refuse = "access_denied" }, 401},
		"provider fails":             {func(s *site) { s.provider.Refuse = "server_error" }, 561},
		"token endpoint fails":       {func(s *site) { s.provider.Broken = true }, 561},
		"token endpoint is away":     {func(s *site) { s.action.TokenEndpoint = aws.String("https://127.0.0.1:1/") }, 500},
		"user info is away":          {func(s *site) { s.action.UserInfoEndpoint = aws.String("https://127.0.0.1:1/") }, 500},
		"ID token for somebody else": {func(s *site) { s.provider.Audience = "other" }, 500},
		"ID token of somebody else":  {func(s *site) { s.action.Issuer = aws.String("https://other") }, 500},
		"wrong secret":               {func(s *site) { s.action.ClientSecret = aws.String("wrong") }, 561},
	} {
		s := newSite(t)
		c.spoil(s)
		if got := visit(t, browser(t), s.URL+"/", nil); got.Status != c.want {
			t.Errorf("%s: got %d, want %d", name, got.Status, c.want)
		}
	}
}

// What a client can see of a login must not be of use to it for anything else.
func TestLoginCannotBeForged(t *testing.T) {
	s := newSite(t)
	client := browser(t)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	begin := func() (state string, nonce *http.Cookie) {
		response, err := client.Get(s.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return must(response.Location()).Query().Get("state"), response.Cookies()[0]
	}
	state, nonce := begin()
	_, other := begin()
	back := func(state string, cookie *http.Cookie) int {
		header := http.Header{}
		if cookie != nil {
			header.Set("Cookie", cookie.Name+"="+cookie.Value)
		}
		return visit(t, &http.Client{Transport: client.Transport, CheckRedirect: client.CheckRedirect}, s.URL+CallbackPath+"?code=x&state="+state, header).Status
	}
	if got := back(state, nonce); got != statusProviderError {
		t.Errorf("a code that the provider does not know: got %d, want 561", got)
	}
	for name, got := range map[string]int{
		"no state": back("", nonce), "made-up state": back("a.b.c.d.e", nonce), "other browser's state": back(state, other), "no nonce": back(state, nil),
	} {
		if got != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, got)
		}
	}
	s.later = 16 * time.Minute
	if got := back(state, nonce); got != http.StatusUnauthorized {
		t.Errorf("16 minutes later: got %d, want 401", got)
	}
	s.later = 0
	s.action.OnUnauthenticatedRequest = types.AuthenticateOidcActionConditionalBehaviorEnumDeny
	header := http.Header{"Cookie": {defaultCookie + "-0=" + state}}
	if got := visit(t, browser(t), s.URL+"/", header); got.Status != http.StatusUnauthorized {
		t.Errorf("the state of a login as its session: got %d, want 401", got.Status)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
