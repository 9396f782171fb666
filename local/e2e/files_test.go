package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const filesStack = "files"

// visitor asks for each file on a connection of its own, so that another task may answer each time.
var visitor = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// scripts are the names in a page, each with a hash of its content, as bundlers write them.
var scripts = regexp.MustCompile(`[a-z]+-AbCdEf[0-9]{2}\.js`)

// release writes the page and the scripts of a release into the app's build context, in place of the earlier one's.
func (c *checkout) release(t *testing.T, number int) {
	t.Helper()
	folder := filepath.Join(c.root, "images", "app", "public")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf("<title>release %d</title>", number)
	for _, name := range []string{"index", "chart", "editor"} {
		name = fmt.Sprintf("%s-AbCdEf%02d.js", name, number)
		page += fmt.Sprintf(`<script src="%s"></script>`, name)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("// "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// file returns what the stack serves under a name.
func (c *checkout) file(name string) (string, error) {
	response, err := visitor.Get(c.url() + "/assets/" + name)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", name, response.Status)
	}
	return string(body), err
}

// visits are what browsers have got: pages in their order, and what went wrong.
type visits struct {
	sync.Mutex
	pages  []string
	failed []error
}

// visit loads a page and then its scripts.
func (v *visits) visit(c *checkout, page string) {
	if page == "" {
		var err error
		if page, err = c.file(""); err != nil {
			v.Lock()
			v.failed = append(v.failed, err)
			v.Unlock()
			return
		}
		v.Lock()
		v.pages = append(v.pages, page)
		v.Unlock()
	}
	for _, name := range scripts.FindAllString(page, -1) {
		if got, err := c.file(name); err != nil || got != "// "+name {
			v.Lock()
			v.failed = append(v.failed, fmt.Errorf("%s: got %q, %w", name, got, err))
			v.Unlock()
		}
	}
}

// filesInImage are the lines of a Dockerfile that hand its files to NGINX.
const filesInImage = "COPY public ./public\nVOLUME /app/public\n"

// Browsers load the page again and again while another release is deployed, and some have the earlier page open all the
// time. Each page finds its scripts, whichever task answers, and the earlier page still does when its last task is gone.
func TestADeploymentLosesNoStaticFile(t *testing.T) {
	c := newCheckout(t)
	c.withStack(t, filesStack)
	t.Cleanup(func() { _, _ = c.try(t, "down") })
	c.edit(t, "images/app/Dockerfile", "USER 1000:1000", filesInImage+"USER 1000:1000")
	c.edit(t, "images/app/.dockerignore", "!app.js", "!app.js\n!public")
	c.release(t, 1)
	c.local(t, "up", "--stack", filesStack)
	first, err := c.file("")
	if err != nil || !strings.Contains(first, "release 1") {
		t.Fatalf("the page is %q, %v", first, err)
	}

	c.release(t, 2)
	var all visits
	ctx, cancel := context.WithCancel(t.Context())
	var browsers sync.WaitGroup
	for _, page := range []string{"", "", "", first} {
		browsers.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
				all.visit(c, page)
			}
		})
	}
	c.local(t, "up", "--stack", filesStack)
	cancel()
	browsers.Wait()

	later, sides := 0, 0 // pages of the second release, and those of the first that came after one of them
	for _, page := range all.pages {
		if strings.Contains(page, "release 2") {
			later++
		} else if later > 0 {
			sides++
		}
	}
	t.Logf("%d pages, %d of the second release, and %d of the first after the first of those", len(all.pages), later, sides)
	if sides < 20 {
		t.Error("tasks of both releases hardly answered side by side: this proves nothing")
	}
	for i, err := range all.failed {
		if i == 0 {
			t.Errorf("%d requests failed, the first: %v", len(all.failed), err)
		}
	}
	var after visits
	for range 20 {
		after.visit(c, first)
		after.visit(c, "")
	}
	for _, err := range after.failed {
		t.Errorf("after the deployment: %v", err)
	}
	assertUnchanged(t, c)
	ended := c.current(t)
	c.local(t, "down")
	c.assertNothingLeft(t, ended)
}
