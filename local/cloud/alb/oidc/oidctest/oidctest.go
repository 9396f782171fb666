// Package oidctest is a small OpenID Connect provider for tests: one user, who is logged in at once.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Provider is a running provider. Its fields may change between two requests.
type Provider struct {
	*httptest.Server
	Claims   map[string]any // of the user
	Refuse   string         // the error that the browser comes back with instead of a code
	Audience string         // of the ID token
	Lifetime time.Duration  // of the access token
	Refresh  bool           // gives refresh tokens
	Broken   bool           // the token endpoint answers every request with an error

	mu     sync.Mutex
	codes  map[string]url.Values // code → the request that it answers
	Tokens int                   // how many access tokens it gave
}

// ClientID and ClientSecret are those of the one client that the provider knows.
const (
	ClientID     = "client"
	ClientSecret = "secret of the client"
)

// Start starts a provider that ends with the test.
func Start(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{
		Claims:   map[string]any{"sub": "user-1", "email": "user@example.com"},
		Audience: ClientID,
		Lifetime: time.Hour,
		codes:    map[string]url.Values{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", p.authorize)
	mux.HandleFunc("/token", p.token)
	mux.HandleFunc("/userinfo", p.userInfo)
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

// Action is a rule's action that logs in with this provider.
func (p *Provider) Action() types.AuthenticateOidcActionConfig {
	return types.AuthenticateOidcActionConfig{
		Issuer:                aws.String(p.URL),
		AuthorizationEndpoint: aws.String(p.URL + "/authorize"),
		TokenEndpoint:         aws.String(p.URL + "/token"),
		UserInfoEndpoint:      aws.String(p.URL + "/userinfo"),
		ClientId:              aws.String(ClientID),
		ClientSecret:          aws.String(ClientSecret),
	}
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != ClientID || query.Get("response_type") != "code" {
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {query.Get("state")}}
	if p.Refuse != "" {
		answer.Set("error", p.Refuse)
	} else {
		code := rand.Text()
		p.mu.Lock()
		p.codes[code] = query
		p.mu.Unlock()
		answer.Set("code", code)
	}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if _ = r.ParseForm(); id == "" {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	secret, _ = url.QueryUnescape(secret) // https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
	began, known := p.codes[r.PostForm.Get("code")]
	redeemed := r.PostForm.Get("grant_type") == "authorization_code" && known && began.Get("redirect_uri") == r.PostForm.Get("redirect_uri")
	refreshed := r.PostForm.Get("grant_type") == "refresh_token" && p.Refresh && r.PostForm.Get("refresh_token") == "refresh"
	if p.Broken || id != ClientID || secret != ClientSecret || !redeemed && !refreshed {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	delete(p.codes, r.PostForm.Get("code")) // a code is good once
	p.Tokens++
	answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": int(p.Lifetime.Seconds()), "id_token": p.idToken()}
	if p.Refresh {
		answer["refresh_token"] = "refresh"
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *Provider) idToken() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // there is no randomness
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		panic(err) // a key of this algorithm is always taken
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   p.URL,
		Audience: jwt.Audience{p.Audience},
		Subject:  "user-1",
		Expiry:   jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).Serialize()
	if err != nil {
		panic(err) // what is serialized here never changes
	}
	return token
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer access" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p.Claims)
}
