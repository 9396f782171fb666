package alb

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A client stays with its target until that is gone, and only where the target group says so.
func TestAClientStaysWithItsTarget(t *testing.T) {
	g := testGroup(t)
	one, _ := backend(t)
	two, _ := backend(t)
	g.register(key{"10.0.0.1", 80}, one)
	g.register(key{"10.0.0.2", 80}, two)
	waitFor(t, "both healthy", func() bool { return len(g.inState(types.TargetHealthStateEnumHealthy)) == 2 })
	targets := func(cookies []*http.Cookie) (seen map[string]bool, given []*http.Cookie) {
		seen = map[string]bool{}
		for range 6 {
			r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			for _, cookie := range cookies {
				r.AddCookie(cookie)
			}
			target := g.stick(w, r)
			seen[target.address] = true
			g.release(target)
			given = w.Result().Cookies() //nolint:bodyclose // there is no body
		}
		return seen, given
	}
	if seen, cookies := targets(nil); len(seen) != 2 || len(cookies) != 0 {
		t.Errorf("by default: %v, %v", seen, cookies)
	}
	settings := g.settings
	settings.sticky = time.Hour
	g.configure(settings)
	_, cookies := targets(nil)
	seen, _ := targets(cookies)
	if len(cookies) != 1 || cookies[0].Name != "AWSALB" || len(seen) != 1 {
		t.Errorf("sticky: %v with %v", seen, cookies)
	}
	if seen, _ := targets([]*http.Cookie{{Name: "AWSALB", Value: "gone"}}); len(seen) != 2 {
		t.Errorf("with the cookie of a target that is gone: %v", seen)
	}
}
