package nginx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

// startSpeaking runs the sidecar in front of the recording backend, which speaks FastCGI or uWSGI. The document root has no
// script that a path could name.
func startSpeaking(t *testing.T, protocol string, env ...string) *imagetest.Task {
	t.Helper()
	opts := imagetest.Options{Env: append([]string{"NGINX_APP_PROTOCOL=" + protocol}, env...), Backend: []string{"-protocol=" + protocol}}
	if protocol == "fastcgi" {
		opts.Env = append(opts.Env, "NGINX_APP_ROOT=/app/public")
		opts.Args = []string{"--volume=" + directory(t, map[string]string{"index.php": "<?php"}) + ":/srv/app:ro"}
	}
	return imagetest.Start(t, opts)
}

// buildApp makes an image of testdata.
func buildApp(t *testing.T, folder string) string {
	t.Helper()
	image := imagetest.Tagged("test-" + folder)
	imagetest.Docker(t, "build", "--quiet", "--tag", image, filepath.Join("testdata", folder))
	return image
}

// startPHP runs php-fpm and the sidecar as one task, which share the volumes of a document root and of what is written in it.
func startPHP(t *testing.T, root string, written ...string) (task *imagetest.Task, app string) {
	t.Helper()
	image := buildApp(t, "php")
	opts := imagetest.Options{Env: []string{
		"NGINX_APP_PROTOCOL=fastcgi", "NGINX_APP_ROOT=" + root, "NGINX_APP_WRITTEN=" + strings.Join(written, ","), "APP_PORT=9000"}}
	var mounts []string
	for _, path := range append([]string{""}, written...) {
		volume := strings.TrimSpace(imagetest.Docker(t, "volume", "create"))
		t.Cleanup(func() { imagetest.Docker(t, "volume", "rm", volume) })
		mounts = append(mounts, "--volume="+volume+":"+root+path)
		opts.Args = append(opts.Args, "--volume="+volume+":/srv/app"+path+":ro")
	}
	imagetest.Docker(t, append(append([]string{"run", "--rm"}, mounts...), image, "true")...) // as Fargate: the image's files are copied
	return startBeside(t, image, nil, opts, mounts...)
}

// startBeside runs an image, with another command if one is given, in the network of a sidecar, whose recording backend is no
// application.
func startBeside(t *testing.T, image string, command []string, opts imagetest.Options, more ...string) (task *imagetest.Task, app string) {
	t.Helper()
	opts.Backend = []string{"-app="}
	opts.Env = append([]string{"NGINX_PATH_PREFIXES=/", "NGINX_APP_HEALTH_PATH=/healthz", everyPeer}, opts.Env...)
	task = imagetest.Start(t, opts)
	args := append([]string{"--network=container:" + task.Backend}, imagetest.Hardened...)
	app = imagetest.Container(t, t, append(append(append(args, more...), image), command...)...)
	for range 100 {
		if task.Healthy() == nil {
			return task, app
		}
	}
	t.Fatalf("the application does not answer:\n%s\n%s", imagetest.Logs(t, app), task.Logs(t))
	return nil, ""
}

// echoed is what the applications of testdata answer.
type echoed struct {
	Server map[string]any
	Proxy  any
	Body   int
	URL    string
	Link   string
	Secure bool
}

func (e echoed) variable(name string) string {
	if value, there := e.Server[name]; there {
		return fmt.Sprint(value)
	}
	return ""
}

func echo(t *testing.T, answer imagetest.Answer) (e echoed) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer.Body), &e); err != nil {
		t.Fatalf("got %d %q: %v", answer.Status, answer.Body, err)
	}
	return e
}

