package nginx_test

import (
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// everyPeer are the ranges that the published port's traffic can come from.
const everyPeer = "NGINX_TRUSTED_PROXIES=172.16.0.0/12,10.0.0.0/8,192.168.0.0/16,fd00::/8"

// Behind API Gateway one header says who the client is. None of those that clients and other proxies send counts.
func TestBehindAnAPIOnlyItsOwnHeaderSaysWhoTheClientIs(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{everyPeer, "NGINX_INGRESS=api"}})
	peer := ""
	for _, c := range []struct {
		name, client string
		sent         []string
	}{
		{"nobody named", "", nil},
		{"the API's word", "203.0.113.9", []string{"Sidecar-Client: 203.0.113.9"}},
		{"the API's word, IPv6", "2001:db8::7", []string{"Sidecar-Client: 2001:db8::7"}},
		{"a load balancer's header", "", []string{"X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6"}},
		{"the other header before it", "203.0.113.9", []string{"X-Forwarded-For: 6.6.6.6", "Sidecar-Client: 203.0.113.9"}},
		{"the other header behind it", "203.0.113.9", []string{"Sidecar-Client: 203.0.113.9", "X-Forwarded-For: 6.6.6.6"}},
		{"another spelling", "", []string{"Sidecar_Client: 6.6.6.6"}},
		{"Forwarded", "", []string{"Forwarded: for=6.6.6.6;proto=http;host=evil.example"}},
		{"Forwarded, several elements", "203.0.113.9", []string{"Forwarded: for=6.6.6.6, for=6.6.6.7;by=1.1.1.1", "Sidecar-Client: 203.0.113.9"}},
		{"Forwarded, quoted", "", []string{`Forwarded: for="6.6.6.6:443";proto="http"`}},
		{"Forwarded, quoted comma", "", []string{`Forwarded: for="_x, for=6.6.6.6"`}},
		{"Forwarded, IPv6 with port", "", []string{`Forwarded: for="[2001:db8::6]:4711"`}},
		{"Forwarded, obfuscated", "", []string{"Forwarded: for=_hidden, for=unknown"}},
		{"Forwarded, very long", "203.0.113.9", []string{"Forwarded: " + strings.Repeat("for=6.6.6.6, ", 400) + "for=6.6.6.6", "Sidecar-Client: 203.0.113.9"}},
		{"no address", "", []string{"Sidecar-Client: for=6.6.6.6"}},
		{"a word", "", []string{"Sidecar-Client: unknown"}},
	} {
		task.Reset(t, true)
		task.Get(t, "/api/x", append(c.sent, "X-Forwarded-Proto: http")...)
		req := only(t, task)
		client, times := req.Header("X-Real-IP")
		chain, _ := req.Header("X-Forwarded-For")
		if peer == "" {
			peer = client
		}
		want, wantChain := peer, peer
		if c.client != "" {
			want, wantChain = c.client, c.client+", "+peer
		}
		if client != want || times != 1 || chain != wantChain {
			t.Errorf("%s: X-Real-IP %q, X-Forwarded-For %q; want %q, %q", c.name, client, chain, want, wantChain)
		}
		if proto, _ := req.Header("X-Forwarded-Proto"); proto != "https" {
			t.Errorf("%s: X-Forwarded-Proto %q; want https, the only scheme of an API", c.name, proto)
		}
		for _, bad := range []string{"6.6.6.6", "2001:db8::6", "evil", "Sidecar"} {
			if strings.Contains(req.Head, bad) {
				t.Errorf("%s: application got %q in\n%s", c.name, bad, req.Head)
			}
		}
	}
}

// Who reaches the port past the API is no API.
func TestAnUntrustedPeerIsNoAPI(t *testing.T) {
	task := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_TRUSTED_PROXIES=192.0.2.0/24", "NGINX_INGRESS=api"}})
	task.Get(t, "/api/x", "Sidecar-Client: 6.6.6.6")
	req := only(t, task)
	if proto, _ := req.Header("X-Forwarded-Proto"); proto != "http" || strings.Contains(req.Head, "6.6.6.6") {
		t.Errorf("application got\n%s", req.Head)
	}
}

var oidcHeaders = []string{"X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity"}

// The load balancer replaces these headers only where it asks for a login. On other paths a client could forge them.
func TestWhoHasSignedInIsKnownOnlyWhereTheLoadBalancerAsks(t *testing.T) {
	sent := make([]string, len(oidcHeaders))
	for i, name := range oidcHeaders {
		sent[i] = name + ": somebody"
	}
	for setting, paths := range map[string]map[string]bool{
		"NGINX_LOGIN_PATHS=": {"/api/x": false, "/api/admin": false},
		"NGINX_LOGIN_PATHS=/api/admin": {
			"/api/admin": true, "/api/admin/x": true, "/api/admin?a=1": true, "/api/admin/": true,
			"/api/administrators": false, "/api/x": false, "/api/x?/api/admin": false, "/api/x/api/admin": false,
		},
		"NGINX_LOGIN_PATHS=/api/a,/api/b": {"/api/a": true, "/api/b/x": true, "/api/c": false},
		"NGINX_LOGIN_PATHS=/":             {"/api/x": true},
	} {
		task := imagetest.Start(t, imagetest.Options{Env: []string{everyPeer, setting}})
		for path, want := range paths {
			task.Reset(t, true)
			task.Get(t, path, sent...)
			for _, name := range oidcHeaders {
				if got, times := only(t, task).Header(name); (got == "somebody" && times == 1) != want || !want && times != 0 {
					t.Errorf("%s, %s: %s %q, %d times; want it: %v", setting, path, name, got, times, want)
				}
			}
		}
	}

	// Many an application takes these for /api/admin; the load balancer does not.
	cased := imagetest.Start(t, imagetest.Options{Env: []string{everyPeer, "NGINX_LOGIN_PATHS=/api/admin"}})
	for _, path := range []string{"/api/Admin", "/api/ADMIN/x", "/api/aDmin?a=1", "/api/admiN/"} {
		if got := cased.Get(t, path, sent...); got.Status != 404 {
			t.Errorf("%s: %d; want 404, because it would get past the login", path, got.Status)
		}
	}
	if seen := cased.Seen(t); len(seen.Requests) != 0 {
		t.Errorf("application saw %q", lines(seen))
	}

	direct := imagetest.Start(t, imagetest.Options{Env: []string{"NGINX_TRUSTED_PROXIES=192.0.2.0/24", "NGINX_LOGIN_PATHS=/"}})
	direct.Get(t, "/api/x", sent...)
	if head := only(t, direct).Head; strings.Contains(head, "somebody") {
		t.Errorf("application got from a peer that is no load balancer\n%s", head)
	}
}
