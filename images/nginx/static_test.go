package nginx_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/images/imagetest"
)

const (
	page   = "<!doctype html><title>shop</title>"
	secret = "outside of the files"
	brotli = "what a build has compressed with Brotli" // nginx does not look into it
)

// script is long enough to be compressed.
var script = "console.log('a')\n" + strings.Repeat("// the same again\n", 200)

// assets are what an application's image puts into the volume.
func assets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("compressed beforehand"))
	_ = w.Close()
	for name, text := range map[string]string{
		"index.html": page, "docs/index.html": page + "docs", "empty/.keep": "", "logo.svg": "<svg/>", "app.js": script, "ready.css": "compressed beforehand",
		"ready.css.gz": zipped.String(), "ready.css.br": brotli, "tiny.js": "1", "tiny.js.br": brotli, "index.html.br": brotli, ".env.br": secret,
		"index-BfUl3Xy9.js": script, "index-BfUl3Xy9.js.br": brotli, "hashed/index-BfUl3Xy9.js": script, "main.3f2a9c1d0b4e5f67.css": "a{}", "main.3f2a9c1d.css": "a{}", "chunk.3f2a9c1d0b.js.map": "{}",
		"jquery-validate.js": script, "photo-20240101.jpg": "jpg", ".env": secret, ".git/config": secret, ".well-known/security.txt": "Contact: us",
		"J\u00fcrgen K.txt": "name", "../outside.txt": secret, "unknown.xyz": "?",
	} {
		writeFile(t, filepath.Join(dir, "public", name), text)
	}
	for link, to := range map[string]string{"link.txt": "/etc/passwd", "up.txt": "../outside.txt", "inside.js": "app.js", "etc": "/etc", "logo.svg.br": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, "public", link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "public")
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// directory has the given files, all of the same time, as in an image that was built twice.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
		built := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, name), built, built); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// static starts a sidecar with files at the given paths.
func static(t *testing.T, paths string, env ...string) *imagetest.Task {
	t.Helper()
	dir := assets(t)
	opts := imagetest.Options{Env: append(env, "NGINX_STATIC_FILES="+paths)}
	for i, path := range strings.Split(paths, ",") {
		opts.Args = append(opts.Args, "--volume="+dir+":/srv/static/"+strconv.Itoa(i+1)+strings.TrimSuffix(path, "/")+":ro")
	}
	task := imagetest.Start(t, opts)
	task.Reset(t, true)
	return task
}

func TestStaticFilesAreServedWithoutTheApplication(t *testing.T) {
	task := static(t, "/assets", "NGINX_STATIC_HASHED=/assets/hashed")
	for _, c := range []struct{ target, kind, cache, body string }{
		{"/assets/app.js", "text/javascript; charset=utf-8", "no-cache", script},
		{"/assets/app.js?v=2", "text/javascript; charset=utf-8", "no-cache", script},
		{"/assets/logo.svg", "image/svg+xml", "no-cache", "<svg/>"},
		{"/assets/hashed/index-BfUl3Xy9.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", script},
		{"/assets/index-BfUl3Xy9.js", "text/javascript; charset=utf-8", "no-cache", script},
		{"/assets/main.3f2a9c1d0b4e5f67.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable", "a{}"},
		{"/assets/chunk.3f2a9c1d0b.js.map", "application/json", "no-cache", "{}"},
		{"/assets/jquery-validate.js", "text/javascript; charset=utf-8", "no-cache", script}, // a word, not a hash
		{"/assets/photo-20240101.jpg", "image/jpeg", "no-cache", "jpg"},                      // a date, not a hash
		{"/assets/unknown.xyz", "application/octet-stream", "no-cache", "?"},
		{"/assets/J%C3%BCrgen%20K.txt", "text/plain; charset=utf-8", "no-cache", "name"},
		{"/assets/.well-known/security.txt", "text/plain; charset=utf-8", "no-cache", "Contact: us"},
		{"/assets/", "text/html; charset=utf-8", "no-cache", page},
		{"/assets/docs/", "text/html; charset=utf-8", "no-cache", page + "docs"},
	} {
		got := task.Get(t, c.target)
		if got.Status != 200 || got.Body != c.body || got.Header.Get("Content-Type") != c.kind || got.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: got %d, %q, %q, %d bytes", c.target, got.Status, got.Header.Get("Content-Type"), got.Header.Get("Cache-Control"), len(got.Body))
		}
		if got.Header.Get("X-Request-Id") == "" || got.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(got.Header.Get("Etag"), `"`) {
			t.Errorf("%s: headers %v", c.target, got.Header)
		}
	}
	if got := task.Get(t, "/assets/docs"); got.Status != 301 || got.Header.Get("Location") != "/assets/docs/" {
		t.Errorf("a directory without its slash: got %d to %q", got.Status, got.Header.Get("Location"))
	}
	if seen := task.Seen(t); seen.Total != 0 {
		t.Errorf("application saw %q", lines(seen))
	}
	if got := task.Get(t, "/api/users/1"); got.Status != 200 || task.Seen(t).Total != 1 {
		t.Errorf("the application beside it: got %d", got.Status)
	}
}

