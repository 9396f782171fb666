package stack

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const (
	oldApp   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	newApp   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:2222222222222222222222222222222222222222222222222222222222222222"
	newNginx = "127.0.0.1:5000/nginx@sha256:3333333333333333333333333333333333333333333333333333333333333333"
)

// Each file is written with APP and NGINX where the images go, and without them before.
func TestOnlyTheImagesOfAFileChange(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"a file without groups": {
			"# Production, für alle.\nconfig:\n  # where\n  aws:region: eu-central-1 # Frankfurt\n\n  shop:profile: prod\n",
			"# Production, für alle.\nconfig:\n  shop:app: {image: APP}\n  shop:http: {image: NGINX}\n  # where\n  aws:region: eu-central-1 # Frankfurt\n\n  shop:profile: prod\n",
		},
		"groups in one line": {
			"config:\n    shop:app: {port: 3000, health: /healthz}   # the app\n    shop:http: { paths: [/api] }\n",
			"config:\n    shop:app: {image: APP, port: 3000, health: /healthz}   # the app\n    shop:http: {image: NGINX,  paths: [/api] }\n",
		},
		"groups over several lines": {
			"config:\n  shop:app:\n    # The port.\n    port: 3000\n  shop:http:\n    paths:\n      - /api\n",
			"config:\n  shop:app:\n    image: APP\n    # The port.\n    port: 3000\n  shop:http:\n    image: NGINX\n    paths:\n      - /api\n",
		},
		"groups without the project's name": {
			"config:\n  app: {port: 3000}\n  http:\n    image: OLD\n",
			"config:\n  app: {image: APP, port: 3000}\n  http:\n    image: NGINX\n",
		},
		"images that are there": {
			"config:\n  shop:app: {\"für\": 1, image: \"OLD\", port: 3000} # pinned\n  shop:http:\n    image: 'OLD'   # pinned\n",
			"config:\n  shop:app: {\"für\": 1, image: APP, port: 3000} # pinned\n  shop:http:\n    image: NGINX   # pinned\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := strings.ReplaceAll(c.before, "OLD", oldApp)
			want := strings.NewReplacer("APP", newApp, "NGINX", newNginx).Replace(c.after)
			got, err := setImages([]byte(before), "shop", Images{newApp, newNginx})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			var file struct {
				Config map[string]map[string]any
			}
			_ = yaml.Unmarshal(got, &file) // other settings are no groups
			image := func(group string) any {
				if g, ok := file.Config["shop:"+group]; ok {
					return g["image"]
				}
				return file.Config[group]["image"]
			}
			if image("app") != newApp || image("http") != newNginx {
				t.Errorf("read again: %v", file.Config)
			}
			if again, err := setImages(got, "shop", Images{newApp, newNginx}); err != nil || string(again) != string(got) {
				t.Errorf("a second time it becomes %s, %v", again, err)
			}
		})
	}
}

func TestAFileThatBuildsItsImageIsLeftAlone(t *testing.T) {
	for content, want := range map[string]string{
		"config:\n  shop:app: {context: ../..}\n":          "shop:app.context is set, so this stack builds its image",
		"config:\n  shop:http: {buildArgs: {A: b}}\n":      "shop:http.buildArgs is set",
		"config:\n  shop:app: sometimes\n":                 "shop:app: not a group of settings",
		"config:\n  shop:app:\n    image: >-\n      a:1\n": "shop:app.image: not one text in one line",
		"config: {shop:app: {port: 3000}}\n":               "config: not a mapping with a line for each setting",
		"runtime: go\n":                                    "config: not a mapping",
		"":                                                 "the file is empty",
		"config:\n  shop:app: {image: \"" + oldApp + "\n":  "yaml:",
	} {
		if got, err := setImages([]byte(content), "shop", Images{newApp, newNginx}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q became %q, %v; want an error with %q", content, got, err, want)
		}
	}
}

func TestOnlyDigestsArePromoted(t *testing.T) {
	for image, want := range map[string]bool{newApp: true, newNginx: true, "app:1.2.3": false, "": false, newApp + "0": false, "a b@" + newApp[len(newApp)-71:]: false} {
		if err := (Images{image, newNginx}).ByDigest(); (err == nil) != want {
			t.Errorf("%q: %v", image, err)
		}
	}
}
