package oidc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// session is a user who has logged in. It lives in the user's cookie, encrypted.
type session struct {
	ID           string // of the action
	Claims       json.RawMessage
	AccessToken  string
	RefreshToken string
	Fresh        time.Time // until when the access token is good; zero for always
	Until        time.Time
}

func (s session) subject() string {
	var claims struct {
		Subject string `json:"sub"`
	}
	_ = json.Unmarshal(s.Claims, &claims) // userInfo has checked it
	return claims.Subject
}

// renew takes the tokens and claims of a login or of a refresh.
func (s *session) renew(ctx context.Context, client *http.Client, token *oauth2.Token, action Action) (err error) {
	if s.Claims, err = userInfo(ctx, client, token, action); err != nil {
		return err
	}
	s.AccessToken, s.RefreshToken, s.Fresh = token.AccessToken, token.RefreshToken, token.Expiry
	return nil
}

// session returns the session of a request. One whose access token has expired is refreshed where the provider gave a
// refresh token, lasts until its end where it gave none, and is over when the refresh fails.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#authentication-logout-timeout
func (a *Authenticator) session(w http.ResponseWriter, r *http.Request, action Action) (s session, ok bool) {
	if err := a.sessions.open(join(r, action.cookie()), &s); err != nil || s.ID != action.id() || a.now().After(s.Until) {
		return session{}, false
	}
	if s.RefreshToken == "" || s.Fresh.IsZero() || a.now().Before(s.Fresh) {
		return s, true
	}
	ctx := context.WithValue(r.Context(), oauth2.HTTPClient, a.http)
	token, err := action.client(r).TokenSource(ctx, &oauth2.Token{RefreshToken: s.RefreshToken}).Token()
	if err != nil {
		return session{}, false
	}
	if err := s.renew(ctx, a.http, token, action); err != nil {
		return session{}, false
	}
	return s, a.keep(w, r, action, s) == nil
}

// maxCookie is the largest cookie that a load balancer sends, name and value together, in bytes.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#authentication-flow
const maxCookie = 4 << 10

// keep writes a session into cookies, and takes back those of an earlier, larger session.
func (a *Authenticator) keep(w http.ResponseWriter, r *http.Request, action Action, s session) error {
	sealed, err := a.sessions.seal(s)
	if err != nil {
		return err
	}
	shard := 0
	for room := maxCookie - len(shardName(action.cookie(), 0)+"="); sealed != ""; shard++ {
		part := sealed[:min(room, len(sealed))]
		sealed = sealed[len(part):]
		setCookie(w, shardName(action.cookie(), shard), part, s.Until)
	}
	for ; ; shard++ {
		name := shardName(action.cookie(), shard)
		if _, err := r.Cookie(name); err != nil {
			return nil
		}
		setCookie(w, name, "", time.Unix(1, 0))
	}
}

func shardName(cookie string, shard int) string { return cookie + "-" + strconv.Itoa(shard) }

// join puts a session's shards together again.
func join(r *http.Request, name string) string {
	var whole strings.Builder
	for shard := 0; ; shard++ {
		cookie, err := r.Cookie(shardName(name, shard))
		if err != nil {
			return whole.String()
		}
		whole.WriteString(cookie.Value)
	}
}

// setCookie sets a cookie until a point in time. SameSite=None lets it come back from the provider's site.
func setCookie(w http.ResponseWriter, name, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode})
}

// sealer encrypts what the browser keeps for the load balancer, so that nobody reads or changes it.
type sealer struct {
	key       []byte
	encrypter jose.Encrypter
}

func newSealer() (sealer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
	return sealer{key, encrypter}, err
}

func (s sealer) seal(value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	sealed, err := s.encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

func (s sealer) open(text string, into any) error {
	sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return err
	}
	plain, err := sealed.Decrypt(s.key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("sealed value: %w", err)
	}
	return nil
}
