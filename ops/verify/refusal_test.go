package verify

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const appsPage = `<!doctype html><script src="/static/app.js"></script><link rel=stylesheet href='style.css'>
<a href="/shop/a%2Fb?x=1&amp;y=2">item</a><a href="/shop/ok">ok</a><a href="/shop/gone">gone</a><a href="/shop/ok">again</a><a href="https://elsewhere.example/x">out</a>
<a href="mailto:a@example.com">mail</a><form action="/shop/[slug]">`

func TestWhatNginxRefusesOfTheAppsOwnPagesIsNamedWithItsReason(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		refuse := func(status int, reason string) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":"x","reason":%q,"request_id":"1"}`, reason)
		}
		switch {
		case r.RequestURI == "/shop":
			_, _ = io.WriteString(w, appsPage)
		case r.RequestURI == "/shop/gone": // the app's own
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":"not found","reason":"sold"}`)
		case strings.HasPrefix(r.RequestURI, "/static/"):
			refuse(404, "path: http.paths")
		case strings.Contains(r.RequestURI, "%2F"):
			refuse(400, "path: encoded slash: http.allow")
		}
	}))
	defer server.Close()
	got := Refusals(t.Context(), Options{URL: server.URL, Prefixes: []string{"/shop"}, Client: server.Client()})
	want := []string{"GET /static/app.js: 404, path: http.paths", "GET /shop/a%2Fb?x=1&y=2: 400, path: encoded slash: http.allow"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if wanted := []string{"/shop", "/static/app.js", "/style.css", "/shop/a%2Fb?x=1&y=2", "/shop/ok", "/shop/gone", "/shop/[slug]"}; !slices.Equal(asked, wanted) {
		t.Errorf("asked\n%q\nwant\n%q", asked, wanted)
	}
}

// A page of the app with many such links does not fill the screen.
func TestOnlyTheFirstRefusalsAreNamed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			for i := range 100 {
				_, _ = fmt.Fprintf(w, `<img src="/x/%d">`, i)
			}
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"reason":"path: http.paths","request_id":"1"}`)
	}))
	defer server.Close()
	if got := Refusals(t.Context(), Options{URL: server.URL, Prefixes: []string{"/"}, Client: server.Client()}); len(got) != mostRefusals {
		t.Errorf("%d: %q", len(got), got)
	}
}
