package alb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
)

// stickyCookie is what a load balancer calls its own cookie.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#duration-based-stickiness
const stickyCookie = "AWSALB"

// defaultCookieDuration is AWS's.
const defaultCookieDuration = 24 * time.Hour

// cookie names the target without showing its address.
func (t *target) cookie() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s:%d", t.target, t.port))

	return hex.EncodeToString(sum[:16])
}

// stick chooses the target of a request, and gives the client the cookie that keeps it there.
func (g *group) stick(w http.ResponseWriter, r *http.Request) *target {
	value := ""
	if cookie, err := r.Cookie(stickyCookie); err == nil {
		value = cookie.Value
	}
	t := g.pick(value)
	g.mu.Lock()
	sticky := g.settings.sticky
	g.mu.Unlock()
	if t != nil && sticky > 0 {
		http.SetCookie(w, &http.Cookie{Name: stickyCookie, Value: t.cookie(), Path: "/", Expires: time.Now().Add(sticky)})
	}

	return t
}
