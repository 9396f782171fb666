package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fargate-nginx-sidecar/local/trial"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// appsStack is the environment that takes the settings of one app after the other.
const appsStack = "apps"

// TestAppsOfOthersRunBySettingsAlone deploys the apps of examples/apps, none of which was written for this project. Each
// gets the settings of its stack file and has to answer the requests of its list. Beside that, each shows one thing that
// ends in a task: a hung app, a file that outlives its task, a WebSocket, a migration and a scheduled command.
func TestAppsOfOthersRunBySettingsAlone(t *testing.T) {
	c := newCheckout(t)
	t.Cleanup(func() { _, _ = c.try(t, "down") })

	step := func(claim string, do func(t *testing.T)) {
		t.Helper()
		if !t.Run(claim, do) {
			t.FailNow()
		}
	}
	step("a Go binary on scratch", func(t *testing.T) { c.become(t, "httpbin") })
	step("an app that hangs is replaced", func(t *testing.T) { replaceHungApp(t, c) })
	step("a page with an API, from npm", func(t *testing.T) {
		c.become(t, "wiki")
		c.assertStays(t)
	})
	step("a file on EFS outlives the task that wrote it", func(t *testing.T) { replaceWriter(t, c) })
	step("a Python app with WebSockets", func(t *testing.T) {
		t.Setenv("JUPYTER_TOKEN", "test-token")
		c.become(t, "notebook")
		runPython(t, c)
	})
	step("an app with a migration", func(t *testing.T) {
		database := startPostgreSQL(t)
		t.Setenv("DATABASE_URL", database.url)
		t.Setenv("ADMIN_PASSWORD", "test-password")
		c.become(t, "reader")
		c.assertStays(t)
		runScheduled(t, c)
		failMigration(t, c, database)
	})
	step("down leaves nothing on the machine", func(t *testing.T) {
		ended := c.current(t)
		c.local(t, "down")
		c.assertNothingLeft(t, ended)
	})
}

// become gives the stack the settings of an app, deploys it, and sends it the requests of its list.
func (c *checkout) become(t *testing.T, app string) {
	t.Helper()
	folder := filepath.Join(c.root, "examples", "apps", app)
	if err := trial.CopyFile(filepath.Join(folder, "Pulumi."+app+".yaml"), filepath.Join(c.root, "Pulumi."+appsStack+".yaml")); err != nil {
		t.Fatal(err)
	}
	c.local(t, "up", "--stack", appsStack)
	list := parseRequests(t, c.read(t, filepath.Join("examples", "apps", app, "requests.txt")))
	for _, r := range list {
		if err := r.send(c.url()); err != nil {
			t.Errorf("%s %s: %v", r.method, r.path, err)
		}
	}
	t.Logf("%s: %d requests", app, len(list))
}

// assertStays looks whether a second preview shows no change.
func (c *checkout) assertStays(t *testing.T) {
	t.Helper()
	if changes := c.changes(t); len(changes) > 0 {
		t.Errorf("a preview shows %v", changes)
	}
}

// request is one line of a list: what is sent, and what has to come back.
type request struct {
	method, path, body string
	header             http.Header
	status             int
	contains           string
}

var (
	requestLine = regexp.MustCompile(`^([A-Z]+) (/\S*)(?: (\{.*\}))? => ([0-9]{3})(?: (.+))?$`)
	headerLine  = regexp.MustCompile(`^([A-Za-z-]+): (.+)$`)
)

// parseRequests reads a list. A header counts for all requests below it.
func parseRequests(t *testing.T, text string) (all []request) {
	t.Helper()
	header := http.Header{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if part := requestLine.FindStringSubmatch(line); part != nil {
			status, _ := strconv.Atoi(part[4]) // three digits
			all = append(all, request{part[1], part[2], part[3], header.Clone(), status, part[5]})
		} else if part := headerLine.FindStringSubmatch(line); part != nil {
			header.Set(part[1], part[2])
		} else {
			t.Fatalf("neither a request nor a header: %s", line)
		}
	}
	if len(all) == 0 {
		t.Fatal("the list has no requests")
	}
	return all
}

