package nginx_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/images/imagetest"
)

// frameworks are those of docs/apps.md that can be had from npm and Debian: the folder of testdata, the command, and the line by
// which each learns who its client is, as the document has it.
var frameworks = map[string]struct {
	folder  string
	command []string
	line    string
}{
	"Express": {"node", nil, "app.set('trust proxy', 2)"},
	"Flask":   {"python", []string{"gunicorn", "--bind", "127.0.0.1:3000", "flask_app:app"}, "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=2, x_proto=1, x_prefix=1)"},
	"Django":  {"python", []string{"gunicorn", "--bind", "127.0.0.1:3000", "django_app"}, `("HTTP_X_FORWARDED_PROTO", "https")`},
	"FastAPI": {"python", []string{"uvicorn", "--host", "127.0.0.1", "--port", "3000", "--proxy-headers", "--forwarded-allow-ips", "*", "fastapi_app:app"}, "--proxy-headers --forwarded-allow-ips '*'"},
}

// startFramework runs an application of testdata as ECS would: read-only, as user 1000, with a volume at /tmp.
func startFramework(t *testing.T, folder string, command []string, env ...string) *imagetest.Task {
	t.Helper()
	opts := imagetest.Options{Env: append([]string{"NGINX_APP_HEALTH_HOST=www.example.com", "NGINX_APP_HEALTH_PATH=/"}, env...)}
	task, _ := startBeside(t, buildApp(t, folder), command, opts, "--volume=/tmp", "--env=HOST=127.0.0.1", "--env=PORT=3000")
	return task
}

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
			task := startFramework(t, f.folder, f.command)
			got := task.Raw(t, "GET /a/b?c=d HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\n\r\n")
			var seen struct{ Client, URL string }
			if err := json.Unmarshal([]byte(got.Body), &seen); err != nil || seen.Client != "198.51.100.7" || seen.URL != "https://www.example.com/a/b?c=d" {
				t.Errorf("got %d %s, want the client 198.51.100.7 and https", got.Status, got.Body)
			}
		})
	}
}

func TestSocketIOConnectsByEveryTransport(t *testing.T) {
	task := startFramework(t, "node", nil)
	for transports, want := range map[string]string{"polling,websocket": "ping! websocket", "polling": "ping! polling", "websocket": "ping! websocket"} {
		out := imagetest.Docker(t, "run", "--rm", "--network=container:"+task.Backend, imagetest.Tagged("test-node"), "node", "client.js", "http://127.0.0.1:8080", transports)
		if strings.TrimSpace(out) != want {
			t.Errorf("%s: got %q, want %q", transports, out, want)
		}
	}
}