func TestStaticFilesKnowConditionsRangesAndMethods(t *testing.T) {
	task := static(t, "/assets")
	tag := task.Get(t, "/assets/app.js").Header.Get("Etag")
	if got := task.Get(t, "/assets/app.js", "If-None-Match: "+tag); got.Status != 304 || got.Header.Get("Cache-Control") != "no-cache" || got.Body != "" {
		t.Errorf("the same tag: got %d, %q", got.Status, got.Header.Get("Cache-Control"))
	}
	if got := task.Get(t, "/assets/app.js", "Range: bytes=0-6"); got.Status != 206 || got.Body != "console" {
		t.Errorf("a range: got %d %q", got.Status, got.Body)
	}
	if got := task.Send(t, "HEAD /assets/app.js HTTP/1.1"); got.Status != 200 || got.Header.Get("Content-Length") != strconv.Itoa(len(script)) || got.Body != "" {
		t.Errorf("HEAD: got %d %v", got.Status, got.Header)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
		want := "GET, HEAD"
		if method == "TRACE" {
			want += ", POST, PUT, PATCH, DELETE, OPTIONS" // nobody's method
		}
		if got := task.Send(t, method+" /assets/app.js HTTP/1.1"); got.Status != 405 || method != "TRACE" && got.Header.Get("Allow") != want {
			t.Errorf("%s: got %d, Allow %q", method, got.Status, got.Header.Get("Allow"))
		}
	}
	got := task.Get(t, "/assets/ready.css", "Accept-Encoding: gzip")
	if r, err := gzip.NewReader(strings.NewReader(got.Body)); err != nil || got.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(got.Header.Get("Etag"), `"`) {
		t.Errorf("compressed beforehand: %v, %v", err, got.Header)
	} else {
		_ = r.Close()
	}
	if got := task.Get(t, "/assets/app.js", "Accept-Encoding: gzip"); got.Header.Get("Content-Encoding") != "gzip" || got.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("compressed on the way: %v", got.Header)
	}
}