// direct takes an answer as it is, redirects included.
var direct = &http.Client{
	Timeout:       time.Minute,
	Transport:     client.Transport,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send says what came back if that is not what the list says.
func (r request) send(url string) error {
	sent, err := http.NewRequest(r.method, url+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	sent.Header = r.header.Clone()
	if r.body != "" {
		sent.Header.Set("Content-Type", "application/json")
	}
	response, err := direct.Do(sent)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != r.status || !strings.Contains(string(body), r.contains) {
		return fmt.Errorf("got %s: %.300s; want %d with %q", response.Status, body, r.status, r.contains)
	}
	return nil
}

// get is a request that has to be answered with 200 and a text.
func get(path, contains string) request {
	return request{method: http.MethodGet, path: path, status: http.StatusOK, contains: contains}
}

// eventually repeats a look until it finds nothing wrong.
func eventually(t *testing.T, look func() error) {
	t.Helper()
	var err error
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(time.Second) {
		if err = look(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// othersRun says whether as many app containers run as before, without the one that is gone.
func (c *checkout) othersRun(t *testing.T, gone string, count int) error {
	t.Helper()
	if others := slices.DeleteFunc(c.running(t, "app"), func(id string) bool { return id == gone }); len(others) < count {
		return fmt.Errorf("%d app containers run beside %s; want %d", len(others), gone, count)
	}
	return nil
}

// replaceHungApp stops an app's process, which then answers nothing and does not end. Its image has no program that could
// ask it how it is, so NGINX does.
func replaceHungApp(t *testing.T, c *checkout) {
	t.Helper()
	before := c.containers(t, "app")
	begun := time.Now()
	docker(t, nil, "kill", "--signal", "STOP", before[0])
	eventually(t, func() error { return c.othersRun(t, before[0], len(before)) })
	t.Logf("replaced after %s", time.Since(begun).Round(time.Second))
	eventually(t, func() error { return get("/get?after=hang", `"hang"`).send(c.url()) })
	eventually(t, func() error {
		status, err := c.run("status")
		if err == nil && !strings.Contains(status, "failed container health checks") {
			err = fmt.Errorf("the status does not say that a health check failed:\n%s", status)
		}
		return err
	})
}

// replaceWriter kills the app that has written the note of its list, and reads the note from the one that takes its place.
func replaceWriter(t *testing.T, c *checkout) {
	t.Helper()
	note := get("/recipes/default/tiddlers/Shopping", "bread and milk")
	if err := note.send(c.url()); err != nil {
		t.Fatal(err)
	}
	before := c.containers(t, "app")
	docker(t, nil, "kill", before[0])
	eventually(t, func() error { return c.othersRun(t, before[0], len(before)) })
	eventually(t, func() error { return note.send(c.url()) })
}

// runPython starts a kernel and lets it calculate, as a notebook in a browser does.
func runPython(t *testing.T, c *checkout) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	header := http.Header{"Authorization": {"token test-token"}, "Origin": {c.url()}}
	connection, answer, err := websocket.Dial(ctx, c.url()+"/api/kernels/"+startKernel(t, c, header)+"/channels", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the body of an accepted WebSocket is the connection
	if err != nil {
		t.Fatalf("%v: %+v", err, answer)
	}
	defer func() { _ = connection.CloseNow() }()
	connection.SetReadLimit(1 << 20)
	// https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute
	err = wsjson.Write(ctx, connection, map[string]any{
		"channel": "shell", "parent_header": map[string]any{}, "metadata": map[string]any{}, "buffers": []any{},
		"header": map[string]any{
			"msg_id": "1", "msg_type": "execute_request", "session": "test", "username": "test", "date": time.Now().Format(time.RFC3339), "version": "5.3",
		},
		"content": map[string]any{
			"code": "print(6 * 7)", "silent": false, "store_history": false, "user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		var message struct {
			Type    string `json:"msg_type"`
			Content struct{ Text string }
		}
		if err := wsjson.Read(ctx, connection, &message); err != nil {
			t.Fatalf("the kernel's output did not come: %v", err)
		}
		if message.Type == "stream" {
			if message.Content.Text != "42\n" {
				t.Errorf("the kernel says %q; want 42", message.Content.Text)
			}
			return
		}
	}
}

// startKernel returns the id of a new kernel.
func startKernel(t *testing.T, c *checkout, header http.Header) string {
	t.Helper()
	sent, err := http.NewRequest(http.MethodPost, c.url()+"/api/kernels", strings.NewReader(`{"name":"python3"}`))
	if err != nil {
		t.Fatal(err)
	}
	sent.Header = header.Clone()
	response, err := direct.Do(sent)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var kernel struct{ ID string }
	if err := json.NewDecoder(response.Body).Decode(&kernel); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("POST /api/kernels: %s %v", response.Status, err)
	}
	return kernel.ID
}

// runScheduled runs a command of the schedule now.
func runScheduled(t *testing.T, c *checkout) {
	t.Helper()
	output := c.local(t, "run", "cleanup")
	for _, want := range []string{"Sessions cleanup completed", "exit code 0"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if output, err := c.try(t, "run", "report"); err == nil || !strings.Contains(output, "there are: cleanup") {
		t.Errorf("a schedule that does not exist: %v", err)
	}
}

// failMigration deploys another revision while the database takes no connection, and again when it does.
func failMigration(t *testing.T, c *checkout, database database) {
	t.Helper()
	before := c.containers(t, "app")
	database.ask(t, "ALTER DATABASE reader ALLOW_CONNECTIONS false")
	c.edit(t, "Pulumi."+appsStack+".yaml", "ADMIN_USERNAME: admin", "ADMIN_USERNAME: admin, LOG_LEVEL: warning")
	output, err := c.try(t, "up", "--stack", appsStack)
	if err == nil {
		t.Error("the deploy is reported as a success")
	}
	for _, want := range []string{`deployment.command ["/miniflux", "-migrate"]: it ended with exit code 1`, "not currently accepting connections", "the service has not been changed"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if after := c.containers(t, "app"); !slices.Equal(after, before) {
		t.Errorf("the app's containers were %v and are %v", before, after)
	}
	if err := get("/healthz", "OK").send(c.url()); err != nil {
		t.Errorf("the old revision: %v", err)
	}

	database.ask(t, "ALTER DATABASE reader ALLOW_CONNECTIONS true")
	c.local(t, "up", "--stack", appsStack)
	if seen := docker(t, nil, "inspect", c.containers(t, "app")[0]); !strings.Contains(seen, "LOG_LEVEL=warning") {
		t.Error("the app that runs is not of the new revision")
	}
}

// database is a PostgreSQL on this machine.
type database struct{ container, url string }

// startPostgreSQL runs a database that the tasks reach by the machine's name, and this machine alone.
func startPostgreSQL(t *testing.T) database {
	t.Helper()
	const image = "fargate-nginx-sidecar/test-postgresql"
	docker(t, nil, "build", "--network", "host", "--tag", image, filepath.Join("testdata", "postgresql"))
	gateway := strings.TrimSpace(docker(t, nil, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"))
	container := strings.TrimSpace(docker(t, nil, "run", "--detach", "--rm", "--publish", gateway+"::5432", image))
	t.Cleanup(func() { docker(t, nil, "rm", "--force", container) })
	_, port, _ := strings.Cut(strings.TrimSpace(docker(t, nil, "port", container, "5432/tcp")), ":")
	d := database{container, "postgres://reader:test@host.docker.internal:" + port + "/reader?sslmode=disable"}
	eventually(t, d.ready)
	d.ask(t, "CREATE ROLE reader LOGIN PASSWORD 'test'")
	d.ask(t, "CREATE DATABASE reader OWNER reader")
	return d
}

func (d database) ready() error {
	return exec.Command("docker", "exec", d.container, "pg_isready", "--host", "/tmp").Run()
}

func (d database) ask(t *testing.T, query string) {
	t.Helper()
	docker(t, nil, "exec", d.container, "psql", "--host", "/tmp", "--quiet", "--command", query)
}