// A document root with many scripts: which one answers, and what is a file.
func TestAPathOfADocumentRootIsAScriptAFileOrTheFrontControllers(t *testing.T) {
	task, app := startPHP(t, "/var/www/html")
	for path, want := range map[string]string{
		"/":                               "/index.php",
		"/hello-world/":                   "/index.php",
		"/?p=1":                           "/index.php",
		"/wp-login.php":                   "/wp-login.php",
		"/wp-login.php?a=b.php":           "/wp-login.php",
		"/wp-admin/":                      "/wp-admin/index.php",
		"/wp-admin/admin-ajax.php":        "/wp-admin/admin-ajax.php",
		"/index.php/a/b":                  "/index.php /a/b",
		"/wp-login.php/a.php/b":           "/wp-login.php /a.php/b",
		"/wp-content/uploads/x.jpg/y.php": "/index.php", // would run the picture
		"/wp-content/uploads/x.jpg/.php":  "/index.php",
		"/wp-content/uploads/none.php/b":  "/index.php",
		"/a.php/b":                        "/index.php", // a directory
		"/link.php":                       "/index.php",
		"/link.txt":                       "/index.php",
		"/.hidden.php":                    "/index.php",
		"/.env":                           "/index.php",
		"/.git/config":                    "/index.php",
		"/backup.sql":                     "/index.php",
		"/wp-config.php~":                 "/index.php",
		"/wp-config.php.bak":              "/index.php",
		"/wp-login.PHP":                   "/index.php",
		"/wp-login.php%20":                "/index.php",
		"/wp-content/themes/":             "/index.php",
		"/wp-content/themes/style.css/":   "/index.php",
		"/J%C3%BCrgen%20K/x.php":          "/index.php",
	} {
		e := echo(t, task.Get(t, path))
		if got := strings.TrimSpace(e.variable("SCRIPT_NAME") + " " + e.variable("PATH_INFO")); got != want || e.variable("REQUEST_URI") != path ||
			e.variable("SCRIPT_FILENAME") != "/var/www/html"+strings.Fields(want)[0] {
			t.Errorf("%s: got %s (%s), want %s", path, got, e.variable("SCRIPT_FILENAME"), want)
		}
	}
	for path, want := range map[string]string{"/wp-admin": "/wp-admin/", "/wp-admin?a=//b": "/wp-admin/?a=//b"} {
		if got := task.Get(t, path); got.Status != 301 || got.Header.Get("Location") != want {
			t.Errorf("%s: got %d to %q, want %s", path, got.Status, got.Header.Get("Location"), want)
		}
	}
	servesFilesItself(t, task, app)
}

// Uploads are files for everybody, and a script for nobody, however its path is written.
func TestWhatIsUploadedIntoADocumentRootIsServedAndNeverRun(t *testing.T) {
	task, app := startPHP(t, "/var/www/html", "/wp-content/uploads")
	imagetest.Docker(t, "exec", app, "sh", "-c", "cd /var/www/html/wp-content/uploads && mkdir shell y.php && printf picture >cat.png && ln -s /etc/passwd link.txt && "+
		"for name in shell.php shell/index.php index.php y.php/z.php x.jpg.php; do echo '<?php echo 666;' >$name; done")
	if got := task.Get(t, "/wp-content/uploads/cat.png"); got.Body != "picture" || got.Header.Get("Content-Type") != "image/png" {
		t.Errorf("an uploaded picture: got %d %s %q", got.Status, got.Header.Get("Content-Type"), got.Body)
	}
	for _, path := range []string{
		"shell.php", "shell.php/", "shell.php/a/b.php", "shell.php?a=b", "shell", "shell/", "shell/index.php", "index.php", "", "y.php/z.php", "y.php", "x.jpg.php",
		"x.jpg/y.php", "%73hell.php", "shell%2Ephp", "link.txt", "../uploads/shell.php", "./shell.php", "/shell.php", "shell.php%00", "shell.php%20", "cat.png/shell.php",
	} {
		got := task.Get(t, "/wp-content/uploads/"+path)
		if got.Status == 400 && strings.Contains(got.Body, "reason") {
			continue // two readings
		}
		if e := echo(t, got); e.variable("SCRIPT_FILENAME") != "/var/www/html/index.php" {
			t.Errorf("%s: got %d %s", path, got.Status, got.Body)
		}
	}
	for _, path := range []string{"/wp-content/uploads", "/index.php/wp-content/uploads/shell.php", "/wp-content/themes/../uploads/shell.php"} {
		if got := task.Get(t, path); strings.HasPrefix(got.Body, "666") || got.Status == 301 {
			t.Errorf("%s: got %d %s", path, got.Status, got.Body)
		}
	}
}

// servesFilesItself looks at files without php-fpm.
func servesFilesItself(t *testing.T, task *imagetest.Task, app string) {
	t.Helper()
	picture := task.Get(t, "/wp-content/uploads/x.jpg")
	if picture.Header.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(picture.Body, "<?php") {
		t.Errorf("a picture: got %s %q", picture.Header.Get("Content-Type"), picture.Body)
	}
	if got := task.Send(t, "POST /wp-content/themes/style.css HTTP/1.1\r\nContent-Length: 0"); echo(t, got).variable("SCRIPT_NAME") != "/index.php" {
		t.Errorf("POST of a file: got %d %s", got.Status, got.Body)
	}
	imagetest.Docker(t, "kill", app)
	style := task.Get(t, "/wp-content/themes/style.css")
	if style.Status != 200 || style.Header.Get("Content-Type") != "text/css; charset=utf-8" || style.Header.Get("Etag") == "" {
		t.Errorf("a file without php-fpm: got %d %v", style.Status, style.Header)
	}
	if got := task.Get(t, "/wp-content/themes/style.css", "If-None-Match: "+style.Header.Get("Etag")); got.Status != 304 {
		t.Errorf("the same file again: got %d", got.Status)
	}
	if got := task.Get(t, "/wp-login.php"); got.Status != 502 || !strings.Contains(got.Body, "application unavailable") {
		t.Errorf("a script without php-fpm: got %d %s", got.Status, got.Body)
	}
}

