package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// strangerStack is the environment of one app that was not written for this project.
const strangerStack = "stranger"

// stranger is an app as its framework's own documentation packs it, which fails with an empty stack file: all that it sets is where
// the app lies.
type stranger struct {
	name string
	// read is what its user reads, each a part of the explanation.
	read []string
	// corrected are the settings that the text leads to, and dockerfile what it says to add there.
	corrected, dockerfile string
	// answer is a part of what the app answers to GET /api, the path that clients reach by default.
	answer string
	status int
}

var strangers = []stranger{
	{
		name:      "nextjs",
		read:      []string{":3000", "for Next.js set app.environment: {HOSTNAME: 127.0.0.1}", "GET http://127.0.0.1:3000/healthz must answer"},
		corrected: "environment: {HOSTNAME: 127.0.0.1}, health: /",
		status:    404, answer: "This page could not be found",
	},
	{
		name:       "django",
		read:       []string{"no directory for temporary files", "set app.writablePaths: [/tmp]", "VOLUME /tmp", "GET http://127.0.0.1:3000/healthz must answer"},
		corrected:  "writablePaths: [/tmp], health: /",
		dockerfile: "VOLUME /tmp",
		status:     404, answer: "Page not found",
	},
	{
		name:      "jvm",
		read:      []string{"nothing but NGINX listens in the task yet", "raise app.startTime (now 10s)", "reading the catalogue"},
		corrected: "startTime: 2m",
		status:    200, answer: "A shop on the JVM",
	},
}

// TestAppsOfStrangersNeedOneCorrection deploys each app with an empty stack file, which fails, and once more with what the
// explanation says. As long as none has worked, each deployment is the stack's first.
func TestAppsOfStrangersNeedOneCorrection(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	for _, s := range strangers {
		t.Run(s.name+" fails", func(t *testing.T) {
			output, err := c.deployStranger(t, s, "")
			text := explained.FindString(indentation.ReplaceAllString(output, ""))
			if err == nil || text == "" {
				t.Fatalf("the deploy ends without an explanation: %v", err)
			}
			if lines := strings.Count(text, "\n") + 1; lines >= 15 {
				t.Errorf("the explanation has %d lines", lines)
			}
			for _, part := range s.read {
				if !strings.Contains(text, part) {
					t.Errorf("the explanation lacks %q", part)
				}
			}
		})
	}
	for _, s := range strangers {
		t.Run(s.name+" works", func(t *testing.T) {
			if s.dockerfile != "" {
				c.edit(t, filepath.Join(s.context(), "Dockerfile"), "\nUSER", "\n"+s.dockerfile+"\nUSER")
			}
			if _, err := c.deployStranger(t, s, ", "+s.corrected); err != nil {
				t.Fatal(err)
			}
			page := request{method: "GET", path: "/api", status: s.status, contains: s.answer}
			if err := page.send(c.url()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("django behind a domain knows that its client uses HTTPS", func(t *testing.T) { c.redirectToHTTPS(t, strangers[1]) })
}

// redirectToHTTPS deploys Django with a domain and told to redirect whoever does not use HTTPS. If NGINX did not trust the load
// balancer's word, Django would redirect each request to where it came from, without end.
func (c *checkout) redirectToHTTPS(t *testing.T, django stranger) {
	t.Helper()
	c.edit(t, filepath.Join(django.context(), "Dockerfile"), "\nUSER",
		`
RUN printf '%s\n' 'ALLOWED_HOSTS = ["*"]' 'SECURE_SSL_REDIRECT = True' \
 'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")' >>shop/settings.py
USER`)
	settings := ", " + django.corrected + "}\n  fargate-nginx-sidecar:domain: {name: " + testDomain + ", zone: Z0123456789ABCDEFGHIJ"
	if _, err := c.deployStranger(t, django, settings); err != nil {
		t.Fatal(err)
	}
	page := request{method: "GET", path: "/api", status: django.status, contains: django.answer}
	if err := page.send(c.apiURL()); err != nil {
		t.Error(err)
	}
}

func (s stranger) context() string {
	return filepath.Join("local", "e2e", "testdata", "strangers", s.name)
}

// deployStranger deploys an app with more of its settings than its place.
func (c *checkout) deployStranger(t *testing.T, s stranger, settings string) (string, error) {
	t.Helper()
	file := "config:\n  aws:region: eu-central-1\n  fargate-nginx-sidecar:app: {context: " + filepath.ToSlash(s.context()) + settings + "}\n"
	if err := os.WriteFile(filepath.Join(c.root, "Pulumi."+strangerStack+".yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}

	return c.try(t, "up", "--stack", strangerStack)
}
