package opponent

import (
	"strconv"
	"strings"
	"testing"
)

func TestEveryFileIsRenderedForEveryVariant(t *testing.T) {
	for _, o := range All {
		for _, v := range []Variant{{Port: 8123}, {Port: 8123, Socket: true}, {Port: 8123, TLS: true}} {
			if v.Socket && !o.Socket || v.TLS && !o.TLS {
				continue
			}
			v.Opponent = o.Name
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
			if v.TLS != (strings.Contains(all, "/bench/cert.pem") || strings.Contains(all, "/bench/both.pem")) {
				t.Errorf("%s: certificate", v.Name())
			}
		}
	}
}

func TestNamesTellVariantsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range All {
		for _, v := range []Variant{{Opponent: o.Name}, {Opponent: o.Name, Socket: true}, {Opponent: o.Name, TLS: true}} {
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
