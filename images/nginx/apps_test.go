package nginx_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// framework is one of docs/apps.md that can be had from npm, Debian or with Go.
type framework struct {
	folder  string // of testdata
	command []string
	line    string   // by which it learns who its client is, as the document has it
	args    []string // of its container, beside those of every app: variables and writable paths of the document
	moved   string   // where it redirects from /moved
}

var frameworks = map[string]framework{
	"Express": {folder: "node", line: "app.set('trust proxy', 2)"},
	"Nest":    {folder: "node", command: []string{"node", "nest.js"}, line: "app.set('trust proxy', 2)", moved: "/echo"},
	"Next.js": {folder: "next", line: "(await headers()).get('x-real-ip')", args: []string{"--env=HOSTNAME=127.0.0.1", "--volume=/app/.next/cache"}, moved: "/echo"},
	"Flask":   {folder: "python", command: []string{"gunicorn", "--bind", "127.0.0.1:3000", "flask_app:app"}, line: "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=2, x_proto=1, x_prefix=1)"},
	"Django":  {folder: "python", command: []string{"gunicorn", "--bind", "127.0.0.1:3000", "django_app"}, line: `("HTTP_X_FORWARDED_PROTO", "https")`},
	"FastAPI": {folder: "python", command: []string{"uvicorn", "--host", "127.0.0.1", "--port", "3000", "--proxy-headers", "--forwarded-allow-ips", "*", "fastapi_app:app"}, line: "--proxy-headers --forwarded-allow-ips '*'"},
	"Rails":   {folder: "rails", line: "nothing: private addresses are trusted", args: []string{"--volume=/rails/tmp", "--volume=/rails/log"}, moved: "https://www.example.com/echo"},
	"Go":      {folder: "go", line: `r.Header.Get("X-Real-IP")`, moved: "/echo"},
}

// start runs an application of testdata as ECS would: read-only, as user 1000, with a volume at /tmp.
func (f framework) start(t *testing.T) *imagetest.Task {
	t.Helper()
	if f.folder == "go" {
		f.compile(t)
	}
	opts := imagetest.Options{Env: []string{"NGINX_APP_HEALTH_HOST=www.example.com", "NGINX_APP_HEALTH_PATH=/"}}
	task, _ := startBeside(t, buildApp(t, f.folder), f.command, opts, append([]string{"--volume=/tmp", "--env=HOST=127.0.0.1", "--env=PORT=3000"}, f.args...)...)
	return task
}

// compile makes the binary that the image of the folder is made of.
func (f framework) compile(t *testing.T) {
	t.Helper()
	binary := filepath.Join("testdata", f.folder, "app")
	command := exec.Command("go", "build", "-o", binary, "./"+filepath.Join("testdata", f.folder)) //nolint:noctx // ends by itself
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	t.Cleanup(func() { _ = os.Remove(binary) })
}

// forgedClient is the rest of a request in which a client claims to be another, at another address.
const forgedClient = "Host: www.example.com\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n" +
	"X-Forwarded-Prefix: /evil\r\nX-Forwarded-Host: evil.example\r\nClient-IP: 6.6.6.6\r\n\r\n"

// A client that forges its address and scheme is known by those that the load balancer has written.
func TestAFrameworkKnowsItsClientByTheLineOfTheDocument(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(imagetest.Root(), "docs", "apps.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range frameworks {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(string(document), f.line) {
				t.Errorf("docs/apps.md does not have %s", f.line)
			}
			task := f.start(t)
			got := task.Raw(t, "GET /a/b?c=d HTTP/1.1\r\n"+forgedClient)
			var seen struct{ Client, URL string }
			if err := json.Unmarshal([]byte(got.Body), &seen); err != nil || seen.Client != "198.51.100.7" || seen.URL != "https://www.example.com/a/b?c=d" {
				t.Errorf("got %d %s, want the client 198.51.100.7 and https", got.Status, got.Body)
			}
			if got := task.Raw(t, "GET /moved HTTP/1.1\r\n"+forgedClient); f.moved != "" && (got.Status/100 != 3 || got.Header.Get("Location") != f.moved) {
				t.Errorf("a redirect: got %d to %q, want %s", got.Status, got.Header.Get("Location"), f.moved)
			}
		})
	}
}

func TestSocketIOConnectsByEveryTransport(t *testing.T) {
	task := frameworks["Express"].start(t)
	for transports, want := range map[string]string{"polling,websocket": "ping! websocket", "polling": "ping! polling", "websocket": "ping! websocket"} {
		out := imagetest.Docker(t, "run", "--rm", "--network=container:"+task.Backend, imagetest.Tagged("test-node"), "node", "client.js", "http://127.0.0.1:8080", transports)
		if strings.TrimSpace(out) != want {
			t.Errorf("%s: got %q, want %q", transports, out, want)
		}
	}
}

// A name in brackets is the route's, and its scripts have it in their paths as well.
func TestAFrameworkOfPagesStreamsAndLoadsInABrowser(t *testing.T) {
	task := frameworks["Next.js"].start(t)
	streams(t, task)
	page := task.Get(t, "/[slug]?a=[b]")
	if page.Status != 200 || !strings.Contains(page.Body, "slug") {
		t.Errorf("/[slug]: got %d %s", page.Status, page.Body)
	}
	brackets := 0
	for _, script := range regexp.MustCompile(`/_next/static/[^"\\?]+\.js`).FindAllString(page.Body, -1) {
		for _, path := range []string{script, strings.NewReplacer("%5B", "[", "%5D", "]").Replace(script)} {
			if got := task.Get(t, path); got.Status != 200 {
				t.Errorf("%s: got %d", path, got.Status)
			}
			if strings.Contains(path, "[") {
				brackets++
			}
		}
	}
	if brackets == 0 {
		t.Error("no script has brackets in its path, so none was tried")
	}
	if got := browse(t, task, "/"); !strings.Contains(got, "<main>hydrated</main>") {
		t.Errorf("the page in a browser: %s", got)
	}
}

// browse returns a page as a browser shows it, which has run its scripts.
func browse(t *testing.T, task *imagetest.Task, path string) string {
	t.Helper()
	return imagetest.Docker(t, "run", "--rm", "--network=container:"+task.Backend, buildApp(t, "browser"), "http://127.0.0.1:8080"+path)
}

// The page tells what came of each of its parts.
func TestASiteOfFilesLoadsInABrowser(t *testing.T) {
	files := directory(t, map[string]string{
		"index.html": `<!doctype html><html lang="en"><link rel="stylesheet" href="/assets/app.css"><body><img src="/assets/logo.svg" alt=""><main></main>` +
			`<script type="module" src="/assets/app.js"></script></body></html>`,
		"assets/app.css":  "main { color: rgb(1, 2, 3) }",
		"assets/logo.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"/>`,
		"assets/part.js":  "export default 'part'",
		"assets/app.js": `import part from './part.js';
			const main = document.querySelector('main');
			addEventListener('load', async () => {
				const answer = await fetch('/api/orders');
				main.textContent = [part, getComputedStyle(main).color, document.images[0].naturalWidth, answer.status, location.pathname].join(' ');
			});`,
	})
	task := imagetest.Start(t, imagetest.Options{
		Env: []string{"NGINX_STATIC_FILES=/", "NGINX_SPA_FALLBACK=on"}, Args: []string{"--volume=" + files + ":/srv/static/1:ro"}})
	if got := browse(t, task, "/deep/link"); !strings.Contains(got, "<main>part rgb(1, 2, 3) 7 200 /deep/link</main>") {
		t.Errorf("the page in a browser: %s", got)
	}
}