// What a client sends reaches a script like a program that speaks HTTP, and what it forges does not.
func TestAFrontControllerGetsTheContractInVariables(t *testing.T) {
	task, app := startPHP(t, "/app/public")
	e := echo(t, task.Raw(t, "POST /orders/7?a=1&a=%2F HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\nContent-Type: text/plain\r\n"+
		"Transfer-Encoding: chunked\r\nAuthorization: Bearer t\r\nCookie: a=b\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"+
		"Proxy: http://evil.example\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nRemote-User: root\r\nX-Original-URL: /admin\r\nScript-Filename: /etc/passwd\r\n"+
		"TE: trailers\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	for name, want := range map[string]string{
		"REQUEST_METHOD": "POST", "REQUEST_URI": "/orders/7?a=1&a=%2F", "QUERY_STRING": "a=1&a=%2F", "SCRIPT_NAME": "/index.php", "PATH_INFO": "",
		"SCRIPT_FILENAME": "/app/public/index.php", "DOCUMENT_ROOT": "/app/public", "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "5",
		"REMOTE_ADDR": "198.51.100.7", "HTTPS": "on", "SERVER_PORT": "443", "SERVER_NAME": "www.example.com", "HTTP_HOST": "www.example.com",
		"HTTP_AUTHORIZATION": "Bearer t", "HTTP_COOKIE": "a=b", "HTTP_X_REAL_IP": "198.51.100.7", "HTTP_X_FORWARDED_PROTO": "https",
		"HTTP_PROXY": "", "HTTP_REMOTE_USER": "", "REMOTE_USER": "", "HTTP_X_ORIGINAL_URL": "", "HTTP_TRANSFER_ENCODING": "", "HTTP_TE": "",
		"HTTP_SCRIPT_FILENAME": "/etc/passwd", "SERVER_PROTOCOL": "HTTP/1.1",
	} {
		if got := e.variable(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if e.Body != 5 || e.Proxy != false || strings.Contains(fmt.Sprint(e.Server), "6.6.6.6") {
		t.Errorf("body of %d, HTTP_PROXY %v in the environment, %v", e.Body, e.Proxy, e.Server)
	}
	if plain := echo(t, task.Get(t, "/")); plain.variable("HTTPS") != "" || plain.variable("SERVER_PORT") != "80" {
		t.Errorf("without TLS: HTTPS %q, port %q", plain.variable("HTTPS"), plain.variable("SERVER_PORT"))
	}
	if got := task.Get(t, "/accel"); got.Status != 200 || !strings.Contains(got.Body, "/accel") {
		t.Errorf("X-Accel-Redirect: got %d %s", got.Status, got.Body)
	}
	if got := task.Get(t, "/?header=30000&status=404"); got.Status != 404 || len(got.Header.Get("X-Long")) != 30000 {
		t.Errorf("long headers: got %d with %d bytes", got.Status, len(got.Header.Get("X-Long")))
	}
	if got := task.Send(t, "POST / HTTP/1.1\r\nContent-Length: 2000000"); got.Status != 413 {
		t.Errorf("a large body: got %d", got.Status)
	}
	if css := task.Get(t, "/build/app-BfUl3Xy9.css"); css.Status != 200 || !strings.Contains(css.Body, "red") {
		t.Errorf("a file: got %d %q", css.Status, css.Body)
	}
	streams(t, task)
	isUnhealthyWithout(t, task, app, "app health: 127.0.0.1:9000/healthz: connection refused")
}

// streams measures the first piece of an answer that takes two seconds, as a browser gets it.
func streams(t *testing.T, task *imagetest.Task) {
	t.Helper()
	begun := time.Now()
	request, _ := http.NewRequest(http.MethodGet, "http://"+task.Addr+"/stream", nil) //nolint:noctx // ends after two seconds
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	piece := make([]byte, 5)
	if _, err := response.Body.Read(piece); err != nil || string(piece) != "first" || time.Since(begun) > time.Second {
		t.Errorf("got %q after %v, %v; want the first piece at once", piece, time.Since(begun), err)
	}
}

// isUnhealthyWithout kills the application, and looks for the reason.
func isUnhealthyWithout(t *testing.T, task *imagetest.Task, app, reason string) {
	t.Helper()
	if err := task.Healthy(); err != nil {
		t.Errorf("with the application: %v", err)
	}
	imagetest.Docker(t, "kill", app)
	if err := task.Healthy(); err == nil {
		t.Error("healthy without the application")
	}
	if log := task.Logs(t); !strings.Contains(log, reason) {
		t.Errorf("no %q in the log:\n%s", reason, log)
	}
}

func TestDjangoIsServedThroughUWSGI(t *testing.T) {
	task, app := startBeside(t, buildApp(t, "django"), nil, imagetest.Options{
		Env: []string{"NGINX_APP_PROTOCOL=uwsgi", "NGINX_APP_HEALTH_HOST=www.example.com", "NGINX_ALLOW=encoded-slash,double-slash"}})
	secure := "Host: www.example.com\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
	e := echo(t, task.Raw(t, "GET /a%C3%BC/b%2Fc//d?x=%20 HTTP/1.1\r\n"+secure+"Proxy: http://evil.example\r\nX_Real_IP: 6.6.6.6\r\nLong: "+fill("a", 15000)+"\r\n\r\n"))
	if e.URL != "https://www.example.com/a%C3%BC/b/c//d?x=%20" || !e.Secure || e.variable("REMOTE_ADDR") != "198.51.100.7" ||
		e.variable("HTTP_PROXY") != "" || strings.Contains(fmt.Sprint(e.Server), "6.6.6.6") || e.variable("SERVER_PORT") != "443" {
		t.Errorf("got %s, secure %v, %v", e.URL, e.Secure, e.Server)
	}
	// A form whose token is in a cookie, which has to come back with the right origin.
	token := task.Raw(t, "GET /form/ HTTP/1.1\r\n"+secure+"\r\n")
	cookie, _, _ := strings.Cut(token.Header.Get("Set-Cookie"), ";")
	body := "what=tea&csrfmiddlewaretoken=" + token.Body
	post := "POST /form/ HTTP/1.1\r\n" + secure + "Content-Type: application/x-www-form-urlencoded\r\nCookie: " + cookie + "\r\n" +
		"Content-Length: " + fmt.Sprint(len(body)) + "\r\n"
	if got := task.Raw(t, post+"Origin: https://www.example.com\r\n\r\n"+body); got.Status != 200 || got.Body != "bought tea" {
		t.Errorf("the form: got %d %.200s", got.Status, got.Body)
	}
	if got := task.Raw(t, post+"Origin: https://evil.example\r\n\r\n"+body); got.Status != 403 {
		t.Errorf("the form from elsewhere: got %d", got.Status)
	}
	isUnhealthyWithout(t, task, app, "app health: 127.0.0.1:3000/healthz: connection refused")
}

// With a prefix that is cut off, WSGI has it as SCRIPT_NAME, and makes links with it.
func TestDjangoLivesBelowAPrefix(t *testing.T) {
	task, _ := startBeside(t, buildApp(t, "django"), nil, imagetest.Options{
		Env: []string{"NGINX_APP_PROTOCOL=uwsgi", "NGINX_APP_HEALTH_HOST=www.example.com", "NGINX_STRIP_PREFIX=on", "NGINX_PATH_PREFIXES=/shop"}})
	for path, want := range map[string]string{"/shop": "/", "/shop/": "/", "/shop/a/b?c": "/a/b"} {
		e := echo(t, task.Raw(t, "GET "+path+" HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"))
		if e.variable("SCRIPT_NAME") != "/shop" || e.variable("PATH_INFO") != want || e.Link != "/shop/form/" {
			t.Errorf("%s: got %q %q, link %s", path, e.variable("SCRIPT_NAME"), e.variable("PATH_INFO"), e.Link)
		}
	}
}

// The backend writes down what a request becomes: of each kind one, whatever the protocol.
func TestEveryProtocolHasTheSameContract(t *testing.T) {
	for _, protocol := range []string{"fastcgi", "uwsgi"} {
		task := startSpeaking(t, protocol)
		for _, c := range targets(t, prefixTargets) {
			t.Run(protocol+" "+c.text, func(t *testing.T) { contract(t, task, c) })
		}
		t.Run(protocol+" without forged headers", func(t *testing.T) { seesNoForgedHeader(t, task) })
	}
}

func seesNoForgedHeader(t *testing.T, task *imagetest.Task) {
	t.Helper()
	task.Reset(t, true)
	var lines strings.Builder
	for _, name := range forgeable {
		lines.WriteString(name + ": forged\r\n")
	}
	task.Raw(t, "GET /api HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+lines.String()+"\r\n")
	seen := task.Seen(t)
	if len(seen.Requests) != 1 || strings.Contains(seen.Requests[0].Head, "forged") {
		t.Errorf("application saw %+v", seen.Requests)
	}
}
