package opponent

import (
	"strconv"
	"strings"
	"testing"
)

func TestEveryFileIsRenderedForEveryVariant(t *testing.T) {
	for _, o := range All {
		for _, v := range []Variant{{Port: 8123}, {Port: 8123, Socket: true}, {Port: 8123, TLS: true}, {Port: 8123, Static: true}} {
			if v.Socket && !o.Socket || v.TLS && !o.TLS || v.Static && !o.Static {
				continue
			}
			v.Opponent, v.Dropped = o.Name, []string{"X-One", "X-Two"}
			all := ""
			for _, file := range o.Files {
				text, err := v.Render(file)
				if err != nil {
					t.Fatal(err)
				}
				all += string(text)
			}
			if len(o.Files) == 0 {
				continue
			}
			if !strings.Contains(all, strconv.Itoa(v.Port)) || strings.Contains(all, "{{") {
				t.Errorf("%s: no port, or a rest of the template", v.Name())
			}
			if v.Socket != strings.Contains(all, "/sock/app.sock") || v.Socket == strings.Contains(all, "127.0.0.1:3000") {
				t.Errorf("%s: the wrong way to the application", v.Name())
			}
			if drops := strings.Contains(strings.ToLower(all), "x-two"); drops == (o.Name == Control) {
				t.Errorf("%s: drops headers: %v", v.Name(), drops)
			}
			if v.Static != strings.Contains(all, "/srv/static/1") {
				t.Errorf("%s: files", v.Name())
			}
			if v.TLS != (strings.Contains(all, "/bench/cert.pem") || strings.Contains(all, "/bench/both.pem")) {
				t.Errorf("%s: certificate", v.Name())
			}
		}
	}
}

func TestNamesTellVariantsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range All {
		for _, v := range []Variant{{Opponent: o.Name}, {Opponent: o.Name, Socket: true}, {Opponent: o.Name, TLS: true}, {Opponent: o.Name, Static: true}} {
			if seen[v.Name()] {
				t.Errorf("%s: two of them", v.Name())
			}
			seen[v.Name()] = true
		}
		if found, ok := Find(o.Name); !ok || found.Title != o.Title {
			t.Errorf("%s: not found", o.Name)
		}
	}
	if _, ok := Find("nobody"); ok {
		t.Error("found nobody")
	}
}