func TestWhoTakesBrotliGetsTheFileThatTheBuildHasCompressed(t *testing.T) {
	task := static(t, "/assets,/")
	for _, c := range []struct{ target, accept, encoding, kind, cache string }{
		{"/assets/ready.css", "br", "br", "text/css; charset=utf-8", "no-cache"},
		{"/assets/ready.css?v=2", "gzip, deflate, br, zstd", "br", "text/css; charset=utf-8", "no-cache"},
		{"/ready.css", "gzip;q=0.5,BR ; q=0.001", "br", "text/css; charset=utf-8", "no-cache"},
		{"/assets/tiny.js", "br;q=1.0", "br", "text/javascript; charset=utf-8", "no-cache"},
		{"/assets/index-BfUl3Xy9.js", "br", "br", "text/javascript; charset=utf-8", "no-cache"},
		{"/assets/", "br", "br", "text/html; charset=utf-8", "no-cache"},
		{"/", "br", "br", "text/html; charset=utf-8", "no-cache"},
		{"/assets/ready.css", "gzip", "gzip", "text/css; charset=utf-8", "no-cache"},
		{"/assets/ready.css", "br;q=0, gzip", "gzip", "text/css; charset=utf-8", "no-cache"},
		{"/assets/ready.css", "br;q=0.000", "", "text/css; charset=utf-8", "no-cache"},
		{"/assets/ready.css", "brotli, xbr", "", "text/css; charset=utf-8", "no-cache"},
		{"/assets/ready.css", "", "", "text/css; charset=utf-8", "no-cache"},
		{"/assets/app.js", "br", "", "text/javascript; charset=utf-8", "no-cache"}, // there is none
		{"/assets/ready.css.br", "br", "", "application/octet-stream", "no-cache"}, // a file like any other
	} {
		got := task.Get(t, c.target, "Accept-Encoding: "+c.accept)
		if got.Status != 200 || got.Header.Get("Content-Encoding") != c.encoding || got.Header.Get("Content-Type") != c.kind || got.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s for %q: got %d, %v", c.target, c.accept, got.Status, got.Header)
		}
		if vary := got.Header.Values("Vary"); len(vary) != 1 || vary[0] != "Accept-Encoding" || !strings.HasPrefix(got.Header.Get("Etag"), `"`) {
			t.Errorf("%s for %q: Vary %q, ETag %q", c.target, c.accept, vary, got.Header.Get("Etag"))
		}
		if (c.encoding == "br") != (got.Body == brotli) && !strings.HasSuffix(c.target, ".br") {
			t.Errorf("%s for %q: got %q", c.target, c.accept, got.Body[:min(len(got.Body), 60)])
		}
	}
	const br = "Accept-Encoding: br"
	compressed, plain := task.Get(t, "/assets/ready.css", br).Header.Get("Etag"), task.Get(t, "/assets/ready.css").Header.Get("Etag")
	if compressed == plain {
		t.Errorf("both forms have the ETag %s", plain)
	}
	if got := task.Get(t, "/assets/ready.css", br, "If-None-Match: "+compressed); got.Status != 304 || got.Header.Get("Vary") != "Accept-Encoding" || got.Body != "" {
		t.Errorf("the same tag: got %d, %v", got.Status, got.Header)
	}
	if got := task.Get(t, "/assets/ready.css", br, "If-None-Match: "+plain); got.Status != 200 {
		t.Errorf("the other form's tag: got %d", got.Status)
	}
	if got := task.Get(t, "/assets/ready.css", br, "Range: bytes=0-3"); got.Status != 206 || got.Body != "comp" || got.Header.Get("Content-Encoding") != "" {
		t.Errorf("a range: got %d %q, %v", got.Status, got.Body, got.Header)
	}
	if got := task.Send(t, "HEAD /assets/ready.css HTTP/1.1", br); got.Status != 200 || got.Header.Get("Content-Length") != strconv.Itoa(len(brotli)) || got.Body != "" {
		t.Errorf("HEAD: got %d %v", got.Status, got.Header)
	}
	for target, want := range map[string]int{
		"/.sidecar/encoded/br/1/assets/ready.css": 404, "/x/../.sidecar/encoded/br/1/assets/ready.css": 404, "/assets/.env": 404, "/assets/missing.css": 404,
	} {
		if got := task.Get(t, target, br); got.Status != want || strings.Contains(got.Body, brotli) || strings.Contains(got.Body, secret) {
			t.Errorf("%s: got %d %q, want %d", target, got.Status, got.Body[:min(len(got.Body), 60)], want)
		}
	}
	if got := task.Get(t, "/assets/logo.svg", br); got.Header.Get("Content-Encoding") != "" || strings.Contains(got.Body, "root:") {
		t.Errorf("a link: got %d %v", got.Status, got.Header)
	}
	if got := task.Send(t, "POST /assets/ready.css HTTP/1.1", br, "Content-Length: 0"); got.Status != 405 {
		t.Errorf("POST: got %d", got.Status)
	}
	if seen := task.Seen(t); seen.Total != 0 {
		t.Errorf("application saw %q", lines(seen))
	}
}

// nginx keeps open files for a second. What an application changes while it runs must not stay hidden, and a file that
// becomes a link must not stay open to it.
func TestAFileThatChangesIsSeenSoon(t *testing.T) {
	dir := directory(t, map[string]string{"page.html": "earlier", "soon-a-link.txt": "a file"})
	task := imagetest.Start(t, imagetest.Options{
		Env: []string{"NGINX_STATIC_FILES=/assets"}, Args: []string{"--volume=" + dir + ":/srv/static/1/assets:ro"},
	})
	answers := func(target string, status int, body string) {
		t.Helper()
		var got imagetest.Answer
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if got = task.Get(t, target); got.Status == status && strings.Contains(got.Body, body) {
				return
			}
		}
		t.Errorf("%s: got %d %q, want %d %q", target, got.Status, got.Body, status, body)
	}
	replace := func(name string, write func(file string) error) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := write(file + ".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	answers("/assets/page.html", 200, "earlier")
	answers("/assets/soon-a-link.txt", 200, "a file")
	answers("/assets/new.js", 404, "")
	replace("page.html", func(file string) error { return os.WriteFile(file, []byte("later"), 0o644) })
	replace("new.js", func(file string) error { return os.WriteFile(file, []byte("new"), 0o644) })
	replace("soon-a-link.txt", func(file string) error { return os.Symlink("/etc/passwd", file) })
	answers("/assets/page.html", 200, "later")
	answers("/assets/new.js", 200, "new")
	answers("/assets/soon-a-link.txt", 404, "")
}

// While a deployment is under way, a page may be of one release and the task that answers of the other.
func TestFilesOfBothReleasesAreServedByBothTasks(t *testing.T) {
	history := t.TempDir()
	if err := os.Chmod(history, 0o777); err != nil { // as whom nginx writes is the access point's to say
		t.Fatal(err)
	}
	release := func(paths string, files map[string]string) *imagetest.Task {
		opts := imagetest.Options{
			Env:  []string{"NGINX_STATIC_FILES=" + paths, "NGINX_STATIC_HISTORY=on"},
			Args: []string{"--volume=" + history + ":/srv/static/history"},
		}
		for i, path := range strings.Split(paths, ",") {
			opts.Args = append(opts.Args, "--volume="+directory(t, files)+":/srv/static/"+strconv.Itoa(i+1)+strings.TrimSuffix(path, "/")+":ro")
		}
		task := imagetest.Start(t, opts)
		task.Reset(t, true)
		return task
	}
	earlier := release("/assets", map[string]string{
		"index.html": "earlier", "index-BfUl3Xy9.js": script, "index-BfUl3Xy9.js.gz": "z", "deep/er/main.3f2a9c1d.css": "earlier", "same.1a2b3c4d.js": "same",
		"jquery-validate.js": "earlier", "logo.svg": "earlier", ".git/pack-Ab3dE5fG.js": secret, "J\u00fcrgen-Ab3dE5fG.txt": "name",
	})
	later := release("/assets,/docs", map[string]string{
		"index.html": "later", "index-Zk9Lm2Qp.js": "later", "same.1a2b3c4d.js": "same", "app.js": "later",
	})
	t.Cleanup(func() { // the files are nginx's
		imagetest.Docker(t, "exec", later.Nginx, "find", "/srv/static/history", "-mindepth", "1", "-delete")
	})
	for name, task := range map[string]*imagetest.Task{"the earlier task": earlier, "the later task": later} {
		tags := map[string]string{}
		for target, want := range map[string]string{
			"/assets/index-BfUl3Xy9.js": script, "/assets/deep/er/main.3f2a9c1d.css": "earlier", "/assets/index-Zk9Lm2Qp.js": "later",
			"/assets/same.1a2b3c4d.js": "same", "/assets/J%C3%BCrgen-Ab3dE5fG.txt": "name",
		} {
			got := task.Get(t, target)
			if got.Status != 200 || got.Body != want || got.Header.Get("Cache-Control") == "" {
				t.Errorf("%s, %s: got %d %q, %v", name, target, got.Status, got.Body[:min(len(got.Body), 60)], got.Header)
			}
			tags[target] = got.Header.Get("Etag")
			if other := earlier.Get(t, target).Header.Get("Etag"); other != tags[target] {
				t.Errorf("%s, %s: ETag %s, from the other %s", name, target, tags[target], other)
			}
		}
		if got := task.Get(t, "/assets/index-BfUl3Xy9.js", "Accept-Encoding: gzip"); got.Header.Get("Content-Encoding") != "gzip" || got.Body != "z" {
			t.Errorf("%s, compressed: got %d %v", name, got.Status, got.Header)
		}
		if got := task.Get(t, "/assets/index-BfUl3Xy9.js", "If-None-Match: "+tags["/assets/index-BfUl3Xy9.js"]); got.Status != 304 {
			t.Errorf("%s, the same tag: got %d", name, got.Status)
		}
		if got := task.Send(t, "POST /assets/index-BfUl3Xy9.js HTTP/1.1"); got.Status != 405 {
			t.Errorf("%s, POST: got %d", name, got.Status)
		}
		for _, target := range []string{
			"/assets/missing-Ab3dE5fG.js", "/assets/logo.svg/", "/assets/.git/pack-Ab3dE5fG.js", "/assets/%2egit/pack-Ab3dE5fG.js", "/docs/index-BfUl3Xy9.js",
			"/history/assets/index-BfUl3Xy9.js", "/assets/../../history/assets/index-BfUl3Xy9.js",
		} {
			if got := task.Get(t, target); got.Status != 404 && got.Status != 400 || strings.Contains(got.Body, secret) {
				t.Errorf("%s, %s: got %d %q", name, target, got.Status, got.Body)
			}
		}
	}
	// A name without a hash means another content in each release, so it stays each task's own.
	for target, task := range map[string]*imagetest.Task{"/assets/app.js": earlier, "/assets/jquery-validate.js": later, "/assets/logo.svg": later} {
		if got := task.Get(t, target); got.Status != 404 {
			t.Errorf("%s of the other release: got %d", target, got.Status)
		}
	}
	if got, other := earlier.Get(t, "/assets/"), later.Get(t, "/assets/"); got.Body != "earlier" || other.Body != "later" {
		t.Errorf("the pages: got %q and %q", got.Body, other.Body)
	}
	if left, err := filepath.Glob(filepath.Join(history, "assets", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
	send(later, append(rawCases(t), traversalCases(t)...))
	for _, r := range later.Seen(t).Requests {
		if why := (mode{admits: belowAPI}).outside(r); why != "" {
			t.Errorf("%s: application saw %q", why, r.Head)
		}
	}
}

// Files that could not be kept would be missing in the next deployment, when nobody looks for the reason.
func TestAHistoryThatCannotBeWrittenEndsTheSidecarWithItsReason(t *testing.T) {
	out, err := check(t, "NGINX_STATIC_HISTORY=on", "NGINX_SPA_FALLBACK=on", "NGINX_STATIC_FILES=/assets")
	for _, want := range []string{
		`NGINX_STATIC_HISTORY: got "on", allowed: off, or a volume at /srv/static/history that nginx may write to`,
		`NGINX_SPA_FALLBACK: got "on", allowed: off, or an index.html directly below one of the paths of static files`,
	} {
		if err == nil || !strings.Contains(out, want+"\n") {
			t.Errorf("got %v, %s\nwant %s", err, out, want)
		}
	}
}

// What no attack may get: what lies outside, links, hidden files, lists. And nothing of it may reach the application.
func TestStaticFilesAreAllThatAnAttackGets(t *testing.T) {
	task := static(t, "/assets")
	for target, want := range map[string]int{
		"/assets/link.txt": 404, "/assets/up.txt": 404, "/assets/inside.js": 404, "/assets/etc/passwd": 404, "/assets/etc/": 404,
		"/assets/.env": 404, "/assets/.git/config": 404, "/assets/docs/../.env": 400, "/assets/%2eenv": 400, "/assets/.%65nv": 400,
		"/assets/empty/": 404, "/assets/missing.js": 404, "/assets/app.js/": 404, "/assets/app.js/x": 404, "/assetsx": 404, "/ASSETS/app.js": 404,
		"/assets/../outside.txt": 400, "/assets/..%2foutside.txt": 400, "/assets/%2e%2e/outside.txt": 400, "/assets/..": 400, "/assets/../../../etc/passwd": 400,
		"/assets/..;/outside.txt": 400, "/assets/..%5coutside.txt": 400, "/assets/%252e%252e/outside.txt": 400, "/assets//app.js": 400, "/assets/./app.js": 400,
		"/assets%2fapp.js": 404, "/assets/docs%2findex.html": 400, "/assets/app.js%00": 400, "/assets/%c0%ae%c0%ae/outside.txt": 400,
		"/api/../assets/app.js": 400, "/x/../assets/app.js": 404, "/x/..%2fassets/app.js": 404, "/srv/static/1/assets/app.js": 404,
		"/.sidecar/none": 404,
	} {
		got := task.Get(t, target)
		if got.Status != want || strings.Contains(got.Body, secret) || strings.Contains(got.Body, "root:") || strings.Contains(got.Body, script) {
			t.Errorf("%s: got %d %q, want %d", target, got.Status, got.Body[:min(len(got.Body), 60)], want)
		}
	}
	if got := task.Get(t, "/assets/.env"); got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Cache-Control") != "" {
		t.Errorf("not found: %v", got.Header)
	}
	send(task, append(append(rawCases(t), scannerCases(t)...), traversalCases(t)...))
	for _, r := range task.Seen(t).Requests {
		if why := (mode{admits: belowAPI}).outside(r); why != "" {
			t.Errorf("%s: application saw %q", why, r.Head)
		}
	}
	task.Raw(t, "GET /assets/app.js HTTP/1.1\r\nHost: a b\r\n\r\n")
	if got := task.Raw(t, "GET http://a/assets/app.js HTTP/1.1\r\nHost: a\r\n\r\n"); got.Status != 400 {
		t.Errorf("an absolute target: got %d, want 400", got.Status)
	}
}

// The longer prefix decides whose a path is.
func TestFilesAndApplicationShareTheirPaths(t *testing.T) {
	for name, c := range map[string]struct {
		files string
		env   string
		want  map[string]string
	}{
		"files below a site": {"/assets", "NGINX_PATH_PREFIXES=/", map[string]string{
			"/": "app", "/assets": "301", "/assets/app.js": "200", "/assets/missing": "404", "/about": "app", "/assets2": "app", "/x/../assets/app.js": "400",
		}},
		"an API below files": {"/", "NGINX_PATH_PREFIXES=/api", map[string]string{
			"/": "200", "/app.js": "200", "/docs/": "200", "/api": "app", "/api/x": "app", "/apix": "404", "/api/../app.js": "400", "/.env": "404",
			"/.sidecar/health": "200", "/.sidecar/app.js": "404", "/.well-known/security.txt": "200", "//app.js": "400",
		}},
		"an API below files below an API": {"/api/files", "NGINX_PATH_PREFIXES=/api,/api/files/upload", map[string]string{
			"/api/files/app.js": "200", "/api/files/upload": "app", "/api/files/upload/x": "app", "/api/files/uploads": "404", "/api/x": "app",
			"/api/files/upload/../app.js": "400",
		}},
		"files below files": {"/,/assets,/api/files", "NGINX_PATH_PREFIXES=/api", map[string]string{
			"/app.js": "200", "/assets/app.js": "200", "/api/files/app.js": "200", "/api/files/missing.js": "404", "/api/filesx": "app", "/api/x": "app",
		}},
	} {
		task := static(t, c.files, c.env)
		isHealthy(t, task)
		for target, want := range c.want {
			task.Reset(t, true)
			got := task.Get(t, target)
			answer := strconv.Itoa(got.Status)
			if task.Seen(t).Total > 0 {
				answer = "app"
			}
			if answer != want {
				t.Errorf("%s: %s: got %s, want %s", name, target, answer, want)
			}
		}
	}
}

// Pages that the browser makes have no file; a script that is missing is missing, or it would be cached as a page.
func TestASinglePageApplicationGetsItsPage(t *testing.T) {
	task := static(t, "/,/shop", "NGINX_SPA_FALLBACK=on")
	for target, want := range map[string]string{
		"/orders/17": page, "/orders/": page, "/orders": page, "/shop/cart": page, "/app.js": script, "/missing.js": "", "/shop/missing.css": "", "/.env": "", "/orders/.git": "",
	} {
		got := task.Get(t, target)
		if want == "" && got.Status != http.StatusNotFound || want != "" && (got.Status != 200 || got.Body != want || got.Header.Get("Cache-Control") != "no-cache") {
			t.Errorf("%s: got %d %q, %q", target, got.Status, got.Body[:min(len(got.Body), 60)], got.Header.Get("Cache-Control"))
		}
	}
	if got := task.Get(t, "/api/users/1"); got.Status != 200 || task.Seen(t).Total != 1 {
		t.Errorf("the API: got %d", got.Status)
	}
	if got := task.Get(t, "/orders/17"); !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page is %s", got.Header.Get("Content-Type"))
	}
}

// An image that does not declare the directory as a volume would have none of its files there.
func TestAnEmptyVolumeEndsTheSidecarWithItsReason(t *testing.T) {
	out, err := check(t, "NGINX_STATIC_FILES=/assets,/")
	const reason = "; the application's image has to declare their directory as a VOLUME\n"
	want := `NGINX_STATIC_FILES: got "/assets", allowed: a path with files in /srv/static/1/assets` + reason +
		`NGINX_STATIC_FILES: got "/", allowed: a path with files in /srv/static/2` + reason
	if err == nil || out != want {
		t.Errorf("got %v, %s\nwant %s", err, out, want)
	}
}
